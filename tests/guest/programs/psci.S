/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* To sleep and to wake up at an entry point. Layout: struct sleeper of psci.c. */

/*
 * int64_t sleep_call(struct sleeper *, uint64_t function, uint64_t a1, uint64_t a2, uint64_t a3): the call, which may come back
 * (what it returned) or be resumed at sleep_entry with the struct as its context (SLEEP_RESUMED).
 */
    .section .text.psci, "ax"
    .globl sleep_call
sleep_call:
    stp     x19, x20, [x0, #0]
    stp     x21, x22, [x0, #16]
    stp     x23, x24, [x0, #32]
    stp     x25, x26, [x0, #48]
    stp     x27, x28, [x0, #64]
    stp     x29, x30, [x0, #80]
    mov     x5, sp
    mrs     x6, sctlr_el1
    mrs     x7, mair_el1
    mrs     x8, tcr_el1
    mrs     x9, ttbr0_el1
    mrs     x10, vbar_el1
    stp     x5, x6, [x0, #96]
    stp     x7, x8, [x0, #112]
    stp     x9, x10, [x0, #128]
    dc      civac, x0
    add     x5, x0, #64
    dc      civac, x5
    add     x5, x0, #128
    dc      civac, x5
    dsb     sy
    mov     x0, x1
    mov     x1, x2
    mov     x2, x3
    mov     x3, x4
    hvc     #0
    ret

    .globl sleep_entry
sleep_entry:
    mrs     x6, sctlr_el1
    mrs     x7, daif
    stp     x6, x7, [x0, #144]
    ldp     x19, x20, [x0, #0]
    ldp     x21, x22, [x0, #16]
    ldp     x23, x24, [x0, #32]
    ldp     x25, x26, [x0, #48]
    ldp     x27, x28, [x0, #64]
    ldp     x29, x30, [x0, #80]
    ldp     x5, x6, [x0, #96]
    ldp     x7, x8, [x0, #112]
    ldp     x9, x10, [x0, #128]
    mov     sp, x5
    msr     vbar_el1, x10
    msr     mair_el1, x7
    msr     tcr_el1, x8
    msr     ttbr0_el1, x9
    tlbi    vmalle1
    dsb     nsh
    isb
    msr     sctlr_el1, x6
    isb
    mov     x0, #1000 /* SLEEP_RESUMED */
    ret
