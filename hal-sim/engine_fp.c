/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Traps of FP and SIMD instructions (CPACR_EL1.FPEN, CPTR_EL2.TFP), which Unicorn lets through.
 * While they are on, each block is looked at before it is executed; such an instruction gets a hook
 * of its own, and its block is translated anew. A guest that keeps them on pays a look-up a block.
 */
#include "arch/el2.h"
#include "arch/sysreg.h"
#include "base/bits.h"
#include "base/check.h"
#include "hal-sim/engine_priv.h"
#include "hal-sim/insn.h"
#include <string.h>

/* EC 0x07: AArch64 has CV = 1, COND = 0b1110 (D17.2.37). */
#define ESR_FP UINT32_C(0x1fe00000)

/* CPACR_EL1.FPEN (D17.2.32): 3 traps nothing, 1 only EL0. */
static uint64_t fpen(struct engine *engine)
{
    return bits_get(engine_cp_read(engine, ENC_CPACR_EL1), 21, 20);
}

static bool traps_to_el2(struct engine *engine)
{
    return (engine_cp_read(engine, ENC_CPTR_EL2) & CPTR_TFP) != 0;
}

static void on_code(uc_engine *uc, uint64_t address, uint32_t size, void *data)
{
    struct engine *engine = data;
    bool el0 = pstate_el(engine_pstate(engine)) == 0;
    bool el1 = fpen(engine) != 3 && (fpen(engine) != 1 || el0);
    uint32_t word;

    (void)uc;
    (void)size;
    /* Two hooks may be for this address, and the first has entered EL1. */
    if (engine_reg_read(engine, UC_ARM64_REG_PC) != address)
        return;
    /* Something else may be there by now. */
    if (!engine_fetch(engine, address, &word) || !insn_uses_fp(word))
        return;
    if (!el1 && !traps_to_el2(engine))
        return;
    engine_uncount_tail(engine, address);
    engine->executed++;
    if (el1)
        engine_enter_el1(engine, address, ESR_FP, NULL);
    else {
        engine->saved = false;
        engine_stop_sync(engine, ESR_FP, 0);
    }
}

void engine_fp_forget(struct engine *engine)
{
    if (engine->watch_fp)
        memset(engine->fp.clean, 0, sizeof(engine->fp.clean));
}

void engine_fp_control(struct engine *engine)
{
    engine->watch_fp = fpen(engine) != 3 || traps_to_el2(engine);
    engine_fp_forget(engine);
    if (!engine->watch_fp && engine->fp.nr_sites > 0)
        engine_pause(engine);
}

void engine_fp_prepare(struct engine *engine)
{
    struct engine_fp *fp = &engine->fp;

    if (engine->watch_fp || fp->nr_sites == 0)
        return;
    while (fp->nr_sites > 0)
        HV_CHECK(uc_hook_del(engine->uc, fp->site[--fp->nr_sites]) == UC_ERR_OK);
    engine->discard_all = true;
}

static void add_site(struct engine *engine, uint64_t address)
{
    struct engine_fp *fp = &engine->fp;
    bool last = fp->nr_sites == ENGINE_FP_SITES - 1;
    uint64_t begin = last ? 1 : address;
    uint64_t end = last ? 0 : address;

    for (unsigned i = 0; i < fp->nr_sites; i++)
        if (fp->at[i] == address)
            return;
    if (fp->nr_sites == ENGINE_FP_SITES)
        return;
    fp->at[fp->nr_sites] = address;
    HV_CHECK(uc_hook_add(engine->uc, &fp->site[fp->nr_sites++], UC_HOOK_CODE, (void *)on_code,
                         engine, begin, end) == UC_ERR_OK);
    engine_discard_all_code(engine);
}

void engine_fp_block(struct engine *engine, uint64_t address, uint32_t size)
{
    uint64_t *clean = &engine->fp.clean[(address >> 2) % ENGINE_FP_CLEAN];
    uint32_t word;

    if (*clean == address + 1)
        return;
    *clean = address + 1;
    for (uint64_t at = address; at < address + size; at += 4)
        if (engine_fetch(engine, at, &word) && insn_uses_fp(word))
            add_site(engine, at);
}
