/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Core's locks: whether each CPU keeps their order (docs/locking.md). */
#include "fakehal/fakehal.h"

struct lock_held *lock_held_here(void)
{
    struct fakehal *hal = fakehal();

    if (hal->locks_unwatched)
        return NULL;
    if (hal->self >= FAKEHAL_CPUS)
        fakehal_fail("CPU %u: there are %u", hal->self, FAKEHAL_CPUS);
    return &hal->cpu[hal->self].held;
}

void lock_held_broken(const char *reason)
{
    fakehal_fail("CPU %u: %s", fakehal()->self, reason);
}

void lock_relax(void)
{
    hal_cpu_relax();
}
