/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * First byte of every guest program: entered at EL1 with the MMU off and x0 = address of the devicetree.
 * The image carries no .bss, so it is cleared here before any C runs.
 */
    .section .text.start, "ax"
    .globl _start
_start:
    msr     daifset, #0xf
    mov     x19, x0
    /* RES1 bits of ARMv8.0 plus I, SA, nTWI and nTWE; MMU and data cache off (DDI 0487, SCTLR_EL1). */
    ldr     x1, =0x30d51808
    msr     sctlr_el1, x1
    isb
    adrp    x1, guest_stack_top
    add     x1, x1, :lo12:guest_stack_top
    mov     sp, x1
    adrp    x1, guest_bss_start
    add     x1, x1, :lo12:guest_bss_start
    adrp    x2, guest_bss_end
    add     x2, x2, :lo12:guest_bss_end
1:  cmp     x1, x2
    b.hs    2f
    str     xzr, [x1], #8
    b       1b
2:  adrp    x1, trap_vectors
    add     x1, x1, :lo12:trap_vectors
    msr     vbar_el1, x1
    /* FP and SIMD trap until a program asks for them. */
    msr     cpacr_el1, xzr
    msr     cntkctl_el1, xzr
    isb
    mov     x0, x19
    bl      guest_start
3:  wfi
    b       3b
