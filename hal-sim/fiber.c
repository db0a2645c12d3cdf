/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "hal-sim/fiber.h"
#include "hal-sim/fiber_switch.h"
#include <stdint.h>

/*
 * AddressSanitizer has to be told of a change of stack (sanitizer/common_interface_defs.h). Weak:
 * the same object serves builds without it.
 */
extern void __sanitizer_start_switch_fiber(void **save, const void *bottom, size_t size)
    __attribute__((weak));
extern void __sanitizer_finish_switch_fiber(void *save, const void **bottom_old, size_t *size_old)
    __attribute__((weak));

void fiber_init(struct sim_fiber *fiber, void *stack, size_t size, void (*entry)(void))
{
    fiber->stack = stack;
    fiber->size = size;
    fiber->sanitizer = NULL;
    fiber->sp = fiber_prepare((char *)stack + size, entry);
}

/* Where the stack is that is being left is known only on arrival, if it is the thread's own. */
static void fiber_arrived(void *sanitizer, struct sim_fiber *from)
{
    const void *bottom = NULL;
    size_t size = 0;

    if (__sanitizer_finish_switch_fiber == NULL)
        return;
    __sanitizer_finish_switch_fiber(sanitizer, &bottom, &size);
    from->stack = (void *)(uintptr_t)bottom;
    from->size = size;
}

void fiber_entered(struct sim_fiber *from)
{
    fiber_arrived(NULL, from);
}

void fiber_switch(struct sim_fiber *from, struct sim_fiber *to)
{
    if (__sanitizer_start_switch_fiber != NULL)
        __sanitizer_start_switch_fiber(&from->sanitizer, to->stack, to->size);
    fiber_swap_stacks(&from->sp, to->sp);
    fiber_arrived(from->sanitizer, to);
}
