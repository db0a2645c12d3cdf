/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A stack of its own to run on. All state is in the structure and on the stack, so that both can be
 * kept and be used in another process at the same addresses; that is why it is not ucontext, which
 * leaves addresses of libraries there.
 */
#ifndef HAL_SIM_FIBER_H
#define HAL_SIM_FIBER_H

#include <stddef.h>

struct sim_fiber {
    void *sp;    /* while it is not running */
    void *stack; /* NULL: the thread's own, until it was left once */
    size_t size;
    void *sanitizer; /* AddressSanitizer's fake stack of a fiber that is not running */
};

/* Will run entry(), which must not return, when it is switched to. */
void fiber_init(struct sim_fiber *fiber, void *stack, size_t size, void (*entry)(void));
/* Leaves `from`, which is running, for `to`; returns when something switches back. */
void fiber_switch(struct sim_fiber *from, struct sim_fiber *to);
/* First thing in entry(): the switch has come from `from`. */
void fiber_entered(struct sim_fiber *from);

#endif
