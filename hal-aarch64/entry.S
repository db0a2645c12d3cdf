/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Entry of the EL2 image: the arm64 Linux boot protocol (x0 = devicetree, MMU and data cache off, image clean to the point of coherency).
 * The image is position independent: it runs where it was loaded.
 */
#include "offsets.h"

    .section .head.text, "ax"
    .globl _head
_head:
    b       start                   /* code0 */
    nop                             /* code1 */
    .quad   0                       /* text_offset: any 2 MiB boundary */
    .quad   __image_size            /* with .bss, stacks and tables */
    .quad   0xa                     /* little endian, 4 KiB pages, anywhere in physical memory */
    .quad   0
    .quad   0
    .quad   0
    .ascii  "ARM\x64"
    .long   0

    .macro  adr_far reg, symbol
    adrp    \reg, \symbol
    add     \reg, \reg, #:lo12:\symbol
    .endm

start:
    mov     x19, x0                 /* the devicetree */
    bl      el2_setup

    adr_far x20, __image_start
    adr_far x21, __bss_end
    mov     x0, x20                 /* stale lines must not hide what is written below */
    mov     x1, x21
    bl      dcache_invalidate

    adr_far x0, __bss_start
    mov     x1, x21
1:  stp     xzr, xzr, [x0], #16
    cmp     x0, x1
    b.lo    1b

    adr_far x0, __rela_start        /* R_AARCH64_RELATIVE: *(base + offset) = base + addend */
    adr_far x1, __rela_end
2:  cmp     x0, x1
    b.hs    3f
    ldp     x2, x3, [x0], #16
    ldr     x4, [x0], #8
    cmp     w3, #1027
    b.ne    2b
    add     x4, x4, x20
    str     x4, [x20, x2]
    b       2b
3:
    adr_far x0, boot_stack_top
    mov     sp, x0
    adr_far x1, boot_stack_top
    adr_far x0, percpu              /* its panic stack, for an exception from here on */
    adr_far x2, panic_stack_top
    stp     x2, x1, [x0, #PERCPU_PANIC_STACK]
    msr     tpidr_el2, x0
    adr_far x0, el2_vectors
    msr     vbar_el2, x0
    isb
    mov     x29, xzr
    mov     x30, xzr

    mov     x0, x20                 /* tables of the image and the devicetree */
    mov     x1, x19
    bl      mmu_build_early
    mov     x22, x0
    mov     x0, x20
    mov     x1, x21
    bl      dcache_invalidate
    mov     x0, x22
    bl      mmu_enable
    mov     x0, x19
    bl      boot_main
    b       .

/* Where PSCI CPU_ON starts another CPU: x0 = its struct percpu; MMU and caches off. What is read here before the MMU is on
 * was written with the MMU off, or cleaned. */
    .globl  secondary_entry
secondary_entry:
    mov     x19, x0
    bl      el2_setup
    msr     tpidr_el2, x19
    adr_far x0, el2_vectors
    msr     vbar_el2, x0
    isb
    adr_far x0, mmu_setup
    bl      mmu_enable
    ldr     x0, [x19, #PERCPU_STACK]
    mov     sp, x0
    mov     x29, xzr
    mov     x30, xzr
    mov     x0, x19
    bl      secondary_main
    b       .

/* How each CPU starts, whoever entered it: EL2 without VHE, MMU and caches off. */
el2_setup:
    msr     daifset, #0xf
    msr     spsel, #1               /* SP_EL2: a loader may have used SP_EL0 */
    mrs     x1, CurrentEL
    cmp     x1, #(2 << 2)
    b.ne    wrong_el
    mov     x1, #(1 << 31)          /* HCR_EL2.RW; E2H = 0: this image does not use VHE */
    orr     x1, x1, #0x38           /* AMO, IMO, FMO: physical interrupts are EL2's */
    msr     hcr_el2, x1
    isb
    ldr     x1, =0x30c50830         /* SCTLR_EL2: RES1 bits, MMU and caches off */
    msr     sctlr_el2, x1
    mov     x1, #0x33ff             /* CPTR_EL2: RES1 bits; no trap of FP/SIMD */
    msr     cptr_el2, x1
    isb
    ret

wrong_el:
    wfe
    b       wrong_el

/* For image.ld, so that the number is written in one place. */
    .globl  cpu_stacks_size
    .set    cpu_stacks_size, CPU_STACKS * CPU_STACK_STRIDE

/* Invalidates [x0, x1) from the data caches to the point of coherency. */
dcache_invalidate:
    mrs     x2, ctr_el0
    ubfx    x2, x2, #16, #4
    mov     x3, #4
    lsl     x3, x3, x2
    sub     x4, x3, #1
    bic     x0, x0, x4
1:  dc      ivac, x0
    add     x0, x0, x3
    cmp     x0, x1
    b.lo    1b
    dsb     sy
    ret

/* x0 = root table. MAIR, TCR and the rest are computed in mmu.c: x0 points to { ttbr, mair, tcr, sctlr }. */
    .globl  mmu_enable
mmu_enable:
    ldp     x1, x2, [x0]
    ldp     x3, x4, [x0, #16]
    msr     ttbr0_el2, x1
    msr     mair_el2, x2
    msr     tcr_el2, x3
    isb
    tlbi    alle2
    tlbi    alle1
    ic      iallu
    dsb     sy
    isb
    msr     sctlr_el2, x4
    isb
    ret
