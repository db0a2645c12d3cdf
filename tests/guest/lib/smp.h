/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Several CPUs: PSCI CPU_ON, tasks for them, barriers, locks. The first CPU is the one that runs
 * guest_main() and the only one that prints; the others run what it gives them and spin in between,
 * IRQs masked at PSTATE. A CPU is known by its index, which is Aff0 of its MPIDR: there are no more
 * than one cluster has.
 */
#ifndef GUEST_SMP_H
#define GUEST_SMP_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/sys.h"

#define SMP_MAX 16u

/* A task of one CPU. */
typedef void (*smp_task)(unsigned cpu);

/** Index of the calling CPU. */
static inline unsigned smp_self(void)
{
    return (unsigned)SYS_READ("mpidr_el1") & (SMP_MAX - 1);
}

/** Affinity of a CPU as PSCI takes it. */
static inline uint64_t smp_affinity(unsigned cpu)
{
    return cpu;
}

/** How many CPUs there are, as the redistributors say. */
unsigned smp_count(void);

/** PSCI CPU_ON of a CPU that will then wait for tasks, with the translation regime (SCTLR, MAIR,
 * TCR, TTBR0) of the caller. Returns what PSCI does. The CPU may not have got there yet. */
int64_t smp_power_on(unsigned cpu);

/** Entry point and context with which a CPU comes to wait for tasks, or to begin again the one that
 * it has not done: for other calls than CPU_ON that take both. smp_power_on() has to have been
 * called for the CPU before. */
uint64_t smp_entry_point(void);
uint64_t smp_context(unsigned cpu);

/** Powers CPUs 1 to cpus - 1 on and waits until they take tasks; ends the program if one does not
 * start. */
void smp_start(unsigned cpus);

/** Gives a task to another CPU, which must have done its last; does not wait. */
void smp_post(unsigned cpu, smp_task task);

/** Waits until the CPU has done the task given last. */
void smp_wait(unsigned cpu);

/** True when it has. */
bool smp_is_done(unsigned cpu);

/** Both: has it done there. */
void smp_run_on(unsigned cpu, smp_task task);

/** Has it done by CPUs 0 to cpus - 1 at once; the caller is CPU 0. */
void smp_run(unsigned cpus, smp_task task);

/** Waits until `cpus` CPUs are here. For one group of CPUs at a time. */
void smp_barrier(unsigned cpus);

/** PSCI CPU_OFF of the calling CPU, within a task, which then counts as done: the CPU may still be
 * about to power off. The next smp_power_on() makes it wait for tasks again. Returns if PSCI does.
 */
void smp_power_off(void);

/** For loops that wait for what another CPU does. */
static inline void smp_relax(void)
{
    __asm__ volatile("wfe" ::: "memory");
}

/** Waits until *word is not `old`, and returns what it is; whoever changes it calls smp_signal
 * then. */
uint32_t smp_await(const uint32_t *word, uint32_t old);
void smp_signal(void);

/* The SGI that ends a doze; handlers have to acknowledge and end it, and need do no more. */
#define SMP_WAKE 15u

/**
 * From now on those who wait (but for a lock) do so in WFI and not in WFE, so that they leave a
 * physical CPU that several share to the others; smp_signal then sends SMP_WAKE to all. Each
 * waiting CPU must have a handler, its CPU interface open and SMP_WAKE enabled. They take
 * interrupts meanwhile, whatever PSTATE says.
 */
void smp_doze(bool doze);

/* A lock whose waiters wait in WFE. It is not fair, on purpose: where several CPUs share a physical
 * one, the next in a row would seldom be one that runs. */
struct smp_lock {
    uint32_t held;
};

void smp_acquire(struct smp_lock *lock);
void smp_release(struct smp_lock *lock);

/** Called by smp.S. */
void smp_main(void);

#endif
