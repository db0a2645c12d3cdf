/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* No detector of data races: core is not instrumented. */
#include "hal-sim/race.h"

void race_release(const void *object)
{
    (void)object;
}

void race_acquire(const void *object)
{
    (void)object;
}

void race_access(const void *at, size_t size, bool write, const void *where)
{
    (void)at;
    (void)size;
    (void)write;
    (void)where;
}
