/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What the HAL tells the detector of data races (docs/exploration.md). race_off.c has these
 * functions empty, and every ordinary program links it; a program of tests/explore links the
 * detector in its place. All are called on a CPU's stack, for the CPU in turn.
 */
#ifndef HAL_SIM_RACE_H
#define HAL_SIM_RACE_H

#include <stdbool.h>
#include <stddef.h>

/* What this CPU did so far is ordered before what a CPU does that acquires `object` later. */
void race_release(const void *object);
void race_acquire(const void *object);
/* The HAL reads or writes memory of core's on behalf of its caller, whose address is `where`. */
void race_access(const void *at, size_t size, bool write, const void *where);

#endif
