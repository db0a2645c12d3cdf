/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A loop whose rounds do not depend on each other, on as many threads as are worth it. */
#ifndef SIM_PARALLEL_H
#define SIM_PARALLEL_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Calls work(ctx, i) for each i below n, once, in any order, on this thread and on helpers that
 * have ended when it returns. False if a call returned false: others may not have been made then.
 * Signals stay with the caller's thread, but for faults of a helper's own. No thread to be had is
 * no error, it only takes longer.
 */
bool parallel_run(size_t n, bool (*work)(void *ctx, size_t i), void *ctx);

#endif
