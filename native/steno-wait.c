/* steno-wait: what stays of steno-shell as the shell's parent until the agent has passed on all output.
 *
 * steno-shell runs it in its own place once the shell has been started. One waits in every session with a
 * terminal, so that it is made without libc: a C library touches 72 KiB at its start, this some 12.
 * docs/login-shell.md, docs/formats/agent-socket.md.
 *
 *     SETTINGS steno-wait SOCKET OUTER CHILD terminal|pipes
 *
 * SOCKET leads to the agent; OUTER is the person's terminal, or -1. SETTINGS, that terminal's before, are as
 * `hold_settings` read them, two letters from a to p for each byte; they are all of the environment, since
 * arguments stand in the audit trail. It has no privileges, and does nothing that its caller could not. */
#include "outer.h"

#include <asm/ioctls.h>
#include <asm/poll.h>
#include <asm/termbits.h>
#include <asm/unistd.h>
#include <linux/auxvec.h>
#include <linux/prctl.h>
#include <linux/resource.h>
#include <linux/signal.h>
#include <linux/time_types.h>
#include <linux/wait.h>
#include <stdbool.h>
#include <stddef.h>

#ifndef STENO_RESTORED_MS
#define STENO_RESTORED_MS 30000     /* an agent may be restarting just then */
#endif
#ifndef STENO_TAKEN_MS
#define STENO_TAKEN_MS 2000
#endif
#define MAGIC "STENO1\n"            /* as in reading.h */
#define ALL_SIGNALS (~0UL)
#define NO_SIGNAL_PIPE 0x4000       /* MSG_NOSIGNAL, MSG_DONTWAIT and MSG_TRUNC, <sys/socket.h> */
#define NO_WAIT 0x40
#define WHOLE_LENGTH 0x20
#define CANNOT_RUN 126

/* ---- the kernel: a call's result, below 0 for failure ---- */

#if defined(__x86_64__)
static long call(long number, long a, long b, long c, long d, long e, long f)
{
    register long r10 __asm__("r10") = d, r8 __asm__("r8") = e, r9 __asm__("r9") = f;
    long result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
}
__asm__(".globl _start\n.type _start, @function\n_start:\nendbr64\nxor %ebp, %ebp\nmov %rsp, %rdi\n"
        "and $-16, %rsp\ncall start\nhlt\n");
#elif defined(__aarch64__)
static long call(long number, long a, long b, long c, long d, long e, long f)
{
    register long x8 __asm__("x8") = number, x0 __asm__("x0") = a, x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c, x3 __asm__("x3") = d, x4 __asm__("x4") = e, x5 __asm__("x5") = f;
    __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
    return x0;
}
__asm__(".globl _start\n.type _start, %function\n_start:\nhint 34\nmov x29, 0\nmov x30, 0\nmov x0, sp\n"
        "bl start\nbrk 1\n");
#else
#define NEEDS_LIBC /* nobody has said yet how a system call is made here: its `syscall` knows */
long syscall(long number, ...);
#define call syscall
int main(int argc, char **argv, char **environment);
#endif

#define CALL(number, ...) CALL_(number, __VA_ARGS__, 0, 0, 0, 0, 0, 0)
#define CALL_(number, a, b, c, d, e, f, ...) \
    call(number, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))

static _Noreturn void leave(int status)
{
    for (;;)
        CALL(__NR_exit_group, status);
}

/* What the compiler's own checks want. */
#if defined(__SSP_STRONG__)
unsigned long __stack_chk_guard;
_Noreturn void __stack_chk_fail(void);
_Noreturn void __stack_chk_fail(void)
{
    leave(CANNOT_RUN);
}
#endif

static long long now_ms(void)
{
    struct __kernel_timespec now = {0, 0};
    (void)CALL(__NR_clock_gettime, 1 /* CLOCK_MONOTONIC */, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static size_t length_of(const char *text)
{
    size_t length = 0;
    while (text[length])
        length++;
    return length;
}

static bool is_same(const char *one, const char *other, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (one[i] != other[i])
            return false;
    }
    return true;
}

/* ---- the agent ---- */

struct waiting {
    int socket;
    int outer;
    int child;
    bool has_terminal;
    struct settings_held before;
};

/* Send `FIELDNUMBER`, the number left out where it is negative: "ended=exit 7". */
static void report(const struct waiting *waiting, const char *field, int number)
{
    char packet[64], digits[12];
    size_t length = 0, count = 0;

    for (const char *at = MAGIC; *at; at++)
        packet[length++] = *at;
    for (const char *at = field; *at && length < 40; at++)
        packet[length++] = *at;
    for (int left = number; left > 0 || (left == 0 && count == 0); left /= 10)
        digits[count++] = (char)('0' + left % 10);
    while (count > 0)
        packet[length++] = digits[--count];
    packet[length++] = '\0';
    (void)CALL(__NR_sendto, waiting->socket, packet, length, NO_SIGNAL_PIPE, 0, 0);
}

/* Wait until the agent says `word`; false: it does not, or is gone. */
static bool wait_word(const struct waiting *waiting, const char *word, long long patience_ms)
{
    char packet[64];
    const size_t length = length_of(word) + 1, begin = sizeof MAGIC - 1;
    const long long until_ms = now_ms() + patience_ms;

    for (;;) {
        const long long left_ms = until_ms - now_ms();
        struct __kernel_timespec left = {left_ms / 1000, left_ms % 1000 * 1000000};
        struct pollfd interest = {waiting->socket, POLLIN, 0};
        if (left_ms < 0 || CALL(__NR_ppoll, &interest, 1, &left, 0, 0) <= 0)
            return false;
        long count = CALL(__NR_recvfrom, waiting->socket, packet, sizeof packet, NO_WAIT | WHOLE_LENGTH, 0, 0);
        if (count <= 0)
            return false;
        if ((size_t)count == begin + length && is_same(packet, MAGIC, begin) &&
            is_same(packet + begin, word, length))
            return true;
    }
}

/* ---- signals ---- */

static unsigned long set_of(int number)
{
    return 1UL << (number - 1);
}

static void block(unsigned long set)
{
    (void)CALL(__NR_rt_sigprocmask, SIG_SETMASK, &set, 0, sizeof set);
}

/* Let a signal do what it usually does, also where whoever called steno-shell ignores it. */
static void make_usual(int number)
{
    const unsigned long usual[4] = {0}; /* SIG_DFL, no flags, an empty set */
    (void)CALL(__NR_rt_sigaction, number, usual, 0, sizeof(unsigned long));
}

static void send_to(int pid, int number)
{
    (void)CALL(__NR_kill, pid, number);
}

/* Wait for one of these signals, up to `patience`; its number, below 0 for none. */
static long await(unsigned long set, siginfo_t *facts, const struct __kernel_timespec *patience)
{
    return CALL(__NR_rt_sigtimedwait, &set, facts, patience, sizeof set);
}

/* ---- the person's terminal ---- */

static void restore_outer(const struct waiting *waiting)
{
    if (waiting->outer >= 0) {
        (void)CALL(__NR_ioctl, waiting->outer, TIOCNXCL, 0);
        (void)CALL(__NR_ioctl, waiting->outer, TCSETS2, &waiting->before);
    }
}

/* Stop as Ctrl-Z does; false: this process group has nobody who could ever let it go on, and the
 * kernel stops no such group. All signals are blocked here: a SIGCONT that came stays to be seen. */
static bool stop_here(void)
{
    const struct __kernel_timespec at_once = {0, 0};

    (void)await(set_of(SIGCONT), NULL, &at_once);
    make_usual(SIGTSTP);
    send_to((int)CALL(__NR_getpid, 0), SIGTSTP);
    block(ALL_SIGNALS & ~set_of(SIGTSTP));
    block(ALL_SIGNALS);
    return await(set_of(SIGCONT), NULL, &at_once) == SIGCONT;
}

/* The shell has stopped itself (`suspend`): give the terminal back, stop too, and go on together. */
static void stop_with(const struct waiting *waiting)
{
    report(waiting, "stopped=", -1);
    if (!wait_word(waiting, "restored=", STENO_RESTORED_MS))
        restore_outer(waiting);
    bool has_gone_on = stop_here();
    report(waiting, "continued=", -1);
    (void)wait_word(waiting, "taken=", STENO_TAKEN_MS);
    if (has_gone_on)
        send_to(-waiting->child, SIGCONT);
}

/* ---- the child ---- */

/* End as the child did. */
static _Noreturn void end_like(int status)
{
    const int number = status & 0x7f;
    if (number) {
        const struct rlimit64 none = {0, 0}; /* the shell's core is the one of interest */
        (void)CALL(__NR_prlimit64, 0, RLIMIT_CORE, &none, 0);
        make_usual(number);
        send_to((int)CALL(__NR_getpid, 0), number);
        block(ALL_SIGNALS & ~set_of(number));
        leave(128 + number);
    }
    leave(status >> 8 & 0xff);
}

static _Noreturn void finish(const struct waiting *waiting, int status)
{
    const int number = status & 0x7f;
    report(waiting, number ? "ended=signal " : "ended=exit ", number ? number : status >> 8 & 0xff);
    if (!wait_word(waiting, "restored=", STENO_RESTORED_MS) && waiting->has_terminal)
        restore_outer(waiting);
    end_like(status);
}

/* Whether a signal is meant for the shell. That the outer terminal hung up is the agent's matter: it
 * passes on what is left, and closes the shell's own terminal. */
static bool is_for_shell(const struct waiting *waiting, const siginfo_t *facts)
{
    switch (facts->si_signo) {
    case SIGHUP:
        return facts->si_code != SI_KERNEL || !waiting->has_terminal;
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
static _Noreturn void stay_parent(const struct waiting *waiting)
{
    siginfo_t facts;
    for (;;) {
        int status = 0;
        long number = await(ALL_SIGNALS, &facts, NULL);
        if (number == SIGCHLD) {
            while (CALL(__NR_wait4, waiting->child, &status, WNOHANG | WUNTRACED, 0) == waiting->child) {
                if ((status & 0xff) != 0x7f)
                    finish(waiting, status);
                if (waiting->has_terminal)
                    stop_with(waiting);
            }
        } else if (number > 0 && is_for_shell(waiting, &facts)) {
            send_to(waiting->child, (int)number);
        }
    }
}

/* ---- the start ---- */

/* Return a number from the command line, -1 for what is none. */
static int number_of(const char *text)
{
    long long number = 0;
    for (const char *at = text; *at; at++) {
        if (*at < '0' || *at > '9' || number > 100000000)
            return -1;
        number = number * 10 + (*at - '0');
    }
    return *text ? (int)number : -1;
}

static bool take_settings(const char *text, struct settings_held *held)
{
    if (length_of(text) != 2 * sizeof held->bytes)
        return false;
    for (size_t i = 0; i < sizeof held->bytes; i++) {
        const char high = (char)(text[2 * i] - 'a'), low = (char)(text[2 * i + 1] - 'a');
        if (high < 0 || high > 15 || low < 0 || low > 15)
            return false;
        held->bytes[i] = (unsigned char)(high << 4 | low);
    }
    return true;
}

static _Noreturn void begin(long argc, char *const *argv, char *const *environment)
{
    struct waiting waiting = {.socket = -1, .outer = -1};

    if (argc != 5 || !environment[0] || !take_settings(environment[0], &waiting.before))
        leave(CANNOT_RUN);
    waiting.socket = number_of(argv[1]);
    waiting.outer = number_of(argv[2]);
    waiting.child = number_of(argv[3]);
    waiting.has_terminal = is_same(argv[4], "terminal", sizeof "terminal");
    if (waiting.child <= 0)
        leave(CANNOT_RUN);
    (void)CALL(__NR_prctl, PR_SET_DUMPABLE, 0); /* the user may kill it, not make use of its descriptors */
    (void)CALL(__NR_prctl, PR_SET_NAME, "steno-wait");
    stay_parent(&waiting);
}

#ifdef NEEDS_LIBC
int main(int argc, char **argv, char **environment)
{
    begin(argc, argv, environment);
}
#else
/* `_start` passes on the stack as execve(2) leaves it: the number of arguments, the arguments, NULL, the
 * environment, NULL, and pairs of which one leads to 16 random bytes. */
_Noreturn __attribute__((used, visibility("hidden"), no_stack_protector)) void start(const long *stack);
_Noreturn void start(const long *stack)
{
#if defined(__SSP_STRONG__)
    const long *at = stack + 1 + stack[0] + 1;
    while (*at++)
        continue;
    for (; at[0] != AT_NULL; at += 2) {
        if (at[0] == AT_RANDOM)
            __stack_chk_guard = *(const unsigned long *)at[1];
    }
#endif
    begin(stack[0], (char *const *)(stack + 1), (char *const *)(stack + 1 + stack[0] + 1));
}
#endif
