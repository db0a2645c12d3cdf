/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A timer of a device: when it goes off the device's work() is called, on its VM's time, or `post`
 * first, which asks for more. Guarded by the device's lock, whose rank is below timer. */
#ifndef VM_DEVICE_TIMER_H
#define VM_DEVICE_TIMER_H

#include "base/err.h"
#include "vm/timer.h"
#include <stdbool.h>
#include <stdint.h>

struct vm;

struct device_timer {
    struct timer timer;
    struct vm *vm;
    uint32_t index;    /* of vm->device[]: vm_add_worker() fills it in */
    bool set;          /* and not taken */
    bool used;         /* it was set at least once */
    uint64_t deadline; /* CNTPCT_EL0 value */
    /* NULL, or what is called instead of vm_post_device(): on any pCPU, without a lock, as long as
     * the VM is there. Constant. It may be early: device_timer_take() is not for such a timer. */
    void (*post)(struct device_timer *timer);
};

/* Before anything else; the memory is zeroed. */
void device_timer_init(struct device_timer *timer, struct vm *vm);
/* Anew if it was set. Any pCPU. */
void device_timer_set(struct device_timer *timer, uint64_t deadline);
void device_timer_clear(struct device_timer *timer);
/* For work(), which may come early, or for another reason: true, once, if the deadline has passed.
 */
HV_MUST_CHECK bool device_timer_take(struct device_timer *timer);
/* For destroy(): it does not go off any more, anywhere. No lock held; waits for other pCPUs. */
void device_timer_end(struct device_timer *timer);

#endif
