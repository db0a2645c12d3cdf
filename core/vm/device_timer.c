/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "vm/device_timer.h"
#include "hal/hal.h"
#include "vm/hv.h"
#include "vm/sched.h"

/* The VM is there: device_timer_end() waits for this. */
static void expired(struct timer *timer)
{
    struct device_timer *self = list_entry(timer, struct device_timer, timer);

    if (self->post != NULL)
        self->post(self);
    else
        vm_post_device(self->vm, self->index);
}

void device_timer_init(struct device_timer *timer, struct vm *vm)
{
    timer->vm = vm;
    timer_init(&timer->timer, expired);
}

/* On this pCPU, wherever it was before. */
static void start(struct device_timer *timer)
{
    timer_start(&timer->vm->hv->pcpu[hal_cpu_self()].timers, &timer->timer, timer->deadline);
}

void device_timer_set(struct device_timer *timer, uint64_t deadline)
{
    timer->set = true;
    timer->used = true;
    timer->deadline = deadline;
    start(timer);
}

void device_timer_clear(struct device_timer *timer)
{
    timer->set = false;
    timer_cancel(&timer->timer);
}

/* It is early where a pCPU has gone offline, which calls all its timers. */
bool device_timer_take(struct device_timer *timer)
{
    if (!timer->set)
        return false;
    if (hal_time_now() >= timer->deadline) {
        device_timer_clear(timer);
        return true;
    }
    if (!timer_active(&timer->timer))
        start(timer);
    return false;
}

void device_timer_end(struct device_timer *timer)
{
    timer_cancel(&timer->timer);
    if (timer->used)
        sched_quiesce(timer->vm->hv);
}
