/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "sim/escape.h"
#include "base/bits.h"

#define CTRL_A '\x01'

static const struct {
    char key;
    enum escape_command command;
} commands[] = {
    {'x', ESCAPE_EXIT}, {'X', ESCAPE_EXIT},     {'c', ESCAPE_HELP},
    {'C', ESCAPE_HELP}, {'h', ESCAPE_HELP},     {'H', ESCAPE_HELP},
    {'?', ESCAPE_HELP}, {'s', ESCAPE_SNAPSHOT}, {'S', ESCAPE_SNAPSHOT},
};

static enum escape_command find_command(char key)
{
    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        if (commands[i].key == key)
            return commands[i].command;
    return ESCAPE_NONE;
}

enum escape_command escape_filter(struct escape *escape, char *data, size_t len, size_t *out_len,
                                  size_t *used)
{
    size_t kept = 0;

    for (size_t i = 0; i < len; i++) {
        enum escape_command command;

        if (!escape->armed && data[i] == CTRL_A) {
            escape->armed = true;
            continue;
        }
        if (!escape->armed) {
            data[kept++] = data[i];
            continue;
        }
        escape->armed = false;
        if (data[i] == CTRL_A || data[i] == 'a')
            data[kept++] = CTRL_A;
        command = find_command(data[i]);
        if (command == ESCAPE_NONE)
            continue;
        *out_len = kept;
        *used = i + 1;
        return command;
    }
    *out_len = kept;
    *used = len;
    return ESCAPE_NONE;
}

const char *escape_help(void)
{
    return "\r\nhalcyon-sim keys:\r\n"
           "  Ctrl-A x        end\r\n"
           "  Ctrl-A s        make the snapshot that --snapshot names\r\n"
           "  Ctrl-A c, h     this text\r\n"
           "  Ctrl-A Ctrl-A   a Ctrl-A for the guest\r\n";
}
