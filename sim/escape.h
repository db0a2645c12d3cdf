/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Ctrl-A as the escape key of a terminal: what is typed -> what the machine gets, and commands.
 * Core's console has Ctrl-A for its own escape: what is not this program's command is passed on
 * with its Ctrl-A, and a Ctrl-A that is data goes to the machine as two.
 */
#ifndef SIM_ESCAPE_H
#define SIM_ESCAPE_H

#include <stdbool.h>
#include <stddef.h>

enum escape_command { ESCAPE_NONE, ESCAPE_EXIT, ESCAPE_HELP, ESCAPE_SNAPSHOT };

struct escape {
    bool armed;  /* the last key was Ctrl-A */
    bool shared; /* core has it for an escape too; if not, one Ctrl-A of data is one */
};

/*
 * Takes `len` typed bytes up to the first command. out[0..*out_len), at most len + 1 bytes, is for
 * the machine. Returns how many bytes it took; the caller obeys *command and calls again with the
 * rest.
 */
size_t escape_filter(struct escape *escape, const char *data, size_t len, char *out,
                     size_t *out_len, enum escape_command *command);
/* For bytes that are all data: writes at most 2 * len to `out`, and returns how many. */
size_t escape_double(const struct escape *escape, const char *data, size_t len, char *out);
/* Whether core waits for the key after a Ctrl-A once it has got these bytes; `open`: whether it did
 * before. */
bool escape_is_open(const char *data, size_t len, bool open);

/* What Ctrl-A h says, with line ends for a raw terminal. */
const char *escape_help(void);

#endif
