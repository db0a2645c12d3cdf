/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* System V ABI, AMD64: rbx, rbp, r12-r15 and the control bits of MXCSR and the x87 are preserved. */

/* Offsets of what is on a stack that is not running, from its pointer; the return address is last. */
#define FRAME_RBX    40
#define FRAME_RETURN 56
#define FRAME_SIZE   64

    .text

/* void *fiber_prepare(void *top, void (*entry)(void)): the entry gets the alignment that a call gives. */
    .globl fiber_prepare
    .type fiber_prepare, @function
fiber_prepare:
    leaq -FRAME_SIZE-16(%rdi), %rax
    stmxcsr (%rax)
    fnstcw 4(%rax)
    movq $0, 48(%rax)
    movq %rsi, FRAME_RBX(%rax)
    leaq fiber_start(%rip), %rcx
    movq %rcx, FRAME_RETURN(%rax)
    ret
    .size fiber_prepare, . - fiber_prepare

    .type fiber_start, @function
fiber_start:
    .cfi_startproc
    .cfi_undefined rip
    xorl %ebp, %ebp
    call *%rbx
    ud2
    .cfi_endproc
    .size fiber_start, . - fiber_start

/* void fiber_swap_stacks(void **from, void *to) */
    .globl fiber_swap_stacks
    .type fiber_swap_stacks, @function
fiber_swap_stacks:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    subq $8, %rsp
    stmxcsr (%rsp)
    fnstcw 4(%rsp)
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    ldmxcsr (%rsp)
    fldcw 4(%rsp)
    addq $8, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
    .size fiber_swap_stacks, . - fiber_swap_stacks

    .section .note.GNU-stack, "", @progbits
