/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The loop that drives a machine to the end of its run. What enters the machine enters at points
 * that are a function of the machine's time only: multiples of SIM_POLL_TICKS, and idle time.
 */
#ifndef SIM_RUN_H
#define SIM_RUN_H

#include "hal-sim/machine.h"
#include "sim/console.h"
#include "sim/disk_file.h"
#include "sim/input.h"
#include "sim/net.h"
#include "sim/record.h"
#include "sim/tracer.h"
#include <stdbool.h>
#include <stdint.h>

#define SIM_POLL_TICKS UINT64_C(1000000)
#define RUN_REASON_MAX 512u

/* Everything of a run that a snapshot keeps beside the machine: plain data. */
struct run_state {
    struct sim_console_state console;
    struct tracer_state trace;
    struct record_identity origin;
    uint64_t entered; /* pieces of input so far */
    uint64_t shared;  /* Ctrl-A is core's escape: 0 or 1 */
    uint64_t open;    /* and was the last byte that entered: 0 or 1 */
};

enum run_end {
    RUN_ON,          /* it has not ended */
    RUN_POWERED_OFF, /* the guests have ended as they should */
    RUN_LEFT,        /* Ctrl-A x */
    RUN_SNAPSHOT,    /* --snapshot-quit */
    RUN_REPLAYED,    /* came to the end of a recording of a run that was left */
    RUN_SIGNAL,      /* terminal_signal() */
    RUN_FAILED,      /* run->reason */
};

struct sim_run {
    struct sim_machine *machine;
    struct sim_machine_config config; /* that it was made with */
    struct sim_console console;
    struct tracer tracer;
    struct sim_input input;
    struct disk_files disks;
    struct sim_net *net;           /* NULL: there is none, or a recording says what came */
    uint64_t net_entered;          /* when frames entered last; UINT64_MAX: none did */
    struct record_identity origin; /* of the run from its very start, also if it was restored */
    uint64_t max_insns;
    const char *snapshot;  /* NULL: none is made */
    uint64_t snapshot_at;  /* instructions that are done first */
    bool snapshot_planned; /* to be made then, and once the console has seen its text */
    bool snapshot_quit;
    unsigned control_watched; /* how many of --control-on the console was told of */
    int write_error;          /* errno of the console's output */
    /* Results. */
    bool halted; /* the machine ended by itself, and was not left in the middle */
    char reason[RUN_REASON_MAX];
};

/* Takes the state over from a snapshot; false if it is none that a run can have. */
bool run_state_take(struct sim_run *run, const struct run_state *state);

/*
 * Sets the callbacks of run->config and starts the console, which looks for nothing yet. traced:
 * core is to make trace records. net: the machine has a network. `run` must stay where it is.
 */
void run_connect(struct sim_run *run, bool traced, bool net);

/* Runs to the end. All members are set, the machine has a bundle or is thawed, and the terminal is
 * started. Never RUN_ON. */
enum run_end run_machine(struct sim_run *run);

#endif
