/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The virtual CPU interface as a hypervisor sees it: maintenance, and what registers hold. */
#include "arch/sysreg.h"
#include "vcpuif_fixture.h"

CASE(vcpuif_ich, maintenance)
{
    static const struct {
        uint64_t hcr, vmcr, lr0, lr1, misr;
    } rows[] = {
        {0x01, 3, 0, 0, 0},
        {0x03, 3, 0, 0, 0x02},
        {0x03, 3, PEND, 0, 0x02},
        {0x03, 3, PEND, ACT, 0},
        {0x03, 3, ACT | PEND, ACT, 0},
        {0x09, 3, 0, 0, 0x08},
        {0x09, 3, ACT, ACT | PEND, 0x08},
        {0x09, 3, ACT, PEND, 0},
        {0x01, 3, EOI, 0, 0x01},
        {0x01, 3, ACT, G1 | EOI, 0x01},
        {0x01, 3, EOI | HW, 0, 0},
        {0x01, 3, EOI | PEND, EOI | ACT, 0},
        {0x00, 3, EOI, 0, 0},
        {0xf80000fe, 3, EOI, 0, 0},
        {0x08000005, 3, 0, 0, 0x04},
        {0x80000005, 3, 0, 0, 0x04},
        {0x00000005, 3, 0, 0, 0},
        {0xf8000001, 3, 0, 0, 0},
        {0xf1, 0, 0, 0, 0xa0},
        {0xf1, 1, 0, 0, 0x90},
        {0xf1, 2, 0, 0, 0x60},
        {0xf1, 3, 0, 0, 0x50},
        {0x51, 0, 0, 0, 0},
        {0xa1, 3, 0, 0, 0},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        gic = (struct arch_vcpu_gic){.vmcr = rows[i].vmcr, .hcr = rows[i].hcr};
        gic.lr[0] = rows[i].lr0;
        gic.lr[3] = rows[i].lr1;
        cr_expect_eq(vcpuif_misr(&gic), rows[i].misr, "row %zu: %#llx", i,
                     (unsigned long long)vcpuif_misr(&gic));
    }
}

CASE(vcpuif_ich, empty_list_registers)
{
    cr_assert_eq(vcpuif_elrsr(&gic), 0xf);
    gic.lr[0] = PEND;
    gic.lr[1] = EOI;
    gic.lr[2] = EOI | HW;
    gic.lr[3] = ACT;
    gic.lr[4] = PEND;
    cr_assert_eq(vcpuif_elrsr(&gic), 0x4);
}

CASE(vcpuif_ich, implemented_bits)
{
    cr_assert_eq(vcpuif_lr_implemented(~UINT64_C(0)), UINT64_C(0xf0f803ff00ffffff));
    cr_assert_eq(vcpuif_lr_implemented(~HW), UINT64_C(0xd0f8020000ffffff));
    cr_assert_eq(vcpuif_lr_implemented(0), 0);
    cr_assert_eq(vcpuif_hcr_implemented(~UINT64_C(0)), 0xf8007cff);
    cr_assert_eq(vcpuif_hcr_implemented(0), 0);
    cr_assert_eq(vcpuif_vmcr_implemented(~UINT64_C(0)), 0xf8fc021b);
    cr_assert_eq(vcpuif_vmcr_implemented(0), 0x004c0008);
    cr_assert_eq(vcpuif_vmcr_implemented(0x00340000), 0x00540008, "below the least, one by one");
}

/* As core leaves it at reset. */
CASE(vcpuif_ich, values_that_were_never_written_through)
{
    memset(&gic, 0xff, sizeof(gic));
    gic.vmcr = 0;
    cr_assert_eq(rd(BPR0), 2);
    cr_assert_eq(rd(BPR1), 3);
    wr(IGRPEN1, 1);
    wr(PMR, 0xff);
    gic.hcr = 1;
    gic.ap0r[0] = gic.ap1r[0] = 0;
    gic.lr[0] = PEND | G1 | PRIO(0xf7) | 0xff000021;
    cr_assert_eq(rd(IAR1), 0x21);
    cr_assert_eq(gic.ap1r[0], 1u << 30);
}

CASE(vcpuif_ich, only_four_list_registers)
{
    for (unsigned n = 4; n < 16; n++)
        gic.lr[n] = (n % 2 != 0 ? PEND : EOI) | G1 | 80;
    gic.hcr = 0x0b;
    cr_assert_not(vcpuif_virq(&gic));
    cr_assert_eq(rd(HPPIR1), 1023);
    cr_assert_eq(vcpuif_misr(&gic), 0x0a);
    cr_assert_eq(vcpuif_elrsr(&gic), 0xf);
}

/* PRIbits and PREbits less 1, IDbits, A3V, list registers less 1; ICC_CTLR_EL1 says the same. */
CASE(vcpuif_ich, vtr)
{
    uint64_t ctlr;

    cr_assert_eq(vcpuif_vtr(), UINT64_C(4) << 29 | 4 << 26 | 1 << 23 | 1 << 21 | 3);
    cr_assert(vcpuif_read(&gic, SYSREG(3, 0, 12, 12, 4), &ctlr, &effect));
    cr_assert_eq(ctlr, 4 << 8 | 1 << 11 | 1 << 15);
}

CASES_RUN(vcpuif_ich, setup, NULL)
