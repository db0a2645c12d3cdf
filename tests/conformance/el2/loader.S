/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A bootloader that tidies up nothing: it leaves EL2 in every state that the arm64 boot protocol does not rule out, and enters the image
 * at 0x40200000. QEMU loads it as a raw kernel at 0x40080000 with the devicetree's address in x0.
 */
    .text
    .globl _start
_start:
    mov     x9, #0xf                /* ICC_SRE_EL2: System registers */
    msr     icc_sre_el2, x9
    isb
    mov     x9, #1
    msr     icc_ap1r0_el1, x9       /* an active priority that nobody will end */
    msr     ich_hcr_el2, x9
    msr     cnthp_ctl_el2, x9       /* all timers on, and firing */
    msr     cntv_ctl_el0, x9
    msr     cntp_ctl_el0, x9
    mov     x9, #-1
    msr     cntvoff_el2, x9
    msr     ich_lr0_el2, x9
    msr     ich_vmcr_el2, x9
    msr     vttbr_el2, x9
    msr     tpidr_el2, x9
    msr     hstr_el2, x9
    msr     mdscr_el1, xzr
    mrs     x10, id_aa64mmfr1_el1
    ubfx    x11, x10, #40, #4
    cbz     x11, 1f
    msr     S3_4_C1_C2_2, x9        /* HCRX_EL2 */
1:  ubfx    x11, x10, #8, #4
    cbz     x11, 2f
    mov     x9, #(1 << 31)          /* HCR_EL2: RW, and E2H as a hypervisor host would have it */
    movk    x9, #0x4, lsl #32
    msr     hcr_el2, x9
    isb
2:  msr     spsel, #0
    mov     x9, #0x40200000
    br      x9
