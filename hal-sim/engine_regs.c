/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Registers of an engine: by encoding, as a vCPU's state, as EL2's controls. */
#include "arch/el2.h"
#include "arch/pstate.h"
#include "arch/sysreg.h"
#include "base/bits.h"
#include "base/check.h"
#include "hal-sim/engine_priv.h"
#include "hal-sim/machine.h"
#include "hal-sim/walk.h"
#include <string.h>

#define ENC_ID(crm, op2) SYSREG(3, 0, 0, crm, op2)
#define ENC_MIDR_EL1     ENC_ID(0, 0)
#define ENC_CTR_EL0      SYSREG(3, 3, 0, 0, 1)
#define ENC_HSTR_EL2     SYSREG(3, 4, 1, 1, 3)
#define ENC_CNTHCTL_EL2  SYSREG(3, 4, 14, 1, 0)
#define ENC_VTCR_EL2     SYSREG(3, 4, 2, 1, 2)
#define ENC_VTTBR_EL2    SYSREG(3, 4, 2, 1, 0)
#define ENC_VMPIDR_EL2   SYSREG(3, 4, 0, 0, 5)
#define ENC_VPIDR_EL2    SYSREG(3, 4, 0, 0, 0)
#define ENC_SCTLR_EL1    SYSREG(3, 0, 1, 0, 0)
#define ENC_TTBR0_EL1    SYSREG(3, 0, 2, 0, 0)
#define ENC_TTBR1_EL1    SYSREG(3, 0, 2, 0, 1)
#define ENC_TCR_EL1      SYSREG(3, 0, 2, 0, 2)
#define ENC_DBG(n, op2)  SYSREG(2, 0, 0, n, op2)
#define ENC_PAUTH(n)     SYSREG(3, 0, 2, 1 + (n) / 4, (n) % 4)

/* Of CPACR_EL1; RES0 for a guest without SVE (D17.2.32). */
#define CPACR_ZEN BITS(17, 16)

/* The EL1 and EL0 registers by arch_sysreg. 0: not the engine's. */
static const uint32_t sysreg_enc[ARCH_SYSREG_COUNT] = {
    [ARCH_SP_EL0] = SYSREG(3, 0, 4, 1, 0),
    [ARCH_SP_EL1] = SYSREG(3, 4, 4, 1, 0),
    [ARCH_ELR_EL1] = SYSREG(3, 0, 4, 0, 1),
    [ARCH_SPSR_EL1] = SYSREG(3, 0, 4, 0, 0),
    [ARCH_SCTLR_EL1] = ENC_SCTLR_EL1,
    [ARCH_CPACR_EL1] = SYSREG(3, 0, 1, 0, 2),
    [ARCH_TTBR0_EL1] = ENC_TTBR0_EL1,
    [ARCH_TTBR1_EL1] = ENC_TTBR1_EL1,
    [ARCH_TCR_EL1] = ENC_TCR_EL1,
    [ARCH_MAIR_EL1] = SYSREG(3, 0, 10, 2, 0),
    [ARCH_AMAIR_EL1] = SYSREG(3, 0, 10, 3, 0),
    [ARCH_VBAR_EL1] = SYSREG(3, 0, 12, 0, 0),
    [ARCH_ESR_EL1] = SYSREG(3, 0, 5, 2, 0),
    [ARCH_FAR_EL1] = SYSREG(3, 0, 6, 0, 0),
    [ARCH_AFSR0_EL1] = SYSREG(3, 0, 5, 1, 0),
    [ARCH_AFSR1_EL1] = SYSREG(3, 0, 5, 1, 1),
    [ARCH_CONTEXTIDR_EL1] = SYSREG(3, 0, 13, 0, 1),
    [ARCH_TPIDR_EL0] = SYSREG(3, 3, 13, 0, 2),
    [ARCH_TPIDRRO_EL0] = SYSREG(3, 3, 13, 0, 3),
    [ARCH_TPIDR_EL1] = SYSREG(3, 0, 13, 0, 4),
    [ARCH_CNTKCTL_EL1] = SYSREG(3, 0, 14, 1, 0),
    [ARCH_PAR_EL1] = SYSREG(3, 0, 7, 4, 0),
    [ARCH_CSSELR_EL1] = SYSREG(3, 2, 0, 0, 0),
    [ARCH_MDSCR_EL1] = SYSREG(2, 0, 0, 2, 2),
};

static uc_arm64_cp_reg cp_reg(uint32_t enc)
{
    return (uc_arm64_cp_reg){
        .crn = sysreg_crn(enc),
        .crm = sysreg_crm(enc),
        .op0 = sysreg_op0(enc),
        .op1 = sysreg_op1(enc),
        .op2 = sysreg_op2(enc),
        .val = 0,
    };
}

uint64_t engine_cp_read(struct engine *engine, uint32_t enc)
{
    uc_arm64_cp_reg reg = cp_reg(enc);

    HV_CHECK(uc_reg_read(engine->uc, UC_ARM64_REG_CP_REG, &reg) == UC_ERR_OK);
    return reg.val;
}

void engine_cp_write(struct engine *engine, uint32_t enc, uint64_t value)
{
    uc_arm64_cp_reg reg = cp_reg(enc);

    reg.val = value;
    HV_CHECK(uc_reg_write(engine->uc, UC_ARM64_REG_CP_REG, &reg) == UC_ERR_OK);
}

uint64_t engine_reg_read(struct engine *engine, int reg)
{
    uint64_t value = 0;

    HV_CHECK(uc_reg_read(engine->uc, reg, &value) == UC_ERR_OK);
    return value;
}

void engine_reg_write(struct engine *engine, int reg, uint64_t value)
{
    HV_CHECK(uc_reg_write(engine->uc, reg, &value) == UC_ERR_OK);
}

uint64_t engine_pstate(struct engine *engine)
{
    uint32_t pstate = 0;

    HV_CHECK(uc_reg_read(engine->uc, UC_ARM64_REG_PSTATE, &pstate) == UC_ERR_OK);
    return pstate;
}

void engine_write_x(struct engine *engine, const uint64_t *x, bool all)
{
    for (unsigned n = 0; n < ENGINE_NR_X; n++) {
        if (!all && engine->x[n] == x[n])
            continue;
        engine_reg_write(engine, engine_x_reg(n), x[n]);
        engine->x[n] = x[n];
    }
}

/* Which SP_ELx is the stack pointer. */
static int stack_register(uint64_t pstate)
{
    return UC_ARM64_REG_SP_EL0 + ((pstate & PSTATE_SP) != 0 ? (int)pstate_el(pstate) : 0);
}

/* Any write by encoding makes the engine look at PSTATE again; TPIDR_EL1 has no effect of its own.
 */
void engine_set_pstate(struct engine *engine, uint64_t pstate)
{
    int from = stack_register(engine_pstate(engine));
    int to = stack_register(pstate);
    uint32_t value = (uint32_t)pstate;

    if ((pstate & PSTATE_IL) != 0)
        engine->watch_il = true;
    if (from != to)
        engine_reg_write(engine, from, engine_reg_read(engine, UC_ARM64_REG_SP));
    HV_CHECK(uc_reg_write(engine->uc, UC_ARM64_REG_PSTATE, &value) == UC_ERR_OK);
    if (from != to)
        engine_reg_write(engine, UC_ARM64_REG_SP, engine_reg_read(engine, to));
    engine_cp_write(engine, sysreg_enc[ARCH_TPIDR_EL1],
                    engine_cp_read(engine, sysreg_enc[ARCH_TPIDR_EL1]));
}

/*
 * The CPUs have no AArch32 for guests (core's ID registers say so), and a return to it is illegal
 * (D1.11.4). The engine has it at EL0, and could not be made to leave it: the mode becomes one that
 * the engine refuses too. From then on IL is to be looked for.
 */
uint64_t engine_spsr_written(struct engine *engine, uint64_t value)
{
    uint64_t mode = value & PSTATE_M_MASK;

    if (mode != PSTATE_M_EL0T && mode != PSTATE_M_EL1T && mode != PSTATE_M_EL1H)
        engine->watch_il = true;
    if ((value & PSTATE_IL) != 0)
        engine->watch_il = true;
    return (value & PSTATE_NRW) != 0 ? value | BIT(1) : value;
}

uint64_t engine_sysreg_get(struct engine *engine, enum arch_sysreg reg)
{
    int current = stack_register(engine_pstate(engine));

    if (reg == ARCH_SP_EL0 || reg == ARCH_SP_EL1) {
        int bank = reg == ARCH_SP_EL0 ? UC_ARM64_REG_SP_EL0 : UC_ARM64_REG_SP_EL1;
        return engine_reg_read(engine, bank == current ? UC_ARM64_REG_SP : bank);
    }
    return engine_cp_read(engine, sysreg_enc[reg]);
}

/* The engine's TLB knows no ASIDs, and a register that is written from outside does not flush it.
 */
static bool is_translation_control(enum arch_sysreg reg)
{
    return reg == ARCH_SCTLR_EL1 || reg == ARCH_TTBR0_EL1 || reg == ARCH_TTBR1_EL1 ||
           reg == ARCH_TCR_EL1 || reg == ARCH_MAIR_EL1;
}

static void write_sysreg(struct engine *engine, enum arch_sysreg reg, uint64_t value)
{
    int current = stack_register(engine_pstate(engine));

    if (reg == ARCH_SP_EL0 || reg == ARCH_SP_EL1) {
        int bank = reg == ARCH_SP_EL0 ? UC_ARM64_REG_SP_EL0 : UC_ARM64_REG_SP_EL1;
        engine_reg_write(engine, bank == current ? UC_ARM64_REG_SP : bank, value);
        return;
    }
    if (reg == ARCH_CPACR_EL1)
        value &= ~CPACR_ZEN;
    if (reg == ARCH_SPSR_EL1)
        value = engine_spsr_written(engine, value);
    engine_cp_write(engine, sysreg_enc[reg], value);
    if (reg == ARCH_CPACR_EL1)
        engine_fp_control(engine);
}

void engine_sysreg_set(struct engine *engine, enum arch_sysreg reg, uint64_t value)
{
    write_sysreg(engine, reg, value);
    if (is_translation_control(reg))
        engine_flush_tlb(engine);
}

/* --- EL2's controls --- */

static void write_hcr(struct engine *engine)
{
    uint64_t lines = (engine->virq ? HCR_VI : 0) | (engine->vfiq ? HCR_VF : 0);

    engine_cp_write(engine, ENC_HCR_EL2, engine->hcr_el2 | HCR_TWI | lines);
}

void engine_set_virtual_lines(struct engine *engine, bool irq, bool fiq)
{
    if (irq == engine->virq && fiq == engine->vfiq)
        return;
    engine->virq = irq;
    engine->vfiq = fiq;
    write_hcr(engine);
}

/* Another stage-2 root is another VM, or at least another VMID: nothing of the one before may hit.
 */
void engine_load_config(struct engine *engine, const struct arch_vcpu_config *config)
{
    bool other = engine_cp_read(engine, ENC_VTTBR_EL2) != config->vttbr_el2 ||
                 engine_cp_read(engine, ENC_VTCR_EL2) != config->vtcr_el2;

    engine->hcr_el2 = config->hcr_el2;
    write_hcr(engine);
    engine_cp_write(engine, ENC_CPTR_EL2, config->cptr_el2 | CPTR_TZ);
    engine_cp_write(engine, ENC_MDCR_EL2, config->mdcr_el2);
    engine_cp_write(engine, ENC_HSTR_EL2, config->hstr_el2);
    engine_cp_write(engine, ENC_CNTHCTL_EL2, config->cnthctl_el2);
    engine_cp_write(engine, ENC_VTCR_EL2, config->vtcr_el2);
    engine_cp_write(engine, ENC_VTTBR_EL2, config->vttbr_el2);
    engine_cp_write(engine, ENC_VMPIDR_EL2, config->vmpidr_el2);
    engine_cp_write(engine, ENC_VPIDR_EL2, config->vpidr_el2);
    engine_fp_control(engine);
    if (other)
        engine_flush_tlb(engine);
}

/* --- The whole of a vCPU --- */

static void load_fp(struct engine *engine, const struct arch_vcpu_fp *fp)
{
    uint32_t fpcr = (uint32_t)fp->fpcr;
    uint32_t fpsr = (uint32_t)fp->fpsr;

    for (int n = 0; n < 32; n++)
        HV_CHECK(uc_reg_write(engine->uc, UC_ARM64_REG_Q0 + n, &fp->q[(size_t)2 * (size_t)n]) ==
                 UC_ERR_OK);
    HV_CHECK(uc_reg_write(engine->uc, UC_ARM64_REG_FPCR, &fpcr) == UC_ERR_OK);
    HV_CHECK(uc_reg_write(engine->uc, UC_ARM64_REG_FPSR, &fpsr) == UC_ERR_OK);
}

static void save_fp(struct engine *engine, struct arch_vcpu_fp *fp)
{
    uint32_t fpcr = 0;
    uint32_t fpsr = 0;

    for (int n = 0; n < 32; n++)
        HV_CHECK(uc_reg_read(engine->uc, UC_ARM64_REG_Q0 + n, &fp->q[(size_t)2 * (size_t)n]) ==
                 UC_ERR_OK);
    HV_CHECK(uc_reg_read(engine->uc, UC_ARM64_REG_FPCR, &fpcr) == UC_ERR_OK);
    HV_CHECK(uc_reg_read(engine->uc, UC_ARM64_REG_FPSR, &fpsr) == UC_ERR_OK);
    fp->fpcr = fpcr;
    fp->fpsr = fpsr;
}

/* The state of the stack pointers is written bank by bank, from a PSTATE that uses neither. */
void engine_load(struct engine *engine, const struct arch_vcpu *vcpu)
{
    const struct arch_vcpu_debug *debug = &vcpu->debug;

    engine->watch_il = false;
    engine_load_config(engine, &vcpu->config);
    engine_set_pstate(engine, PSTATE_DAIF | PSTATE_EL(2) | PSTATE_SP);
    engine_reg_write(engine, UC_ARM64_REG_SP_EL0, vcpu->sys[ARCH_SP_EL0]);
    engine_reg_write(engine, UC_ARM64_REG_SP_EL1, vcpu->sys[ARCH_SP_EL1]);
    for (unsigned reg = 0; reg < ARCH_SYSREG_COUNT; reg++) {
        if (sysreg_enc[reg] != 0 && reg != ARCH_SP_EL0 && reg != ARCH_SP_EL1)
            write_sysreg(engine, (enum arch_sysreg)reg, vcpu->sys[reg]);
    }
    if (engine->has_pauth) {
        for (unsigned n = 0; n < ARCH_PAUTH_KEYS; n++)
            engine_cp_write(engine, ENC_PAUTH(n), vcpu->pauth[n]);
    }
    for (unsigned n = 0; n < engine->nr_breakpoints; n++) {
        engine_cp_write(engine, ENC_DBG(n, 4), debug->bvr[n]);
        engine_cp_write(engine, ENC_DBG(n, 5), debug->bcr[n]);
    }
    for (unsigned n = 0; n < engine->nr_watchpoints; n++) {
        engine_cp_write(engine, ENC_DBG(n, 6), debug->wvr[n]);
        engine_cp_write(engine, ENC_DBG(n, 7), debug->wcr[n]);
    }
    load_fp(engine, &vcpu->fp);
    engine_write_x(engine, vcpu->x, true);
    engine_set_pstate(engine, vcpu->pstate);
    engine_flush_tlb(engine);
}

void engine_save(struct engine *engine, struct arch_vcpu *vcpu)
{
    struct arch_vcpu_debug *debug = &vcpu->debug;

    for (unsigned reg = 0; reg < ARCH_SYSREG_COUNT; reg++) {
        if (sysreg_enc[reg] != 0)
            vcpu->sys[reg] = engine_sysreg_get(engine, (enum arch_sysreg)reg);
    }
    if (engine->has_pauth) {
        for (unsigned n = 0; n < ARCH_PAUTH_KEYS; n++)
            vcpu->pauth[n] = engine_cp_read(engine, ENC_PAUTH(n));
    }
    for (unsigned n = 0; n < engine->nr_breakpoints; n++) {
        debug->bvr[n] = engine_cp_read(engine, ENC_DBG(n, 4));
        debug->bcr[n] = engine_cp_read(engine, ENC_DBG(n, 5));
    }
    for (unsigned n = 0; n < engine->nr_watchpoints; n++) {
        debug->wvr[n] = engine_cp_read(engine, ENC_DBG(n, 6));
        debug->wcr[n] = engine_cp_read(engine, ENC_DBG(n, 7));
    }
    save_fp(engine, &vcpu->fp);
}

void engine_idregs(struct engine *engine, struct arch_idregs *out)
{
    out->ich_vtr = 0; /* the interrupt controller is no part of the engine */
    out->midr = engine_cp_read(engine, ENC_MIDR_EL1);
    out->ctr = engine_cp_read(engine, ENC_CTR_EL0);
    for (unsigned n = 0; n < IDREG_COUNT; n++)
        out->reg[n] = engine_cp_read(engine, ENC_ID(1 + n / 8, n % 8));
}

/* --- The guest's memory --- */

static const uint64_t *walk_memory(void *ctx, pa_t at)
{
    const struct engine *engine = ctx;
    uint64_t offset = at.v - engine->config.ram_base.v;

    if (at.v < engine->config.ram_base.v || offset + 8 > engine->config.ram_size)
        return NULL;
    return (const uint64_t *)(const void *)((const char *)engine->config.ram + offset);
}

bool engine_translate(struct engine *engine, uint64_t va, pa_t *out)
{
    const struct walk_regime regime = {
        .sctlr_el1 = engine_cp_read(engine, ENC_SCTLR_EL1),
        .tcr_el1 = engine_cp_read(engine, ENC_TCR_EL1),
        .ttbr0_el1 = engine_cp_read(engine, ENC_TTBR0_EL1),
        .ttbr1_el1 = engine_cp_read(engine, ENC_TTBR1_EL1),
        .hcr_el2 = engine->hcr_el2,
        .vtcr_el2 = engine_cp_read(engine, ENC_VTCR_EL2),
        .vttbr_el2 = engine_cp_read(engine, ENC_VTTBR_EL2),
    };

    return walk_translate(&regime, (va_t){va}, walk_memory, engine, out);
}

/* A64 instructions are little-endian (D1.12). */
bool engine_fetch(struct engine *engine, uint64_t va, uint32_t *word)
{
    const uint64_t *memory;
    pa_t at;

    if (!is_aligned(va, 4) || !engine_translate(engine, va, &at))
        return false;
    memory = walk_memory(engine, pa(at.v & ~UINT64_C(7)));
    if (memory == NULL)
        return false;
    *word = (uint32_t)(*memory >> (8 * (at.v & 4)));
    return true;
}
