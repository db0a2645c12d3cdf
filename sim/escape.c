/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "sim/escape.h"
#include "base/bits.h"

#define CTRL_A '\x01'

static const struct {
    char key;
    enum escape_command command;
} commands[] = {
    {'x', ESCAPE_EXIT}, {'X', ESCAPE_EXIT},     {'h', ESCAPE_HELP},
    {'H', ESCAPE_HELP}, {'s', ESCAPE_SNAPSHOT}, {'S', ESCAPE_SNAPSHOT},
};

static enum escape_command find_command(char key)
{
    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        if (commands[i].key == key)
            return commands[i].command;
    return ESCAPE_NONE;
}

size_t escape_filter(struct escape *escape, const char *data, size_t len, char *out,
                     size_t *out_len, enum escape_command *command)
{
    size_t kept = 0;
    size_t used = 0;

    *command = ESCAPE_NONE;
    while (used < len && *command == ESCAPE_NONE) {
        char key = data[used++];
        if (!escape->armed && key == CTRL_A) {
            escape->armed = true;
            continue;
        }
        if (escape->armed)
            *command = find_command(key);
        if (escape->armed && *command == ESCAPE_NONE && (escape->shared || key != CTRL_A))
            out[kept++] = CTRL_A;
        if (*command == ESCAPE_NONE)
            out[kept++] = key;
        escape->armed = false;
    }
    *out_len = kept;
    return used;
}

size_t escape_double(const struct escape *escape, const char *data, size_t len, char *out)
{
    size_t kept = 0;

    for (size_t i = 0; i < len; i++) {
        if (data[i] == CTRL_A && escape->shared)
            out[kept++] = CTRL_A;
        out[kept++] = data[i];
    }
    return kept;
}

bool escape_is_open(const char *data, size_t len, bool open)
{
    for (size_t i = 0; i < len; i++)
        open = !open && data[i] == CTRL_A;
    return open;
}

const char *escape_help(void)
{
    return "\r\nhalcyon-sim keys:\r\n"
           "  Ctrl-A x        end\r\n"
           "  Ctrl-A s        make the snapshot that --snapshot names\r\n"
           "  Ctrl-A h        this text\r\n"
           "the hypervisor's:\r\n"
           "  Ctrl-A t        type to the next VM\r\n"
           "  Ctrl-A l        all VMs' lines with their names, or one VM's output\r\n"
           "  Ctrl-A c        a command line: list, stop 1 ...\r\n"
           "  Ctrl-A ?        its own help\r\n"
           "  Ctrl-A Ctrl-A   a Ctrl-A for the guest\r\n";
}
