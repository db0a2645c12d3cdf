/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Where the machine's console input comes from: nowhere, this process's standard input and
 * --control (recorded on their way), or a recording. Input enters a machine only here, between two
 * runs of it, and at most one piece between two: so the machine's time at which it entered is all
 * that a replay must know.
 */
#ifndef SIM_INPUT_H
#define SIM_INPUT_H

#include "hal-sim/machine.h"
#include "sim/escape.h"
#include "sim/options.h"
#include "sim/record.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Ctrl-A c, a command, the end of a line. */
#define SIM_COMMAND_MAX (SIM_CONTROL_LEN + 4u)

struct sim_input {
    struct record_writer *record; /* NULL: not recorded */
    struct record_reader *replay; /* NULL: live, if terminal_has_input() */
    struct escape escape;
    bool raw;      /* Ctrl-A in input that is not typed is core's escape, not data */
    bool open;     /* the last byte that entered was such a Ctrl-A */
    bool held;     /* live input is not to enter yet; what is typed after Ctrl-A counts */
    bool ask_exit; /* what was typed after Ctrl-A, until the caller clears it */
    bool ask_help;
    bool ask_snapshot;
    uint64_t entered; /* pieces that the machine took, in all of its run */
    bool diverged;    /* the machine is not where the recording says it was */
    size_t pending;   /* bytes that the machine had no room for yet */
    char data[SIM_INPUT_MAX];
    const struct sim_control *control; /* --control: nr_control of them */
    unsigned nr_control;
    unsigned control_next; /* the first that has not begun to enter */
    bool control_due;      /* and it may */
    size_t command_len;    /* of the one that has */
    size_t command_at;     /* how much of it has entered */
    char command[SIM_COMMAND_MAX];
};

/* Gives the machine the next piece of what is there. True if it took any. */
bool input_poll(struct sim_input *input, struct sim_machine *machine);
/* Whether more may come although none is there: only live input. */
bool input_is_awaited(const struct sim_input *input);
/* When the next piece of a recording is due; UINT64_MAX: there is none. */
uint64_t input_next_time(const struct sim_input *input);

#endif
