/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "cases.h"
#include "fakehal/fakehal.h"
#include "prng.h"
#include "vm/timer.h"

#define TIMERS 16u

static struct timer_queue queue;
static struct timer timers[TIMERS];
static unsigned fired[TIMERS];
static unsigned order[64];
static unsigned nr_fired;

static void count_fired(struct timer *timer)
{
    unsigned n = (unsigned)(timer - timers);

    fired[n]++;
    order[nr_fired++ % 64] = n;
}

static void setup(void)
{
    fakehal_reset();
    memset(fired, 0, sizeof(fired));
    nr_fired = 0;
    timer_queue_init(&queue);
    for (unsigned i = 0; i < TIMERS; i++)
        timer_init(&timers[i], count_fired);
}

static uint64_t armed(void)
{
    return fakehal()->cpu[0].deadline;
}

CASE(timer, arms_for_the_earliest)
{
    timer_start(&queue, &timers[0], 300);
    cr_assert_eq(armed(), 300);
    timer_start(&queue, &timers[1], 100);
    cr_assert_eq(armed(), 100);
    timer_start(&queue, &timers[2], 200);
    cr_assert_eq(armed(), 100);
}

/* Whoever cancels may be another pCPU, which cannot reach this one's hardware: it goes off for
 * nothing, once, and is armed for what is left. */
CASE(timer, cancelled_ones_cost_an_early_look_at_most)
{
    timer_start(&queue, &timers[0], 300);
    timer_start(&queue, &timers[1], 100);
    timer_start(&queue, &timers[2], 200);
    timer_start(&queue, &timers[1], 400);
    cr_assert_leq(armed(), 200, "the earliest was put off");
    timer_cancel(&timers[2]);
    cr_assert(!timer_active(&timers[2]));
    timer_cancel(&timers[2]);
    cr_assert_leq(armed(), 300);
    fakehal()->now = armed();
    timer_queue_run(&queue);
    cr_assert_eq(nr_fired, 0);
    cr_assert_eq(armed(), 300);
    timer_cancel(&timers[1]);
    timer_cancel(&timers[0]);
    timer_queue_run(&queue);
    cr_assert_eq(nr_fired, 0);
    cr_assert_eq(armed(), HAL_TIMER_NEVER);
}

/* The owner has moved to another pCPU: the timer follows, the queue it was in does not matter. */
CASE(timer, is_in_the_queue_where_it_was_started_last)
{
    struct timer_queue other;

    timer_queue_init(&other);
    timer_start(&queue, &timers[0], 100);
    fakehal()->self = 1;
    timer_start(&other, &timers[0], 150);
    cr_assert_eq(fakehal()->cpu[1].deadline, 150);
    fakehal()->now = 200;
    fakehal()->self = 0;
    timer_queue_run(&queue);
    cr_assert_eq(nr_fired, 0, "no longer here");
    cr_assert_eq(armed(), HAL_TIMER_NEVER);
    cr_assert(timer_active(&timers[0]));
    fakehal()->self = 1;
    timer_queue_run(&other);
    cr_assert_eq(nr_fired, 1);
    cr_assert_eq(fakehal()->cpu[1].deadline, HAL_TIMER_NEVER);
    timer_start(&other, &timers[0], 300);
    fakehal()->self = 0;
    timer_cancel(&timers[0]);
    cr_assert(!timer_active(&timers[0]), "from any pCPU");
    fakehal()->now = 400;
    fakehal()->self = 1;
    timer_queue_run(&other);
    cr_assert_eq(nr_fired, 1);
}

/* Before its pCPU goes offline: nobody would look at the queue again. */
CASE(timer, flush_is_ahead_of_time)
{
    timer_start(&queue, &timers[0], 300);
    timer_start(&queue, &timers[1], HAL_TIMER_NEVER);
    timer_queue_flush(&queue);
    cr_assert_eq(nr_fired, 2);
    cr_assert_eq(order[0], 0);
    cr_assert_eq(order[1], 1);
    cr_assert(!timer_active(&timers[1]));
    cr_assert_eq(armed(), HAL_TIMER_NEVER);
}

static void looks_at_itself(struct timer *timer)
{
    cr_assert(!timer_active(timer), "it may be started anew");
    lock_held_expect_none("a timer's expired()");
    count_fired(timer);
}

CASE(timer, expired_is_called_with_nothing_held)
{
    timer_init(&timers[0], looks_at_itself);
    timer_start(&queue, &timers[0], 0);
    timer_queue_run(&queue);
    cr_assert_eq(nr_fired, 1);
}

CASE(timer, run_calls_what_is_due_in_order)
{
    timer_start(&queue, &timers[0], 300);
    timer_start(&queue, &timers[1], 100);
    timer_start(&queue, &timers[2], 200);
    fakehal()->now = 99;
    timer_queue_run(&queue);
    cr_assert_eq(nr_fired, 0);
    fakehal()->now = 200;
    timer_queue_run(&queue);
    cr_assert_eq(nr_fired, 2, "a deadline that is now is due");
    cr_assert_eq(order[0], 1);
    cr_assert_eq(order[1], 2);
    cr_assert(!timer_active(&timers[1]));
    cr_assert_eq(armed(), 300);
    fakehal()->now = 1000;
    timer_queue_run(&queue);
    cr_assert_eq(fired[0], 1);
    cr_assert_eq(armed(), HAL_TIMER_NEVER);
}

static void cancel_other(struct timer *timer)
{
    count_fired(timer);
    timer_cancel(&timers[1]);
}

CASE(timer, one_may_cancel_another_that_is_due)
{
    timer_init(&timers[0], cancel_other);
    timer_start(&queue, &timers[0], 50);
    timer_start(&queue, &timers[1], 60);
    fakehal()->now = 100;
    timer_queue_run(&queue);
    cr_assert_eq(fired[0], 1);
    cr_assert_eq(fired[1], 0);
}

/* Against an array of deadlines, 0 meaning none. */
CASE(timer, agrees_with_an_array)
{
    uint64_t model[TIMERS] = {0};
    unsigned expected[TIMERS] = {0};
    uint64_t seed = 11;

    for (unsigned step = 0; step < 5000; step++) {
        unsigned n = (unsigned)(prng_next(&seed) % TIMERS);
        uint64_t earliest = HAL_TIMER_NEVER;
        bool ran = false;
        switch (prng_next(&seed) % 4) {
        case 0:
            timer_cancel(&timers[n]);
            model[n] = 0;
            break;
        case 1:
            fakehal_advance(prng_next(&seed) % 40);
            timer_queue_run(&queue);
            ran = true;
            for (unsigned i = 0; i < TIMERS; i++) {
                if (model[i] == 0 || model[i] > fakehal()->now)
                    continue;
                expected[i]++;
                model[i] = 0;
            }
            break;
        default:
            model[n] = 1 + fakehal()->now + prng_next(&seed) % 100;
            timer_start(&queue, &timers[n], model[n]);
            break;
        }
        for (unsigned i = 0; i < TIMERS; i++) {
            cr_assert_eq(timer_active(&timers[i]), model[i] != 0);
            cr_assert_eq(fired[i], expected[i]);
            if (model[i] != 0 && model[i] < earliest)
                earliest = model[i];
        }
        cr_assert_leq(armed(), earliest);
        if (ran)
            cr_assert_eq(armed(), earliest);
    }
}

CASES_RUN(timer, setup, NULL)
