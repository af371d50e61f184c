/* steno-shell: the login shell that hands its session to steno's agent and becomes the user's shell.
 *
 * It sends its standard descriptors to the agent, gets a terminal back on which the agent records,
 * and runs the real shell there, in a session of its own. As steno-wait it stays the shell's parent until
 * the agent has passed on all output; without a terminal it becomes the shell.
 * docs/formats/agent-socket.md, docs/login-shell.md.
 *
 * It has no privileges. Of the environment it reads TERM and TLOG_REC_SESSION_SHELL, and trusts
 * neither; paths and times are fixed when it is compiled. */
#include "shell.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef STENO_WAIT
#define STENO_WAIT "/usr/bin/steno-wait"
#endif

enum { CANNOT_RUN = 126, NOT_FOUND = 127 };

void tell(const char *format, ...)
{
    va_list values;
    va_start(values, format);
    (void)vdprintf(STDERR_FILENO, format, values);
    va_end(values);
    (void)dprintf(STDERR_FILENO, "\n");
}

/* Open what is closed of 0, 1 and 2, so that no other file can take their numbers. */
static bool fill_standard(void)
{
    int descriptor;
    do
        descriptor = open("/dev/null", O_RDWR | O_CLOEXEC);
    while (descriptor >= 0 && descriptor <= STDERR_FILENO && fcntl(descriptor, F_SETFD, 0) == 0);
    return descriptor > STDERR_FILENO && close(descriptor) == 0;
}

static _Noreturn void run_shell(const struct session *session)
{
    const struct answer *answer = &session->answer;
    struct stat self, shell;
    char text[PATH_BYTES + 128];
    int reason = ENOMEM;

    session->argv[0] = (char *)(uintptr_t)answer->argv0;
    if (stat("/proc/self/exe", &self) == 0 && stat(answer->shell, &shell) == 0 &&
        self.st_dev == shell.st_dev && self.st_ino == shell.st_ino) {
        reason = ELOOP; /* it would call itself for ever */
    } else if (unsetenv("SHELL") == 0 && setenv("SHELL", answer->shell, 1) == 0) { /* sudo sets it twice */
        (void)sigaction(SIGCHLD, &session->child_death, NULL);
        (void)sigprocmask(SIG_SETMASK, &session->mask, NULL);
        (void)execv(answer->shell, session->argv);
        reason = errno;
    }
    tell("steno-shell: %s: %s", answer->shell, strerror(reason));
    (void)snprintf(text, sizeof text, "failed=%d %s: %s", reason, answer->shell, strerror(reason));
    report(session, text);
    _exit(reason == ENOENT || reason == ENOTDIR ? NOT_FOUND : CANNOT_RUN);
}

/* Settle on the new terminal, as leader of a session. It takes the place of any terminal: one that
 * is not the session's own would be a way around the recording. */
static bool move_to_terminal(const struct session *session)
{
    int inner = session->descriptors[0];

    if (setsid() < 0 || ioctl(inner, TIOCSCTTY, 0) != 0)
        return false;
    for (int i = 0; i < 3; i++) {
        if (isatty(i) && dup2(inner, i) < 0)
            return false;
    }
    return true;
}

static void put_in_place(const struct session *session)
{
    for (int i = 0; i < 3; i++)
        (void)dup2(session->descriptors[i], i);
}

static _Noreturn void start_shell(const struct session *session)
{
    const char *message = session->answer.message;
    int place = STDERR_FILENO;

    if (session->answer.action == ACTION_TERMINAL) {
        place = session->descriptors[0];
        if (!move_to_terminal(session)) {
            int reason = errno;
            char text[128];
            tell("steno-shell: the recorded terminal cannot be used: %s\r", strerror(reason));
            (void)snprintf(text, sizeof text, "failed=%d the terminal cannot be used: %s", reason,
                           strerror(reason));
            report(session, text);
            _exit(CANNOT_RUN);
        }
    }
    if (message[0])
        (void)dprintf(place, "%s\n", message);
    if (session->answer.action == ACTION_PIPES)
        put_in_place(session);
    run_shell(session);
}

/* ---- staying as the shell's parent ---- */

static void restore_outer(const struct session *session)
{
    if (session->outer >= 0)
        restore_settings(session->outer, &session->before);
}

/* Whoever is at the other end of the session's streams must see the child close them. */
static void let_streams_go(void)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int i = 0; null >= 0 && i <= STDERR_FILENO; i++)
        (void)dup2(null, i);
}

/* Wait for the child, as steno-wait: it takes little memory. All signals are blocked here. */
static _Noreturn void become_parent(const struct session *session, pid_t child)
{
    char socket[12], outer[12], pid[12], settings[2 * sizeof session->before.bytes + 1];
    char name[] = "steno-wait", terminal[] = "terminal", pipes[] = "pipes";
    char *environment[] = {settings, NULL};
    char *argv[] = {name, socket, outer, pid,
                    session->answer.action == ACTION_TERMINAL ? terminal : pipes, NULL};

    (void)snprintf(socket, sizeof socket, "%d", session->socket);
    (void)snprintf(outer, sizeof outer, "%d", session->outer);
    (void)snprintf(pid, sizeof pid, "%d", (int)child);
    for (size_t i = 0; i < sizeof session->before.bytes; i++) {
        settings[2 * i] = (char)('a' + (session->before.bytes[i] >> 4));
        settings[2 * i + 1] = (char)('a' + (session->before.bytes[i] & 15));
    }
    settings[2 * sizeof session->before.bytes] = '\0';
    (void)fcntl(session->socket, F_SETFD, 0);
    (void)execveat(session->waiter, "", argv, environment, AT_EMPTY_PATH);
    tell("steno-shell: steno-wait: %s\r", strerror(errno));
    (void)kill(child, SIGHUP); /* nobody would wait for it: the agent hangs up too */
    restore_outer(session);
    _exit(CANNOT_RUN);
}

static _Noreturn void fork_shell(struct session *session)
{
    struct sigaction usual = {.sa_handler = SIG_DFL};
    sigset_t all;
    char text[64];

    (void)sigfillset(&all);
    (void)sigprocmask(SIG_SETMASK, &all, NULL);
    (void)sigaction(SIGCHLD, &usual, NULL); /* ignored, the child's status would be lost */
    pid_t child = fork();
    if (child < 0) {
        (void)snprintf(text, sizeof text, "failed=%d fork", errno);
        tell("steno-shell: fork: %s\r", strerror(errno));
        report(session, text);
        restore_outer(session);
        _exit(CANNOT_RUN);
    }
    if (child == 0) {
        (void)snprintf(text, sizeof text, "started=%d", (int)getpid());
        report(session, text);
        start_shell(session);
    }
    for (int i = 0; i < session->count; i++)
        close(session->descriptors[i]);
    if (session->answer.action == ACTION_PIPES)
        let_streams_go();
    become_parent(session, child);
}

static _Noreturn void follow_answer(struct session *session)
{
    if (session->answer.action == ACTION_DENY) {
        if (session->answer.message[0])
            tell("%s", session->answer.message);
        exit(session->answer.status);
    }
    /* sshd reads no more once its child has ended, and who called su has its terminal back: the end
     * has to wait until the agent has passed on everything. */
    if (session->answer.must_wait || session->answer.action == ACTION_TERMINAL)
        fork_shell(session);
    start_shell(session);
}

/* In the background, wait for the foreground, as shells do: the terminal is another's now. */
static void await_foreground(void)
{
    for (int tries = 0; tries < 16; tries++) { /* an orphaned group is not stopped */
        pid_t foreground = isatty(STDIN_FILENO) ? tcgetpgrp(STDIN_FILENO) : -1;
        if (foreground < 0 || foreground == getpgrp())
            break;
        (void)kill(0, SIGTTIN);
    }
}

/* Open steno-wait, which lies beside this program; -1, and errno: it cannot be run. */
static int open_waiter(void)
{
    static const char name[] = "steno-wait";
    char path[PATH_BYTES];
    ssize_t length = readlink("/proc/self/exe", path, sizeof path);
    char *slash = NULL;

    if (length > 0 && (size_t)length < sizeof path) {
        path[length] = '\0';
        slash = strrchr(path, '/');
    }
    if (slash && sizeof path - (size_t)(slash + 1 - path) >= sizeof name)
        memcpy(slash + 1, name, sizeof name);
    else /* there is no /proc here */
        memcpy(path, STENO_WAIT, sizeof STENO_WAIT);
    return access(path, X_OK) == 0 ? open(path, O_PATH | O_CLOEXEC) : -1;
}

int main(int argc, char **argv)
{
    static char packet[ANSWER_BYTES + 2]; /* untouched, and no memory, but for what is read */
    struct session session = {.socket = -1, .outer = -1, .waiter = -1, .packet = packet};
    char reason[256];
    sigset_t background;

    session.argv = argv;
    if (argc < 1 || !fill_standard())
        return CANNOT_RUN;
    (void)sigaction(SIGCHLD, NULL, &session.child_death);
    (void)sigemptyset(&background);
    (void)sigaddset(&background, SIGTTOU); /* so that a terminal's settings can always be put back */
    (void)sigprocmask(SIG_BLOCK, &background, &session.mask);
    await_foreground();
    for (int i = STDERR_FILENO; i >= 0; i--) {
        if (isatty(i))
            session.outer = i;
    }
    if (session.outer >= 0 && !hold_settings(session.outer, &session.before))
        session.outer = -1;
    session.waiter = open_waiter();
    const char *wrong = session.waiter < 0 ? "steno-wait" : ask_agent(&session);
    if (!wrong)
        follow_answer(&session);
    (void)snprintf(reason, sizeof reason, "%s%s%s", wrong, errno ? ": " : "", errno ? strerror(errno) : "");
    restore_outer(&session); /* it may have been taken before the agent failed */
    decide_without_agent(&session, reason);
    run_shell(&session);
}
