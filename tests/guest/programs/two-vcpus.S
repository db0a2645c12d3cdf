/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Where the second CPU starts, with x0 = the top of its stack. */
    .section .text.second, "ax"
    .globl second_start
second_start:
    msr     daifset, #0xf
    ldr     x1, =0x30d51808 /* as start.S */
    msr     sctlr_el1, x1
    isb
    mov     sp, x0
    adrp    x1, trap_vectors
    add     x1, x1, :lo12:trap_vectors
    msr     vbar_el1, x1
    isb
    bl      second_main
1:  wfi
    b       1b
