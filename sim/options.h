/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The command line of halcyon-sim: words -> struct sim_options, or one line that says what to do
 * about it. Opens no file and changes nothing. */
#ifndef SIM_OPTIONS_H
#define SIM_OPTIONS_H

#include "hal-sim/machine.h"
#include <stdbool.h>
#include <stdint.h>

#define OPTIONS_MESSAGE_MAX 256u
#define OPTIONS_TEXT_MAX    256u /* longest --snapshot-on and --input-on, with the terminator */

enum sim_action { SIM_ACTION_RUN, SIM_ACTION_WRITE_BUNDLE, SIM_ACTION_HELP, SIM_ACTION_VERSION };

/* Strings are argv's own; NULL: not given. */
struct sim_options {
    enum sim_action action;
    /* Exactly one of kernel, bundle and restore, but for HELP and VERSION. */
    const char *kernel;
    const char *bundle;
    const char *restore;
    const char *initrd;
    const char *append; /* never NULL */
    const char *log;
    uint64_t memory;         /* of the VM made from --kernel: a multiple of 4 KiB, from 1 MiB on */
    unsigned smp;            /* its vCPUs, 1..MACHINE_MAX_VCPUS */
    uint64_t machine_memory; /* 0: what the bundle needs; else a multiple of 2 MiB */
    unsigned pcpus;          /* 1..SIM_MAX_CPUS */
    enum sim_cpu_model cpu;
    uint64_t seed;
    uint64_t max_insns; /* UINT64_MAX: no limit */
    const char *trace;
    const char *record;
    const char *replay;
    const char *snapshot;
    const char *snapshot_on; /* this and input_on: 1..OPTIONS_TEXT_MAX - 1 bytes */
    const char *input_on;
    uint64_t snapshot_at; /* instructions; UINT64_MAX: not given */
    const char *write_bundle;
    bool snapshot_quit;
    bool stats;
    bool no_input;
    bool hash;
};

/*
 * Fills `out` from argv, whose order getopt_long() may change. False: a usage error, with one line
 * (no newline, printable) in message[OPTIONS_MESSAGE_MAX] that names the fix. --help and --version
 * win over everything after them.
 */
bool options_parse(int argc, char *argv[], struct sim_options *out, char *message);

/* The text of --help and of --version, with newlines. */
const char *options_help(void);
const char *options_version(void);

#endif
