/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What the files of the detector of data races share. */
#ifndef HAL_SIM_RACE_PRIV_H
#define HAL_SIM_RACE_PRIV_H

#include "hal-sim/machine.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct race_clock {
    uint32_t at[SIM_MAX_CPUS];
};

/* race.c */

/* True if accesses of the caller count: core runs on a CPU's stack, and no panic is reported. */
bool race_watches(void);
const struct race_clock *race_clock_of(unsigned cpu);
/* The order that an atomic access of the CPU in turn gives it. order: __ATOMIC_*. modify: the store
 * is that of a read-modify-write. */
void race_load(const void *object, int order);
void race_store(const void *object, int order, bool modify);
void race_fence(int order);

/* race_shadow.c */

enum race_kind { RACE_READ = 0, RACE_WRITE = 1, RACE_ATOMIC = 2, RACE_ATOMIC_WRITE = 3 };

void race_shadow_start(struct sim_machine *machine);
/* Remembers an access of the CPU in turn. Ends the machine if one before it conflicts with it, and
 * nothing orders the two. */
void race_note(const void *at, size_t size, enum race_kind kind, const void *where);

#endif
