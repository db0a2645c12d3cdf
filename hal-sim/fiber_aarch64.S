/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* AAPCS64: x19-x30, sp and d8-d15 are preserved. */

#define FRAME_SIZE 160

    .text

/* void *fiber_prepare(void *top, void (*entry)(void)) */
    .globl fiber_prepare
    .type fiber_prepare, %function
fiber_prepare:
    sub x0, x0, #FRAME_SIZE
    adr x2, fiber_start
    str x1, [x0]
    stp xzr, x2, [x0, #80]
    ret
    .size fiber_prepare, . - fiber_prepare

    .type fiber_start, %function
fiber_start:
    .cfi_startproc
    .cfi_undefined x30
    blr x19
    brk #1
    .cfi_endproc
    .size fiber_start, . - fiber_start

/* void fiber_swap_stacks(void **from, void *to) */
    .globl fiber_swap_stacks
    .type fiber_swap_stacks, %function
fiber_swap_stacks:
    sub sp, sp, #FRAME_SIZE
    stp x19, x20, [sp]
    stp x21, x22, [sp, #16]
    stp x23, x24, [sp, #32]
    stp x25, x26, [sp, #48]
    stp x27, x28, [sp, #64]
    stp x29, x30, [sp, #80]
    stp d8, d9, [sp, #96]
    stp d10, d11, [sp, #112]
    stp d12, d13, [sp, #128]
    stp d14, d15, [sp, #144]
    mov x2, sp
    str x2, [x0]
    mov sp, x1
    ldp x19, x20, [sp]
    ldp x21, x22, [sp, #16]
    ldp x23, x24, [sp, #32]
    ldp x25, x26, [sp, #48]
    ldp x27, x28, [sp, #64]
    ldp x29, x30, [sp, #80]
    ldp d8, d9, [sp, #96]
    ldp d10, d11, [sp, #112]
    ldp d12, d13, [sp, #128]
    ldp d14, d15, [sp, #144]
    add sp, sp, #FRAME_SIZE
    ret
    .size fiber_swap_stacks, . - fiber_swap_stacks

    .section .note.GNU-stack, "", %progbits
