/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Entry of a probe: MMU off, x0 = struct probe (probe.h). After CPU_OFF it has to wait in WFI: QEMU 7.2 at times does not stop a
 * CPU that spins there.
 */
    .section .text.probe, "ax"
    .globl probe_entry
probe_entry:
    mrs     x1, sctlr_el1
    mrs     x2, daif
    mrs     x3, CurrentEL
    mrs     x4, mpidr_el1
    stp     x1, x2, [x0, #0]
    stp     x3, x4, [x0, #16]
    mrs     x5, spsel
    str     x5, [x0, #32]
    ldr     x6, [x0, #48]
    add     x6, x6, #1
    str     x6, [x0, #48] /* starts */
    dsb     sy
    mov     x1, #1
    str     x1, [x0, #40] /* here */
    dsb     sy
1:  ldr     x1, [x0, #56] /* told to power off */
    cbz     x1, 1b
    movz    x0, #0x8400, lsl #16
    movk    x0, #0x0002
    hvc     #0
2:  wfi
    b       2b
