/* steno-note-login: tells the agent that somebody logs in or out; pam_exec(8) runs it, as root.
 *
 * What starts no login shell (sftp within sshd, port forwarding) is known to the agent only so. It
 * says what PAM says, waits for nobody, and always succeeds: no login may depend on it.
 * docs/formats/agent-socket.md, docs/host.md. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#ifndef STENO_SOCKET
#define STENO_SOCKET "/run/steno/agent.sock"
#endif
#define MAGIC "STENO1\n"
#define VALUE_BYTES 1024

struct note {
    char bytes[8192];
    size_t length;
};

/* Values that are missing, empty or unreasonably long are left out. */
static void add(struct note *note, const char *name, const char *value)
{
    if (value && value[0] && strlen(value) <= VALUE_BYTES)
        note->length += 1 + (size_t)snprintf(note->bytes + note->length, sizeof note->bytes - note->length,
                                             "%s=%s", name, value);
}

/* The agent may look at the note only later. */
static void add_instant(struct note *note)
{
    struct timespec now;
    char text[32];
    if (clock_gettime(CLOCK_REALTIME, &now) != 0)
        return;
    snprintf(text, sizeof text, "%lld", (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000);
    add(note, "at_unix_us", text);
}

/* Add one of this process's audit ids, which it has from sshd's session. */
static void add_audit_id(struct note *note, const char *name, const char *path)
{
    char text[32];
    ssize_t length;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return;
    length = read(file, text, sizeof text - 1);
    close(file);
    if (length <= 0)
        return;
    text[length] = 0;
    if (strcmp(text, "4294967295") != 0) /* unset */
        add(note, name, text);
}

static const char *send_note(const struct note *note)
{
    const struct sockaddr_un agent = {.sun_family = AF_UNIX, .sun_path = STENO_SOCKET};
    int link = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (link < 0 || connect(link, (const struct sockaddr *)&agent, sizeof agent) != 0 ||
        send(link, note->bytes, note->length, MSG_NOSIGNAL) < 0)
        return strerror(errno);
    close(link);
    return NULL;
}

int main(void)
{
    static struct note note;
    const char *type = getenv("PAM_TYPE"), *user = getenv("PAM_USER"), *wrong;

    if (!type || !user || (strcmp(type, "open_session") != 0 && strcmp(type, "close_session") != 0))
        return 0; /* not one of PAM's sessions */
    memcpy(note.bytes, MAGIC, sizeof MAGIC - 1);
    note.length = sizeof MAGIC - 1;
    add(&note, "login", strcmp(type, "open_session") == 0 ? "open" : "close");
    add(&note, "user", user);
    add(&note, "service", getenv("PAM_SERVICE"));
    add(&note, "remote", getenv("PAM_RHOST"));
    add(&note, "terminal", getenv("PAM_TTY"));
    add_audit_id(&note, "audit_session", "/proc/self/sessionid");
    add_audit_id(&note, "login_uid", "/proc/self/loginuid");
    add_instant(&note);
    wrong = send_note(&note);
    if (wrong) {
        openlog("steno-note-login", LOG_PID, LOG_AUTHPRIV);
        syslog(LOG_NOTICE, "the agent was not told that %s's login %ss: %s", user,
               type[0] == 'o' ? "begin" : "end", wrong);
    }
    return 0;
}
