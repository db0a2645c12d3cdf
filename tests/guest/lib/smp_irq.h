/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Several CPUs that take interrupts at once, and count them: SGIs, of which each CPU sends that of
 * its own index, and both timers, which go off once.
 */
#ifndef GUEST_SMP_IRQ_H
#define GUEST_SMP_IRQ_H

#include <stdint.h>

#include "lib/timer.h"

#define SMP_IRQ_MAX 8u

/* What one CPU has taken; it alone writes it. */
struct smp_irq_count {
    volatile uint32_t sgi[SMP_IRQ_MAX]; /* by sender */
    volatile uint32_t ticks[2];         /* by enum timer_kind */
    uint32_t strange;                   /* interrupts that nobody sent */
} __attribute__((aligned(64)));
extern struct smp_irq_count smp_irq[SMP_IRQ_MAX];

/** Starts CPUs 1 to cpus - 1, with the MMU on, and has all of them count; IRQs stay masked at
 * PSTATE. `cpus` is at most SMP_IRQ_MAX. `taken`, which may be NULL, is called between acknowledge
 * and end of an SGI, but for SMP_WAKE. */
void smp_irq_start(unsigned cpus, void (*taken)(unsigned self, unsigned from));

/** Sleeps in WFI until *count, of the calling CPU, is `want` or more. IRQs are masked at PSTATE but
 * for here: what comes after the look is pending at the WFI. */
void smp_irq_sleep_until(const volatile uint32_t *count, uint32_t want);

/** Sleeps until a timer of the calling CPU has gone off, `us` from now. */
void smp_irq_sleep_for(enum timer_kind kind, uint64_t us);

#endif
