/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The change of stacks itself, in the assembly of the host: fiber_x86_64.S, fiber_aarch64.S. */
#ifndef HAL_SIM_FIBER_SWITCH_H
#define HAL_SIM_FIBER_SWITCH_H

/* Makes the stack that ends at `top` (16-byte aligned) one that fiber_swap_stacks() can go to:
 * entry() starts there. Returns its stack pointer. */
void *fiber_prepare(void *top, void (*entry)(void));
/* Saves what a function has to preserve, leaves the stack pointer in *from, and goes on where `to`
 * was left. */
void fiber_swap_stacks(void **from, void *to);

#endif
