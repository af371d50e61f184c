/* The conversation with the agent, docs/formats/agent-socket.md. */
#include "shell.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#ifndef STENO_ANSWER_MS
#define STENO_ANSWER_MS 15000      /* for connection and answer */
#endif
#ifndef STENO_RETRY_MS
#define STENO_RETRY_MS 2000        /* for an agent that is being restarted */
#endif
#define PAUSE_MS 50
#define REQUEST_BYTES 98304
#define ARGUMENTS_BYTES 65536
#define ARGUMENTS 4096

struct request {
    char bytes[REQUEST_BYTES];
    size_t length;
};

static long long now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (long long)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void pause_ms(long duration_ms)
{
    struct timespec duration = {duration_ms / 1000, duration_ms % 1000 * 1000000};
    nanosleep(&duration, NULL);
}

static bool add_field(struct request *request, const char *name, const char *value)
{
    size_t name_bytes = strlen(name), value_bytes = strlen(value);
    if (name_bytes + value_bytes + 2 > REQUEST_BYTES - request->length)
        return false;
    char *at = request->bytes + request->length;
    memcpy(at, name, name_bytes);
    at[name_bytes] = '=';
    memcpy(at + name_bytes + 1, value, value_bytes + 1);
    request->length += name_bytes + value_bytes + 2;
    return true;
}

static void add_bounded(struct request *request, const char *name, const char *value)
{
    if (value && strlen(value) < PATH_BYTES)
        add_field(request, name, value);
}

static void make_request(struct request *request, char **argv)
{
    char shell[PATH_BYTES], number[24];
    size_t sent_bytes = 0, omitted_bytes = 0;
    int count = 0;

    memcpy(request->bytes, MAGIC, MAGIC_BYTES);
    request->length = MAGIC_BYTES;
    add_field(request, "argv0", strlen(argv[0]) < PATH_BYTES ? argv[0] : "");
    add_bounded(request, "term", getenv("TERM"));
    add_bounded(request, "sssd_shell", getenv("TLOG_REC_SESSION_SHELL"));
    if (select_by_name(argv[0], shell))
        add_bounded(request, "selected_shell", shell);
    for (char **argument = argv + 1; *argument; argument++) {
        size_t bytes = strlen(*argument) + 1;
        if (!omitted_bytes && count < ARGUMENTS && sent_bytes + bytes <= ARGUMENTS_BYTES &&
            REQUEST_BYTES - request->length > bytes + 64 && add_field(request, "argument", *argument)) {
            sent_bytes += bytes;
            count++;
        } else {
            omitted_bytes += bytes;
        }
    }
    if (omitted_bytes) {
        (void)snprintf(number, sizeof number, "%zu", omitted_bytes);
        add_field(request, "omitted_bytes", number);
    }
}

static bool send_request(int socket, struct request *request)
{
    static const int standard[3] = {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO};
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof standard)];
    } control = {0};
    struct iovec piece = {request->bytes, request->length};
    struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1, .msg_control = control.bytes,
                             .msg_controllen = sizeof control.bytes};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof standard);
    memcpy(CMSG_DATA(header), standard, sizeof standard);
    return sendmsg(socket, &message, MSG_NOSIGNAL) == (ssize_t)request->length;
}

/* Wait for bytes, or the end, until the instant; false, and errno: neither came. */
static bool wait_readable(int socket, long long until_ms)
{
    struct pollfd interest = {socket, POLLIN, 0};
    for (;;) {
        long long left_ms = until_ms - now_ms();
        int ready = left_ms < 0 ? 0 : poll(&interest, 1, (int)left_ms);
        if (ready > 0)
            return true;
        if (ready == 0) {
            errno = ETIMEDOUT;
            return false;
        }
        if (errno != EINTR)
            return false;
    }
}

/* Collect the descriptors that came with a message; false: there are more than an answer may have. */
static bool take_descriptors(struct session *session, struct msghdr *message)
{
    bool is_good = !(message->msg_flags & MSG_CTRUNC);
    struct cmsghdr *header = CMSG_FIRSTHDR(message);
    for (; header; header = CMSG_NXTHDR(message, header)) {
        if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
            continue;
        size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count; i++) {
            int descriptor;
            memcpy(&descriptor, CMSG_DATA(header) + i * sizeof descriptor, sizeof descriptor);
            if (session->count < 3) {
                session->descriptors[session->count++] = descriptor;
            } else {
                close(descriptor);
                is_good = false;
            }
        }
    }
    return is_good;
}

static bool is_complete(const struct session *session)
{
    static const int expected[] = {[ACTION_TERMINAL] = 1, [ACTION_PIPES] = 3, [ACTION_EXEC] = 0,
                                   [ACTION_DENY] = 0};
    if (session->count != expected[session->answer.action])
        return false;
    return session->answer.action != ACTION_TERMINAL || isatty(session->descriptors[0]);
}

/* Read the answer. NULL; or what is wrong, with errno 0 for bytes that are no answer. */
static const char *receive_answer(struct session *session, long long until_ms)
{
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(8 * sizeof(int))];
    } control;
    struct iovec piece = {session->packet, ANSWER_BYTES + 1};
    struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1, .msg_control = control.bytes,
                             .msg_controllen = sizeof control.bytes};
    if (!wait_readable(session->socket, until_ms))
        return "no answer";
    ssize_t length = recvmsg(session->socket, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    if (length <= 0) {
        errno = length ? errno : ECONNRESET;
        return "no answer";
    }
    session->packet[length] = '\0';
    bool is_good = take_descriptors(session, &message);
    errno = 0;
    return is_good && read_answer(session->packet, (size_t)length, &session->answer) &&
                   is_complete(session)
               ? NULL
               : "an answer that makes no sense";
}

static void drop_answer(struct session *session)
{
    while (session->count > 0)
        close(session->descriptors[--session->count]);
    if (session->socket >= 0)
        close(session->socket);
    session->socket = -1;
}

static const char *connect_agent(struct session *session, long long until_ms)
{
    static const struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = STENO_SOCKET};
    session->socket = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (session->socket < 0)
        return "no socket";
    /* EAGAIN: more callers are waiting than the agent's queue holds. */
    while (connect(session->socket, (const struct sockaddr *)&address, sizeof address) != 0) {
        if ((errno != EAGAIN && errno != EINTR) || now_ms() > until_ms)
            return STENO_SOCKET;
        pause_ms(PAUSE_MS);
    }
    return NULL;
}

const char *ask_agent(struct session *session)
{
    static struct request request;
    long long begin_ms = now_ms(), until_ms = begin_ms + STENO_ANSWER_MS;
    const char *wrong;
    make_request(&request, session->argv);
    for (;;) {
        wrong = connect_agent(session, until_ms);
        if (!wrong)
            wrong = send_request(session->socket, &request) ? receive_answer(session, until_ms)
                                                            : "asking the agent";
        if (!wrong)
            return NULL;
        int reason = errno;
        drop_answer(session);
        errno = reason;
        /* An agent that is being restarted drops who was waiting, and is back in a moment. */
        if ((reason != ECONNREFUSED && reason != ECONNRESET && reason != EPIPE) ||
            now_ms() > begin_ms + STENO_RETRY_MS)
            return wrong;
        pause_ms(PAUSE_MS);
    }
}

void report(const struct session *session, const char *text)
{
    char packet[PATH_BYTES + 256];
    int length = snprintf(packet, sizeof packet, MAGIC "%s", text);
    if (session->socket >= 0 && length > 0 && (size_t)length < sizeof packet)
        (void)send(session->socket, packet, (size_t)length + 1, MSG_NOSIGNAL);
}
