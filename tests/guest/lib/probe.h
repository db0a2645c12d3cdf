/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* CPUs that are powered on to look at how they start, and powered off again. They never turn their
 * MMU on. */
#ifndef GUEST_PROBE_H
#define GUEST_PROBE_H

#include <stdint.h>

#define PROBE_MAX 4u

/* What a CPU found. Layout known to probe.S. */
struct probe {
    uint64_t sctlr;
    uint64_t daif;
    uint64_t el; /* CurrentEL */
    uint64_t mpidr;
    uint64_t spsel;
    uint64_t here;
    uint64_t starts;
    uint64_t off; /* set: it powers off */
} __attribute__((aligned(64)));
_Static_assert(sizeof(struct probe) == 64, "a cache line");

extern struct probe probes[PROBE_MAX];
extern const char probe_entry[];
/* CPU_ON's entry point; its context is the probe's address. */
#define PROBE_ENTRY ((uint64_t)probe_entry)

/** CPU_ON (`function`: of 32 or of 64 bits) of a CPU that will be a probe; returns what PSCI does.
 */
int32_t probe_on(unsigned cpu, uint64_t function);

/** What probe_on() does before the call: it has not come yet. */
void probe_expect(unsigned cpu);

/** Waits until it has come. */
void probe_await(unsigned cpu);

/** Tells it to power off. */
void probe_tell_off(unsigned cpu);

/** Waits until AFFINITY_INFO says that a CPU is off. */
void probe_await_off(unsigned cpu);

/** How often it has started since probe_forget(). */
uint64_t probe_starts(unsigned cpu);
void probe_forget(unsigned cpu);

#endif
