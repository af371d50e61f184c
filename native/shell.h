/* What steno-shell's parts share: asking the agent, doing without it, becoming the shell. */
#ifndef STENO_SHELL_H
#define STENO_SHELL_H

#include "outer.h"
#include "reading.h"

#include <signal.h>

#ifndef STENO_SOCKET
#define STENO_SOCKET "/run/steno/agent.sock"
#endif

/* What leads from here to the shell. `outer` is the first of 0, 1, 2 that is a terminal, or -1. */
struct session {
    int socket;
    int outer;
    struct settings_held before;
    int waiter;                    /* steno-wait, to be run */
    struct sigaction child_death;  /* as it was when we came, and so the next */
    sigset_t mask;
    char **argv;
    char *packet;                  /* ANSWER_BYTES + 2 of them; the answer's strings are in it */
    struct answer answer;
    int descriptors[3];
    int count;
};

/* Tell the person; a newline is added. */
__attribute__((format(printf, 1, 2))) void tell(const char *format, ...);

/* ask.c: ask the agent what to do. NULL, or what went wrong; errno tells more, if it is not 0. */
const char *ask_agent(struct session *session);

/* Tell the agent, if it is there: a field of docs/formats/agent-socket.md. */
void report(const struct session *session, const char *field);

/* away.c: refuse the session, or find what to run, as root's files say; `reason` is why. */
void decide_without_agent(struct session *session, const char *reason);

#endif
