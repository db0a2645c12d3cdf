/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The ID register space (op0 3, op1 0, CRn 0): CRm 1-7 can be read, reserved encodings too (DDI
 * 0487, D18.3). */
#include "lib/regs.h"
#include "lib/sys.h"
#include "lib/tap.h"
#include "lib/trap.h"

#define INSN_MRS_ID 0xd5380000u
#define INSN_MSR_ID 0xd5180000u

static uint64_t random = 0x68616c63796f6e36UL;

static uint64_t id[8][8];

static uint32_t encode(uint32_t insn, unsigned crm, unsigned op2, unsigned rt)
{
    return insn | crm << 8 | op2 << 5 | rt;
}

static uint64_t field(uint64_t value, unsigned shift)
{
    return (value >> shift) & 0xf;
}

/* Reads all, each into another register, XZR among them; true if no other register changed. */
static bool read_all(void)
{
    bool same = true;

    for (unsigned crm = 1; crm < 8; crm++) {
        for (unsigned op2 = 0; op2 < 8; op2++) {
            unsigned rt = (crm * 8 + op2) % 31;
            struct regs_io in;
            struct regs_io out;
            regs_fill(&in, &random);
            regs_run_insn(encode(INSN_MRS_ID, crm, op2, rt), &in, &out);
            id[crm][op2] = out.x[rt];
            same = same && regs_same(&in, &out, 0, rt);
            regs_run_insn(encode(INSN_MRS_ID, crm, op2, 31), &in, &out);
            same = same && regs_same(&in, &out, 0, 31);
        }
    }
    return same;
}

static void test_space(void)
{
    trap_expect(TRAP_NEXT);
    bool same = read_all();
    struct trap_record trap = trap_done();
    tap_eq(trap.count, 0, "all 56 can be read");
    tap_ok(same, "each read changes its register only");

    uint64_t again = id[4][0];
    bool stable = true;
    for (unsigned i = 0; i < 10; i++) {
        read_all();
        stable = stable && id[4][0] == again;
    }
    tap_ok(stable, "reads are repeatable");
    tap_ok(id[4][3] == 0 && id[4][6] == 0 && id[5][6] == 0 && id[5][7] == 0,
           "reserved encodings read as zero");

    trap_expect(TRAP_NEXT);
    struct regs_io in = {0};
    struct regs_io out;
    regs_run_insn(encode(INSN_MSR_ID, 4, 0, 1), &in, &out);
    trap = trap_done();
    tap_ok(trap.count == 1 && trap.esr == ESR_IL && trap.elr == regs_insn_address(),
           "a write is UNDEFINED");
}

static void test_features(void)
{
    uint64_t pfr0 = id[4][0];
    uint64_t mmfr0 = id[7][0];

    tap_ok(field(pfr0, 0) == 1 || field(pfr0, 0) == 2, "ID_AA64PFR0_EL1.EL0: AArch64 at EL0");
    tap_ok(field(pfr0, 4) == 1 || field(pfr0, 4) == 2, "ID_AA64PFR0_EL1.EL1: AArch64 at EL1");
    tap_ok(field(pfr0, 16) == field(pfr0, 20), "ID_AA64PFR0_EL1.FP and AdvSIMD agree");
    tap_ok(field(pfr0, 16) == 0 || field(pfr0, 16) == 1, "ID_AA64PFR0_EL1.FP: there");
    tap_eq(field(pfr0, 24), 1, "ID_AA64PFR0_EL1.GIC: system registers");
    tap_ok(field(mmfr0, 0) <= 6, "ID_AA64MMFR0_EL1.PARange: not reserved");
    tap_ok(field(mmfr0, 28) == 0 || field(mmfr0, 28) == 1, "ID_AA64MMFR0_EL1.TGran4: there");
    tap_ok(field(id[5][0], 0) >= 6, "ID_AA64DFR0_EL1.DebugVer: Armv8 or later");
}

static void test_others(void)
{
    uint64_t mpidr = SYS_READ("mpidr_el1");

    tap_eq(mpidr & (1UL << 31), 1UL << 31, "MPIDR_EL1 bit 31 is RES1");
    tap_eq(mpidr & 0xff, 0, "MPIDR_EL1.Aff0 is 0");
    tap_eq(field(SYS_READ("midr_el1"), 16), 0xf, "MIDR_EL1.Architecture: by ID registers");
    tap_eq(SYS_READ("ctr_el0") >> 31 & 1, 1, "CTR_EL0 bit 31 is RES1");
    tap_ok((SYS_READ("dczid_el0") & 0xf) <= 9, "DCZID_EL0.BS: at most 2 KiB");
    trap_expect(TRAP_NEXT);
    (void)SYS_READ("revidr_el1");
    (void)SYS_READ("aidr_el1");
    (void)SYS_READ("clidr_el1");
    SYS_WRITE("csselr_el1", 0);
    sys_isb();
    (void)SYS_READ("ccsidr_el1");
    (void)SYS_READ("actlr_el1");
    tap_eq(trap_done().count, 0, "REVIDR, AIDR, CLIDR, CSSELR, CCSIDR and ACTLR can be read");
}

void guest_main(void)
{
    test_space();
    test_features();
    test_others();
}
