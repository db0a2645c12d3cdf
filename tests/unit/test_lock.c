/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "base/lock.h"
#include "cases.h"
#include <pthread.h>
#include <sched.h>

CASE(lock, ranks_are_in_the_documented_order)
{
    cr_assert_lt(LOCK_RANK_REGISTRY, LOCK_RANK_VM);
    cr_assert_lt(LOCK_RANK_VM, LOCK_RANK_S2);
    cr_assert_lt(LOCK_RANK_S2, LOCK_RANK_VCPU);
    cr_assert_lt(LOCK_RANK_VCPU, LOCK_RANK_VGIC);
    cr_assert_lt(LOCK_RANK_VGIC, LOCK_RANK_DEV);
    cr_assert_lt(LOCK_RANK_DEV, LOCK_RANK_POOL);
    cr_assert_lt(LOCK_RANK_POOL, LOCK_RANK_LOG);
}

CASE(lock, tickets)
{
    struct spinlock lock;

    spinlock_init(&lock, LOCK_RANK_POOL);
    cr_assert_eq(lock.rank, (uint32_t)LOCK_RANK_POOL);
    cr_assert_eq(atomic_load(&lock.next), 0);
    cr_assert_eq(atomic_load(&lock.owner), 0);
    spinlock_lock(&lock);
    cr_assert_eq(atomic_load(&lock.next), 1);
    cr_assert_eq(atomic_load(&lock.owner), 0);
    spinlock_unlock(&lock);
    cr_assert_eq(atomic_load(&lock.owner), 1);
}

CASE(lock, tickets_wrap)
{
    struct spinlock lock;

    spinlock_init(&lock, LOCK_RANK_VM);
    atomic_store(&lock.next, UINT16_MAX);
    atomic_store(&lock.owner, UINT16_MAX);
    spinlock_lock(&lock);
    spinlock_unlock(&lock);
    cr_assert_eq(atomic_load(&lock.next), 0);
    cr_assert_eq(atomic_load(&lock.owner), 0);
    spinlock_lock(&lock);
    spinlock_unlock(&lock);
    cr_assert_eq(atomic_load(&lock.owner), 1);
}

#define ROUNDS 100

struct shared {
    struct spinlock lock;
    volatile unsigned counter;
};

static void *count_up(void *arg)
{
    struct shared *shared = arg;

    for (int i = 0; i < ROUNDS; i++) {
        spinlock_lock(&shared->lock);
        unsigned seen = shared->counter;
        /* Invites the other thread in: without the lock, it would count from the same value. */
        sched_yield();
        shared->counter = seen + 1;
        spinlock_unlock(&shared->lock);
    }
    return NULL;
}

CASE(lock, excludes_another_thread)
{
    struct shared shared = {.counter = 0};
    pthread_t other;

    spinlock_init(&shared.lock, LOCK_RANK_VM);
    cr_assert_eq(pthread_create(&other, NULL, count_up, &shared), 0);
    count_up(&shared);
    cr_assert_eq(pthread_join(other, NULL), 0);
    cr_assert_eq(shared.counter, 2 * ROUNDS);
}

CASES_RUN(lock, NULL, NULL)
