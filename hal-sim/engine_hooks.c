/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What Unicorn calls while it runs: blocks, exceptions, System register instructions. */
#include "arch/el2.h"
#include "arch/esr.h"
#include "arch/pstate.h"
#include "arch/sysreg.h"
#include "base/bits.h"
#include "base/check.h"
#include "hal-sim/engine_priv.h"
#include "hal-sim/insn.h"

#define ENC_HPFAR_EL2 SYSREG(3, 4, 6, 0, 4)
#define ENC_VBAR_EL1  SYSREG(3, 0, 12, 0, 0)
#define ENC_ELR_EL1   SYSREG(3, 0, 4, 0, 1)
#define ENC_SPSR_EL1  SYSREG(3, 0, 4, 0, 0)
#define ENC_ESR_EL1   SYSREG(3, 0, 5, 2, 0)
#define ENC_FAR_EL1   SYSREG(3, 0, 6, 0, 0)
#define ENC_SCTLR_EL1 SYSREG(3, 0, 1, 0, 0)

#define CPTR_TCPAC  BIT(31) /* trap CPACR_EL1 */
#define MDCR_TDE    BIT(8)  /* debug exceptions to EL2, and as TDA */
#define SCTLR_SPAN  BIT(23)
#define SCTLR_DSSBS BIT(44)
#define ESR_IL      BIT(25)
#define ESR_ISV     BIT(24)
/* SAS, SSE, SRT, SF, AR: RES0 without ISV (D17.2.37). */
#define ESR_ISV_FIELDS BITS(23, 14)

/* Offsets of the vectors (D1.10.2). */
#define VECTOR_CURRENT_SPX UINT64_C(0x200)
#define VECTOR_LOWER_64    UINT64_C(0x400)
#define VECTOR_LOWER_32    UINT64_C(0x600)

/* --- Exceptions --- */

/* Takes back what the block at `pc` has counted and not executed. */
void engine_uncount_tail(struct engine *engine, uint64_t pc)
{
    uint64_t done = (pc - engine->block_start) / 4;

    if (done < engine->block_insns)
        engine->executed -= engine->block_insns - done;
    engine->block_insns = 0;
}

/* The PSTATE that an exception to EL1 starts with (D1.10.2, AArch64.TakeException). */
static uint64_t el1_pstate(struct engine *engine, uint64_t old)
{
    uint64_t sctlr = engine_cp_read(engine, ENC_SCTLR_EL1);
    uint64_t pstate = (old & (PSTATE_NZCV | PSTATE_PAN)) | PSTATE_DAIF | PSTATE_M_EL1H;

    if (engine->has_pan && (sctlr & SCTLR_SPAN) == 0)
        pstate |= PSTATE_PAN;
    if (engine->has_ssbs && (sctlr & SCTLR_DSSBS) != 0)
        pstate |= PSTATE_SSBS;
    if (engine->has_mte)
        pstate |= PSTATE_TCO;
    return pstate;
}

void engine_enter_el1(struct engine *engine, uint64_t pc, uint32_t esr, const uint64_t *far)
{
    uint64_t old = engine_pstate(engine);
    uint64_t vector = engine_cp_read(engine, ENC_VBAR_EL1);

    if ((old & PSTATE_NRW) != 0)
        vector += VECTOR_LOWER_32;
    else if (bits_get(old, 3, 2) == 0)
        vector += VECTOR_LOWER_64;
    else if ((old & PSTATE_SP) != 0)
        vector += VECTOR_CURRENT_SPX;
    engine_cp_write(engine, ENC_ELR_EL1, pc);
    engine_cp_write(engine, ENC_SPSR_EL1, engine_spsr_written(engine, old));
    engine_cp_write(engine, ENC_ESR_EL1, esr);
    if (far != NULL)
        engine_cp_write(engine, ENC_FAR_EL1, *far);
    engine_set_pstate(engine, el1_pstate(engine, old));
    engine_reg_write(engine, UC_ARM64_REG_PC, vector);
    engine->el1_entries++;
}

void engine_stop_sync(struct engine *engine, uint64_t esr, uint64_t far)
{
    uint64_t ec = bits_get(esr, 31, 26);
    bool abort = ec == ESR_EC_IABT_LOWER || ec == ESR_EC_DABT_LOWER;

    engine->exit = (struct arch_exit){
        .esr = esr,
        .far = far,
        .hpfar = abort ? engine_cp_read(engine, ENC_HPFAR_EL2) : 0,
        .kind = ARCH_EXIT_SYNC,
    };
    engine->stop = ENGINE_STOP_SYNC + 1;
    (void)uc_emu_stop(engine->uc);
}

/* The engine claims a valid syndrome for forms with writeback too. */
static uint64_t correct_isv(struct engine *engine, uint64_t esr, uint64_t pc)
{
    uint32_t word;

    if (bits_get(esr, 31, 26) != ESR_EC_DABT_LOWER || (esr & ESR_ISV) == 0)
        return esr;
    if (engine_fetch(engine, pc, &word) && insn_has_valid_syndrome(word))
        return esr;
    return esr & ~(ESR_ISV | ESR_ISV_FIELDS);
}

static uint64_t source_x(struct engine *engine, unsigned rt)
{
    if (rt == 31)
        return 0;
    return engine_reg_read(engine, engine_x_reg(rt));
}

static void set_x(struct engine *engine, unsigned rt, uint64_t value)
{
    if (rt != 31)
        engine_reg_write(engine, engine_x_reg(rt), value);
}

/* An instruction that the engine does not know: the GIC's registers are among these. True if it was
 * one, and is dealt with. */
static bool unknown_sysreg(struct engine *engine, uint64_t pc)
{
    struct insn_sysreg insn;
    uint64_t value;
    uint32_t word;

    if (pstate_el(engine_pstate(engine)) != 1 || !engine_fetch(engine, pc, &word) ||
        !insn_decode_sysreg(word, &insn))
        return false;
    value = source_x(engine, insn.rt);
    switch (engine->config.ops->unknown(engine->config.cpu, insn.enc, !insn.read, &value)) {
    case ENGINE_DONE:
        if (insn.read)
            set_x(engine, insn.rt, value);
        engine_reg_write(engine, UC_ARM64_REG_PC, pc + 4);
        return true;
    case ENGINE_TRAPS:
        engine_stop_sync(engine,
                         ((uint64_t)ESR_EC_SYSREG << 26) | ESR_IL | insn.enc |
                             (uint64_t)insn.rt << 5 | (insn.read ? 1u : 0u),
                         0);
        return true;
    case ENGINE_UNDEFINED:
        break;
    }
    return false;
}

static bool has_far(uint64_t esr)
{
    uint64_t ec = bits_get(esr, 31, 26);

    return ec == ESR_EC_IABT_LOWER || ec == ESR_EC_IABT_SAME || ec == ESR_EC_DABT_LOWER ||
           ec == ESR_EC_DABT_SAME || ec == ESR_EC_PC_ALIGN || ec == ESR_EC_WATCH_LOWER ||
           ec == ESR_EC_WATCH_SAME;
}

/* SVC and HVC have been executed, and counted, when they arrive; all else is found at its
 * instruction. */
static bool is_executed(uint64_t esr)
{
    uint64_t ec = bits_get(esr, 31, 26);

    return ec == ESR_EC_SVC64 || ec == ESR_EC_HVC64;
}

static bool is_fetch(uint64_t esr)
{
    uint64_t ec = bits_get(esr, 31, 26);

    return ec == ESR_EC_IABT_LOWER || ec == ESR_EC_IABT_SAME;
}

/* Unicorn does not take synchronous exceptions; it says what was to be taken, and goes on at the
 * PC. */
static void on_interrupt(uc_engine *uc, uint32_t number, void *data)
{
    struct engine *engine = data;
    uint64_t pc = engine_reg_read(engine, UC_ARM64_REG_PC);
    uint64_t esr;
    uint64_t far;
    uint32_t target;

    (void)uc_context_save(uc, engine->context);
    engine->saved = true;
    esr = engine_saved32(engine, engine->at.syndrome);
    far = engine_saved64(engine, engine->at.vaddress);
    target = engine_saved32(engine, engine->at.target_el);
    /* A fetch fails before a block, not in one, wherever its address is. */
    if (is_fetch(esr))
        engine->block_insns = 0;
    engine_uncount_tail(engine, pc);
    if (!is_executed(esr))
        engine->executed++;
    if (target == 1) {
        if (bits_get(esr, 31, 26) == ESR_EC_UNKNOWN && unknown_sysreg(engine, pc))
            return;
        engine_enter_el1(engine, pc, (uint32_t)esr, has_far(esr) ? &far : NULL);
        if (engine->executed >= engine->limit) {
            engine->stop = ENGINE_STOP_LIMIT + 1;
            (void)uc_emu_stop(uc);
        }
    } else if (target == 2) {
        engine_stop_sync(engine, correct_isv(engine, esr, pc), far);
    } else {
        engine_fail(engine, "an exception to EL3", number);
        (void)uc_emu_stop(uc);
    }
}

/* --- Blocks: the clock, and checks of PSTATE.IL (D1.11.4) and the PC's alignment (D1.8.1), which
 * the engine leaves out --- */

static bool has_illegal_state(struct engine *engine)
{
    return engine->watch_il && (engine_pstate(engine) & PSTATE_IL) != 0;
}

/* True if there is a reason not to begin the block. */
__attribute__((noinline)) static bool keeps_from_block(struct engine *engine, uint64_t address,
                                                       uint32_t size)
{
    bool aligned = is_aligned(address, 4);
    uint64_t ec = ESR_EC_UNKNOWN;

    if (engine->watch_fp && aligned)
        engine_fp_block(engine, address, size);
    if (engine->executed >= engine->limit) {
        engine->block_insns = 0;
        engine->stop = ENGINE_STOP_LIMIT + 1;
        (void)uc_emu_stop(engine->uc);
        return true;
    }
    if (!aligned)
        ec = ESR_EC_PC_ALIGN;
    else if (has_illegal_state(engine))
        ec = ESR_EC_ILLEGAL_STATE;
    if (ec == ESR_EC_UNKNOWN)
        return false;
    engine->executed++;
    engine->block_insns = 0;
    engine_enter_el1(engine, address, (uint32_t)(ec << 26 | ESR_IL),
                     ec == ESR_EC_PC_ALIGN ? &address : NULL);
    return true;
}

static void on_block(uc_engine *uc, uint64_t address, uint32_t size, void *data)
{
    struct engine *engine = data;
    /* One branch: this is called for each block. */
    uint64_t unusual = (address & 3) | engine->watch_fp | engine->watch_il |
                       (engine->executed >= engine->limit ? 1u : 0u);

    (void)uc;
    if (__builtin_expect(unusual != 0, 0) && keeps_from_block(engine, address, size))
        return;
    engine->block_start = address;
    engine->block_insns = size / 4;
    engine->executed += size / 4;
}

/* --- MRS, MSR, SYS --- */

static uint32_t encoding(const uc_arm64_cp_reg *reg)
{
    return SYSREG(reg->op0, reg->op1, reg->crn, reg->crm, reg->op2);
}

/*
 * Writes that need more than the engine does. It asks before it looks whether the access is
 * allowed: what may not be or traps is left to it, as are registers that it does not have.
 */
static bool write_cpacr(struct engine *engine, uint64_t value)
{
    if ((engine_cp_read(engine, ENC_CPTR_EL2) & CPTR_TCPAC) != 0)
        return false;
    /* ZEN is RES0 for guests, which do not have SVE: enabled without FPEN, it makes the engine's
     * own CPU "max" fail an assertion. And FPEN decides what is to be watched. */
    engine_sysreg_set(engine, ARCH_CPACR_EL1, value);
    return true;
}

static bool write_spsr(struct engine *engine, uint64_t value)
{
    engine_sysreg_set(engine, ARCH_SPSR_EL1, value);
    return true;
}

/* A breakpoint makes the engine throw all its code away, at once: not from under the block that is
 * being executed. An MSR is the last of its block. */
static bool write_debug(struct engine *engine, uint32_t enc, uint64_t value)
{
    unsigned count = sysreg_op2(enc) < 6 ? engine->nr_breakpoints : engine->nr_watchpoints;

    if (sysreg_crm(enc) >= count ||
        (engine_cp_read(engine, ENC_MDCR_EL2) & (MDCR_TDA | MDCR_TDE)) != 0)
        return false;
    engine->late_enc = enc;
    engine->late_value = value;
    engine_pause(engine);
    return true;
}

/* True if it was such a write, and is done. */
static bool write_specially(struct engine *engine, const uc_arm64_cp_reg *reg)
{
    uint32_t enc = encoding(reg);
    bool debug = reg->op0 == 2 && reg->op1 == 0 && reg->crn == 0 && reg->op2 >= 4;

    if (!debug && enc != ENC_CPACR_EL1 && enc != ENC_SPSR_EL1)
        return false;
    if (pstate_el(engine_pstate(engine)) != 1)
        return false;
    if (debug)
        return write_debug(engine, enc, reg->val);
    return enc == ENC_CPACR_EL1 ? write_cpacr(engine, reg->val) : write_spsr(engine, reg->val);
}

static bool is_overridden(const uc_arm64_cp_reg *reg)
{
    return reg->op0 == 3 && (reg->crn == 14 || (reg->crn == 2 && reg->crm == 4 && reg->op1 == 3));
}

/* Asks the machine, with the count of instructions exact for this one. */
static bool ask(struct engine *engine, const uc_arm64_cp_reg *reg, bool write, uint64_t *value)
{
    uint64_t counted = engine->executed;
    uint64_t done = (engine_reg_read(engine, UC_ARM64_REG_PC) - engine->block_start) / 4;
    uint64_t tail = done < engine->block_insns ? engine->block_insns - done : 0;
    unsigned el = pstate_el(engine_pstate(engine));
    bool answered;

    engine->executed -= tail;
    answered = engine->config.ops->override(engine->config.cpu, encoding(reg), write, el, value);
    engine->executed = counted;
    return answered;
}

static uint32_t on_mrs(uc_engine *uc, uc_arm64_reg rt, const uc_arm64_cp_reg *reg, void *data)
{
    struct engine *engine = data;
    uint64_t value = 0;

    (void)uc;
    if (!is_overridden(reg) || !ask(engine, reg, false, &value))
        return 0;
    if (rt != UC_ARM64_REG_XZR)
        engine_reg_write(engine, (int)rt, value);
    if (reg->crn == 2) /* RNDR and RNDRRS: there was a number (C6.2.230) */
        engine_set_pstate(engine, engine_pstate(engine) & ~PSTATE_NZCV);
    return 1;
}

static uint32_t on_msr(uc_engine *uc, uc_arm64_reg rt, const uc_arm64_cp_reg *reg, void *data)
{
    struct engine *engine = data;
    uint64_t value = reg->val;

    (void)uc;
    (void)rt;
    if (reg->crn == 1 || reg->crn == 2)
        engine_fp_forget(engine);
    if (write_specially(engine, reg))
        return 1;
    return is_overridden(reg) && ask(engine, reg, true, &value) ? 1 : 0;
}

/* TLB maintenance reaches this engine by itself, and the others through the machine; the engine
 * does nothing for instruction caches. */
static uint32_t on_sys(uc_engine *uc, uc_arm64_reg rt, const uc_arm64_cp_reg *reg, void *data)
{
    struct engine *engine = data;
    const struct engine_ops *ops = engine->config.ops;
    pa_t line;

    (void)uc;
    (void)rt;
    engine_fp_forget(engine);
    if (reg->crn == 8)
        ops->tlbi_broadcast(engine->config.cpu);
    else if (reg->crn != 7)
        return 0;
    else if (reg->op1 == 3 && reg->crm == 5 && reg->op2 == 1) /* IC IVAU */ {
        if (engine_translate(engine, reg->val & ~UINT64_C(63), &line))
            ops->icache_line(engine->config.cpu, line);
    } else if (reg->op1 == 0 && reg->op2 == 0 &&
               (reg->crm == 1 || reg->crm == 5)) /* IC IALLU(IS) */
        ops->icache_all(engine->config.cpu);
    return 0;
}

bool engine_add_hooks(struct engine *engine)
{
    uc_hook hook;

    return uc_hook_add(engine->uc, &hook, UC_HOOK_BLOCK, (void *)on_block, engine, 1, 0) ==
               UC_ERR_OK &&
           uc_hook_add(engine->uc, &hook, UC_HOOK_INTR, (void *)on_interrupt, engine, 1, 0) ==
               UC_ERR_OK &&
           uc_hook_add(engine->uc, &hook, UC_HOOK_INSN, (void *)on_mrs, engine, 1, 0,
                       UC_ARM64_INS_MRS) == UC_ERR_OK &&
           uc_hook_add(engine->uc, &hook, UC_HOOK_INSN, (void *)on_msr, engine, 1, 0,
                       UC_ARM64_INS_MSR) == UC_ERR_OK &&
           uc_hook_add(engine->uc, &hook, UC_HOOK_INSN, (void *)on_sys, engine, 1, 0,
                       UC_ARM64_INS_SYS) == UC_ERR_OK;
}
