/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "vm/timer.h"
#include "hal/hal.h"

static struct timer *timer_of(struct list_node *node)
{
    return list_entry(node, struct timer, node);
}

static void queue_arm(const struct timer_queue *queue)
{
    hal_timer_arm(list_empty(&queue->head) ? HAL_TIMER_NEVER
                                           : timer_of(queue->head.next)->deadline);
}

/* The lock is held. */
static void queue_remove(struct timer *timer)
{
    list_remove(&timer->node);
    atomic_store_explicit(&timer->queue, NULL, memory_order_release);
}

void timer_queue_init(struct timer_queue *queue)
{
    spinlock_init(&queue->lock, LOCK_RANK_TIMER);
    list_init(&queue->head);
}

void timer_init(struct timer *timer, void (*expired)(struct timer *))
{
    list_init(&timer->node);
    atomic_init(&timer->queue, NULL);
    timer->deadline = HAL_TIMER_NEVER;
    timer->expired = expired;
}

void timer_cancel(struct timer *timer)
{
    struct timer_queue *queue = atomic_load_explicit(&timer->queue, memory_order_acquire);

    if (queue == NULL)
        return;
    spinlock_lock(&queue->lock);
    /* It may have gone off meanwhile; nobody but the owner puts it anywhere else. */
    if (timer_active(timer))
        queue_remove(timer);
    spinlock_unlock(&queue->lock);
}

void timer_start(struct timer_queue *queue, struct timer *timer, uint64_t deadline)
{
    struct list_node *pos;

    timer_cancel(timer);
    spinlock_lock(&queue->lock);
    timer->deadline = deadline;
    for (pos = queue->head.next; pos != &queue->head; pos = pos->next)
        if (timer_of(pos)->deadline > deadline)
            break;
    list_insert_before(pos, &timer->node);
    atomic_store_explicit(&timer->queue, queue, memory_order_release);
    if (queue->head.next == &timer->node)
        queue_arm(queue);
    spinlock_unlock(&queue->lock);
}

static void queue_expire(struct timer_queue *queue, uint64_t now)
{
    spinlock_lock(&queue->lock);
    while (!list_empty(&queue->head) && timer_of(queue->head.next)->deadline <= now) {
        struct timer *timer = timer_of(queue->head.next);
        queue_remove(timer);
        spinlock_unlock(&queue->lock);
        timer->expired(timer);
        spinlock_lock(&queue->lock);
    }
    queue_arm(queue);
    spinlock_unlock(&queue->lock);
}

void timer_queue_run(struct timer_queue *queue)
{
    queue_expire(queue, hal_time_now());
}

void timer_queue_flush(struct timer_queue *queue)
{
    queue_expire(queue, UINT64_MAX);
}
