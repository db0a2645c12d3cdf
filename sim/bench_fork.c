/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * How long it takes to go on from a point of a run in the process that has it, any number of times:
 * for ci/bench. usage: bench-fork TIMES TICKS halcyon-sim's options. Runs to that time, and then
 * prints a line for each copy: microseconds from the call to the copy's first executed block, and
 * to its end as the original sees it.
 */
#include "sim/fork_point.h"
#include "sim/setup.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static uint64_t now_ns(void)
{
    struct timespec at;

    (void)clock_gettime(CLOCK_MONOTONIC, &at);
    return (uint64_t)at.tv_sec * 1000000000u + (uint64_t)at.tv_nsec;
}

static int fail(const char *reason)
{
    (void)fprintf(stderr, "bench-fork: error: %s\n", reason);
    return 1;
}

/* To `until` without input; false if the machine ends before. */
static bool run_until(struct sim_machine *machine, uint64_t until)
{
    for (;;) {
        uint64_t next;

        switch (sim_machine_run(machine, until)) {
        case SIM_STOP_TIME:
            return true;
        case SIM_STOP_IDLE:
            next = sim_machine_next_event(machine);
            sim_machine_advance(machine, next < until ? next : until);
            break;
        default:
            return false;
        }
    }
}

static int go_on(void *ctx, void *out)
{
    struct sim_machine *machine = ctx;
    uint64_t *done = out;

    (void)sim_machine_run(machine, sim_machine_now(machine) + 1);
    *done = now_ns();
    return 0;
}

static int measure(struct sim_machine *machine, unsigned long times)
{
    for (unsigned long i = 0; i < times; i++) {
        uint64_t start = now_ns();
        uint64_t begun = 0;
        struct fork_result result = fork_point_run(go_on, machine, &begun, sizeof(begun));

        if (result.end != FORK_EXITED || result.value != 0)
            return fail("the copy did not come to its end");
        (void)printf("%.1f %.1f\n", (double)(begun - start) / 1000.0,
                     (double)(now_ns() - start) / 1000.0);
    }
    return 0;
}

static void ignore(void *ctx, const char *text, size_t len)
{
    (void)ctx;
    (void)text;
    (void)len;
}

int main(int argc, char **argv)
{
    static struct sim_run run;
    struct record_identity identity;
    struct sim_options options;
    char reason[SETUP_REASON_MAX > OPTIONS_MESSAGE_MAX ? SETUP_REASON_MAX : OPTIONS_MESSAGE_MAX];
    int status;

    if (argc < 4 || !options_parse(argc - 2, argv + 2, &options, reason)) {
        (void)fprintf(stderr, "usage: bench-fork TIMES TICKS halcyon-sim's options\n");
        return 2;
    }
    run_connect(&run, false, false);
    run.config.console_write = ignore;
    if (!setup_new(&run, &options, &identity, reason))
        return fail(reason);
    status = run_until(run.machine, strtoull(argv[2], NULL, 10))
                 ? measure(run.machine, strtoul(argv[1], NULL, 10))
                 : fail("the machine ended before that time");
    sim_machine_destroy(run.machine);
    return status;
}
