/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A machine of hal-sim whose core is a function of the test: it is called on the boot CPU, and uses
 * hal.h. cr_expect() may be used in it; cr_assert(), which leaves by a jump, may not.
 */
#ifndef TESTS_HAL_SIM_RIG_H
#define TESTS_HAL_SIM_RIG_H

#include "cases.h"
#include "guest.h"

/* What a machine is made from, unless a test wants another. */
struct sim_machine_config rig_config(enum sim_cpu_model model, unsigned nr_cpus);
/* hal_init() with the platform of such a machine. */
hv_err rig_init(unsigned nr_cpus);
/* What core_main() calls; hal_halt(OFF) follows if it returns. */
extern void (*rig_core)(void);
/* What core_main() was given. */
extern const struct hal_boot *rig_boot;
/* Makes a machine for a core; it has not run yet. Ends the test if there is none. */
struct sim_machine *rig_create(const struct sim_machine_config *config, void (*core)(void));
/* Runs on, through idle times, until there is nothing to wait for, it has halted, or is broken. */
enum sim_stop rig_finish(struct sim_machine *machine);
/* A machine with one CPU from start to end, once for each CPU model. */
void rig_run(void (*core)(void));
/* The model of the machine that is running. */
extern enum sim_cpu_model rig_model;
/* What the machine wrote to its console, with an end. */
extern char rig_console[4096];

/* guest_run() that has to end in HVC #imm. */
#define guest_run_to_hvc(guest, imm)                                                               \
    do {                                                                                           \
        unsigned guest_class_ = guest_run(guest);                                                  \
        cr_expect_eq(guest_class_, EC_HVC64, "exception class %x, ESR %lx, PC %lx", guest_class_,  \
                     (unsigned long)(guest)->exit.esr, (unsigned long)(guest)->vcpu.pc);           \
        cr_expect_eq((guest)->exit.esr & 0xffff, (imm), "HVC #0x%lx, PC %lx",                      \
                     (unsigned long)(guest)->exit.esr & 0xffff, (unsigned long)(guest)->vcpu.pc);  \
    } while (0)
/* cr_expect_eq() of 64-bit values, printed. */
#define EXPECT_EQ(got, want)                                                                       \
    do {                                                                                           \
        uint64_t expect_got_ = (got);                                                              \
        uint64_t expect_want_ = (want);                                                            \
        cr_expect_eq(expect_got_, expect_want_, #got " is 0x%lx, not 0x%lx (CPU model %d)",        \
                     (unsigned long)expect_got_, (unsigned long)expect_want_, (int)rig_model);     \
    } while (0)

#endif
