/* What steno-shell reads that others wrote: the agent's answers, root's files, its own name.
 * Pure: bytes in, values out; no I/O and no memory of its own, so that a fuzzer can drive it. */
#ifndef STENO_READING_H
#define STENO_READING_H

#include <stdbool.h>
#include <stddef.h>

#define MAGIC "STENO1\n"
#define MAGIC_BYTES (sizeof MAGIC - 1)
#define PATH_BYTES 4096            /* a path with its NUL */
#define ANSWER_BYTES 16384         /* docs/formats/agent-socket.md */
#define MESSAGE_BYTES 8192
#define CONTACT_BYTES 1024

enum action { ACTION_NONE, ACTION_TERMINAL, ACTION_PIPES, ACTION_EXEC, ACTION_DENY };

/* An answer's strings point into the packet. */
struct answer {
    enum action action;
    const char *shell;
    const char *argv0;
    const char *message;
    int status;
    bool must_wait;
};

struct settings {
    bool may_start;                /* on_failure = allow */
    bool may_rescue;               /* rescue = root-console */
    char contact[CONTACT_BYTES];   /* shown below the refusal */
};

/* Read an answer. `packet` has a NUL after its `length` bytes. False: it is none. */
bool read_answer(char *packet, size_t length, struct answer *answer);

/* Read shell.conf. NULL, or what is wrong with it; *line_number is then set. */
const char *read_settings(const char *text, size_t length, struct settings *settings,
                          int *line_number);

/* Find `user` in lines USER:SHELL, and copy the shell. */
bool find_user_shell(const char *text, size_t length, const char *user, char shell[PATH_BYTES]);

/* Find the numeric `uid` in passwd(5) lines; copy name and shell. */
bool find_account(const char *text, size_t length, unsigned long uid, char user[PATH_BYTES],
                  char shell[PATH_BYTES]);

/* Find a line of shells(5) for `wanted`, and copy it. With `is_name`, `wanted` comes from a
 * program's name: a word without a slash is a base name, and - and / count as equal. */
bool find_listed(const char *text, size_t length, const char *wanted, bool is_name,
                 char shell[PATH_BYTES]);

/* The shell that a program's name selects: "steno-shell-bin-zsh" and "tlog-rec-session-shell-bin-zsh"
 * give "/bin/zsh", "steno-shell-shell-bash" gives "bash". False: none. */
bool select_by_name(const char *argv0, char shell[PATH_BYTES]);

/* Whether this is a shell that records, by its name: nobody's real one. */
bool is_recording_shell(const char *shell);

/* Whether somebody can log in with it: an absolute path, not nologin and its like, no recording shell. */
bool is_real_shell(const char *shell);

#endif
