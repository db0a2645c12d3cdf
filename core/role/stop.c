/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "role/stop.h"
#include "hal/hal.h"

static void is_due(struct timer *timer)
{
    hv_post_work(list_entry(timer, struct stopping, due)->hv);
}

bool stop_ask(struct stopping *stopping, struct hv *hv, uint32_t slot)
{
    struct vm *vm = hv->vm[slot];
    const struct vm_button *button = &vm->power_button;

    if (stopping->by[slot] != 0 || vm->state != VM_RUNNING || button->press == NULL ||
        !button->press(button->dev))
        return false;
    if (stopping->hv == NULL) {
        stopping->hv = hv;
        timer_init(&stopping->due, is_due);
    }
    stopping->by[slot] = hal_time_now() + STOP_SECONDS * hal_time_hz();
    return true;
}

void stop_forget(struct stopping *stopping, uint32_t slot)
{
    stopping->by[slot] = 0;
}

void stop_check(struct stopping *stopping)
{
    struct hv *hv = stopping->hv;
    uint64_t next = HAL_TIMER_NEVER;

    if (hv == NULL)
        return;
    for (uint32_t slot = 0; slot < hv->nr_vms; slot++) {
        struct vm *vm = hv->vm[slot];
        if (vm == NULL || vm_is_over(vm))
            stopping->by[slot] = 0;
        if (stopping->by[slot] == 0)
            continue;
        if (hal_time_now() >= stopping->by[slot])
            vm_end(vm, VM_OFF, "stopped from the console: did not shut down within %u s",
                   STOP_SECONDS);
        else if (stopping->by[slot] < next)
            next = stopping->by[slot];
    }
    if (next == HAL_TIMER_NEVER)
        timer_cancel(&stopping->due);
    else
        timer_start(&hv->pcpu[hal_cpu_self()].timers, &stopping->due, next);
}
