/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Model of the machine's interrupt controller as hal.h shows it to core: one priority, EOImode 1,
 * levels for PPIs and SPIs, SGI 0 as the kick. Pure state; part of a machine that can be frozen.
 */
#ifndef HAL_SIM_IRQCHIP_H
#define HAL_SIM_IRQCHIP_H

#include "base/err.h"
#include "hal/platform.h"
#include <stdbool.h>
#include <stdint.h>

#define IRQCHIP_NR_INTIDS 288u /* as QEMU's virt */
#define IRQCHIP_WORDS     (IRQCHIP_NR_INTIDS / 32u)

/* Bits of the private ones (0..31) are per CPU, in cpu[]; those of SPIs in spi[]. */
struct irqchip_bank {
    uint32_t enabled;
    uint32_t pending; /* SGIs: latched */
    uint32_t level;   /* PPIs: the line */
    uint32_t active;
};

struct irqchip {
    struct irqchip_bank cpu[PLATFORM_MAX_CPUS];
    struct irqchip_bank spi[IRQCHIP_WORDS]; /* [0] unused */
    uint8_t spi_cpu[IRQCHIP_NR_INTIDS];     /* routed to */
    uint32_t running[PLATFORM_MAX_CPUS];    /* acknowledged and not ended; HAL_INTID_NONE: none */
};

/* In all that follows cpu < PLATFORM_MAX_CPUS; an INTID that the machine does not have, or that is
 * of another kind than the function is for, does nothing, as in a GIC. */

/* Nothing is enabled, pending or active. */
void irqchip_init(struct irqchip *chip);
/* The line of a PPI of `cpu`, or of an SPI (cpu has no meaning). */
void irqchip_set_level(struct irqchip *chip, unsigned cpu, uint32_t intid, bool level);
void irqchip_send_sgi(struct irqchip *chip, unsigned to_cpu, uint32_t intid);
/* hal_irq_enable(): an SPI is routed to `cpu` when it is switched on, and off for all when off.
 * HV_ERR_RANGE: no such INTID or CPU. */
HV_MUST_CHECK hv_err irqchip_enable(struct irqchip *chip, unsigned cpu, uint32_t intid, bool on);
/* True if the CPU would take an IRQ now: enabled, pending or high, not active, nothing running. */
bool irqchip_signals(const struct irqchip *chip, unsigned cpu);
/* hal_irq_ack(), hal_irq_end(), hal_irq_deactivate(). Lowest INTID first; HAL_INTID_NONE also while
 * another one runs. */
uint32_t irqchip_ack(struct irqchip *chip, unsigned cpu);
/* False if `intid` is not what this CPU acknowledged last: a broken duty of core. */
bool irqchip_end(struct irqchip *chip, unsigned cpu, uint32_t intid, bool deactivate);
void irqchip_deactivate(struct irqchip *chip, unsigned cpu, uint32_t intid);
/* hal_irq_activate(). False if `intid` is no PPI, or acknowledged and not ended: a broken duty. */
bool irqchip_activate(struct irqchip *chip, unsigned cpu, uint32_t intid);

#endif
