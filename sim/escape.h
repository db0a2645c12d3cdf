/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Ctrl-A as the escape key of a terminal: what is typed -> what the guest gets, and commands. */
#ifndef SIM_ESCAPE_H
#define SIM_ESCAPE_H

#include <stdbool.h>
#include <stddef.h>

enum escape_command { ESCAPE_NONE, ESCAPE_EXIT, ESCAPE_HELP, ESCAPE_SNAPSHOT };

struct escape {
    bool armed; /* the last key was Ctrl-A */
};

/*
 * Takes `len` typed bytes up to the first command, in place: data[0..*out_len) is for the guest
 * then. Returns the command and in *used how many bytes it took; the caller calls again with the
 * rest. An unknown key after Ctrl-A is dropped with it.
 */
enum escape_command escape_filter(struct escape *escape, char *data, size_t len, size_t *out_len,
                                  size_t *used);

/* What Ctrl-A h says, with line ends for a raw terminal. */
const char *escape_help(void);

#endif
