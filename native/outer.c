/* Apart from the rest: the kernel's header for struct termios2 does not go with <termios.h>. */
#include "outer.h"

#include <asm/termbits.h>
#include <sys/ioctl.h>

_Static_assert(sizeof(struct settings_held) == sizeof(struct termios2), "struct termios2 is another here");

bool hold_settings(int terminal, struct settings_held *held)
{
    return ioctl(terminal, TCGETS2, held) == 0;
}

void restore_settings(int terminal, const struct settings_held *held)
{
    (void)ioctl(terminal, TIOCNXCL);
    (void)ioctl(terminal, TCSETS2, held);
}
