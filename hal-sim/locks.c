/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Core's locks: whether each CPU keeps their order (docs/locking.md). Core that runs outside of a
 * machine, as a program's helper, has no CPU and is not watched. */
#include "base/check.h"
#include "hal-sim/internal.h"

/* NULL: nobody watches. */
static struct lock_held *held_here(void)
{
    return sim_host()->inside ? &sim_cpu_self(sim_machine())->held : NULL;
}

static void expect(bool kept, const char *reason)
{
    if (!kept && !sim_host()->panicking)
        hv_check_failed(reason, __FILE__, __LINE__);
}

void locks_expect_none(const char *what)
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
