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
    timer_start(&queue, &timers[1], 400);
    cr_assert_eq(armed(), 200, "the earliest was put off");
    timer_cancel(&queue, &timers[2]);
    cr_assert_eq(armed(), 300);
    cr_assert(!timer_active(&timers[2]));
    timer_cancel(&queue, &timers[2]);
    timer_cancel(&queue, &timers[1]);
    cr_assert_eq(armed(), 300);
    timer_cancel(&queue, &timers[0]);
    cr_assert_eq(armed(), HAL_TIMER_NEVER);
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

static void renew(struct timer *timer)
{
    count_fired(timer);
    timer_start(&queue, timer, 50);
}

CASE(timer, one_that_renews_itself_in_the_past_waits_for_the_next_run)
{
    timer_init(&timers[0], renew);
    timer_start(&queue, &timers[0], 50);
    fakehal()->now = 100;
    timer_queue_run(&queue);
    cr_assert_eq(nr_fired, 1);
    cr_assert_eq(armed(), 50);
    timer_queue_run(&queue);
    cr_assert_eq(nr_fired, 2);
}

static void cancel_other(struct timer *timer)
{
    count_fired(timer);
    timer_cancel(&queue, &timers[1]);
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
        switch (prng_next(&seed) % 4) {
        case 0:
            timer_cancel(&queue, &timers[n]);
            model[n] = 0;
            break;
        case 1:
            fakehal_advance(prng_next(&seed) % 40);
            timer_queue_run(&queue);
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
        cr_assert_eq(armed(), earliest);
    }
}

CASES_RUN(timer, setup, NULL)
