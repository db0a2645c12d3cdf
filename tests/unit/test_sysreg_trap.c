/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "exit/sysreg_trap.h"
#include "vm_fixture.h"

static struct fixture f;

static void setup(void)
{
    fixture_start(&f, 2);
    f.vcpu->arch.pc = GUEST_ENTRY;
}

static void finish(void)
{
    fixture_end(&f);
}

/* The ISS of EC 0x18: op0, op2, op1, CRn, Rt, CRm, direction (1 is MRS). */
static uint64_t iss(unsigned op0, unsigned op1, unsigned crn, unsigned crm, unsigned op2,
                    unsigned rt, bool read)
{
    return op0 << 20 | op2 << 17 | op1 << 14 | crn << 10 | rt << 5 | crm << 1 | (read ? 1u : 0u);
}

/* True if the instruction was carried out; false if it was undefined to the guest. */
static bool trap(uint64_t syndrome)
{
    const struct arch_exit exit = {
        .esr = UINT64_C(0x18) << 26 | 1u << 25 | syndrome,
        .kind = ARCH_EXIT_SYNC,
    };

    f.vcpu->arch.pc = GUEST_ENTRY;
    sysreg_trap(f.vcpu, &exit);
    if (f.vcpu->arch.pc == GUEST_ENTRY + 4)
        return true;
    cr_assert_eq(fixture_sys(&f, ARCH_ESR_EL1), 0x02000000);
    cr_assert_eq(fixture_sys(&f, ARCH_ELR_EL1), GUEST_ENTRY);
    return false;
}

static uint64_t get(unsigned op0, unsigned op1, unsigned crn, unsigned crm, unsigned op2)
{
    f.vcpu->arch.x[5] = 0xbad;
    cr_assert(trap(iss(op0, op1, crn, crm, op2, 5, true)));
    return f.vcpu->arch.x[5];
}

static void set(unsigned op0, unsigned op1, unsigned crn, unsigned crm, unsigned op2,
                uint64_t value)
{
    f.vcpu->arch.x[6] = value;
    cr_assert(trap(iss(op0, op1, crn, crm, op2, 6, false)));
}

CASE(sysreg_trap, rows_ascend)
{
    for (size_t i = 0; i < sysreg_row_count; i++) {
        cr_assert(i == 0 || sysreg_rows[i - 1].encoding < sysreg_rows[i].encoding, "%s",
                  sysreg_rows[i].name);
        cr_assert(sysreg_rows[i].read != NULL || sysreg_rows[i].write != NULL);
    }
}

CASE(sysreg_trap, id_space_is_the_guests_view)
{
    for (unsigned crm = 1; crm < 8; crm++)
        for (unsigned op2 = 0; op2 < 8; op2++) {
            uint64_t value = 0x1000 + crm * 8 + op2;
            f.hv->guest_idregs.reg[(crm - 1) * 8 + op2] = value;
            cr_assert_eq(get(3, 0, 0, crm, op2), value, "CRm %u op2 %u", crm, op2);
            cr_assert(!trap(iss(3, 0, 0, crm, op2, 0, false)), "read-only");
        }
    f.vcpu->arch.x[0] = 3;
    cr_assert(trap(iss(3, 0, 0, 4, 0, 31, true)), "into XZR");
    cr_assert_eq(f.vcpu->arch.x[0], 3);
}

CASE(sysreg_trap, id_registers_of_the_fake_cpu)
{
    cr_assert_eq(get(3, 0, 0, 4, 0) >> 24 & 0xf, 1, "ID_AA64PFR0_EL1.GIC");
    cr_assert_eq(get(3, 0, 0, 4, 0) & 0xff, 0x11, "no AArch32");
    cr_assert_eq(get(3, 0, 0, 5, 0) >> 8 & 0xf, 0, "ID_AA64DFR0_EL1.PMUVer");
}

CASE(sysreg_trap, actlr_and_debug_registers)
{
    set(3, 0, 1, 0, 1, ~UINT64_C(0));
    cr_assert_eq(get(3, 0, 1, 0, 1), 0, "ACTLR_EL1");
    cr_assert_eq(get(2, 0, 1, 0, 0), 0, "MDRAR_EL1");
    cr_assert(!trap(iss(2, 0, 1, 0, 0, 0, false)));
    set(2, 0, 1, 3, 4, 1);
    cr_assert_eq(get(2, 0, 1, 3, 4), 0, "OSDLR_EL1");
    set(2, 0, 1, 4, 4, 1);
    cr_assert_eq(get(2, 0, 1, 4, 4), 0, "DBGPRCR_EL1");
    cr_assert_eq(get(2, 0, 1, 1, 4), 0xa, "OSLSR_EL1: locked after reset");
    set(2, 0, 1, 0, 4, 0);
    cr_assert_eq(get(2, 0, 1, 1, 4), 0x8, "OSLAR_EL1 unlocks");
    set(2, 0, 1, 0, 4, 1);
    cr_assert_eq(get(2, 0, 1, 1, 4), 0xa);
    cr_assert(!trap(iss(2, 0, 1, 0, 4, 0, true)), "OSLAR_EL1 is write-only");
    cr_assert(!trap(iss(2, 0, 1, 1, 4, 0, false)), "OSLSR_EL1 is read-only");
}

CASE(sysreg_trap, physical_timer)
{
    fakehal()->now = 100;
    set(3, 3, 14, 2, 2, 400); /* CVAL */
    cr_assert_eq(get(3, 3, 14, 2, 2), 400);
    cr_assert_eq(get(3, 3, 14, 2, 0), 300, "TVAL");
    set(3, 3, 14, 2, 0, 50);
    cr_assert_eq(get(3, 3, 14, 2, 2), 150);
    set(3, 3, 14, 2, 1, 1); /* CTL */
    cr_assert_eq(get(3, 3, 14, 2, 1), 1);
    fakehal()->now = 150;
    cr_assert_eq(get(3, 3, 14, 2, 1), 5);
    cr_assert(trap(iss(3, 3, 14, 2, 1, 31, false)), "XZR is 0");
    cr_assert_eq(get(3, 3, 14, 2, 1), 0);
}

/* SGI 3 to Aff0 1. */
CASE(sysreg_trap, software_generated_interrupts)
{
    struct mmio_access group1 = {.offset = 0x30080, .value = 8, .size = 4, .write = true};
    struct vgic_irq *irq = &f.vm->vgic.cpu[1].private_irq[3];

    set(3, 0, 12, 11, 5, UINT64_C(3) << 24 | 2);
    cr_assert(!irq->latched, "SGI1R does not make a group 0 interrupt pending");
    set(3, 0, 12, 11, 7, UINT64_C(3) << 24 | 2);
    cr_assert(irq->latched, "SGI0R does");
    irq->latched = false;
    set(3, 0, 12, 11, 6, UINT64_C(3) << 24 | 2);
    cr_assert(irq->latched, "ASGI1R does, with one Security state");
    irq->latched = false;
    cr_assert(vgic_redist_access(&f.vm->vgic, &group1));
    set(3, 0, 12, 11, 5, UINT64_C(3) << 24 | 2);
    cr_assert(irq->latched);
    for (unsigned op2 = 5; op2 < 8; op2++)
        cr_assert(!trap(iss(3, 0, 12, 11, op2, 0, true)), "write-only");
}

/* ICC_DIR_EL1 of SPI 40, which is active. */
CASE(sysreg_trap, deactivation)
{
    struct vgic_irq *irq = &f.vm->vgic.spi[8];

    irq->active = true;
    set(3, 0, 12, 11, 1, 40);
    cr_assert(irq->active, "EOImode 0");
    f.vcpu->arch.gic.vmcr |= 1u << 9;
    set(3, 0, 12, 11, 1, 41);
    cr_assert(irq->active, "another");
    set(3, 0, 12, 11, 1, UINT64_C(0xff000028));
    cr_assert(!irq->active, "bits 63:24 are RES0");
    cr_assert(!trap(iss(3, 0, 12, 11, 1, 0, true)), "write-only");
}

/* Every encoding, both ways: either a row or the ID space allows it, or it is undefined. */
CASE(sysreg_trap, nothing_else_is_there)
{
    unsigned allowed = 0;

    f.vcpu->arch.x[0] = 0;
    for (uint32_t enc = 0; enc < 1u << 16; enc++) {
        unsigned op0 = enc >> 14, op1 = enc >> 11 & 7, crn = enc >> 7 & 15, crm = enc >> 3 & 15;
        for (unsigned read = 0; read < 2; read++)
            allowed += trap(iss(op0, op1, crn, crm, enc & 7, 0, read != 0)) ? 1 : 0;
    }
    /* 56 ID registers; MDRAR and OSLSR to read; OSLAR, ICC_DIR and three SGI registers to write;
     * ICC_SRE, ACTLR, OSDLR, DBGPRCR and three timer registers both ways. */
    cr_assert_eq(allowed, 56 + 2 + 5 + 2 * 7);
}

CASES_RUN(sysreg_trap, setup, finish)
