/* The settings of the person's terminal, whole and as the kernel has them (struct termios2, so that any
 * speed comes back); steno-wait takes them over from steno-shell. */
#ifndef STENO_OUTER_H
#define STENO_OUTER_H

#include <stdbool.h>

struct settings_held {
    _Alignas(4) unsigned char bytes[44];
};

/* Read the terminal's settings; false: it has none. */
bool hold_settings(int terminal, struct settings_held *held);

/* Put them back, and let others open the terminal again. */
void restore_settings(int terminal, const struct settings_held *held);

#endif
