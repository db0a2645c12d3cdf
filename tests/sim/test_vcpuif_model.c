/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Random accesses of a guest, and random list registers, against a naive model of IHI 0069's
 * virtual CPU interface: interrupts are records, active priorities a list of numbers, and what is
 * more important is found by sorting. After each step all that can be seen must be the same.
 */
#include "cases.h"
#include "hal-sim/vcpuif.h"
#include "prng.h"

#define SLOTS 4
#define STEPS 4000
#define SEEDS 60

enum { IAR, EOIR, HPPIR, BPR, APR, IGRPEN }; /* of either group */
enum { CTLR = 6, PMR, RPR, DIR };
static const uint32_t encodings[10][2] = {
    [IAR] = {0x303010, 0x303018},  [EOIR] = {0x323010, 0x323018}, [HPPIR] = {0x343010, 0x343018},
    [BPR] = {0x363010, 0x363018},  [APR] = {0x383010, 0x303012},  [IGRPEN] = {0x3c3018, 0x3e3018},
    [CTLR] = {0x383018, 0x383018}, [PMR] = {0x30100c, 0x30100c},  [RPR] = {0x363016, 0x363016},
    [DIR] = {0x323016, 0x323016},
};

struct interrupt {
    unsigned intid, priority, group, physical;
    bool pending, active, hardware, eoi;
};

struct model {
    struct interrupt slot[SLOTS];
    bool running[2][32]; /* a group priority of 8 * n is active */
    bool on, enabled[2], common, split;
    unsigned bpr[2], pmr;
    unsigned ends;  /* EOIcount */
    unsigned asked; /* ICH_HCR.{UIE, LRENPIE, NPIE, VGrp*}, bits 1..7 */
    unsigned deactivated;
};

static struct model m;
static struct arch_vcpu_gic gic;
static uint64_t seed;

static unsigned pick(unsigned n)
{
    return (unsigned)(prng_next(&seed) >> 32) % n;
}

/* --- The model --- */

/* How many neighbouring priorities are one group priority, in this group. */
static unsigned width(unsigned group)
{
    unsigned bits = m.common || group == 0 ? m.bpr[0] + 1 : m.bpr[1];
    unsigned n = 1;
    while (bits-- > 0)
        n *= 2;
    return n;
}

/* -1: nothing runs. */
static int running_priority(void)
{
    for (int n = 0; n < 32; n++)
        if (m.running[0][n] || m.running[1][n])
            return 8 * n;
    return -1;
}

static struct interrupt *most_important(void)
{
    for (unsigned priority = 0; priority < 255; priority++)
        for (unsigned n = 0; n < SLOTS; n++) {
            struct interrupt *irq = &m.slot[n];
            if (irq->pending && !irq->active && irq->priority == priority && m.enabled[irq->group])
                return irq;
        }
    return NULL;
}

static bool comes(unsigned group)
{
    const struct interrupt *irq = most_important();
    int running = running_priority();
    if (irq == NULL || irq->group != group || !m.on || irq->priority >= m.pmr)
        return false;
    unsigned w = width(group);
    return running < 0 || irq->priority / w < (unsigned)running / w;
}

static bool is_special(unsigned intid)
{
    return intid / 4 == 255;
}

static unsigned acknowledge(unsigned group)
{
    if (!comes(group))
        return 1023;
    struct interrupt *irq = most_important();
    irq->pending = false;
    irq->active = !is_special(irq->intid);
    if (irq->active)
        m.running[group][irq->priority / width(group) * width(group) / 8] = true;
    return irq->intid;
}

static struct interrupt *active_one(unsigned intid)
{
    for (unsigned n = 0; n < SLOTS; n++)
        if (m.slot[n].active && m.slot[n].intid == intid)
            return &m.slot[n];
    return NULL;
}

static void deactivate(struct interrupt *irq)
{
    irq->active = false;
    if (irq->hardware && irq->physical < 1020)
        m.deactivated = irq->physical;
}

static void end(unsigned group, unsigned intid)
{
    int running = running_priority();
    if (is_special(intid) || running < 0)
        return;
    m.running[m.running[0][running / 8] ? 0 : 1][running / 8] = false;

    struct interrupt *irq = active_one(intid);
    bool lpi = intid >= 8192;
    if (irq == NULL)
        m.ends = (m.ends + !lpi) % 32;
    else if ((!m.split || lpi) && irq->group == group &&
             irq->priority / width(group) * width(group) == (unsigned)running)
        deactivate(irq);
}

static void deactivate_by_guest(unsigned intid)
{
    struct interrupt *irq = active_one(intid);
    if (!m.split || intid >= 1020)
        return;
    if (irq == NULL)
        m.ends = (m.ends + 1) % 32;
    else
        deactivate(irq);
}

static uint64_t model_read(unsigned reg, unsigned group)
{
    const struct interrupt *irq = most_important();
    uint64_t value = 0;
    switch (reg) {
    case IAR:
        return acknowledge(group);
    case HPPIR:
        return irq != NULL && irq->group == group ? irq->intid : 1023;
    case BPR:
        if (group == 1 && m.common)
            return m.bpr[0] == 7 ? 7 : m.bpr[0] + 1;
        return m.bpr[group];
    case APR:
        for (unsigned n = 0; n < 32; n++)
            value += (uint64_t)m.running[group][n] << n;
        return value;
    case IGRPEN:
        return m.enabled[group];
    case CTLR:
        return 0x8c00u + 2u * m.split + m.common;
    case PMR:
        return m.pmr;
    default:
        return running_priority() < 0 ? 255 : (uint64_t)running_priority();
    }
}

static void model_write(unsigned reg, unsigned group, uint64_t value)
{
    unsigned least = 2 + group;
    switch (reg) {
    case EOIR:
        end(group, value % 0x1000000);
        return;
    case DIR:
        deactivate_by_guest(value % 0x1000000);
        return;
    case BPR:
        if (group == 0 || !m.common)
            m.bpr[group] = value % 8 < least ? least : value % 8;
        return;
    case APR:
        for (unsigned n = 0; n < 32; n++)
            m.running[group][n] = (value >> n) % 2 != 0;
        return;
    case IGRPEN:
        m.enabled[group] = value % 2 != 0;
        return;
    case CTLR:
        m.common = value % 2 != 0;
        m.split = value / 2 % 2 != 0;
        return;
    default:
        m.pmr = value % 256 / 8 * 8;
    }
}

static uint64_t model_misr(void)
{
    unsigned valid = 0, pending = 0, eoi = 0;
    for (unsigned n = 0; n < SLOTS; n++) {
        const struct interrupt *irq = &m.slot[n];
        valid += irq->pending || irq->active;
        pending += irq->pending && !irq->active;
        eoi += irq->eoi && !irq->hardware && !irq->pending && !irq->active;
    }
    const bool holds[8] = {false,         valid<2, m.ends> 0, pending == 0, m.enabled[0],
                           !m.enabled[0], m.enabled[1],       !m.enabled[1]};
    uint64_t misr = eoi > 0;
    for (unsigned n = 1; n < 8; n++)
        misr += holds[n] && (m.asked >> n) % 2 != 0 ? 1u << n : 0;
    return m.on ? misr : 0;
}

/* --- The same in ICH_* --- */

static uint64_t lr_of(const struct interrupt *irq)
{
    return (uint64_t)irq->active << 63 | (uint64_t)irq->pending << 62 |
           (uint64_t)irq->hardware << 61 | (uint64_t)irq->group << 60 |
           (uint64_t)irq->priority << 48 | (uint64_t)irq->eoi << 41 |
           (uint64_t)irq->physical << 32 | irq->intid;
}

static uint64_t vmcr_of_model(void)
{
    return (uint64_t)m.pmr << 24 | m.bpr[0] << 21 | m.bpr[1] << 18 | (unsigned)m.split << 9 |
           (unsigned)m.common << 4 | 8u | (unsigned)m.enabled[1] << 1 | (unsigned)m.enabled[0];
}

static void compare(unsigned step)
{
    uint64_t hcr = (uint64_t)m.ends << 27 | m.asked | m.on;
    uint32_t empty = 0;
    for (unsigned n = 0; n < SLOTS; n++) {
        const struct interrupt *irq = &m.slot[n];
        cr_assert_eq(gic.lr[n], lr_of(irq), "step %u: list register %u", step, n);
        if (!irq->active && !irq->pending && (irq->hardware || !irq->eoi))
            empty |= 1u << n;
    }
    cr_assert_eq(gic.vmcr, vmcr_of_model(), "step %u", step);
    cr_assert_eq(gic.hcr, hcr, "step %u", step);
    cr_assert_eq(gic.ap0r[0], model_read(APR, 0), "step %u", step);
    cr_assert_eq(gic.ap1r[0], model_read(APR, 1), "step %u", step);
    cr_assert_eq(vcpuif_virq(&gic), comes(1), "step %u", step);
    cr_assert_eq(vcpuif_vfiq(&gic), comes(0), "step %u", step);
    cr_assert_eq(vcpuif_misr(&gic), model_misr(), "step %u", step);
    cr_assert_eq(vcpuif_elrsr(&gic), empty, "step %u", step);
}

/* --- What happens --- */

static unsigned some_intid(void)
{
    static const unsigned intids[] = {0, 15, 27, 33, 40, 1019, 1020, 1023, 5000, 8192, 70000};
    /* Mostly one that is active, or nothing would ever end. */
    for (unsigned n = 0; n < SLOTS; n++)
        if (m.slot[n].active && pick(2) == 0)
            return m.slot[n].intid;
    return intids[pick(sizeof(intids) / sizeof(intids[0]))];
}

static void fill_slot(void)
{
    unsigned n = pick(SLOTS), state = pick(8);
    struct interrupt irq = {.intid = some_intid(), .priority = 8 * pick(32), .group = pick(2)};
    irq.pending = state < 6;
    irq.active = state > 4 && state < 7;
    irq.hardware = pick(3) == 0;
    irq.physical = irq.hardware ? pick(512) + (pick(4) == 0 ? 1020 - 511 : 0) : 0;
    irq.eoi = !irq.hardware && pick(2) == 0;
    m.slot[n] = irq;
    /* Bits that are not implemented do not stick. */
    gic.lr[n] = vcpuif_lr_implemented(lr_of(&irq) | UINT64_C(0x0f071c00ff000000));
}

static void configure(void)
{
    m.on = pick(8) != 0;
    m.asked = pick(128) * 2;
    m.ends = pick(2) == 0 ? 0 : pick(32);
    gic.hcr = vcpuif_hcr_implemented((uint64_t)m.ends << 27 | m.asked | m.on);
    m.common = pick(2) != 0;
    m.enabled[0] = pick(4) != 0;
    m.enabled[1] = pick(4) != 0;
    gic.vmcr = vcpuif_vmcr_implemented(vmcr_of_model());
}

static void do_write(unsigned reg, unsigned step)
{
    static const unsigned masks[] = {0xff, 0xff, 0xf0, 0x80};
    unsigned group = pick(2);
    uint64_t value = prng_next(&seed);
    struct vcpuif_effect effect = {0};

    if (reg == EOIR || reg == DIR)
        value = (value & ~UINT64_C(0xffffff)) | some_intid();
    else if (reg == PMR)
        value = masks[pick(4)];
    else if (reg == APR)
        value &= pick(2) == 0 ? 0 : prng_next(&seed) & prng_next(&seed);
    else if (reg == IGRPEN)
        value |= pick(4) != 0;
    m.deactivated = 0xffffffff;
    model_write(reg, group, value);
    cr_assert(vcpuif_write(&gic, encodings[reg][group], value, &effect), "step %u", step);
    cr_assert_eq(effect.deactivate, m.deactivated, "step %u", step);
}

static uint64_t do_read(unsigned reg, unsigned step)
{
    unsigned group = pick(2);
    uint64_t value = 0, expected = model_read(reg, group);
    struct vcpuif_effect effect = {0};

    cr_assert(vcpuif_read(&gic, encodings[reg][group], &value, &effect), "step %u", step);
    cr_assert_eq(value, expected, "step %u: register %u of group %u: %#llx, not %#llx", step, reg,
                 group, (unsigned long long)value, (unsigned long long)expected);
    cr_assert_eq(effect.deactivate, 0xffffffff);
    return value;
}

static void begin(unsigned number)
{
    seed = 0x1234567 + number;
    m = (struct model){.on = true, .enabled = {true, true}, .bpr = {2, 3}, .pmr = 0xf8};
    gic = (struct arch_vcpu_gic){.hcr = 1};
    gic.vmcr = vcpuif_vmcr_implemented(vmcr_of_model());
}

CASE(vcpuif_model, random_steps)
{
    static const unsigned reads[] = {HPPIR, BPR, APR, IGRPEN, CTLR, PMR, RPR};
    static const unsigned writes[] = {BPR, APR, IGRPEN, CTLR, PMR, PMR};
    unsigned taken = 0, ended = 0;

    for (unsigned number = 0; number < SEEDS; number++) {
        begin(number);
        for (unsigned step = 0; step < STEPS; step++) {
            unsigned what = pick(100);
            if (what < 25)
                fill_slot();
            else if (what < 55)
                taken += do_read(IAR, step) < 1020;
            else if (what < 80)
                do_write(EOIR, step);
            else if (what < 86)
                do_write(DIR, step);
            else if (what < 95)
                do_read(reads[pick(7)], step);
            else if (what < 99)
                do_write(writes[pick(6)], step);
            else
                configure();
            ended += what >= 55 && what < 86 && m.deactivated != 0xffffffff;
            compare(step);
        }
    }
    /* So many that the above means something. */
    cr_log_info("%u acknowledged, %u ended in hardware", taken, ended);
    cr_assert_gt(taken, SEEDS * STEPS / 60);
    cr_assert_gt(ended, SEEDS * STEPS / 600);
}

CASES_RUN(vcpuif_model, NULL, NULL)
