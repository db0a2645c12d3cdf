/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Vectors of the timing program: an IRQ is stamped by the second instruction, acknowledged and ended with as few
 * others as possible, so that what is measured is the way to the handler. bench_irq: stamp, count.
 */
    .section .text.bench, "ax"
    .balign 0x800
    .globl bench_vectors
bench_vectors:
    .irp n, 0, 1, 2, 3, 4
    .balign 0x80
    b       trap_vectors + 0x80 * \n
    .endr
    .balign 0x80
    stp     x0, x1, [sp, #-16]!
    mrs     x0, cntvct_el0
    stp     x2, x3, [sp, #-16]!
    adrp    x2, bench_irq
    add     x2, x2, :lo12:bench_irq
    mrs     x1, S3_0_C12_C12_0 /* ICC_IAR1_EL1 */
    cmp     x1, #27
    b.ne    1f
    mov     x3, #3             /* ENABLE, IMASK: a level interrupt has to be quiet before it is ended */
    msr     cntv_ctl_el0, x3
    isb
1:  str     x0, [x2]
    msr     S3_0_C12_C12_1, x1 /* ICC_EOIR1_EL1 */
    ldr     x3, [x2, #8]
    add     x3, x3, #1
    str     x3, [x2, #8]
    ldp     x2, x3, [sp], #16
    ldp     x0, x1, [sp], #16
    eret
    .irp n, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    .balign 0x80
    b       trap_vectors + 0x80 * \n
    .endr

    .section .bss.bench_irq, "aw", %nobits
    .balign 16
    .globl bench_irq
bench_irq:
    .skip   16
