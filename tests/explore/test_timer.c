/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Timers that are started, and cancelled, on whatever CPU their owner is at the time: what was
 * started last and not cancelled goes off. */
#include "base/bits.h"
#include "explore/explore.h"
#include "explore/tests.h"
#include "hal/hal.h"
#include "vm/timer.h"
#include <stdatomic.h>

#define CPUS     EXPLORE_MAX_CPUS
#define TIMERS   6u
#define ROUNDS   50u
#define FAR      3000u /* ticks; the furthest deadline */
#define READINGS 100u  /* of the time, after which each further one takes a microsecond */

static struct owned_timer {
    struct timer timer;
    _Atomic bool held; /* by the CPU that its owner is on */
    _Atomic bool due;  /* it is to go off */
} timers[TIMERS];
static struct timer_queue queues[CPUS];

static void expired(struct timer *timer)
{
    struct owned_timer *owned = list_entry(timer, struct owned_timer, timer);

    atomic_store(&owned->due, false);
}

static void prepare(struct world *w)
{
    (void)w;
    for (unsigned cpu = 0; cpu < CPUS; cpu++)
        timer_queue_init(&queues[cpu]);
    for (unsigned i = 0; i < TIMERS; i++)
        timer_init(&timers[i].timer, expired);
}

static void use(struct owned_timer *owned, unsigned cpu, uint64_t *random)
{
    if (atomic_exchange(&owned->held, true))
        return;
    if (explore_pick(random, 3) != 0) {
        /* Cancelled first, so that the one before does not answer for this one. */
        timer_cancel(&owned->timer);
        atomic_store(&owned->due, true);
        timer_start(&queues[cpu], &owned->timer, hal_time_now() + explore_pick(random, FAR));
    } else {
        timer_cancel(&owned->timer);
        EXPECT(!timer_active(&owned->timer));
        atomic_store(&owned->due, false);
    }
    atomic_store(&owned->held, false);
}

static void take_interrupts(unsigned cpu)
{
    uint32_t intid = hal_irq_ack();

    timer_queue_run(&queues[cpu]);
    if (intid != HAL_INTID_NONE)
        hal_irq_end(intid, true);
}

static void work(struct world *w, unsigned cpu, uint64_t *random)
{
    (void)w;
    for (unsigned i = 0; i < READINGS; i++)
        (void)hal_time_now();
    for (unsigned round = 0; round < ROUNDS; round++) {
        use(&timers[explore_pick(random, TIMERS)], cpu, random);
        if (explore_pick(random, 3) == 0)
            take_interrupts(cpu);
    }
    /* Sleeps until the last of its queue: a timer that the hardware was not armed for stays. */
    for (;;) {
        take_interrupts(cpu);
        spinlock_lock(&queues[cpu].lock);
        bool empty = list_empty(&queues[cpu].head);
        spinlock_unlock(&queues[cpu].lock);
        if (empty)
            break;
        hal_cpu_idle();
    }
}

static void finish(struct world *w)
{
    (void)w;
    for (unsigned i = 0; i < TIMERS; i++)
        EXPECT(!timer_active(&timers[i].timer) && !timers[i].due);
}

const struct explore_test explore_timer = {
    .name = "timer", .nr_cpus = CPUS, .prepare = prepare, .work = work, .finish = finish};
