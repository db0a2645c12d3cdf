/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Software timers of one pCPU, multiplexed on its hypervisor timer (CNTHP). Only that pCPU touches
 * its queue. */
#ifndef VM_TIMER_H
#define VM_TIMER_H

#include "base/list.h"
#include <stdbool.h>
#include <stdint.h>

struct timer {
    struct list_node node;
    uint64_t deadline; /* CNTPCT_EL0 value */
    void (*expired)(struct timer *timer);
};

struct timer_queue {
    struct list_node head; /* by ascending deadline */
};

void timer_queue_init(struct timer_queue *queue);
void timer_init(struct timer *timer, void (*expired)(struct timer *));
/* Sets the deadline, anew if it was set; one in the past expires at the next timer_queue_run().
 * Arms the hardware. */
void timer_start(struct timer_queue *queue, struct timer *timer, uint64_t deadline);
void timer_cancel(struct timer_queue *queue, struct timer *timer);
static inline bool timer_active(const struct timer *timer)
{
    return !list_empty(&timer->node);
}
/* Calls `expired` of each timer whose deadline has passed (it may start timers), and arms the
 * hardware for the next. */
void timer_queue_run(struct timer_queue *queue);

#endif
