/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "vm/timer.h"
#include "hal/hal.h"

static struct timer *timer_of(struct list_node *node)
{
    return list_entry(node, struct timer, node);
}

static void queue_arm(struct timer_queue *queue)
{
    hal_timer_arm(list_empty(&queue->head) ? HAL_TIMER_NEVER
                                           : timer_of(queue->head.next)->deadline);
}

void timer_queue_init(struct timer_queue *queue)
{
    list_init(&queue->head);
}

void timer_init(struct timer *timer, void (*expired)(struct timer *))
{
    list_init(&timer->node);
    timer->deadline = HAL_TIMER_NEVER;
    timer->expired = expired;
}

void timer_start(struct timer_queue *queue, struct timer *timer, uint64_t deadline)
{
    const struct list_node *first = queue->head.next;
    struct list_node *pos;

    list_remove(&timer->node);
    timer->deadline = deadline;
    for (pos = queue->head.next; pos != &queue->head; pos = pos->next)
        if (timer_of(pos)->deadline > deadline)
            break;
    list_insert_before(pos, &timer->node);
    if (first == &timer->node || queue->head.next == &timer->node)
        queue_arm(queue);
}

void timer_cancel(struct timer_queue *queue, struct timer *timer)
{
    bool first = queue->head.next == &timer->node;

    list_remove(&timer->node);
    if (first)
        queue_arm(queue);
}

void timer_queue_run(struct timer_queue *queue)
{
    uint64_t now = hal_time_now();
    struct list_node due;

    /* What `expired` starts must wait for the next run, or a timer that renews itself in the past
     * would keep this one going for ever. */
    list_init(&due);
    while (!list_empty(&queue->head) && timer_of(queue->head.next)->deadline <= now) {
        struct list_node *node = queue->head.next;
        list_remove(node);
        list_insert_before(&due, node);
    }
    while (!list_empty(&due)) {
        struct timer *timer = timer_of(due.next);
        list_remove(&timer->node);
        timer->expired(timer);
    }
    queue_arm(queue);
}
