/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The machine's interrupt controller, and random use of it against a model that asks each INTID. */
#include "cases.h"
#include "hal-sim/irqchip.h"
#include "prng.h"

#define NONE 1023u
#define CPUS 3u

static struct irqchip chip;

static void setup(void)
{
    memset(&chip, 0xa5, sizeof(chip));
    irqchip_init(&chip);
}

static void enable(unsigned cpu, uint32_t intid)
{
    cr_assert_eq(irqchip_enable(&chip, cpu, intid, true), HV_OK);
}

CASE(irqchip, nothing_at_first)
{
    for (unsigned cpu = 0; cpu < PLATFORM_MAX_CPUS; cpu++) {
        cr_assert_not(irqchip_signals(&chip, cpu));
        cr_assert_eq(irqchip_ack(&chip, cpu), NONE);
        cr_assert_not(irqchip_end(&chip, cpu, NONE, true));
        cr_assert_not(irqchip_end(&chip, cpu, 0, true));
    }
}

CASE(irqchip, sgi_is_latched_once_and_private)
{
    irqchip_send_sgi(&chip, 1, 0);
    cr_assert_not(irqchip_signals(&chip, 1), "not enabled yet");
    enable(0, 0);
    enable(1, 0);
    cr_assert_not(irqchip_signals(&chip, 0));
    cr_assert(irqchip_signals(&chip, 1), "what was pending stays so");
    irqchip_send_sgi(&chip, 1, 0);
    cr_assert_eq(irqchip_ack(&chip, 0), NONE);
    cr_assert_eq(irqchip_ack(&chip, 1), 0);
    cr_assert(irqchip_end(&chip, 1, 0, true));
    cr_assert_eq(irqchip_ack(&chip, 1), NONE);
    /* One that arrives while it is active comes after it. */
    irqchip_send_sgi(&chip, 1, 0);
    cr_assert_eq(irqchip_ack(&chip, 1), 0);
    irqchip_send_sgi(&chip, 1, 0);
    cr_assert_not(irqchip_signals(&chip, 1));
    cr_assert(irqchip_end(&chip, 1, 0, true));
    cr_assert_eq(irqchip_ack(&chip, 1), 0);
}

CASE(irqchip, level_comes_again_until_it_falls)
{
    enable(0, 27);
    irqchip_set_level(&chip, 1, 27, true);
    cr_assert_not(irqchip_signals(&chip, 0), "the other CPU's");
    irqchip_set_level(&chip, 0, 27, true);
    cr_assert_eq(irqchip_ack(&chip, 0), 27);
    cr_assert(irqchip_end(&chip, 0, 27, true));
    cr_assert(irqchip_signals(&chip, 0));
    irqchip_set_level(&chip, 0, 27, false);
    cr_assert_not(irqchip_signals(&chip, 0));
    cr_assert_eq(irqchip_ack(&chip, 0), NONE);
}

CASE(irqchip, split_end_and_deactivation)
{
    enable(0, 27);
    enable(0, 26);
    irqchip_set_level(&chip, 0, 27, true);
    cr_assert_eq(irqchip_ack(&chip, 0), 27);
    irqchip_set_level(&chip, 0, 26, true);
    cr_assert_not(irqchip_signals(&chip, 0), "one at a time");
    cr_assert_eq(irqchip_ack(&chip, 0), NONE);
    cr_assert_not(irqchip_end(&chip, 0, 26, false));
    cr_assert_not(irqchip_end(&chip, 1, 27, false));
    cr_assert(irqchip_end(&chip, 0, 27, false));
    cr_assert_not(irqchip_end(&chip, 0, 27, false), "ended already");
    cr_assert_eq(irqchip_ack(&chip, 0), 26);
    cr_assert(irqchip_end(&chip, 0, 26, false));
    cr_assert_not(irqchip_signals(&chip, 0), "both are active");
    irqchip_deactivate(&chip, 1, 27);
    cr_assert_not(irqchip_signals(&chip, 0), "the other CPU's");
    irqchip_deactivate(&chip, 0, 27);
    cr_assert_eq(irqchip_ack(&chip, 0), 27);
    irqchip_deactivate(&chip, 0, 1); /* is not active */
}

CASE(irqchip, made_active_it_is_held_back)
{
    struct irqchip before;

    enable(0, 27);
    enable(1, 27);
    irqchip_set_level(&chip, 0, 27, true);
    irqchip_set_level(&chip, 1, 27, true);
    cr_assert(irqchip_activate(&chip, 1, 27));
    cr_assert_not(irqchip_signals(&chip, 1));
    cr_assert_eq(irqchip_ack(&chip, 0), 27, "the other CPU's is another");
    cr_assert_not(irqchip_activate(&chip, 0, 27), "acknowledged, and not ended");
    cr_assert(irqchip_end(&chip, 0, 27, true));
    irqchip_deactivate(&chip, 1, 27);
    cr_assert_eq(irqchip_ack(&chip, 1), 27);
    before = chip;
    cr_assert_not(irqchip_activate(&chip, 0, 15), "an SGI");
    cr_assert_not(irqchip_activate(&chip, 0, 32), "an SPI");
    cr_assert_not(irqchip_activate(&chip, 0, NONE));
    cr_assert_eq(memcmp(&before, &chip, sizeof(chip)), 0);
}

CASE(irqchip, lowest_first)
{
    static const uint32_t intids[] = {287, 64, 33, 32, 31, 16};
    enable(2, 15);
    irqchip_send_sgi(&chip, 2, 15);
    for (size_t i = 0; i < 6; i++) {
        enable(2, intids[i]);
        irqchip_set_level(&chip, 2, intids[i], true);
    }
    cr_assert_eq(irqchip_ack(&chip, 2), 15);
    cr_assert(irqchip_end(&chip, 2, 15, true));
    for (size_t i = 6; i-- > 0;) {
        cr_assert_eq(irqchip_ack(&chip, 2), intids[i]);
        cr_assert(irqchip_end(&chip, 2, intids[i], false));
    }
    cr_assert_not(irqchip_signals(&chip, 2));
}

CASE(irqchip, spi_goes_where_it_was_enabled_last)
{
    enable(1, 33);
    irqchip_set_level(&chip, 0, 33, true);
    cr_assert_not(irqchip_signals(&chip, 0));
    cr_assert(irqchip_signals(&chip, 1));
    enable(0, 33);
    cr_assert(irqchip_signals(&chip, 0));
    cr_assert_not(irqchip_signals(&chip, 1));
    cr_assert_eq(irqchip_enable(&chip, 1, 33, false), HV_OK, "off is off from anywhere");
    cr_assert_not(irqchip_signals(&chip, 0));
    enable(0, 33);
    cr_assert_eq(irqchip_ack(&chip, 0), 33);
    cr_assert(irqchip_end(&chip, 0, 33, false));
    enable(1, 33);
    cr_assert_not(irqchip_signals(&chip, 1), "still active");
    irqchip_deactivate(&chip, 2, 33);
    cr_assert(irqchip_signals(&chip, 1));
}

CASE(irqchip, what_the_machine_does_not_have)
{
    static const uint32_t intids[] = {288, 1019, 1020, 1023, 1024, 8192, 0xffffffff};
    struct irqchip before = chip;

    for (size_t i = 0; i < sizeof(intids) / sizeof(intids[0]); i++) {
        cr_assert_eq(irqchip_enable(&chip, 0, intids[i], true), HV_ERR_RANGE);
        cr_assert_eq(irqchip_enable(&chip, 0, intids[i], false), HV_ERR_RANGE);
        irqchip_set_level(&chip, 0, intids[i], true);
        irqchip_send_sgi(&chip, 0, intids[i]);
        irqchip_deactivate(&chip, 0, intids[i]);
        cr_assert_not(irqchip_end(&chip, 0, intids[i], true));
    }
    cr_assert_eq(irqchip_enable(&chip, 64, 0, true), HV_ERR_RANGE);
    cr_assert_eq(irqchip_enable(&chip, 256, 33, true), HV_ERR_RANGE);
    cr_assert_not(irqchip_signals(&chip, 64));
    cr_assert_eq(irqchip_ack(&chip, 64), NONE);
    irqchip_set_level(&chip, 0, 15, true); /* an SGI has no line, */
    irqchip_send_sgi(&chip, 0, 16);        /* and nobody sends a PPI */
    cr_assert_eq(memcmp(&before, &chip, sizeof(chip)), 0);
}

/* --- A model --- */

struct source {
    bool enabled, latched, high, active;
    unsigned cpu; /* of an SPI */
};

static struct source sources[CPUS][288];
static uint32_t running[CPUS];

static struct source *source_of(unsigned cpu, uint32_t intid)
{
    return &sources[intid < 32 ? cpu : 0][intid];
}

static uint32_t next_of(unsigned cpu)
{
    if (running[cpu] != NONE)
        return NONE;
    for (uint32_t intid = 0; intid < 288; intid++) {
        const struct source *s = source_of(cpu, intid);
        if (s->enabled && (s->latched || s->high) && !s->active && (intid < 32 || s->cpu == cpu))
            return intid;
    }
    return NONE;
}

static void step(uint64_t *seed)
{
    static const uint32_t intids[] = {0, 1, 15, 16, 27, 31, 32, 33, 63, 64, 287};
    uint64_t r = prng_next(seed);
    uint32_t intid = intids[(r >> 8) % 11];
    unsigned cpu = (unsigned)(r >> 32) % CPUS;
    bool flag = (r >> 62) % 2 != 0;
    struct source *s = source_of(cpu, intid);

    switch ((r >> 48) % 7) {
    case 0:
        cr_assert_eq(irqchip_enable(&chip, cpu, intid, flag), HV_OK);
        s->enabled = flag;
        s->cpu = flag ? cpu : s->cpu;
        return;
    case 1:
        if (intid < 16) {
            irqchip_send_sgi(&chip, cpu, intid);
            s->latched = true;
        } else {
            irqchip_set_level(&chip, cpu, intid, flag);
            s->high = flag;
        }
        return;
    case 2:
    case 3:
        cr_assert_eq(irqchip_ack(&chip, cpu), intid = next_of(cpu));
        if (intid == NONE)
            return;
        source_of(cpu, intid)->active = true;
        source_of(cpu, intid)->latched = false;
        running[cpu] = intid;
        return;
    case 4:
        intid = flag ? running[cpu] : intid;
        cr_assert_eq(irqchip_end(&chip, cpu, intid, r % 2 != 0),
                     intid == running[cpu] && intid != NONE);
        if (intid == running[cpu] && intid != NONE) {
            source_of(cpu, intid)->active &= r % 2 == 0;
            running[cpu] = NONE;
        }
        return;
    case 5:
        flag = intid >= 16 && intid < 32 && intid != running[cpu];
        cr_assert_eq(irqchip_activate(&chip, cpu, intid), flag);
        s->active = s->active || flag;
        return;
    default:
        irqchip_deactivate(&chip, cpu, intid);
        s->active = false;
    }
}

CASE(irqchip, random_steps)
{
    uint64_t seed = 42;

    memset(sources, 0, sizeof(sources));
    for (unsigned cpu = 0; cpu < CPUS; cpu++)
        running[cpu] = NONE;
    for (unsigned n = 0; n < 50000; n++) {
        step(&seed);
        for (unsigned cpu = 0; cpu < CPUS; cpu++)
            cr_assert_eq(irqchip_signals(&chip, cpu), next_of(cpu) != NONE, "step %u", n);
    }
}

CASES_RUN(irqchip, setup, NULL)
