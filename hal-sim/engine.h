/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * One physical CPU, played by a Unicorn engine: its registers, its run loop with the count of
 * executed instructions, and exceptions to EL1, which Unicorn leaves to its user. Only the
 * engine*.c and calibrate.c know Unicorn. It knows no machine: what needs one it asks for through
 * engine_ops.
 */
#ifndef HAL_SIM_ENGINE_H
#define HAL_SIM_ENGINE_H

#include "arch/idreg.h"
#include "arch/vcpu.h"
#include "base/addr.h"
#include <stdbool.h>
#include <stdint.h>

struct engine;

enum engine_sysreg {
    ENGINE_UNDEFINED, /* it is not there */
    ENGINE_DONE,      /* *value was read or written */
    ENGINE_TRAPS,     /* exception to EL2 with EC 0x18 */
};

/* What a hook of a running engine asks of its machine. `cpu` is engine_config.cpu, and
 * engine_executed() is exact in each. */
struct engine_ops {
    /*
     * MRS and MSR, at exception level `el`, of the registers that the engine would take from the
     * host: timers, counters (CRn 14) and random numbers. True: done, *value is what was read.
     */
    bool (*override)(unsigned cpu, uint32_t enc, bool write, unsigned el, uint64_t *value);
    /* MRS and MSR at EL1 of a register that the engine does not know. */
    enum engine_sysreg (*unknown)(unsigned cpu, uint32_t enc, bool write, uint64_t *value);
    /* TLBI that other CPUs see too, and an instruction cache operation: all, or the line at pa. */
    void (*tlbi_broadcast)(unsigned cpu);
    void (*icache_all)(unsigned cpu);
    void (*icache_line)(unsigned cpu, pa_t pa);
};

struct engine_config {
    unsigned cpu;
    bool max;      /* CPU model: max, else cortex-a57 */
    pa_t ram_base; /* of the one piece of memory that there is */
    void *ram;
    uint64_t ram_size;
    const struct engine_ops *ops;
};

/* NULL with the reason in reason[SIM_REASON_MAX] (hal-sim/machine.h). */
struct engine *engine_open(const struct engine_config *config, char *reason);
void engine_close(struct engine *engine);

void engine_idregs(struct engine *engine, struct arch_idregs *out);

/* --- Registers. The engine holds those of one vCPU. --- */

/* All but vcpu->gic and the virtual timer, which Unicorn does not have. */
void engine_load(struct engine *engine, const struct arch_vcpu *vcpu);
void engine_save(struct engine *engine, struct arch_vcpu *vcpu);
/* EL2's controls alone. */
void engine_load_config(struct engine *engine, const struct arch_vcpu_config *config);
uint64_t engine_sysreg_get(struct engine *engine, enum arch_sysreg reg);
void engine_sysreg_set(struct engine *engine, enum arch_sysreg reg, uint64_t value);
/* HCR_EL2.VI and VF: the lines of the virtual CPU interface. */
void engine_set_virtual_lines(struct engine *engine, bool irq, bool fiq);

/* --- Running --- */

enum engine_stop {
    ENGINE_STOP_SYNC,  /* a synchronous exception to EL2: *exit is complete */
    ENGINE_STOP_LIMIT, /* the limit is reached */
    ENGINE_STOP_FAILED /* Unicorn gave up: engine_failure() */
};

/*
 * Runs from vcpu's x, pc and pstate, which are written back, until an exception to EL2 or, once
 * `limit` instructions were executed, the start of a block. An exception that keeps an instruction
 * from being executed counts as one, so that none is without end in no time.
 */
enum engine_stop engine_run(struct engine *engine, struct arch_vcpu *vcpu, uint64_t limit,
                            struct arch_exit *exit);
/* Whether an abort() of Unicorn's is an ENGINE_STOP_FAILED and not the end of the process. The
 * handler of SIGABRT that was there before comes back with false, and for any other abort(). */
void engine_catch_abort(bool on);
/* As the ERET with which EL2 goes back does; engine_run() itself does it at a synchronous
 * exception. */
void engine_open_monitor(struct engine *engine);
/* Instructions that the present engine_run(), or the last one, has executed. */
uint64_t engine_executed(const struct engine *engine);
/* From a hook: another limit for the present run; 0: stop at the next block. */
void engine_set_limit(struct engine *engine, uint64_t limit);
/* Why ENGINE_STOP_FAILED, in words. */
const char *engine_failure(const struct engine *engine);
/* Of the present run or the last one: synchronous exceptions that the guest took to EL1, and how
 * often all translated code was thrown away. */
uint64_t engine_el1_entries(const struct engine *engine);
uint64_t engine_code_flushes(const struct engine *engine);

/* --- Maintenance --- */

void engine_flush_tlb(struct engine *engine);
/* Translated code of physical [base, base + len), or all of it, is thrown away. */
void engine_discard_code(struct engine *engine, pa_t base, uint64_t len);
void engine_discard_all_code(struct engine *engine);
/* Memory is another: nothing of it is kept. Not from a hook. */
void engine_forget(struct engine *engine);

#endif
