/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "base/lock.h"
#include "cases.h"
#include "fakehal/fakehal.h"
#include <pthread.h>
#include <sched.h>
#include <string.h>

CASE(lock, ranks_are_in_the_documented_order)
{
    cr_assert_lt(LOCK_RANK_REGISTRY, LOCK_RANK_VM);
    cr_assert_lt(LOCK_RANK_VM, LOCK_RANK_ITS);
    cr_assert_lt(LOCK_RANK_ITS, LOCK_RANK_VIRTIO);
    cr_assert_lt(LOCK_RANK_VIRTIO, LOCK_RANK_FLASH);
    cr_assert_lt(LOCK_RANK_FLASH, LOCK_RANK_S2);
    cr_assert_lt(LOCK_RANK_S2, LOCK_RANK_VCPU);
    cr_assert_lt(LOCK_RANK_VCPU, LOCK_RANK_VGIC);
    cr_assert_lt(LOCK_RANK_VGIC, LOCK_RANK_DEV);
    cr_assert_lt(LOCK_RANK_DEV, LOCK_RANK_SCHED);
    cr_assert_lt(LOCK_RANK_SCHED, LOCK_RANK_TIMER);
    cr_assert_lt(LOCK_RANK_TIMER, LOCK_RANK_POOL);
    cr_assert_lt(LOCK_RANK_POOL, LOCK_RANK_LOG);
    cr_assert_lt(LOCK_RANK_LOG, LOCK_RANK_CONSOLE);
}

CASE(lock, is_held_from_taking_to_letting_go)
{
    struct spinlock lock;

    memset(&lock, 0xff, sizeof(lock));
    spinlock_init(&lock, LOCK_RANK_POOL);
    cr_assert_eq(lock.rank, (uint32_t)LOCK_RANK_POOL);
    cr_assert_not(atomic_load(&lock.held));
    spinlock_lock(&lock);
    cr_assert(atomic_load(&lock.held));
    spinlock_unlock(&lock);
    cr_assert_not(atomic_load(&lock.held));
}

static void yield(void *ctx)
{
    (void)ctx;
    sched_yield();
}

/* Threads of the host are all the same CPU of fakehal, which then cannot say who holds what. */
static void share_cpu(void)
{
    fakehal()->locks_unwatched = true;
    fakehal()->relax = yield;
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
    share_cpu();
    cr_assert_eq(pthread_create(&other, NULL, count_up, &shared), 0);
    count_up(&shared);
    cr_assert_eq(pthread_join(other, NULL), 0);
    cr_assert_eq(shared.counter, 2 * ROUNDS);
}

static void *try_up(void *arg)
{
    struct shared *shared = arg;

    for (int i = 0; i < ROUNDS;) {
        if (!spinlock_trylock(&shared->lock)) {
            sched_yield();
            continue;
        }
        unsigned seen = shared->counter;
        sched_yield();
        shared->counter = seen + 1;
        spinlock_unlock(&shared->lock);
        i++;
    }
    return NULL;
}

CASE(lock, trying_excludes_another_thread)
{
    struct shared shared = {.counter = 0};
    pthread_t other;

    spinlock_init(&shared.lock, LOCK_RANK_VM);
    share_cpu();
    cr_assert_eq(pthread_create(&other, NULL, try_up, &shared), 0);
    count_up(&shared);
    cr_assert_eq(pthread_join(other, NULL), 0);
    cr_assert_eq(shared.counter, 2 * ROUNDS);
}

CASE(lock, trying_takes_only_what_is_free)
{
    struct spinlock lock;

    spinlock_init(&lock, LOCK_RANK_POOL);
    cr_assert(spinlock_trylock(&lock));
    fakehal()->self = 1; /* it would wait for the first */
    cr_assert_not(spinlock_trylock(&lock));
    cr_assert(atomic_load(&lock.held), "a try that fails takes nothing away");
    fakehal()->self = 0;
    spinlock_unlock(&lock);
    cr_assert_not(atomic_load(&lock.held));
    cr_assert(spinlock_trylock(&lock));
    spinlock_unlock(&lock);
}

/* The holder lets go at the waiter's third look. */
static void let_go_at_last(void *ctx)
{
    struct spinlock *lock = ctx;
    static unsigned looks;

    if (++looks < 3)
        return;
    fakehal()->self = 0;
    spinlock_unlock(lock);
    fakehal()->self = 1;
}

CASE(lock, a_waiter_relaxes_until_it_is_free)
{
    struct spinlock lock;

    spinlock_init(&lock, LOCK_RANK_POOL);
    spinlock_lock(&lock);
    fakehal()->self = 1;
    fakehal()->relax = let_go_at_last;
    fakehal()->relax_ctx = &lock;
    spinlock_lock(&lock);
    cr_assert(atomic_load(&lock.held));
    spinlock_unlock(&lock);
}

/* --- What fakehal watches --- */

static struct spinlock held, other;

static void take_other(void *ctx)
{
    (void)ctx;
    spinlock_lock(&other);
}

static void try_other(void *ctx)
{
    (void)ctx;
    (void)spinlock_trylock(&other);
}

static void let_go_other(void *ctx)
{
    (void)ctx;
    spinlock_unlock(&other);
}

/* Whether take() may take `other` while `held` is held. */
static bool may_nest(enum lock_rank outer, enum lock_rank inner, void (*take)(void *ctx))
{
    bool kept;

    spinlock_init(&held, outer);
    spinlock_init(&other, inner);
    spinlock_lock(&held);
    kept = !fakehal_expect_fail(take, NULL);
    cr_assert_eq(atomic_load(&other.held), kept);
    fakehal_reset();
    return kept;
}

CASE(lock, only_a_higher_rank_may_be_taken)
{
    for (enum lock_rank a = LOCK_RANK_REGISTRY; a <= LOCK_RANK_CONSOLE; a++) {
        for (enum lock_rank b = LOCK_RANK_REGISTRY; b <= LOCK_RANK_CONSOLE; b++) {
            cr_assert_eq(may_nest(a, b, take_other), a < b, "%s, then %s", lock_rank_name(a),
                         lock_rank_name(b));
            cr_assert_eq(may_nest(a, b, try_other), a < b, "%s, then try %s", lock_rank_name(a),
                         lock_rank_name(b));
        }
    }
}

CASE(lock, each_rank_below_counts_not_the_last_alone)
{
    struct spinlock middle;

    spinlock_init(&held, LOCK_RANK_POOL);
    spinlock_init(&middle, LOCK_RANK_LOG);
    spinlock_init(&other, LOCK_RANK_DEV);
    spinlock_lock(&held);
    spinlock_lock(&middle);
    spinlock_unlock(&middle);
    cr_assert(fakehal_expect_fail(take_other, NULL));
    /* Out of order is allowed, and what stays is remembered. */
    spinlock_lock(&middle);
    spinlock_unlock(&held);
    cr_assert(fakehal_expect_fail(take_other, NULL));
    spinlock_unlock(&middle);
    cr_assert_not(fakehal_expect_fail(take_other, NULL));
    spinlock_unlock(&other);
}

CASE(lock, cpus_hold_locks_of_their_own)
{
    spinlock_init(&held, LOCK_RANK_POOL);
    spinlock_init(&other, LOCK_RANK_VM);
    spinlock_lock(&held);
    fakehal()->self = 1;
    cr_assert_not(fakehal_expect_fail(take_other, NULL));
    fakehal()->self = 0;
    cr_assert(fakehal_expect_fail(let_go_other, NULL), "it is another CPU's");
    spinlock_unlock(&held);
    cr_assert(fakehal_expect_fail(let_go_other, NULL), "it is another CPU's still");
}

CASE(lock, one_that_nobody_initialised)
{
    other = (struct spinlock){.rank = 0};
    cr_assert(fakehal_expect_fail(take_other, NULL));
    other.rank = LOCK_RANK_CONSOLE + 1;
    cr_assert(fakehal_expect_fail(take_other, NULL));
    cr_assert_str_eq(lock_rank_name(0), "?");
    cr_assert_str_eq(lock_rank_name(LOCK_RANK_CONSOLE + 1), "?");
}

CASE(lock, more_than_anybody_needs)
{
    struct lock_held many = {.count = LOCK_HELD_MAX};
    char reason[LOCK_REASON_MAX];

    spinlock_init(&other, LOCK_RANK_CONSOLE);
    cr_assert_not(lock_held_add(&many, &other, reason));
    cr_assert_str_eq(reason, "a lock of rank console is taken as number 17");
    /* The same, through a lock that a CPU takes. */
    spinlock_init(&held, LOCK_RANK_VM);
    for (unsigned i = 0; i < LOCK_HELD_MAX; i++)
        fakehal()->cpu[0].held.lock[i] = &held;
    fakehal()->cpu[0].held.count = LOCK_HELD_MAX;
    cr_assert(fakehal_expect_fail(take_other, NULL));
    fakehal()->cpu[0].held.count = LOCK_HELD_MAX - 1;
    spinlock_init(&other, LOCK_RANK_CONSOLE);
    cr_assert_not(fakehal_expect_fail(take_other, NULL));
    spinlock_unlock(&other);
    fakehal()->cpu[0].held.count = 0;
}

CASE(lock, a_breach_is_told_with_both_ranks)
{
    struct lock_held have = {.count = 0};
    char reason[LOCK_REASON_MAX];

    spinlock_init(&held, LOCK_RANK_TIMER);
    spinlock_init(&other, LOCK_RANK_SCHED);
    cr_assert(lock_held_none(&have, "hal_vcpu_run()", reason));
    cr_assert(lock_held_add(&have, &held, reason));
    cr_assert_not(lock_held_check(&have, &other, reason));
    cr_assert_str_eq(reason,
                     "a lock of rank sched (10) is taken while one of rank timer (11) is held");
    cr_assert_not(lock_held_check(&have, &held, reason));
    cr_assert_str_eq(
        reason, "a lock of rank timer (11) is taken while the same of rank timer (11) is held");
    cr_assert_not(lock_held_none(&have, "hal_vcpu_run()", reason));
    cr_assert_str_eq(reason, "hal_vcpu_run() with a lock of rank timer held");
    cr_assert_not(lock_held_remove(&have, &other, reason));
    cr_assert_str_eq(reason, "a lock of rank sched is let go that is not held");
    cr_assert(lock_held_remove(&have, &held, reason));
    cr_assert(lock_held_none(&have, "hal_vcpu_run()", reason));
}

static void run(void *ctx)
{
    struct arch_vcpu *vcpu = ctx;
    struct arch_exit exit;

    hal_vcpu_run(vcpu, &exit);
}

static void idle(void *ctx)
{
    (void)ctx;
    hal_cpu_idle();
}

static void stop(void *ctx)
{
    (void)ctx;
    hal_cpu_stop();
}

static void halt(void *ctx)
{
    hal_halt(*(const enum hal_halt_reason *)ctx);
}

static void trace(void *ctx)
{
    struct trace_record record = {.pcpu = 0};

    (void)ctx;
    hal_trace(&record);
}

CASE(lock, none_is_held_where_it_may_take_for_ever)
{
    static struct arch_vcpu vcpu;
    enum hal_halt_reason off = HAL_HALT_OFF, panic = HAL_HALT_PANIC;

    fakehal()->traced = true;
    spinlock_init(&held, LOCK_RANK_VM);
    spinlock_lock(&held);
    fakehal_irq_pend(0, HAL_INTID_KICK);
    cr_assert(fakehal_expect_fail(idle, NULL));
    cr_assert(fakehal_expect_fail(stop, NULL));
    cr_assert(fakehal_expect_fail(halt, &off));
    cr_assert(fakehal_expect_halt(HAL_HALT_PANIC, halt, &panic));
    cr_assert(fakehal_expect_fail(trace, NULL));
    hal_vcpu_load(&vcpu);
    fakehal_push_irq();
    fakehal_push_irq();
    cr_assert(fakehal_expect_fail(run, &vcpu));
    spinlock_unlock(&held);
    cr_assert_not(fakehal_expect_fail(run, &vcpu));
    cr_assert_not(fakehal_expect_fail(idle, NULL));
    cr_assert_not(fakehal_expect_fail(trace, NULL));
}

CASES_RUN(lock, fakehal_reset, NULL)
