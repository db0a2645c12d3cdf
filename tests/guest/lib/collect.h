/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Four CPUs that mask IRQs at PSTATE and take interrupts by hand, with ICC_IAR1, to see which come
 * where. */
#ifndef GUEST_COLLECT_H
#define GUEST_COLLECT_H

#include <stdbool.h>
#include <stdint.h>

#define COLLECT_CPUS     4u
#define COLLECT_MAX      40u
#define COLLECT_PATIENCE 2u /* seconds */

/* What a CPU is to take, and what it took. */
struct collected {
    unsigned want;
    unsigned taken;
    uint32_t order[COLLECT_MAX];
};
extern struct collected collected[COLLECT_CPUS];

/** Waits for an interrupt and acknowledges it; GIC_SPURIOUS if none comes. */
uint32_t collect_acknowledge(void);
void collect_end(uint32_t intid);

/** A task: takes what is wanted, and whatever is there besides. */
void collect(unsigned cpu);

/** True if the CPUs of the mask take one interrupt each, `intid`, and the others none. */
bool collect_arrives(uint64_t mask, uint32_t intid);

/** A task: the CPU's GIC, all SGIs enabled. CPU 0 has to have called gic_init(). */
void collect_init(unsigned cpu);

/** Writes GICD_IROUTER. */
void collect_route(uint32_t spi, uint64_t value);

#endif
