/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "vm/vcpu.h"
#include "vm_fixture.h"

static struct fixture f;

static void finish(void)
{
    fixture_end(&f);
}

static void setup(void)
{
    fixture_start(&f, 1);
    hal_vcpu_sysreg_set(&f.vcpu->arch, ARCH_VBAR_EL1, 0x40100000);
}

static void from(uint64_t pc, uint64_t pstate)
{
    f.vcpu->arch.pc = pc;
    f.vcpu->arch.pstate = pstate;
}

CASE(vcpu, reset_state)
{
    struct arch_vcpu *arch = &f.vcpu->arch;

    sched_unload(&f.hv->pcpu[0]);
    memset(arch->x, 0xff, sizeof(arch->x));
    memset(arch->sys, 0xff, sizeof(arch->sys));
    memset(&arch->fp, 0xff, sizeof(arch->fp));
    arch->gic.vmcr = 0xff;
    vcpu_reset(f.vcpu, ipa(0x40001000), 0x1234);
    cr_assert_eq(arch->pc, 0x40001000);
    cr_assert_eq(arch->x[0], 0x1234);
    cr_assert_eq(arch->x[1], 0);
    cr_assert_eq(arch->x[30], 0);
    cr_assert_eq(arch->pstate, 0x3c5, "EL1h, D A I F set");
    cr_assert_eq(arch->sys[ARCH_SCTLR_EL1], 0x30d00800, "MMU and caches off");
    cr_assert_eq(arch->sys[ARCH_TCR_EL1], 0);
    cr_assert_eq(arch->sys[ARCH_CNTV_CTL_EL0], 0);
    cr_assert_eq(arch->fp.q[63], 0);
    cr_assert_eq(arch->gic.vmcr, 0);
    cr_assert(f.vcpu->os_lock);
}

CASE(vcpu, skip_is_one_instruction)
{
    from(0x40080000, 0x3c5 | UINT64_C(3) << 10 | UINT64_C(1) << 21);
    vcpu_skip_insn(f.vcpu);
    cr_assert_eq(f.vcpu->arch.pc, 0x40080004);
    cr_assert_eq(f.vcpu->arch.pstate, 0x3c5, "BTYPE and SS are used up");
}

/* SPSR: IT[7:2] in bits [15:10], IT[1:0] in [26:25]; T is bit 5. */
static uint64_t thumb(uint64_t it)
{
    return 0x1f0 | (it >> 2) << 10 | (it & 3) << 25;
}

CASE(vcpu, skip_in_aarch32)
{
    static const struct {
        uint64_t from, to;
        bool long_insn;
    } rows[] = {
        {0x00, 0x00, false}, {0x00, 0x00, true},  /* no IT block */
        {0x08, 0x00, false}, {0x18, 0x00, true},  /* its last instruction */
        {0x0c, 0x18, false}, {0x04, 0x08, false}, /* EQ: one more, else and then */
        {0xe1, 0xe2, false}, {0xb5, 0xaa, true},  /* four instructions */
        {0x1f, 0x1e, false}, {0xdd, 0xda, false},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        from(0x8000, thumb(rows[i].from) | UINT64_C(1) << 21 | UINT64_C(0xf0000000));
        vcpu_skip_trapped(f.vcpu, rows[i].long_insn ? 1u << 25 : 0);
        cr_assert_eq(f.vcpu->arch.pc, rows[i].long_insn ? 0x8004 : 0x8002, "row %zu", i);
        cr_assert_eq(f.vcpu->arch.pstate, thumb(rows[i].to) | UINT64_C(0xf0000000), "row %zu", i);
    }
    from(0xfffffffe, 0x1f0);
    vcpu_skip_trapped(f.vcpu, 0);
    cr_assert_eq(f.vcpu->arch.pc, 0, "its PC has 32 bits");
    from(0x40080000, 0x3c5 | UINT64_C(3) << 10 | UINT64_C(1) << 21);
    vcpu_skip_trapped(f.vcpu, 1u << 25);
    cr_assert_eq(f.vcpu->arch.pc, 0x40080004);
    cr_assert_eq(f.vcpu->arch.pstate, 0x3c5, "AArch64");
}

CASE(vcpu, undefined_from_el1)
{
    from(0x40080010, UINT64_C(0x60000305)); /* Z C, D A, EL1h */
    vcpu_inject_undefined(f.vcpu);
    cr_assert_eq(f.vcpu->arch.pc, 0x40100200);
    cr_assert_eq(f.vcpu->arch.pstate, UINT64_C(0x600003c5));
    cr_assert_eq(fixture_sys(&f, ARCH_ELR_EL1), 0x40080010);
    cr_assert_eq(fixture_sys(&f, ARCH_SPSR_EL1), 0x60000305);
    cr_assert_eq(fixture_sys(&f, ARCH_ESR_EL1), 0x02000000);
}

CASE(vcpu, external_aborts)
{
    static const struct {
        uint64_t pstate, esr, vector;
        bool instruction, write;
        int level;
        bool cm;
    } rows[] = {
        {0x3c5, 0x96000010, 0x200, false, false, -1, false}, /* EC 0x25, IL, DFSC 0x10 */
        {0x3c5, 0x96000050, 0x200, false, true, -1, false},  /* WnR */
        {0x3c5, 0x96000150, 0x200, false, true, -1, true},   /* CM */
        {0x3c5, 0x96000017, 0x200, false, false, 3, false},  /* on a walk, level 3 */
        {0x3c4, 0x96000014, 0x000, false, false, 0, false},  /* EL1t */
        {0x000, 0x92000010, 0x400, false, false, -1, false}, /* EC 0x24 from EL0 */
        {0x3c5, 0x86000010, 0x200, true, false, -1, false},  /* EC 0x21 */
        {0x000, 0x82000015, 0x400, true, false, 1, false},   /* EC 0x20 */
        {0x1d0, 0x92000010, 0x600, false, false, -1, false}, /* AArch32 EL0 */
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        from(0x40080000 + 4 * i, rows[i].pstate);
        vcpu_inject_external_abort(f.vcpu, va(0xffff000012345678), rows[i].instruction,
                                   rows[i].write, rows[i].level, rows[i].cm);
        cr_assert_eq(fixture_sys(&f, ARCH_ESR_EL1), rows[i].esr, "row %zu", i);
        cr_assert_eq(fixture_sys(&f, ARCH_FAR_EL1), UINT64_C(0xffff000012345678));
        cr_assert_eq(fixture_sys(&f, ARCH_ELR_EL1), 0x40080000 + 4 * i);
        cr_assert_eq(f.vcpu->arch.pc, 0x40100000 + rows[i].vector, "row %zu", i);
    }
}

/* PAN is set on entry where the CPU has it and SCTLR_EL1.SPAN is 0; SSBS takes DSSBS; TCO is set
 * with MTE. */
CASE(vcpu, pstate_bits_follow_the_cpu)
{
    hal_vcpu_sysreg_set(&f.vcpu->arch, ARCH_SCTLR_EL1, UINT64_C(1) << 44);
    from(0x40080000, 0x5);
    vcpu_inject_undefined(f.vcpu);
    cr_assert_eq(f.vcpu->arch.pstate, 0x3c5);
    f.hv->idregs.reg[IDREG_MMFR1] = UINT64_C(1) << 20;
    f.hv->idregs.reg[IDREG_PFR1] = UINT64_C(2) << 4 | UINT64_C(1) << 8;
    from(0x40080000, 0x5);
    vcpu_inject_undefined(f.vcpu);
    cr_assert_eq(f.vcpu->arch.pstate, 0x3c5 | 1u << 22 | 1u << 12 | 1u << 25);
}

CASE(vcpu, stuck_at_its_vector_ends_the_vm)
{
    from(0x40080000, 0x3c5);
    for (unsigned i = 0; i < 1024; i++) /* the first one comes from elsewhere */
        vcpu_inject_external_abort(f.vcpu, va(0), true, false, -1, false);
    cr_assert_eq(f.vm->state, VM_RUNNING);
    cr_assert_eq(f.vcpu->arch.pc, 0x40100200);
    vcpu_inject_undefined(f.vcpu);
    cr_assert_eq(f.vm->state, VM_CRASHED);
    cr_assert(fakehal_console_has("error vm: g stopped: vCPU 0 takes an exception at its own "
                                  "exception vector 0x40100200 for ever"));
    cr_assert(f.hv->pcpu[0].resched, "it does not run on");
    cr_assert_null(sched_next(&f.hv->pcpu[0]));
    cr_assert_eq(f.vcpu->state, VCPU_OFF);
}

CASE(vcpu, a_handler_that_runs_is_not_stuck)
{
    for (unsigned i = 0; i < 5000; i++) {
        from(i % 1000 == 0 ? 0x40100200 : 0x40080000, 0x3c5);
        vcpu_inject_external_abort(f.vcpu, va(0), false, false, -1, false);
    }
    cr_assert_eq(f.vm->state, VM_RUNNING);
}

CASES_RUN(vcpu, setup, finish)
