/* steno-shell: the login shell that hands its session to steno's agent and becomes the user's shell.
 *
 * It sends its standard descriptors to the agent, gets a terminal back on which the agent records,
 * and runs the real shell there, in a session of its own. It stays as the shell's parent until the
 * agent has passed on all output; without a terminal it becomes the shell.
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
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef STENO_RESTORED_MS
#define STENO_RESTORED_MS 30000     /* an agent may be restarting just then */
#endif
#define TAKEN_MS 2000

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
    if (session->outer >= 0) {
        (void)ioctl(session->outer, TIOCNXCL);
        (void)tcsetattr(session->outer, TCSANOW, &session->before);
    }
}

/* Stop as Ctrl-Z does; false: this process group has nobody who could ever let it go on, and the
 * kernel stops no such group. All signals are blocked here: a SIGCONT that came stays to be seen. */
static bool stop_here(void)
{
    const struct timespec at_once = {0, 0};
    struct sigaction usual = {.sa_handler = SIG_DFL};
    sigset_t stop, go_on;

    (void)sigemptyset(&stop);
    (void)sigaddset(&stop, SIGTSTP);
    (void)sigemptyset(&go_on);
    (void)sigaddset(&go_on, SIGCONT);
    (void)sigtimedwait(&go_on, NULL, &at_once);
    (void)sigaction(SIGTSTP, &usual, NULL);
    (void)raise(SIGTSTP);
    (void)sigprocmask(SIG_UNBLOCK, &stop, NULL);
    (void)sigprocmask(SIG_BLOCK, &stop, NULL);
    return sigtimedwait(&go_on, NULL, &at_once) == SIGCONT;
}

/* The shell has stopped itself (`suspend`): give the terminal back, stop too, and go on together. */
static void stop_with(struct session *session, pid_t child)
{
    report(session, "stopped=");
    if (!wait_word(session, "restored", STENO_RESTORED_MS))
        restore_outer(session);
    bool has_gone_on = stop_here();
    report(session, "continued=");
    (void)wait_word(session, "taken", TAKEN_MS);
    if (has_gone_on)
        (void)kill(-child, SIGCONT);
}

/* End as the child did. */
static _Noreturn void end_like(int status)
{
    if (WIFSIGNALED(status)) {
        const struct rlimit none = {0, 0}; /* the shell's core is the one of interest */
        struct sigaction usual = {.sa_handler = SIG_DFL};
        sigset_t mask;
        (void)setrlimit(RLIMIT_CORE, &none);
        (void)sigaction(WTERMSIG(status), &usual, NULL);
        (void)sigemptyset(&mask);
        (void)sigaddset(&mask, WTERMSIG(status));
        (void)raise(WTERMSIG(status));
        (void)sigprocmask(SIG_UNBLOCK, &mask, NULL);
        _exit(128 + WTERMSIG(status));
    }
    _exit(WEXITSTATUS(status));
}

static _Noreturn void finish(struct session *session, int status)
{
    char text[32];
    if (WIFSIGNALED(status))
        (void)snprintf(text, sizeof text, "ended=signal %d", WTERMSIG(status));
    else
        (void)snprintf(text, sizeof text, "ended=exit %d", WEXITSTATUS(status));
    report(session, text);
    if (!wait_word(session, "restored", STENO_RESTORED_MS) &&
        session->answer.action == ACTION_TERMINAL)
        restore_outer(session);
    end_like(status);
}

/* Whether a signal is meant for the shell. That the outer terminal hung up is the agent's matter: it
 * passes on what is left, and closes the shell's own terminal. */
static bool is_for_shell(const struct session *session, const siginfo_t *facts)
{
    switch (facts->si_signo) {
    case SIGHUP:
        return facts->si_code != SI_KERNEL || session->answer.action != ACTION_TERMINAL;
    case SIGINT:
    case SIGQUIT:
    case SIGTERM:
    case SIGUSR1:
    case SIGUSR2:
        return true;
    default:
        return false;
    }
}

/* Wait for the child; signals that come meanwhile are meant for it. All are blocked here. */
static _Noreturn void stay_parent(struct session *session, pid_t child)
{
    siginfo_t facts;
    sigset_t all;
    (void)sigfillset(&all);
    for (;;) {
        int status, number = sigwaitinfo(&all, &facts);
        if (number == SIGCHLD) {
            while (waitpid(child, &status, WNOHANG | WUNTRACED) == child) {
                if (!WIFSTOPPED(status))
                    finish(session, status);
                if (session->answer.action == ACTION_TERMINAL)
                    stop_with(session, child);
            }
        } else if (number > 0 && is_for_shell(session, &facts)) {
            (void)kill(child, number);
        }
    }
}

/* Whoever is at the other end of the session's streams must see the child close them. */
static void let_streams_go(void)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int i = 0; null >= 0 && i <= STDERR_FILENO; i++)
        (void)dup2(null, i);
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
    (void)prctl(PR_SET_DUMPABLE, 0); /* the user may kill it, not make use of its descriptors */
    stay_parent(session, child);
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

int main(int argc, char **argv)
{
    static char packet[ANSWER_BYTES + 2]; /* untouched, and no memory, but for what is read */
    struct session session = {.socket = -1, .outer = -1, .packet = packet};
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
    if (session.outer >= 0 && tcgetattr(session.outer, &session.before) != 0)
        session.outer = -1;
    const char *wrong = ask_agent(&session);
    if (!wrong)
        follow_answer(&session);
    (void)snprintf(reason, sizeof reason, "%s%s%s", wrong, errno ? ": " : "", errno ? strerror(errno) : "");
    restore_outer(&session); /* it may have been taken before the agent failed */
    decide_without_agent(&session, reason);
    run_shell(&session);
}
