/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What the engine*.c share. */
#ifndef HAL_SIM_ENGINE_PRIV_H
#define HAL_SIM_ENGINE_PRIV_H

#include "arch/pstate.h"
#include "base/bits.h"
#include "hal-sim/calibrate.h"
#include "hal-sim/engine.h"
#include <setjmp.h>
#include <unicorn/unicorn.h>

#define ENGINE_NR_X        31u
#define ENGINE_FAILURE_MAX 200u
/* Room for translated code: what Linux's boot needs, and small enough to be thrown away quickly. */
#define ENGINE_CODE_BUFFER (32u << 20)
/* That, and what else an engine needs to be opened. */
#define ENGINE_ROOM (ENGINE_CODE_BUFFER + (8u << 20))

#define ENGINE_FP_SITES 64u
#define ENGINE_FP_CLEAN 1024u

/* Traps of FP and SIMD, which the engine does not have (engine_fp.c). */
struct engine_fp {
    unsigned nr_sites;
    uc_hook site[ENGINE_FP_SITES];   /* one instruction each; the last is all there are */
    uint64_t at[ENGINE_FP_SITES];    /* their addresses */
    uint64_t clean[ENGINE_FP_CLEAN]; /* blocks without such an instruction: address + 1, or 0 */
};

struct engine {
    uc_engine *uc;
    uc_context *context; /* the last one saved */
    struct calibration at;
    struct engine_config config;
    uint64_t hcr_el2; /* core's, without VI and VF */
    bool virq, vfiq;
    bool has_pauth, has_pan, has_ssbs, has_mte, has_sve; /* of the model */
    unsigned nr_breakpoints, nr_watchpoints;

    /* The present run. */
    uint64_t executed; /* to the end of the present block */
    uint64_t limit;
    uint64_t block_start; /* address */
    uint64_t block_insns; /* 0: none is under way */
    bool saved;           /* the last saved context is as of the exception that stops the run */
    uint32_t stop;        /* enum engine_stop + 1, or 0 */
    uint64_t el1_entries;
    uint64_t code_flushes;
    bool pause;        /* at the next block, whatever the limit becomes: hooks or code change */
    bool discard_all;  /* of translated code, before the next run */
    uint32_t late_enc; /* a register that the guest wrote, to be written after the run; or 0 */
    uint64_t late_value;
    bool watch_fp; /* FP and SIMD trap: blocks are to be looked at */
    bool watch_il; /* PSTATE.IL may have become set: blocks are to be looked at */
    struct engine_fp fp;
    struct arch_exit exit;
    sigjmp_buf way_out; /* of a run that Unicorn gave up */

    uint64_t x[ENGINE_NR_X]; /* what the engine has, outside a run */
    char failure[ENGINE_FAILURE_MAX];
};

/* X0..X28, X29 and X30 are two ranges of Unicorn's enumeration. */
static inline int engine_x_reg(unsigned n)
{
    return n < 29 ? (int)(UC_ARM64_REG_X0 + n) : (int)(UC_ARM64_REG_X29 + n - 29);
}

/* Exception level; AArch32 is EL0's. */
static inline unsigned pstate_el(uint64_t pstate)
{
    return (pstate & PSTATE_NRW) != 0 ? 0 : (unsigned)bits_get(pstate, 3, 2);
}

/* Registers by encoding (engine_regs.c). They fail only if the engine has no such register, which
 * the caller knows. */
uint64_t engine_cp_read(struct engine *engine, uint32_t enc);
void engine_cp_write(struct engine *engine, uint32_t enc, uint64_t value);
uint64_t engine_reg_read(struct engine *engine, int reg);
void engine_reg_write(struct engine *engine, int reg, uint64_t value);
uint64_t engine_pstate(struct engine *engine);
/* With the stack pointers banked accordingly. */
void engine_set_pstate(struct engine *engine, uint64_t pstate);
/* Gives the engine x0..x30: those that it does not have yet, or all. */
void engine_write_x(struct engine *engine, const uint64_t *x, bool all);
/* What SPSR_EL1 holds for the engine after `value` was written. */
uint64_t engine_spsr_written(struct engine *engine, uint64_t value);
/* 32 or 64 bits of the last saved context. */
uint32_t engine_saved32(const struct engine *engine, size_t at);
uint64_t engine_saved64(const struct engine *engine, size_t at);
/* The word at a virtual address of the guest, by hal-sim's own walk. */
bool engine_fetch(struct engine *engine, uint64_t va, uint32_t *word);
bool engine_translate(struct engine *engine, uint64_t va, pa_t *out);

/* The hooks of the run (engine_hooks.c). */
bool engine_add_hooks(struct engine *engine);
/* The run stops at the next block. */
void engine_pause(struct engine *engine);
/* Takes back what the block at `pc` has counted and not executed. */
void engine_uncount_tail(struct engine *engine, uint64_t pc);
void engine_stop_sync(struct engine *engine, uint64_t esr, uint64_t far);
void engine_fail(struct engine *engine, const char *what, uint64_t value);
/* Exception to EL1 (D1.10.2) that returns to `pc`, from the present PSTATE. far: NULL leaves it. */
void engine_enter_el1(struct engine *engine, uint64_t pc, uint32_t esr, const uint64_t *far);

/* CPACR_EL1 or CPTR_EL2 has changed (engine_fp.c). */
void engine_fp_control(struct engine *engine);
/* Before a block is executed, while FP and SIMD trap: stops the run if there is such an instruction
 * in it that has no hook yet. */
void engine_fp_block(struct engine *engine, uint64_t address, uint32_t size);
/* What is at an address may have changed. */
void engine_fp_forget(struct engine *engine);
/* Before a run: takes away hooks that are not needed any more. */
void engine_fp_prepare(struct engine *engine);

#define ENC_CPACR_EL1 SYSREG(3, 0, 1, 0, 2)
#define ENC_CPTR_EL2  SYSREG(3, 4, 1, 1, 2)
#define ENC_HCR_EL2   SYSREG(3, 4, 1, 1, 0)
#define ENC_MDCR_EL2  SYSREG(3, 4, 1, 1, 1)

#endif
