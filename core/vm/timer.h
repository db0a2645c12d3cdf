/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Software timers, multiplexed on each pCPU's hypervisor timer (CNTHP). A timer has one owner, who
 * starts and cancels it; it is in the queue of the pCPU on which it was started last, and goes off
 * there.
 */
#ifndef VM_TIMER_H
#define VM_TIMER_H

#include "base/list.h"
#include "base/lock.h"
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct timer_queue {
    struct spinlock lock;  /* rank timer */
    struct list_node head; /* by ascending deadline */
};

struct timer {
    struct list_node node;
    _Atomic(struct timer_queue *) queue; /* where it waits; NULL: it does not. Changes under that
                                            queue's lock */
    uint64_t deadline;                   /* CNTPCT_EL0 value */
    void (*expired)(struct timer *timer);
};

void timer_queue_init(struct timer_queue *queue);
/*
 * `expired` is called on the pCPU in whose queue the timer was, no lock held, possibly while the
 * owner starts or cancels the timer anew elsewhere. It starts no timer.
 */
void timer_init(struct timer *timer, void (*expired)(struct timer *));
/* Sets the deadline, anew if it was set; one in the past expires at the next timer_queue_run().
 * `queue` is this pCPU's, whose hardware is armed. Only the timer's owner. */
void timer_start(struct timer_queue *queue, struct timer *timer, uint64_t deadline);
/* From now on it does not go off; `expired` may still be running. Only the timer's owner, on any
 * pCPU. The hardware of its queue may stay armed for it, which costs one early look. */
void timer_cancel(struct timer *timer);
static inline bool timer_active(const struct timer *timer)
{
    return atomic_load_explicit(&timer->queue, memory_order_relaxed) != NULL;
}
/* Calls `expired` of each timer of this pCPU's queue whose deadline has passed, and arms the
 * hardware for the next. */
void timer_queue_run(struct timer_queue *queue);
/* Calls `expired` of all timers of this pCPU's queue, ahead of time: it goes offline. */
void timer_queue_flush(struct timer_queue *queue);

#endif
