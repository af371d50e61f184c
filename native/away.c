/* What becomes of a session when the agent cannot be reached, docs/login-shell.md. */
#include "shell.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <syslog.h>
#include <unistd.h>

#ifndef STENO_CONFIGURATION
#define STENO_CONFIGURATION "/etc/steno"
#endif
#ifndef STENO_PASSWD
#define STENO_PASSWD "/etc/passwd"
#endif
#ifndef STENO_LISTED
#define STENO_LISTED "/etc/shells"
#endif
#ifndef STENO_OWNER
#define STENO_OWNER 0              /* whose the files above must be */
#endif
#define FILE_BYTES (1 << 20)

/* Read one of root's files. NULL, and errno; EPERM: somebody else might have written it. */
static char *read_trusted(const char *path, size_t *length)
{
    struct stat facts;
    char *text = NULL;
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK), reason = EPERM;
    *length = 0;
    if (file < 0)
        return NULL;
    if (fstat(file, &facts) == 0 && S_ISREG(facts.st_mode) && facts.st_uid == STENO_OWNER &&
        !(facts.st_mode & (S_IWGRP | S_IWOTH))) {
        ssize_t count = 0;
        text = malloc(FILE_BYTES);
        while (text && *length < FILE_BYTES &&
               (count = read(file, text + *length, FILE_BYTES - *length)) > 0)
            *length += (size_t)count;
        reason = !text ? ENOMEM : count < 0 ? errno : *length == FILE_BYTES ? EFBIG : 0;
    }
    close(file);
    errno = reason;
    if (reason) {
        free(text);
        return NULL;
    }
    return text;
}

/* Read shell.conf; false: it is not to be followed, `wrong` says why. A missing one is an empty one. */
static bool load_settings(struct settings *settings, char *wrong, size_t wrong_bytes)
{
    static const char path[] = STENO_CONFIGURATION "/shell.conf";
    size_t length;
    int line_number;
    char *text = read_trusted(path, &length);
    const char *reason = text || errno == ENOENT ? NULL : strerror(errno);

    if (!text && errno == EPERM)
        reason = "not a file that only root can write";
    if (reason) {
        (void)read_settings("", 0, settings, &line_number);
        (void)snprintf(wrong, wrong_bytes, "%s: %s", path, reason);
        return false;
    }
    reason = read_settings(text ? text : "", length, settings, &line_number);
    if (reason) {
        settings->may_start = false;
        (void)snprintf(wrong, wrong_bytes, "%s:%d: %s", path, line_number, reason);
    }
    return !reason;
}

struct texts {
    char *listed, *table, *accounts;
    size_t listed_bytes, table_bytes, accounts_bytes;
};

/* The shell for a session without the agent; false: none is due. As steno.policy.shells: the first
 * that is there counts, root's files before what may come from the user. */
static bool choose_shell(const struct texts *texts, const char *argv0, char shell[PATH_BYTES])
{
    char user[PATH_BYTES], wanted[PATH_BYTES];
    const char *sssd = getenv("TLOG_REC_SESSION_SHELL");

    if (find_account(texts->accounts, texts->accounts_bytes, getuid(), user, shell)) {
        if (find_user_shell(texts->table, texts->table_bytes, user, wanted)) {
            memcpy(shell, wanted, PATH_BYTES);
            return is_real_shell(shell);
        }
        if (!is_recording_shell(shell))
            return is_real_shell(shell);
    }
    if (select_by_name(argv0, wanted))
        return find_listed(texts->listed, texts->listed_bytes, wanted, true, shell) &&
               is_real_shell(shell);
    return sssd && find_listed(texts->listed, texts->listed_bytes, sssd, false, shell) &&
           is_real_shell(shell);
}

static bool find_shell(const char *argv0, char shell[PATH_BYTES])
{
    struct texts texts = {0};
    texts.listed = read_trusted(STENO_LISTED, &texts.listed_bytes);
    texts.table = read_trusted(STENO_CONFIGURATION "/shells", &texts.table_bytes);
    texts.accounts = read_trusted(STENO_PASSWD, &texts.accounts_bytes);
    bool is_found = choose_shell(&texts, argv0, shell);
    free(texts.listed);
    free(texts.table);
    free(texts.accounts);
    return is_found;
}

/* Root on a terminal of the machine itself: no pseudo-terminal (major numbers of devices.txt). */
static bool is_root_console(void)
{
    struct stat facts;
    if (getuid() != 0 || !isatty(STDIN_FILENO) || fstat(STDIN_FILENO, &facts) != 0)
        return false;
    unsigned number = major(facts.st_rdev);
    return number != 2 && number != 3 && (number < 136 || number > 143);
}

void decide_without_agent(struct session *session, const char *reason)
{
    static char shell[PATH_BYTES], name[PATH_BYTES + 1], wrong[PATH_BYTES + 64];
    struct settings settings;
    bool is_rescue, may_start;

    openlog("steno-shell", LOG_PID, LOG_AUTHPRIV);
    if (!load_settings(&settings, wrong, sizeof wrong))
        syslog(LOG_ERR, "%s", wrong);
    is_rescue = settings.may_rescue && is_root_console();
    may_start = settings.may_start || is_rescue;
    if (may_start && !find_shell(session->argv[0], shell)) {
        may_start = is_rescue;
        (void)snprintf(shell, sizeof shell, "/bin/sh");
        (void)snprintf(wrong, sizeof wrong, "no shell is known for this user");
    }
    if (!may_start) {
        syslog(LOG_ERR, "session of uid %u refused: %s", (unsigned)getuid(), reason);
        tell("Sessions on this host are recorded, and the recorder cannot be reached.\n"
             "Your session was not started; please tell the host's administrator.");
        tell("%s%s(%s%s%s)", settings.contact, settings.contact[0] ? "\n" : "", reason,
             wrong[0] ? "; " : "", wrong);
        exit(1);
    }
    syslog(LOG_WARNING, "session of uid %u starts UNRECORDED%s: %s", (unsigned)getuid(),
           is_rescue ? " (root on the console)" : "", reason);
    closelog();
    (void)snprintf(name, sizeof name, "%s%s", session->argv[0][0] == '-' ? "-" : "",
                   strrchr(shell, '/') + 1);
    session->answer = (struct answer){.action = ACTION_EXEC, .shell = shell, .argv0 = name, .message = ""};
}
