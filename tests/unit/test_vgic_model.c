/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Random sources, register accesses, acknowledges and EOIs on several vCPUs, against a naive model:
 * a table of interrupts in the terms of IHI 0069 (4.1), which knows no list register. Nothing may
 * be lost, nothing may come that is not due, and what comes is the most important.
 */
#include "vgic_fixture.h"
#include <stdlib.h>

#define TIMER   27u
#define HW_BASE 20u /* physical INTID of the timer of vCPU n: HW_BASE + n */
#define NR_USED 16u
#define DEPTH   32u

/* INTIDs in play. SGIs, PPIs of both kinds, SPIs. */
static const unsigned used[NR_USED] = {0,  1,  2,  15, 16, 20, TIMER, 30,
                                       32, 33, 40, 47, 63, 64, 90,    95};

struct model_irq {
    bool group1, enabled, edge, level, latched, active, hw_active;
    unsigned priority;
    unsigned target; /* vCPU; MAX_CPUS: nobody */
    unsigned active_on;
};

struct model {
    struct model_irq irq[MAX_CPUS][96]; /* SPIs: [0] */
    unsigned stack[MAX_CPUS][DEPTH];    /* INTIDs acknowledged and not ended */
    unsigned running[MAX_CPUS][DEPTH];  /* and the priorities they were acknowledged with */
    unsigned depth[MAX_CPUS];
    unsigned pmr[MAX_CPUS];
    bool group1_on;
    unsigned cpus;
    /* Without a list register, an interrupt's EOI is told only by count: the guest then behaves. */
    bool roomy;
    uint64_t log_seen;
    uint64_t taken;
};

static struct model m;

static struct model_irq *at(unsigned cpu, unsigned intid)
{
    return &m.irq[intid < 32 ? cpu : 0][intid];
}

static bool is_pending(const struct model_irq *irq)
{
    return irq->latched || (!irq->edge && irq->level);
}

static bool is_due(unsigned cpu, unsigned intid)
{
    const struct model_irq *irq = at(cpu, intid);
    return irq->enabled && irq->group1 && m.group1_on && is_pending(irq) && !irq->active &&
           irq->target == cpu;
}

/* The priority of what the vCPU must take now; 256: nothing. */
static unsigned best_due(unsigned cpu)
{
    unsigned limit = m.pmr[cpu];
    unsigned best = 256;
    if (m.depth[cpu] > 0 && m.running[cpu][m.depth[cpu] - 1] < limit)
        limit = m.running[cpu][m.depth[cpu] - 1];
    for (unsigned i = 0; i < NR_USED; i++)
        if (is_due(cpu, used[i]) && at(cpu, used[i])->priority < limit &&
            at(cpu, used[i])->priority < best)
            best = at(cpu, used[i])->priority;
    return best;
}

static void model_init(unsigned cpus, unsigned lrs)
{
    setup_gic(cpus, 64, lrs);
    memset(&m, 0, sizeof(m));
    m.cpus = cpus;
    m.roomy = lrs >= NR_USED;
    m.group1_on = true;
    dist_write(D_CTLR, 4, 2);
    for (unsigned cpu = 0; cpu < cpus; cpu++) {
        m.pmr[cpu] = 0xf8;
        vgic_map_hw(&gic, cpu, TIMER, HW_BASE + cpu);
        for (unsigned i = 0; i < NR_USED; i++) {
            unsigned id = used[i];
            *at(cpu, id) = (struct model_irq){.group1 = true, .enabled = true, .edge = id < 16};
            at(cpu, id)->target = id < 32 ? cpu : 0;
            at(cpu, id)->priority = 8 * (unsigned)(rand() % 31);
            irq_on(cpu, id, at(cpu, id)->priority);
        }
    }
    settle();
}

/* Every deactivation of a physical interrupt must find it active, and happen on its own CPU. */
static void check_hardware(void)
{
    for (; m.log_seen < fakehal()->log_len; m.log_seen++) {
        const struct fakehal_record *record = fakehal_log(m.log_seen);
        if (record->kind != FAKEHAL_IRQ_DEACTIVATE && record->kind != FAKEHAL_IRQ_ACTIVATE)
            continue;
        unsigned cpu = (unsigned)record->addr - HW_BASE;
        cr_assert_lt(cpu, m.cpus);
        bool active = record->kind == FAKEHAL_IRQ_ACTIVATE;
        cr_assert_eq(record->cpu, cpu, "changed on another CPU");
        cr_assert_neq(m.irq[cpu][TIMER].hw_active, active, "active before: %d", active);
        m.irq[cpu][TIMER].hw_active = active;
    }
}

/* --- What may happen --- */

static void do_source(unsigned cpu, unsigned intid)
{
    struct model_irq *irq = at(cpu, intid);
    bool level = rand() % 2 == 0;
    if (intid < 16) {
        unsigned from = (unsigned)rand() % m.cpus;
        fakehal()->self = from;
        vgic_send_sgi(&gic, from, (uint64_t)intid << 24 | 1u << cpu, true);
        irq->latched |= irq->group1;
    } else if (intid == TIMER) {
        check_hardware();
        if (irq->hw_active)
            return;
        fakehal()->self = cpu;
        irq->hw_active = true;
        irq->latched = true;
        vgic_raise_hw(&gic, cpu, intid);
    } else {
        irq->latched |= irq->edge && level && !irq->level;
        irq->level = level;
        vgic_set_level(&gic, cpu, intid, level);
    }
}

static void do_state(unsigned by, unsigned cpu, unsigned intid)
{
    struct model_irq *irq = at(cpu, intid);
    unsigned what = (unsigned)rand() % 4;
    if (what == 0) {
        bit_write(by, cpu, ISPENDR, intid);
        irq->latched = true;
    } else if (what == 1) {
        bit_write(by, cpu, ICPENDR, intid);
        irq->latched = false;
    } else if (m.roomy) {
        /* What the guest has acknowledged keeps its active state, or the EOI would be a stray one.
         */
        if (irq->active && irq->active_on != MAX_CPUS)
            return;
        irq->active = what == 2 && rand() % 4 == 0;
        bit_write(by, cpu, irq->active ? ISACTIVER : ICACTIVER, intid);
        irq->active_on = MAX_CPUS;
    }
}

static void do_setting(unsigned by, unsigned cpu, unsigned intid)
{
    struct model_irq *irq = at(cpu, intid);
    unsigned what = (unsigned)rand() % 6;
    if (what < 2) {
        irq->enabled = rand() % 4 != 0;
        bit_write(by, cpu, irq->enabled ? ISENABLER : ICENABLER, intid);
    } else if (what == 2 && (m.roomy || !irq->active)) {
        irq->priority = 8 * ((unsigned)rand() % 32);
        priority_write(by, cpu, intid, irq->priority + (unsigned)rand() % 8);
    } else if (what == 3 && intid >= 32) {
        irq->target = (unsigned)rand() % (m.cpus + 1);
        dist(by, true, IROUTER + 8 * intid, 8, &(uint64_t){irq->target});
        irq->target = irq->target < m.cpus ? irq->target : MAX_CPUS;
    } else if (what == 4) {
        irq->group1 = rand() % 4 != 0;
        group_write(by, cpu, intid, irq->group1);
    } else if (what == 5 && intid >= 32) {
        uint64_t word = 0;
        irq->edge = !irq->edge;
        cr_assert(dist(by, false, ICFGR + 4 * (intid / 16), 4, &word));
        word ^= UINT64_C(2) << 2 * (intid % 16);
        cr_assert(dist(by, true, ICFGR + 4 * (intid / 16), 4, &word));
    }
}

static void do_ack(unsigned cpu)
{
    unsigned best = best_due(cpu);
    /* One that has still to come from another vCPU's queue comes with a kick. */
    if (m.cpus > 1 || rand() % 2 == 0)
        settle();
    fakehal()->self = cpu;
    bool pending = vgic_has_pending(&gic, cpu);
    cr_assert(pending || best == 256, "WFI would block with an interrupt due");
    uint32_t got = guest_ack(cpu);
    if (best == 256) {
        cr_assert_eq(got, 1023u, "vCPU %u took %u, nothing was due", cpu, got);
        return;
    }
    cr_assert_lt(got, 96u, "vCPU %u took nothing, priority %#x was due", cpu, best);
    struct model_irq *irq = at(cpu, got);
    cr_assert(is_due(cpu, got), "vCPU %u took %u, which is not due", cpu, got);
    cr_assert_eq(irq->priority, best, "%u has priority %#x, not %#x", got, irq->priority, best);
    irq->latched = false;
    irq->active = true;
    irq->active_on = cpu;
    m.stack[cpu][m.depth[cpu]] = got;
    m.running[cpu][m.depth[cpu]++] = best;
    m.taken++;
}

static void do_eoi(unsigned cpu)
{
    if (m.depth[cpu] == 0)
        return;
    unsigned intid = m.stack[cpu][--m.depth[cpu]];
    at(cpu, intid)->active = false;
    guest_eoi(cpu, intid);
    /* The count of EOIs without a list register is worth something only at once, as on hardware. */
    if ((fakehal_gic_misr(&vcpus[cpu]) & 4) != 0)
        settle();
}

static void check_state(unsigned by, unsigned cpu, unsigned intid)
{
    const struct model_irq *irq = at(cpu, intid);
    bit_read(by, cpu, ISPENDR, intid);
    bit_read(by, cpu, ISACTIVER, intid);
    settle();
    cr_assert_eq(bit_read(by, cpu, ISPENDR, intid), is_pending(irq), "ISPENDR of %u", intid);
    cr_assert_eq(bit_read(by, cpu, ISACTIVER, intid), irq->active, "ISACTIVER of %u", intid);
}

/* At rest, a timer that is neither pending nor active has no physical interrupt left active. */
static void check_rest(void)
{
    settle();
    check_hardware();
    for (unsigned cpu = 0; cpu < m.cpus; cpu++) {
        const struct model_irq *timer = at(cpu, TIMER);
        if (!timer->active && !is_pending(timer)) {
            fakehal()->self = cpu;
            vgic_maintenance(&gic, cpu); /* its end may be known to the list register alone */
            settle();
            check_hardware();
            cr_assert_not(timer->hw_active, "vCPU %u's timer would never fire again", cpu);
        }
    }
}

static void step(void)
{
    unsigned cpu = (unsigned)rand() % m.cpus;
    unsigned by = (unsigned)rand() % m.cpus;
    unsigned intid = used[(unsigned)rand() % NR_USED];
    unsigned what = (unsigned)rand() % 100;
    if (what < 30)
        do_source(cpu, intid);
    else if (what < 38)
        do_state(by, cpu, intid);
    else if (what < 45)
        do_setting(by, cpu, intid);
    else if (what < 70)
        do_ack(cpu);
    else if (what < 92)
        do_eoi(cpu);
    else if (what < 95)
        check_state(by, cpu, intid);
    else if (what < 97)
        settle();
    else if (what < 98) {
        vgic_unload(&gic, fakehal()->self = cpu);
        vgic_load(&gic, cpu);
    } else if (what < 99)
        fakehal_gic_enable(&vcpus[cpu], false,
                           (uint8_t)(m.pmr[cpu] = 8 * (16 + (unsigned)rand() % 16)));
    else
        dist_write(D_CTLR, 4, (m.group1_on = rand() % 4 != 0) ? 2 : 0);
}

/* Everything that is still due must come out in the end. */
static void drain(void)
{
    m.group1_on = true;
    dist_write(D_CTLR, 4, 2);
    for (unsigned cpu = 0; cpu < m.cpus; cpu++) {
        for (unsigned i = 0; i < NR_USED; i++)
            if (used[i] >= 16 && used[i] != TIMER) {
                at(cpu, used[i])->level = false;
                vgic_set_level(&gic, cpu, used[i], false);
            }
        while (m.depth[cpu] > 0)
            do_eoi(cpu);
    }
    for (unsigned cpu = 0; cpu < m.cpus; cpu++) {
        m.pmr[cpu] = 0xf8;
        fakehal_gic_enable(&vcpus[cpu], false, 0xf8);
        while (best_due(cpu) != 256) {
            do_ack(cpu);
            do_eoi(cpu);
        }
        do_ack(cpu);
    }
    check_rest();
}

static void run(unsigned cpus, unsigned lrs, unsigned seed, unsigned steps)
{
    srand(seed);
    model_init(cpus, lrs);
    for (unsigned i = 0; i < steps; i++) {
        step();
        check_hardware();
        if (i % 32 == 0)
            check_rest();
    }
    drain();
    cr_assert_gt(m.taken, steps / 40, "only %lu interrupts in %u steps", m.taken, steps);
}

static void run_all(unsigned lrs)
{
    for (unsigned cpus = 1; cpus <= MAX_CPUS; cpus++)
        for (unsigned i = 0; i < 5; i++)
            run(cpus, lrs, 1000 * lrs + 10 * cpus + i, 2000);
}

CASE(vgic_model, one_list_register)
{
    run_all(1);
}

CASE(vgic_model, two_list_registers)
{
    run_all(2);
}

CASE(vgic_model, four_list_registers)
{
    run_all(4);
}

CASE(vgic_model, sixteen_list_registers)
{
    run_all(16);
}

CASES_RUN(vgic_model, NULL, NULL)
