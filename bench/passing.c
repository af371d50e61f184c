/* A relay that records nothing: what a recorder must cost at the least. See recorder.py.
 *
 * usage: passing COMMAND [ARGUMENT]...
 */
#define _GNU_SOURCE 1
#include <poll.h>
#include <pty.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

static int write_all(int fd, const char *data, ssize_t size)
{
    while (size > 0) {
        ssize_t taken = write(fd, data, (size_t)size);
        if (taken < 0)
            return 0;
        data += taken;
        size -= taken;
    }
    return 1;
}

static int pass_on(int from, int to)
{
    char piece[4096]; /* terminals never give more */
    ssize_t got = read(from, piece, sizeof piece);
    return got > 0 && write_all(to, piece, got);
}

int main(int count, char **arguments)
{
    struct winsize window = {.ws_row = 24, .ws_col = 80};
    struct termios outer, raw;
    int inner, status;
    pid_t child;
    if (count < 2 || tcgetattr(STDIN_FILENO, &outer) < 0)
        return 2;
    child = forkpty(&inner, NULL, &outer, &window);
    if (child == 0) {
        execvp(arguments[1], arguments + 1);
        _exit(127);
    }
    raw = outer;
    cfmakeraw(&raw);
    tcsetattr(STDIN_FILENO, TCSANOW, &raw);
    for (;;) {
        struct pollfd ready[] = {{STDIN_FILENO, POLLIN, 0}, {inner, POLLIN, 0}};
        if (poll(ready, 2, -1) < 0 || (ready[1].revents && !pass_on(inner, STDOUT_FILENO)) ||
            (ready[0].revents && !pass_on(STDIN_FILENO, inner)))
            break;
    }
    tcsetattr(STDIN_FILENO, TCSADRAIN, &outer);
    return waitpid(child, &status, 0) == child && WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
