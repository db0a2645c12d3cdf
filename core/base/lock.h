/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Test-and-set spinlock (why not tickets: docs/decisions/0020). Ranks order all locks of core
 * (docs/locking.md): a lock is taken only while every lock held by this pCPU has a lower rank. No
 * lock is held across hal_vcpu_run().
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
    LOCK_RANK_ITS,    /* held while guest memory is read, which takes s2 */
    LOCK_RANK_VIRTIO, /* a device: guest memory, the vGIC and timers are used under it */
    LOCK_RANK_FLASH,  /* held while what it shows is mapped and unmapped, which takes s2 */
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
    atomic_bool held;
    uint32_t rank;
};

/* Provided by the HAL: hal_cpu_relax(), which this module is too low to name. Cold: a lock that is
 * free is to cost its taker no saved registers. */
void lock_relax(void) __attribute__((cold));

/*
 * lock_held.c, in hosted builds: this pCPU is about to take the lock (nothing has changed yet), has
 * taken it, is about to let it go. They return only if that keeps the rules; they take no lock.
 */
void lock_taking(const struct spinlock *lock);
void lock_taken(const struct spinlock *lock);
void lock_letting_go(const struct spinlock *lock);

static inline void spinlock_init(struct spinlock *lock, enum lock_rank rank)
{
    atomic_init(&lock->held, false);
    lock->rank = (uint32_t)rank;
}

static inline void spinlock_lock(struct spinlock *lock)
{
    if (LOCK_OBSERVED)
        lock_taking(lock);
    while (atomic_exchange_explicit(&lock->held, true, memory_order_acquire)) {
        do
            lock_relax();
        while (atomic_load_explicit(&lock->held, memory_order_relaxed));
    }
    if (LOCK_OBSERVED)
        lock_taken(lock);
}

/* Takes the lock if nobody holds it. Ranks hold as for spinlock_lock(). */
static inline bool spinlock_trylock(struct spinlock *lock)
{
    if (LOCK_OBSERVED)
        lock_taking(lock);
    if (atomic_exchange_explicit(&lock->held, true, memory_order_acquire))
        return false;
    if (LOCK_OBSERVED)
        lock_taken(lock);
    return true;
}

static inline void spinlock_unlock(struct spinlock *lock)
{
    if (LOCK_OBSERVED)
        lock_letting_go(lock);
    atomic_store_explicit(&lock->held, false, memory_order_release);
}

#endif
