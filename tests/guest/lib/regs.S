/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Runs one instruction with every general register and NZCV loaded from *in and captures them all in *out
 * (struct regs_io): what an exit must leave alone can then be checked to the bit. regs_run_insn patches its slot.
 * Stack: 0..95 callee-saved, 96 out, 104 sp before, 112..359 x0..x30 after.
 */
    .macro regs_runner name, insn:vararg
    .section .text.\name, "ax"
    .globl \name
\name:
    sub     sp, sp, #368
    stp     x19, x20, [sp, #0]
    stp     x21, x22, [sp, #16]
    stp     x23, x24, [sp, #32]
    stp     x25, x26, [sp, #48]
    stp     x27, x28, [sp, #64]
    stp     x29, x30, [sp, #80]
    mov     x2, sp
    stp     x1, x2, [sp, #96]
    mov     x1, x0
    ldr     x2, [x1, #248]
    msr     nzcv, x2
    ldp     x2, x3, [x1, #16]
    ldp     x4, x5, [x1, #32]
    ldp     x6, x7, [x1, #48]
    ldp     x8, x9, [x1, #64]
    ldp     x10, x11, [x1, #80]
    ldp     x12, x13, [x1, #96]
    ldp     x14, x15, [x1, #112]
    ldp     x16, x17, [x1, #128]
    ldp     x18, x19, [x1, #144]
    ldp     x20, x21, [x1, #160]
    ldp     x22, x23, [x1, #176]
    ldp     x24, x25, [x1, #192]
    ldp     x26, x27, [x1, #208]
    ldp     x28, x29, [x1, #224]
    ldr     x30, [x1, #240]
    ldp     x0, x1, [x1, #0]
    .globl \name\()_slot
\name\()_slot:
    \insn
    stp     x0, x1, [sp, #112]
    stp     x2, x3, [sp, #128]
    stp     x4, x5, [sp, #144]
    stp     x6, x7, [sp, #160]
    stp     x8, x9, [sp, #176]
    stp     x10, x11, [sp, #192]
    stp     x12, x13, [sp, #208]
    stp     x14, x15, [sp, #224]
    stp     x16, x17, [sp, #240]
    stp     x18, x19, [sp, #256]
    stp     x20, x21, [sp, #272]
    stp     x22, x23, [sp, #288]
    stp     x24, x25, [sp, #304]
    stp     x26, x27, [sp, #320]
    stp     x28, x29, [sp, #336]
    str     x30, [sp, #352]
    mrs     x4, nzcv
    ldp     x0, x1, [sp, #96]
    mov     x2, sp
    sub     x5, x2, x1
    add     x1, sp, #112
    mov     x2, #31
1:  ldr     x3, [x1], #8
    str     x3, [x0], #8
    subs    x2, x2, #1
    b.ne    1b
    stp     x4, x5, [x0]
    ldp     x19, x20, [sp, #0]
    ldp     x21, x22, [sp, #16]
    ldp     x23, x24, [sp, #32]
    ldp     x25, x26, [sp, #48]
    ldp     x27, x28, [sp, #64]
    ldp     x29, x30, [sp, #80]
    add     sp, sp, #368
    ret
    .endm

    regs_runner regs_run_hvc, hvc #0
    regs_runner regs_run_smc, smc #0
    regs_runner regs_run_slot, nop
