/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "base/lock_held.h"
#include "base/fmt.h"

static const char *const rank_name[] = {
    [LOCK_RANK_REGISTRY] = "registry", [LOCK_RANK_VM] = "vm",       [LOCK_RANK_ITS] = "its",
    [LOCK_RANK_VIRTIO] = "virtio",     [LOCK_RANK_FLASH] = "flash", [LOCK_RANK_S2] = "s2",
    [LOCK_RANK_VCPU] = "vcpu",         [LOCK_RANK_VGIC] = "vgic",   [LOCK_RANK_DEV] = "dev",
    [LOCK_RANK_SCHED] = "sched",       [LOCK_RANK_TIMER] = "timer", [LOCK_RANK_VMID] = "vmid",
    [LOCK_RANK_POOL] = "pool",         [LOCK_RANK_LOG] = "log",     [LOCK_RANK_CONSOLE] = "console",
};

const char *lock_rank_name(uint32_t rank)
{
    if (rank >= sizeof(rank_name) / sizeof(rank_name[0]) || rank_name[rank] == NULL)
        return "?";
    return rank_name[rank];
}

bool lock_held_check(const struct lock_held *held, const struct spinlock *lock, char *reason)
{
    if (lock->rank < LOCK_RANK_REGISTRY || lock->rank > LOCK_RANK_CONSOLE) {
        (void)fmt_snprintf(reason, LOCK_REASON_MAX, "a lock is taken that nobody has initialised");
        return false;
    }
    for (uint32_t i = 0; i < held->count; i++) {
        if (held->lock[i]->rank < lock->rank)
            continue;
        (void)fmt_snprintf(reason, LOCK_REASON_MAX,
                           "a lock of rank %s (%u) is taken while %s of rank %s (%u) is held",
                           lock_rank_name(lock->rank), lock->rank,
                           held->lock[i] == lock ? "the same" : "one",
                           lock_rank_name(held->lock[i]->rank), held->lock[i]->rank);
        return false;
    }
    return true;
}

bool lock_held_add(struct lock_held *held, const struct spinlock *lock, char *reason)
{
    if (held->count >= LOCK_HELD_MAX) {
        (void)fmt_snprintf(reason, LOCK_REASON_MAX, "a lock of rank %s is taken as number %u",
                           lock_rank_name(lock->rank), held->count + 1);
        return false;
    }
    held->lock[held->count++] = lock;
    return true;
}

bool lock_held_remove(struct lock_held *held, const struct spinlock *lock, char *reason)
{
    for (uint32_t i = held->count; i-- > 0;) {
        if (held->lock[i] != lock)
            continue;
        held->count--;
        for (; i < held->count; i++)
            held->lock[i] = held->lock[i + 1];
        return true;
    }
    (void)fmt_snprintf(reason, LOCK_REASON_MAX, "a lock of rank %s is let go that is not held",
                       lock_rank_name(lock->rank));
    return false;
}

bool lock_held_none(const struct lock_held *held, const char *what, char *reason)
{
    if (held->count == 0)
        return true;
    (void)fmt_snprintf(reason, LOCK_REASON_MAX, "%s with a lock of rank %s held", what,
                       lock_rank_name(held->lock[held->count - 1]->rank));
    return false;
}

/* --- What lock.h calls --- */

void lock_held_expect_none(const char *what)
{
    const struct lock_held *held = lock_held_here();
    char reason[LOCK_REASON_MAX];

    if (held != NULL && !lock_held_none(held, what, reason))
        lock_held_broken(reason);
}

void lock_taking(const struct spinlock *lock)
{
    const struct lock_held *held = lock_held_here();
    char reason[LOCK_REASON_MAX];

    if (held != NULL && !lock_held_check(held, lock, reason))
        lock_held_broken(reason);
}

void lock_taken(const struct spinlock *lock)
{
    struct lock_held *held = lock_held_here();
    char reason[LOCK_REASON_MAX];

    if (held != NULL && !lock_held_add(held, lock, reason))
        lock_held_broken(reason);
}

void lock_letting_go(const struct spinlock *lock)
{
    struct lock_held *held = lock_held_here();
    char reason[LOCK_REASON_MAX];

    if (held != NULL && !lock_held_remove(held, lock, reason))
        lock_held_broken(reason);
}
