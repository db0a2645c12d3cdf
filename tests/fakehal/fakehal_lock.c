/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Core's locks: whether each CPU keeps their order (docs/locking.md). */
#include "fakehal/fakehal.h"

/* NULL: nobody watches. */
static struct lock_held *held_here(void)
{
    struct fakehal *hal = fakehal();

    if (hal->locks_unwatched)
        return NULL;
    if (hal->self >= FAKEHAL_CPUS)
        fakehal_fail("CPU %u: there are %u", hal->self, FAKEHAL_CPUS);
    return &hal->cpu[hal->self].held;
}

static void expect(bool kept, const char *reason)
{
    if (!kept)
        fakehal_fail("CPU %u: %s", fakehal()->self, reason);
}

void fakehal_no_lock(const char *what)
{
    const struct lock_held *held = held_here();
    char reason[LOCK_REASON_MAX];

    expect(held == NULL || lock_held_none(held, what, reason), reason);
}

void lock_relax(void)
{
    hal_cpu_relax();
}

void lock_taking(const struct spinlock *lock)
{
    const struct lock_held *held = held_here();
    char reason[LOCK_REASON_MAX];

    expect(held == NULL || lock_held_check(held, lock, reason), reason);
}

void lock_taken(const struct spinlock *lock)
{
    struct lock_held *held = held_here();
    char reason[LOCK_REASON_MAX];

    expect(held == NULL || lock_held_add(held, lock, reason), reason);
}

void lock_letting_go(const struct spinlock *lock)
{
    struct lock_held *held = held_here();
    char reason[LOCK_REASON_MAX];

    expect(held == NULL || lock_held_remove(held, lock, reason), reason);
}
