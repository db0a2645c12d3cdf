/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Results in the Test Anything Protocol. Output has to be the same on every machine: names are
 * constant, and values are printed only by a failing test.
 */
#ifndef GUEST_TAP_H
#define GUEST_TAP_H

#include <stdbool.h>
#include <stdint.h>

/** `ok N - name` or `not ok N - name`; returns condition. */
bool tap_ok(bool condition, const char *name);

/** As tap_ok for got == want; a failure prints both. */
bool tap_eq(uint64_t got, uint64_t want, const char *name);

/** `not ok N - name: detail`. */
void tap_fail(const char *name, const char *detail, ...) __attribute__((format(printf, 2, 3)));

/** Prints the plan `1..N`; the runtime calls it when guest_main returns. A second call does
 * nothing. */
void tap_end(void);

#endif
