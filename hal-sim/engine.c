/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Life and run loop of an engine. */
#include "hal-sim/engine.h"
#include "arch/el2.h"
#include "arch/pstate.h"
#include "arch/sysreg.h"
#include "base/bits.h"
#include "base/check.h"
#include "hal-sim/engine_priv.h"
#include "hal-sim/machine.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* SCR_EL3: lower levels are non-secure and AArch64, HVC is enabled, PAuth is not trapped. */
#define ENC_SCR_EL3 SYSREG(3, 6, 1, 1, 0)
#define SCR_VALUE   UINT64_C(0x531)
#define SCR_API_APK (BIT(17) | BIT(16))
/* What uc_emu_start() takes for an address that is never reached. */
#define NO_END (~UINT64_C(0))

static bool report(char *reason, const char *what, uc_err err)
{
    (void)snprintf(reason, SIM_REASON_MAX, "Unicorn: %s: %s", what, uc_strerror(err));
    return false;
}

static bool set_up(struct engine *engine, char *reason)
{
    const struct engine_config *config = &engine->config;
    uc_err err = uc_open(UC_ARCH_ARM64, UC_MODE_ARM, &engine->uc);

    if (err != UC_ERR_OK)
        return report(reason, "no engine", err);
    err = uc_ctl_set_cpu_model(engine->uc, config->max ? UC_CPU_ARM64_MAX : UC_CPU_ARM64_A57);
    if (err == UC_ERR_OK)
        err = uc_ctl_set_tcg_buffer_size(engine->uc, ENGINE_CODE_BUFFER);
    if (err != UC_ERR_OK)
        return report(reason, "no CPU", err);
    err =
        uc_mem_map_ptr(engine->uc, config->ram_base.v, config->ram_size, UC_PROT_ALL, config->ram);
    if (err != UC_ERR_OK)
        return report(reason, "no memory", err);
    err = uc_context_alloc(engine->uc, &engine->context);
    if (err != UC_ERR_OK)
        return report(reason, "no context", err);
    if (!engine_add_hooks(engine))
        return report(reason, "no hooks", UC_ERR_HOOK);
    /* Unicorn (2.1.4 too) takes the code buffer for its second one until the first flush: filled
     * before, it is used again without a word to those that have pointers into it. */
    err = uc_ctl_flush_tb(engine->uc);
    if (err != UC_ERR_OK)
        return report(reason, "no code buffer", err);
    return true;
}

static void set_el3(struct engine *engine)
{
    struct arch_idregs idregs;

    engine_cp_write(engine, ENC_SCR_EL3, SCR_VALUE);
    engine_idregs(engine, &idregs);
    engine->nr_breakpoints = idreg_breakpoints(&idregs);
    engine->nr_watchpoints = idreg_watchpoints(&idregs);
    engine->has_pauth = idreg_has_pauth(&idregs);
    engine->has_pan = bits_get(idregs.reg[IDREG_MMFR1], 23, 20) != 0;
    engine->has_ssbs = bits_get(idregs.reg[IDREG_PFR1], 7, 4) != 0;
    engine->has_mte = bits_get(idregs.reg[IDREG_PFR1], 11, 8) >= 2;
    if (engine->has_pauth)
        engine_cp_write(engine, ENC_SCR_EL3, SCR_VALUE | SCR_API_APK);
    engine->has_sve = bits_get(idregs.reg[IDREG_PFR0], 35, 32) != 0;
    engine->hcr_el2 = HCR_RW;
    engine_cp_write(engine, ENC_HCR_EL2, HCR_RW);
}

/*
 * A guest can make Unicorn 2.1.1 fail an assertion: its translator knows that some instructions of
 * the model "max" exist, and not what they do. That is no reason to end the process. abort() comes
 * on the engine's own stack, and glibc lets its handler jump (abort(3)).
 */
static struct engine *running;
static struct sigaction abort_before;

static void on_abort(int number)
{
    struct engine *engine = running;

    running = NULL;
    if (engine != NULL)
        siglongjmp(engine->way_out, 1);
    (void)sigaction(number, &abort_before, NULL);
    (void)raise(number);
}

void engine_catch_abort(bool on)
{
    struct sigaction action = {.sa_handler = on_abort, .sa_flags = SA_NODEFER};

    if (on)
        (void)sigaction(SIGABRT, &action, &abort_before);
    else
        (void)sigaction(SIGABRT, &abort_before, NULL);
}

/* Unicorn ends the process if it gets no memory for translated code. */
static bool has_room(void)
{
    void *room =
        mmap(NULL, ENGINE_ROOM, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    return room != MAP_FAILED && munmap(room, ENGINE_ROOM) == 0;
}

struct engine *engine_open(const struct engine_config *config, char *reason)
{
    struct engine *engine = has_room() ? calloc(1, sizeof(*engine)) : NULL;

    if (engine == NULL) {
        (void)snprintf(reason, SIM_REASON_MAX,
                       "no memory for CPU %u: each takes %u MiB for translated code (ulimit -v?)",
                       config->cpu, ENGINE_ROOM >> 20);
        return NULL;
    }
    engine->config = *config;
    if (!calibrate(config->max, &engine->at, reason) || !set_up(engine, reason)) {
        engine_close(engine);
        return NULL;
    }
    set_el3(engine);
    return engine;
}

void engine_close(struct engine *engine)
{
    if (engine->context != NULL)
        (void)uc_context_free(engine->context);
    if (engine->uc != NULL)
        (void)uc_close(engine->uc);
    free(engine);
}

/* LeakSanitizer: uc_close() of Unicorn 2.1.1 forgets an array, and the bitmaps of
 * pages of code that were written to. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_options(void);

const char *__lsan_default_options(void)
{
    return "print_suppressions=0";
}

const char *__lsan_default_suppressions(void)
{
    return "leak:g_array_new\nleak:tb_invalidate_phys_page_fast\n";
}

/* --- Saved contexts --- */

uint32_t engine_saved32(const struct engine *engine, size_t at)
{
    uint32_t value;

    memcpy(&value, (const char *)engine->context + at, sizeof(value));
    return value;
}

uint64_t engine_saved64(const struct engine *engine, size_t at)
{
    uint64_t value;

    memcpy(&value, (const char *)engine->context + at, sizeof(value));
    return value;
}

/* Back from EL2 by ERET, a CPU's exclusive monitor is open (D1.10.4, B2.9.2). */
static void open_monitor(struct engine *engine)
{
    const uint64_t none = ~UINT64_C(0);

    if (engine_saved64(engine, engine->at.exclusive) == none)
        return;
    memcpy((char *)engine->context + engine->at.exclusive, &none, sizeof(none));
    HV_CHECK(uc_context_restore(engine->uc, engine->context) == UC_ERR_OK);
}

/* --- The run loop --- */

static void take_out(struct engine *engine, struct arch_vcpu *vcpu)
{
    if (!engine->saved || engine->stop != ENGINE_STOP_SYNC + 1)
        HV_CHECK(uc_context_save(engine->uc, engine->context) == UC_ERR_OK);
    memcpy(engine->x, (const char *)engine->context + engine->at.x0, sizeof(engine->x));
    memcpy(vcpu->x, engine->x, sizeof(engine->x));
    vcpu->pc = engine_reg_read(engine, UC_ARM64_REG_PC);
    vcpu->pstate = engine_pstate(engine);
    if (engine->stop == ENGINE_STOP_SYNC + 1)
        open_monitor(engine);
}

void engine_open_monitor(struct engine *engine)
{
    HV_CHECK(uc_context_save(engine->uc, engine->context) == UC_ERR_OK);
    open_monitor(engine);
}

/* False if Unicorn called abort(): the engine is then good for nothing but to be closed. */
static bool start(struct engine *engine, uint64_t pc, uc_err *err)
{
    if (sigsetjmp(engine->way_out, 0) != 0)
        return false;
    running = engine;
    *err = uc_emu_start(engine->uc, pc, NO_END, 0, 0);
    running = NULL;
    return true;
}

enum engine_stop engine_run(struct engine *engine, struct arch_vcpu *vcpu, uint64_t limit,
                            struct arch_exit *exit)
{
    uc_err err;

    engine_write_x(engine, vcpu->x, false);
    if (engine_pstate(engine) != vcpu->pstate)
        engine_set_pstate(engine, vcpu->pstate);
    engine_fp_prepare(engine);
    engine->code_flushes = engine->discard_all ? 1 : 0;
    if (engine->discard_all) {
        engine->discard_all = false;
        HV_CHECK(uc_ctl_flush_tb(engine->uc) == UC_ERR_OK);
    }
    engine->pause = false;
    engine->el1_entries = 0;
    engine->executed = 0;
    engine->limit = limit;
    engine->block_insns = 0;
    engine->stop = 0;
    if (!start(engine, vcpu->pc, &err)) {
        engine_fail(engine,
                    "Unicorn has ended in a failed assertion of its own, on an instruction that it "
                    "does not know enough of, near",
                    engine->block_start);
        return ENGINE_STOP_FAILED;
    }
    take_out(engine, vcpu);
    if (engine->late_enc != 0)
        engine_cp_write(engine, engine->late_enc, engine->late_value);
    engine->late_enc = 0;
    if (err != UC_ERR_OK)
        engine_fail(engine, uc_strerror(err), vcpu->pc);
    else if (engine->stop == 0)
        engine_fail(engine, "the run ended without a reason", vcpu->pc);
    if (engine->stop == ENGINE_STOP_SYNC + 1)
        *exit = engine->exit;
    return (enum engine_stop)(engine->stop - 1);
}

uint64_t engine_executed(const struct engine *engine)
{
    return engine->executed;
}

void engine_set_limit(struct engine *engine, uint64_t limit)
{
    engine->limit = engine->pause ? 0 : limit;
}

void engine_pause(struct engine *engine)
{
    engine->pause = true;
    engine->limit = 0;
}

void engine_fail(struct engine *engine, const char *what, uint64_t value)
{
    engine->stop = ENGINE_STOP_FAILED + 1;
    (void)snprintf(engine->failure, sizeof(engine->failure), "%s (0x%llx)", what,
                   (unsigned long long)value);
}

const char *engine_failure(const struct engine *engine)
{
    return engine->failure;
}

uint64_t engine_el1_entries(const struct engine *engine)
{
    return engine->el1_entries;
}

uint64_t engine_code_flushes(const struct engine *engine)
{
    return engine->code_flushes;
}

/* --- Maintenance --- */

void engine_flush_tlb(struct engine *engine)
{
    engine_fp_forget(engine);
    HV_CHECK(uc_ctl_flush_tlb(engine->uc) == UC_ERR_OK);
}

/*
 * Unicorn takes a virtual address, and an address that is not executable would leave it with an
 * exception. At EL2, whose MMU is off, each address is its own, and its translations are kept apart
 * from the guest's.
 */
void engine_discard_code(struct engine *engine, pa_t base, uint64_t len)
{
    uint64_t pstate = engine_pstate(engine);

    engine_fp_forget(engine);
    engine_set_pstate(engine, PSTATE_DAIF | PSTATE_EL(2) | PSTATE_SP);
    HV_CHECK(uc_ctl_remove_cache(engine->uc, base.v, base.v + len) == UC_ERR_OK);
    engine_set_pstate(engine, pstate);
}

/* Not from under a block that is being executed: before the next run. */
void engine_discard_all_code(struct engine *engine)
{
    engine_fp_forget(engine);
    engine->discard_all = true;
    engine_pause(engine);
}

void engine_forget(struct engine *engine)
{
    engine_flush_tlb(engine);
    HV_CHECK(uc_ctl_flush_tb(engine->uc) == UC_ERR_OK);
}
