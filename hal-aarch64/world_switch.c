/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The part of the world switch that is done when a CPU changes its vCPU, not on every exit. */
#include "abi/gicv3.h"
#include "arch/vcpu.h"
#include "base/bits.h"
#include "hal/hal.h"
#include "internal.h"
#include "offsets.h"

_Static_assert(offsetof(struct arch_vcpu, x) == VCPU_X, "offsets.h");
_Static_assert(offsetof(struct arch_vcpu, pc) == VCPU_PC, "offsets.h");
_Static_assert(offsetof(struct arch_vcpu, pstate) == VCPU_PSTATE, "offsets.h");
_Static_assert(VCPU_PC == 31 * 8, "vectors.S stores x30 and PC as a pair");
_Static_assert(offsetof(struct arch_exit, esr) == EXIT_ESR, "offsets.h");
_Static_assert(offsetof(struct arch_exit, far) == EXIT_ESR + 8,
               "vectors.S stores ESR and FAR as a pair");
_Static_assert(offsetof(struct arch_exit, hpfar) == EXIT_HPFAR, "offsets.h");
_Static_assert(offsetof(struct arch_exit, kind) == EXIT_KIND, "offsets.h");
_Static_assert(ARCH_EXIT_SYNC == EXIT_KIND_SYNC, "offsets.h");
_Static_assert(ARCH_EXIT_IRQ == EXIT_KIND_IRQ, "offsets.h");
_Static_assert(ARCH_EXIT_FIQ == EXIT_KIND_FIQ, "offsets.h");
_Static_assert(ARCH_EXIT_SERROR == EXIT_KIND_SERROR, "offsets.h");
_Static_assert(offsetof(struct percpu, panic_stack) == PERCPU_PANIC_STACK, "offsets.h");
_Static_assert(offsetof(struct percpu, stack) == PERCPU_STACK, "offsets.h");
_Static_assert(CPU_STACKS == PLATFORM_MAX_CPUS - 1, "offsets.h");

/* HCR_EL2 while no guest is loaded: RW, and physical interrupts are EL2's. */
#define HCR_HOST     (BIT(31) | BIT(5) | BIT(4) | BIT(3))
#define CPTR_HOST    UINT64_C(0x33ff)
#define MDCR_HPMN    BITS(4, 0)
#define CNT_CTL_NONE UINT64_C(0)

/* Registers that are moved as they are: row(index in arch_vcpu.sys[], name). The virtual timer's
 * have an order of their own. */
#define PLAIN_SYSREGS(row)                                                                         \
    row(ARCH_SP_EL0, sp_el0) row(ARCH_SP_EL1, sp_el1) row(ARCH_ELR_EL1, elr_el1) row(              \
        ARCH_SPSR_EL1, spsr_el1) row(ARCH_SCTLR_EL1, sctlr_el1) row(ARCH_CPACR_EL1, cpacr_el1)     \
        row(ARCH_TTBR0_EL1, ttbr0_el1) row(ARCH_TTBR1_EL1, ttbr1_el1) row(ARCH_TCR_EL1, tcr_el1)   \
            row(ARCH_MAIR_EL1, mair_el1) row(ARCH_AMAIR_EL1, amair_el1)                            \
                row(ARCH_VBAR_EL1, vbar_el1) row(ARCH_ESR_EL1, esr_el1) row(ARCH_FAR_EL1, far_el1) \
                    row(ARCH_AFSR0_EL1, afsr0_el1) row(ARCH_AFSR1_EL1, afsr1_el1)                  \
                        row(ARCH_CONTEXTIDR_EL1, contextidr_el1) row(ARCH_TPIDR_EL0, tpidr_el0)    \
                            row(ARCH_TPIDRRO_EL0, tpidrro_el0) row(ARCH_TPIDR_EL1, tpidr_el1)      \
                                row(ARCH_CNTKCTL_EL1, cntkctl_el1) row(ARCH_PAR_EL1, par_el1)      \
                                    row(ARCH_CSSELR_EL1, csselr_el1)                               \
                                        row(ARCH_MDSCR_EL1, mdscr_el1)

/* FEAT_PAuth keys by encoding: the base architecture's assembler has no names for them. */
#define PAUTH_KEYS(row)                                                                            \
    row(0, S3_0_C2_C1_0) row(1, S3_0_C2_C1_1) row(2, S3_0_C2_C1_2) row(3, S3_0_C2_C1_3)            \
        row(4, S3_0_C2_C2_0) row(5, S3_0_C2_C2_1) row(6, S3_0_C2_C2_2) row(7, S3_0_C2_C2_3)        \
            row(8, S3_0_C2_C3_0) row(9, S3_0_C2_C3_1)

#define DEBUG_REGS(row)                                                                            \
    row(0) row(1) row(2) row(3) row(4) row(5) row(6) row(7) row(8) row(9) row(10) row(11) row(12)  \
        row(13) row(14) row(15)

#define LIST_REGS(row)                                                                             \
    row(0) row(1) row(2) row(3) row(4) row(5) row(6) row(7) row(8) row(9) row(10) row(11) row(12)  \
        row(13) row(14) row(15)

static uint64_t lr_read(unsigned n)
{
    switch (n) {
#define ROW(i)                                                                                     \
    case i:                                                                                        \
        return sysreg_read(ich_lr##i##_el2);
        LIST_REGS(ROW)
#undef ROW
    default:
        return 0;
    }
}

static void lr_write(unsigned n, uint64_t value)
{
    switch (n) {
#define ROW(i)                                                                                     \
    case i:                                                                                        \
        sysreg_write(ich_lr##i##_el2, value);                                                      \
        break;
        LIST_REGS(ROW)
#undef ROW
    default:
        break;
    }
}

static void config_load(const struct arch_vcpu_config *config)
{
    uint64_t mdcr =
        sysreg_read(mdcr_el2) & MDCR_HPMN; /* 0 is not a legal HPMN: the CPU's own stays */

    sysreg_write(hcr_el2, config->hcr_el2);
    sysreg_write(cptr_el2, config->cptr_el2);
    sysreg_write(mdcr_el2, (config->mdcr_el2 & ~MDCR_HPMN) | mdcr);
    sysreg_write(hstr_el2, config->hstr_el2);
    sysreg_write(cnthctl_el2, config->cnthctl_el2);
    sysreg_write(cntvoff_el2, config->cntvoff_el2);
    sysreg_write(vtcr_el2, config->vtcr_el2);
    sysreg_write(vttbr_el2, config->vttbr_el2);
    sysreg_write(vmpidr_el2, config->vmpidr_el2);
    sysreg_write(vpidr_el2, config->vpidr_el2);
}

static void gic_load(const struct percpu *cpu, const struct arch_vcpu_gic *gic)
{
    sysreg_write(ich_vmcr_el2, gic->vmcr);
    sysreg_write(ich_ap0r0_el2, (uint64_t)gic->ap0r[0]);
    sysreg_write(ich_ap1r0_el2, (uint64_t)gic->ap1r[0]);
    if (cpu->nr_aprs >= 2) {
        sysreg_write(ich_ap0r1_el2, (uint64_t)gic->ap0r[1]);
        sysreg_write(ich_ap1r1_el2, (uint64_t)gic->ap1r[1]);
    }
    if (cpu->nr_aprs == 4) {
        sysreg_write(ich_ap0r2_el2, (uint64_t)gic->ap0r[2]);
        sysreg_write(ich_ap1r2_el2, (uint64_t)gic->ap1r[2]);
        sysreg_write(ich_ap0r3_el2, (uint64_t)gic->ap0r[3]);
        sysreg_write(ich_ap1r3_el2, (uint64_t)gic->ap1r[3]);
    }
    for (unsigned n = 0; n < cpu->nr_lrs; n++)
        lr_write(n, gic->lr[n]);
    sysreg_write(ich_hcr_el2, gic->hcr);
}

static void gic_put(const struct percpu *cpu, struct arch_vcpu_gic *gic)
{
    gic->hcr = sysreg_read(ich_hcr_el2);
    gic->vmcr = sysreg_read(ich_vmcr_el2);
    gic->ap0r[0] = (uint32_t)sysreg_read(ich_ap0r0_el2);
    gic->ap1r[0] = (uint32_t)sysreg_read(ich_ap1r0_el2);
    if (cpu->nr_aprs >= 2) {
        gic->ap0r[1] = (uint32_t)sysreg_read(ich_ap0r1_el2);
        gic->ap1r[1] = (uint32_t)sysreg_read(ich_ap1r1_el2);
    }
    if (cpu->nr_aprs == 4) {
        gic->ap0r[2] = (uint32_t)sysreg_read(ich_ap0r2_el2);
        gic->ap1r[2] = (uint32_t)sysreg_read(ich_ap1r2_el2);
        gic->ap0r[3] = (uint32_t)sysreg_read(ich_ap0r3_el2);
        gic->ap1r[3] = (uint32_t)sysreg_read(ich_ap1r3_el2);
    }
    for (unsigned n = 0; n < cpu->nr_lrs; n++) {
        gic->lr[n] = lr_read(n);
        lr_write(n, 0);
    }
    sysreg_write(ich_hcr_el2, UINT64_C(0));
}

static void debug_load(const struct percpu *cpu, const struct arch_vcpu_debug *debug)
{
#define ROW(i)                                                                                     \
    if (i < cpu->nr_breakpoints) {                                                                 \
        sysreg_write(dbgbvr##i##_el1, debug->bvr[i]);                                              \
        sysreg_write(dbgbcr##i##_el1, debug->bcr[i]);                                              \
    }                                                                                              \
    if (i < cpu->nr_watchpoints) {                                                                 \
        sysreg_write(dbgwvr##i##_el1, debug->wvr[i]);                                              \
        sysreg_write(dbgwcr##i##_el1, debug->wcr[i]);                                              \
    }
    DEBUG_REGS(ROW)
#undef ROW
}

static void debug_put(const struct percpu *cpu, struct arch_vcpu_debug *debug)
{
#define ROW(i)                                                                                     \
    if (i < cpu->nr_breakpoints) {                                                                 \
        debug->bvr[i] = sysreg_read(dbgbvr##i##_el1);                                              \
        debug->bcr[i] = sysreg_read(dbgbcr##i##_el1);                                              \
    }                                                                                              \
    if (i < cpu->nr_watchpoints) {                                                                 \
        debug->wvr[i] = sysreg_read(dbgwvr##i##_el1);                                              \
        debug->wcr[i] = sysreg_read(dbgwcr##i##_el1);                                              \
    }
    DEBUG_REGS(ROW)
#undef ROW
}

static void pauth_load(const uint64_t *keys)
{
#define ROW(i, name) sysreg_write(name, keys[i]);
    PAUTH_KEYS(ROW)
#undef ROW
}

static void pauth_put(uint64_t *keys)
{
#define ROW(i, name) keys[i] = sysreg_read(name);
    PAUTH_KEYS(ROW)
#undef ROW
}

/* State that a guest can reach, or leave behind, of features that it is not shown: nobody's, so it
 * is cleared. */
static void hidden_clear(const struct percpu *cpu)
{
    if (cpu->has_sme)
        sysreg_write(S3_3_C13_C0_5, UINT64_C(0)); /* TPIDR2_EL0 */
    if (cpu->has_ras) {
        sysreg_write(S3_4_C12_C1_1, UINT64_C(0)); /* VDISR_EL2, which a guest sees as DISR_EL1 */
        sysreg_write(S3_4_C5_C2_3, UINT64_C(0));  /* VSESR_EL2 */
    }
    sysreg_write(mdccint_el1, UINT64_C(0));
}

void hal_vcpu_load(struct arch_vcpu *vcpu)
{
    struct percpu *cpu = percpu_self();

    config_load(&vcpu->config);
    isb();
#define ROW(i, name) sysreg_write(name, vcpu->sys[i]);
    PLAIN_SYSREGS(ROW)
#undef ROW
    if (cpu->has_pauth)
        pauth_load(vcpu->pauth);
    hidden_clear(cpu);
    debug_load(cpu, &vcpu->debug);
    fp_restore(&vcpu->fp);
    gic_load(cpu, &vcpu->gic);
    sysreg_write(cntv_cval_el0, vcpu->sys[ARCH_CNTV_CVAL_EL0]);
    sysreg_write(cntv_ctl_el0, vcpu->sys[ARCH_CNTV_CTL_EL0]);
    isb();
    cpu->loaded = vcpu;
}

void hal_vcpu_put(struct arch_vcpu *vcpu)
{
    struct percpu *cpu = percpu_self();

    /* The guest's TLB and cache maintenance whose DSB another CPU will execute. */
    dsb(ish);
    vcpu->sys[ARCH_CNTV_CTL_EL0] = sysreg_read(cntv_ctl_el0);
    vcpu->sys[ARCH_CNTV_CVAL_EL0] = sysreg_read(cntv_cval_el0);
    sysreg_write(cntv_ctl_el0, CNT_CTL_NONE);
#define ROW(i, name) vcpu->sys[i] = sysreg_read(name);
    PLAIN_SYSREGS(ROW)
#undef ROW
    if (cpu->has_pauth)
        pauth_put(vcpu->pauth);
    debug_put(cpu, &vcpu->debug);
    fp_save(&vcpu->fp);
    gic_put(cpu, &vcpu->gic);
    sysreg_write(mdscr_el1, UINT64_C(0));
    sysreg_write(hcr_el2, HCR_HOST);
    sysreg_write(cptr_el2, CPTR_HOST);
    sysreg_write(vttbr_el2, UINT64_C(0));
    isb();
    cpu->loaded = NULL;
}

void hal_vcpu_config_sync(struct arch_vcpu *vcpu)
{
    config_load(&vcpu->config);
    isb();
}

static bool is_loaded(const struct arch_vcpu *vcpu)
{
    return percpu_self()->loaded == vcpu;
}

uint64_t hal_vcpu_sysreg_get(struct arch_vcpu *vcpu, enum arch_sysreg reg)
{
    if (!is_loaded(vcpu))
        return vcpu->sys[reg];
    if (reg == ARCH_SCTLR_EL1) /* asked for its endianness at every access to a device */
        return sysreg_read(sctlr_el1);
    switch (reg) {
#define ROW(i, name)                                                                               \
    case i:                                                                                        \
        return sysreg_read(name);
        PLAIN_SYSREGS(ROW)
        ROW(ARCH_CNTV_CTL_EL0, cntv_ctl_el0)
        ROW(ARCH_CNTV_CVAL_EL0, cntv_cval_el0)
#undef ROW
    case ARCH_SYSREG_COUNT:
        break;
    }
    return 0;
}

void hal_vcpu_sysreg_set(struct arch_vcpu *vcpu, enum arch_sysreg reg, uint64_t value)
{
    if (!is_loaded(vcpu)) {
        vcpu->sys[reg] = value;
        return;
    }
    switch (reg) {
#define ROW(i, name)                                                                               \
    case i:                                                                                        \
        sysreg_write(name, value);                                                                 \
        break;
        PLAIN_SYSREGS(ROW)
        ROW(ARCH_CNTV_CTL_EL0, cntv_ctl_el0)
        ROW(ARCH_CNTV_CVAL_EL0, cntv_cval_el0)
#undef ROW
    case ARCH_SYSREG_COUNT:
        break;
    }
}

uint64_t hal_gic_lr_get(struct arch_vcpu *vcpu, unsigned n)
{
    return is_loaded(vcpu) ? lr_read(n) : vcpu->gic.lr[n];
}

void hal_gic_lr_set(struct arch_vcpu *vcpu, unsigned n, uint64_t lr)
{
    if (is_loaded(vcpu))
        lr_write(n, lr);
    else
        vcpu->gic.lr[n] = lr;
}

/* For a vCPU that is not loaded: what ICH_ELRSR_EL2 would say of its list registers. */
static uint32_t elrsr_of(const struct arch_vcpu_gic *gic)
{
    uint32_t empty = 0;

    for (unsigned n = 0; n < percpu_self()->nr_lrs; n++) {
        uint64_t lr = gic->lr[n];
        bool eoi_wanted = (lr & ICH_LR_HW) == 0 && (lr & ICH_LR_EOI) != 0;
        if ((lr & ICH_LR_STATE_MASK) == 0 && !eoi_wanted)
            empty |= UINT32_C(1) << n;
    }
    return empty;
}

uint32_t hal_gic_lr_empty(struct arch_vcpu *vcpu)
{
    return is_loaded(vcpu) ? (uint32_t)sysreg_read(ich_elrsr_el2) : elrsr_of(&vcpu->gic);
}

uint64_t hal_gic_hcr_get(struct arch_vcpu *vcpu)
{
    return is_loaded(vcpu) ? sysreg_read(ich_hcr_el2) : vcpu->gic.hcr;
}

void hal_gic_hcr_set(struct arch_vcpu *vcpu, uint64_t hcr)
{
    if (is_loaded(vcpu))
        sysreg_write(ich_hcr_el2, hcr);
    else
        vcpu->gic.hcr = hcr;
}

uint64_t hal_gic_vmcr_get(struct arch_vcpu *vcpu)
{
    return is_loaded(vcpu) ? sysreg_read(ich_vmcr_el2) : vcpu->gic.vmcr;
}
