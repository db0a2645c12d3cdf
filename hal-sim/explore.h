/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Exploration of interleavings: the CPU in turn changes at points within core's code, where the
 * seed says so. docs/exploration.md.
 */
#ifndef HAL_SIM_EXPLORE_H
#define HAL_SIM_EXPLORE_H

#include <stdbool.h>
#include <stdint.h>

struct sim_machine;

/* Of the machine: part of what can be frozen. */
struct explore {
    uint32_t one_in;    /* one in so many points changes the CPU; 0: none does */
    uint32_t fruitless; /* points in a row since anything was written or a guest ran */
};

/* Of a CPU. */
struct explore_cpu {
    uint64_t place; /* the code that the last point was in */
    uint32_t nap;   /* turns that it is still passed over */
};

/*
 * A point at which another CPU may go on, in code of core that `where` is the address of. Does
 * nothing unless the machine explores and core runs on a CPU's stack. Ends the machine if all CPUs
 * have passed points for very long and none has written anything: that is a deadlock.
 */
void explore_point(const void *where);
/* The CPU in turn has changed something: it does not merely spin. */
void explore_progress(void);

/* turns.c */
/* How long the turn that begins lets a guest run, in ticks. */
uint64_t explore_turn(struct sim_machine *machine);
/* Which of the CPUs able[0..count) is in turn; count > 0. */
unsigned explore_choose(struct sim_machine *machine, const unsigned *able, unsigned count);
/* Whether hal_cpu_idle() returns early for no reason, as CONTRACT.md allows. */
bool explore_wakes_early(struct sim_machine *machine);

#endif
