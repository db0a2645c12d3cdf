/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Where another CPU starts: MMU off, x0 = its struct smp_boot (smp.c). The same map as the CPU's that started it. */
    .section .text.smp, "ax"
    .globl smp_entry
smp_entry:
    msr     daifset, #0xf
    ldp     x1, x2, [x0, #0]  /* stack, sctlr */
    ldp     x3, x4, [x0, #16] /* mair, tcr */
    ldr     x5, [x0, #32]     /* ttbr0 */
    mov     sp, x1
    adrp    x1, trap_vectors
    add     x1, x1, :lo12:trap_vectors
    msr     vbar_el1, x1
    msr     mair_el1, x3
    msr     tcr_el1, x4
    msr     ttbr0_el1, x5
    msr     cpacr_el1, xzr
    msr     cntkctl_el1, xzr
    tlbi    vmalle1
    dsb     nsh
    isb
    msr     sctlr_el1, x2
    isb
    bl      smp_main
1:  wfi
    b       1b

/* int64_t psci_call(uint64_t function, uint64_t a1, uint64_t a2, uint64_t a3): SMCCC keeps x18 to x30. */
    .section .text.psci_call, "ax"
    .globl psci_call
psci_call:
    hvc     #0
    ret
