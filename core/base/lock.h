/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Ticket spinlock. Ranks order all locks of core (docs/locking.md): a lock is taken only while
 * every lock held by this pCPU has a lower rank. No lock is held across hal_vcpu_run().
 *
 * In hosted builds (LOCK_OBSERVED, a compile definition of core-base) the HAL is told of every lock
 * that is taken and let go, and ends the program where a rank is broken. The EL2 image has none of
 * it.
 */
#ifndef BASE_LOCK_H
#define BASE_LOCK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum lock_rank {
    LOCK_RANK_REGISTRY = 1,
    LOCK_RANK_VM,
    LOCK_RANK_ITS, /* held while guest memory is read, which takes s2 */
    LOCK_RANK_S2,
    LOCK_RANK_VCPU,
    LOCK_RANK_VGIC,
    LOCK_RANK_DEV,
    LOCK_RANK_SCHED, /* under the vGIC's and the devices', whose kicks wake a vCPU */
    LOCK_RANK_TIMER,
    LOCK_RANK_VMID,
    LOCK_RANK_POOL,
    LOCK_RANK_LOG,
    LOCK_RANK_CONSOLE, /* under the log's, which writes to it */
};

struct spinlock {
    _Atomic uint16_t next;
    _Atomic uint16_t owner;
    uint32_t rank;
};

/* Provided by the HAL: hal_cpu_relax(), which this module is too low to name. Cold: a lock that is
 * free is to cost its taker no saved registers. */
void lock_relax(void) __attribute__((cold));

/*
 * Provided by hosted HALs: this pCPU is about to take the lock (nothing has changed yet), has taken
 * it, is about to let it go. They return only if that keeps the rules; they take no lock.
 */
void lock_taking(const struct spinlock *lock);
void lock_taken(const struct spinlock *lock);
void lock_letting_go(const struct spinlock *lock);

static inline void spinlock_init(struct spinlock *lock, enum lock_rank rank)
{
    atomic_init(&lock->next, 0);
    atomic_init(&lock->owner, 0);
    lock->rank = (uint32_t)rank;
}

static inline void spinlock_await(struct spinlock *lock, uint16_t ticket)
{
    while (atomic_load_explicit(&lock->owner, memory_order_acquire) != ticket)
        lock_relax();
    if (LOCK_OBSERVED)
        lock_taken(lock);
}

static inline void spinlock_lock(struct spinlock *lock)
{
    if (LOCK_OBSERVED)
        lock_taking(lock);
    spinlock_await(lock, atomic_fetch_add_explicit(&lock->next, 1, memory_order_relaxed));
}

/* Takes the lock if nobody holds it or waits for it. Ranks hold as for spinlock_lock(). */
static inline bool spinlock_trylock(struct spinlock *lock)
{
    uint16_t owner = atomic_load_explicit(&lock->owner, memory_order_relaxed);
    uint16_t ticket = owner;

    if (LOCK_OBSERVED)
        lock_taking(lock);
    if (!atomic_compare_exchange_strong_explicit(&lock->next, &ticket, (uint16_t)(owner + 1),
                                                 memory_order_relaxed, memory_order_relaxed))
        return false;
    /* It is this ticket's turn, unless all tickets were drawn since `owner` was read. */
    spinlock_await(lock, ticket);
    return true;
}

static inline void spinlock_unlock(struct spinlock *lock)
{
    if (LOCK_OBSERVED)
        lock_letting_go(lock);
    uint16_t owner = atomic_load_explicit(&lock->owner, memory_order_relaxed);
    atomic_store_explicit(&lock->owner, (uint16_t)(owner + 1), memory_order_release);
}

#endif
