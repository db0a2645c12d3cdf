/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Ticket spinlock. Ranks order all locks of core (docs/locking.md): a lock is taken only while
 * every lock held by this pCPU has a lower rank. No lock is held across hal_vcpu_run().
 */
#ifndef BASE_LOCK_H
#define BASE_LOCK_H

#include <stdatomic.h>
#include <stdint.h>

enum lock_rank {
    LOCK_RANK_REGISTRY = 1,
    LOCK_RANK_VM,
    LOCK_RANK_S2,
    LOCK_RANK_VCPU,
    LOCK_RANK_VGIC,
    LOCK_RANK_DEV,
    LOCK_RANK_POOL,
    LOCK_RANK_LOG,
    LOCK_RANK_CONSOLE, /* under the log's, which writes to it */
};

struct spinlock {
    _Atomic uint16_t next;
    _Atomic uint16_t owner;
    uint32_t rank;
};

static inline void spinlock_init(struct spinlock *lock, enum lock_rank rank)
{
    atomic_init(&lock->next, 0);
    atomic_init(&lock->owner, 0);
    lock->rank = (uint32_t)rank;
}

static inline void spinlock_lock(struct spinlock *lock)
{
    uint16_t ticket = atomic_fetch_add_explicit(&lock->next, 1, memory_order_relaxed);
    while (atomic_load_explicit(&lock->owner, memory_order_acquire) != ticket) {
    }
}

static inline void spinlock_unlock(struct spinlock *lock)
{
    uint16_t owner = atomic_load_explicit(&lock->owner, memory_order_relaxed);
    atomic_store_explicit(&lock->owner, (uint16_t)(owner + 1), memory_order_release);
}

#endif
