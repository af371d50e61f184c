/* libFuzzer target for all that steno-shell reads: the first byte says which reader gets the rest.
 * Build: clang -g -fsanitize=fuzzer,address,undefined -D_GNU_SOURCE native/fuzz/fuzz_reading.c native/reading.c */
#include "../reading.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool is_so)
{
    if (!is_so)
        abort();
}

static void fuzz_answer(char *text, size_t length)
{
    struct answer answer;
    if (length > ANSWER_BYTES + 1 || !read_answer(text, length, &answer))
        return;
    demand(strlen(answer.message) <= MESSAGE_BYTES);
    demand(answer.status >= 0 && answer.status <= 255);
    if (answer.action == ACTION_DENY)
        return;
    demand(answer.shell[0] == '/' && strlen(answer.shell) < PATH_BYTES);
    demand(answer.argv0[0] != '\0' && strlen(answer.argv0) < PATH_BYTES);
}

static void fuzz_files(const char *text, size_t length)
{
    struct settings settings;
    char shell[PATH_BYTES], user[PATH_BYTES];
    int line_number = 0;
    const char *wrong = read_settings(text, length, &settings, &line_number);
    demand(line_number >= 1);
    demand(wrong || strlen(settings.contact) < CONTACT_BYTES);
    if (find_user_shell(text, length, "bob", shell))
        demand(shell[0] == '/' && strlen(shell) < PATH_BYTES);
    if (find_account(text, length, 1000, user, shell))
        demand(strlen(user) < PATH_BYTES && strlen(shell) < PATH_BYTES);
    if (find_listed(text, length, "/bin/sh", false, shell))
        demand(strcmp(shell, "/bin/sh") == 0);
    if (find_listed(text, length, "/bin/my/sh", true, shell))
        demand(shell[0] == '/' && strlen(shell) == 10);
    if (find_listed(text, length, "sh", true, shell))
        demand(shell[0] == '/' && strlen(shell) >= 3);
}

static void fuzz_name(const char *text)
{
    char shell[PATH_BYTES];
    if (select_by_name(text, shell))
        demand(shell[0] != '\0' && strlen(shell) < PATH_BYTES);
    demand(!(is_real_shell(text) && is_recording_shell(text)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    size_t length = size - 1;
    char *text = malloc(length + 1); /* exactly as large, so that reading beyond is seen */
    demand(text != NULL);
    memcpy(text, data + 1, length);
    text[length] = '\0';
    switch (data[0] % 3) {
    case 0:
        fuzz_answer(text, length);
        break;
    case 1:
        fuzz_files(text, length);
        break;
    default:
        fuzz_name(text);
    }
    free(text);
    return 0;
}
