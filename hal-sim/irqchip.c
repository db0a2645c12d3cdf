/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The machine's interrupt controller: which INTID a CPU is given next, and until when not again. */
#include "hal-sim/irqchip.h"
#include "hal/hal.h"
#include <string.h>

#define FIRST_PPI 16u
#define FIRST_SPI 32u

void irqchip_init(struct irqchip *chip)
{
    memset(chip, 0, sizeof(*chip));
    for (unsigned cpu = 0; cpu < PLATFORM_MAX_CPUS; cpu++)
        chip->running[cpu] = HAL_INTID_NONE;
}

/* Where the bit of an INTID is, as this CPU sees it; NULL if the machine does not have it. */
static struct irqchip_bank *find_bank(struct irqchip *chip, unsigned cpu, uint32_t intid)
{
    if (cpu >= PLATFORM_MAX_CPUS || intid >= IRQCHIP_NR_INTIDS)
        return NULL;
    return intid < FIRST_SPI ? &chip->cpu[cpu] : &chip->spi[intid / 32];
}

static uint32_t bit_of(uint32_t intid)
{
    return UINT32_C(1) << (intid % 32);
}

static void set_bit(uint32_t *word, uint32_t intid, bool on)
{
    *word = on ? *word | bit_of(intid) : *word & ~bit_of(intid);
}

void irqchip_set_level(struct irqchip *chip, unsigned cpu, uint32_t intid, bool level)
{
    struct irqchip_bank *bank = find_bank(chip, intid < FIRST_SPI ? cpu : 0, intid);
    if (bank != NULL && intid >= FIRST_PPI)
        set_bit(&bank->level, intid, level);
}

void irqchip_send_sgi(struct irqchip *chip, unsigned to_cpu, uint32_t intid)
{
    struct irqchip_bank *bank = find_bank(chip, to_cpu, intid);
    if (bank != NULL && intid < FIRST_PPI)
        set_bit(&bank->pending, intid, true);
}

hv_err irqchip_enable(struct irqchip *chip, unsigned cpu, uint32_t intid, bool on)
{
    struct irqchip_bank *bank = find_bank(chip, cpu, intid);
    if (bank == NULL)
        return HV_ERR_RANGE;
    if (on && intid >= FIRST_SPI)
        chip->spi_cpu[intid] = (uint8_t)cpu;
    set_bit(&bank->enabled, intid, on);
    return HV_OK;
}

static uint32_t deliverable(const struct irqchip_bank *bank)
{
    return bank->enabled & (bank->pending | bank->level) & ~bank->active;
}

/* The lowest INTID that could be given to this CPU; HAL_INTID_NONE if there is none. */
static uint32_t find_deliverable(const struct irqchip *chip, unsigned cpu)
{
    uint32_t mine = deliverable(&chip->cpu[cpu]);
    if (mine != 0)
        return (uint32_t)__builtin_ctz(mine);
    for (uint32_t word = 1; word < IRQCHIP_WORDS; word++) {
        if (chip->spi[word].enabled == 0)
            continue;
        for (uint32_t left = deliverable(&chip->spi[word]); left != 0; left &= left - 1) {
            uint32_t intid = 32 * word + (uint32_t)__builtin_ctz(left);
            if (chip->spi_cpu[intid] == cpu)
                return intid;
        }
    }
    return HAL_INTID_NONE;
}

bool irqchip_signals(const struct irqchip *chip, unsigned cpu)
{
    return cpu < PLATFORM_MAX_CPUS && chip->running[cpu] == HAL_INTID_NONE &&
           find_deliverable(chip, cpu) != HAL_INTID_NONE;
}

uint32_t irqchip_ack(struct irqchip *chip, unsigned cpu)
{
    if (cpu >= PLATFORM_MAX_CPUS || chip->running[cpu] != HAL_INTID_NONE)
        return HAL_INTID_NONE;
    uint32_t intid = find_deliverable(chip, cpu);
    struct irqchip_bank *bank = find_bank(chip, cpu, intid);
    if (bank == NULL)
        return HAL_INTID_NONE;
    set_bit(&bank->active, intid, true);
    set_bit(&bank->pending, intid, false);
    chip->running[cpu] = intid;
    return intid;
}

bool irqchip_end(struct irqchip *chip, unsigned cpu, uint32_t intid, bool deactivate)
{
    struct irqchip_bank *bank = find_bank(chip, cpu, intid);
    if (bank == NULL || chip->running[cpu] != intid)
        return false;
    chip->running[cpu] = HAL_INTID_NONE;
    if (deactivate)
        set_bit(&bank->active, intid, false);
    return true;
}

bool irqchip_activate(struct irqchip *chip, unsigned cpu, uint32_t intid)
{
    if (intid < FIRST_PPI || intid >= FIRST_SPI || chip->running[cpu] == intid)
        return false;
    set_bit(&chip->cpu[cpu].active, intid, true);
    return true;
}

void irqchip_deactivate(struct irqchip *chip, unsigned cpu, uint32_t intid)
{
    struct irqchip_bank *bank = find_bank(chip, cpu, intid);
    if (bank != NULL)
        set_bit(&bank->active, intid, false);
}
