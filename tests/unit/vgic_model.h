/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The naive model of test_vgic_model.c: what state each interrupt is in, where each vCPU is, and
 * what must hold. */
#ifndef VGIC_MODEL_H
#define VGIC_MODEL_H

#include "vgic_fixture.h"
#include <stdlib.h>

#define TIMER    27u
#define TIMER_HW 26u /* the physical interrupt behind it, on every pCPU */
#define NR_USED  16u
#define DEPTH    64u

/* INTIDs in play. SGIs, PPIs of both kinds, SPIs. */
static const unsigned used[NR_USED] = {0,  1,  2,  15, 16, 20, TIMER, 30,
                                       32, 33, 40, 47, 63, 64, 90,    95};

struct model_irq {
    bool group1, enabled, edge, level, latched, active, hw_active, any;
    unsigned priority;
    unsigned target;    /* vCPU; MAX_CPUS: nobody; nothing if `any` */
    unsigned active_on; /* who has acknowledged it; MAX_CPUS: nobody, it was made active */
};

struct model {
    struct model_irq irq[MAX_CPUS][96]; /* SPIs: [0] */
    unsigned stack[MAX_CPUS][DEPTH];    /* INTIDs acknowledged and not ended */
    unsigned running[MAX_CPUS][DEPTH];  /* and the priorities they were acknowledged with */
    unsigned depth[MAX_CPUS];
    unsigned dropped[MAX_CPUS][DEPTH]; /* EOImode 1: those whose ICC_DIR is still to come */
    unsigned nr_dropped[MAX_CPUS];
    unsigned pmr[MAX_CPUS];
    bool awake[MAX_CPUS];
    bool selectable[MAX_CPUS]; /* for 1-of-N interrupts of group 1 */
    bool group1_on;
    unsigned cpus;
    unsigned pcpus;
    bool phys_active[MAX_CPUS]; /* TIMER_HW on each pCPU */
    /* Without a list register, an interrupt's EOI is told only by count: the guest then behaves. A
     * trapped ICC_DIR_EL1 says which it is. */
    bool roomy;
    bool split;     /* EOImode 1 */
    unsigned actor; /* the vCPU that need not be kicked in this step, but for those that move */
    bool was_dirty[MAX_CPUS];
    unsigned kicks_before[MAX_CPUS];
    uint64_t log_seen;
    uint64_t taken;
    uint64_t shared; /* of them 1 of N */
};

static struct model m;

static inline struct model_irq *at(unsigned cpu, unsigned intid)
{
    return &m.irq[intid < 32 ? cpu : 0][intid];
}

static inline bool is_pending(const struct model_irq *irq)
{
    return irq->latched || (!irq->edge && irq->level);
}

/* --- What is due --- */

static inline bool is_ready(const struct model_irq *irq)
{
    return irq->enabled && irq->group1 && m.group1_on && is_pending(irq) && !irq->active;
}

static inline bool may_take(unsigned cpu, unsigned intid)
{
    const struct model_irq *irq = at(cpu, intid);
    return is_ready(irq) && (irq->any ? m.awake[cpu] && m.selectable[cpu] : irq->target == cpu);
}

/* If there are several to choose from, nobody can tell which a 1-of-N interrupt goes to. */
static inline bool must_take(unsigned cpu, unsigned intid)
{
    return may_take(cpu, intid) && (!at(cpu, intid)->any || m.cpus == 1);
}

/* The vCPU takes what has a lower value than this. */
static inline unsigned limit_of(unsigned cpu)
{
    unsigned limit = m.pmr[cpu];
    if (m.depth[cpu] > 0 && m.running[cpu][m.depth[cpu] - 1] < limit)
        limit = m.running[cpu][m.depth[cpu] - 1];
    return limit;
}

/* The priority of what the vCPU must take now; 256: nothing. */
static inline unsigned best_due(unsigned cpu, unsigned limit)
{
    unsigned best = 256;
    for (unsigned i = 0; i < NR_USED; i++)
        if (must_take(cpu, used[i]) && at(cpu, used[i])->priority < limit &&
            at(cpu, used[i])->priority < best)
            best = at(cpu, used[i])->priority;
    return best;
}

/* Something that a vCPU could take, whatever it handles now. */
static inline bool is_anything_due(void)
{
    for (unsigned cpu = 0; cpu < m.cpus; cpu++)
        for (unsigned i = 0; i < NR_USED; i++)
            if (may_take(cpu, used[i]) && at(cpu, used[i])->priority < 0xf8)
                return true;
    return false;
}

/* --- Physical interrupts --- */

/*
 * Replays what happened to the physical interrupts of the pCPUs. A deactivation must find its
 * interrupt active, an activation must not; without a vCPU none is active, and with one only if it
 * took it.
 */
static inline void check_hardware(void)
{
    for (; m.log_seen < fakehal()->log_len; m.log_seen++) {
        const struct fakehal_record *record = fakehal_log(m.log_seen);
        if (record->kind != FAKEHAL_IRQ_DEACTIVATE && record->kind != FAKEHAL_IRQ_ACTIVATE)
            continue;
        bool active = record->kind == FAKEHAL_IRQ_ACTIVATE;
        cr_assert_eq(record->addr, TIMER_HW);
        cr_assert_lt(record->cpu, m.pcpus);
        cr_assert_neq(m.phys_active[record->cpu], active, "pCPU %u: active before: %d", record->cpu,
                      active);
        m.phys_active[record->cpu] = active;
    }
    bool owned[MAX_CPUS] = {false};
    for (unsigned cpu = 0; cpu < m.cpus; cpu++) {
        struct model_irq *timer = at(cpu, TIMER);
        if (pcpu_of[cpu] == NOWHERE)
            continue;
        timer->hw_active = timer->hw_active && m.phys_active[pcpu_of[cpu]];
        owned[pcpu_of[cpu]] = timer->hw_active;
    }
    for (unsigned pcpu = 0; pcpu < m.pcpus; pcpu++)
        cr_assert_eq(m.phys_active[pcpu], owned[pcpu], "the timer of pCPU %u is stuck", pcpu);
}

/* --- vCPUs on pCPUs --- */

static inline void unload(unsigned cpu)
{
    if (pcpu_of[cpu] == NOWHERE)
        return;
    be(cpu);
    check_hardware();
    hal_vcpu_put(&vcpus[cpu]);
    vgic_unload(&gic, cpu);
    pcpu_of[cpu] = NOWHERE;
    check_hardware();
}

/* Loads the vCPU unless it is loaded; who is in its place must go. Continues there. */
static inline void run_on_some_pcpu(unsigned cpu)
{
    if (pcpu_of[cpu] == NOWHERE) {
        unsigned pcpu = (unsigned)rand() % m.pcpus;
        for (unsigned other = 0; other < m.cpus; other++)
            if (pcpu_of[other] == pcpu)
                unload(other);
        pcpu_of[cpu] = pcpu;
        be(cpu);
        vgic_load(&gic, cpu);
        hal_vcpu_load(&vcpus[cpu]);
        check_hardware();
        vgic_flush(&gic, cpu);
        m.was_dirty[cpu] = true; /* none of check_kicks()' business in this step */
    }
    be(cpu);
    check_hardware();
}

static inline void kicks_begin(void)
{
    for (unsigned cpu = 0; cpu < m.cpus; cpu++) {
        m.was_dirty[cpu] = vgic_needs_flush(&gic, cpu);
        m.kicks_before[cpu] = kicks[cpu];
    }
}

/* A vCPU that runs, and has something new to look at, was told. */
static inline void check_kicks(void)
{
    for (unsigned cpu = 0; cpu < m.cpus; cpu++)
        cr_assert(pcpu_of[cpu] == NOWHERE || cpu == m.actor || m.was_dirty[cpu] ||
                      !vgic_needs_flush(&gic, cpu) || kicks[cpu] != m.kicks_before[cpu],
                  "vCPU %u was not told", cpu);
}

/* At rest, a timer that is neither pending nor active has no physical interrupt left active. */
static inline void check_rest(void)
{
    settle();
    check_hardware();
    for (unsigned cpu = 0; cpu < m.cpus; cpu++) {
        const struct model_irq *timer = at(cpu, TIMER);
        if (pcpu_of[cpu] != NOWHERE && !timer->active && !is_pending(timer)) {
            be(cpu);
            vgic_maintenance(&gic, cpu); /* its end may be known to the list register alone */
            settle();
            check_hardware();
            cr_assert_not(timer->hw_active, "vCPU %u's timer would never fire again", cpu);
        }
    }
}

static inline void model_init(unsigned cpus, unsigned pcpus, unsigned lrs)
{
    setup_gic(cpus, 64, lrs);
    memset(&m, 0, sizeof(m));
    m.cpus = cpus;
    m.pcpus = pcpus;
    m.split = rand() % 2 == 0;
    m.roomy = lrs >= NR_USED || m.split;
    m.group1_on = true;
    dist_write(D_CTLR, 4, 2);
    for (unsigned cpu = 0; cpu < cpus; cpu++) {
        m.pmr[cpu] = 0xf8;
        vcpus[cpu].gic.vmcr |= m.split ? UINT64_C(1) << 9 : 0;
        m.selectable[cpu] = true;
        vgic_map_hw(&gic, cpu, TIMER, TIMER_HW);
        for (unsigned i = 0; i < NR_USED; i++) {
            unsigned id = used[i];
            *at(cpu, id) = (struct model_irq){.group1 = true, .enabled = true, .edge = id < 16};
            at(cpu, id)->target = id < 32 ? cpu : 0;
            at(cpu, id)->priority = 8 * (unsigned)(rand() % 31);
            irq_on(cpu, id, at(cpu, id)->priority);
        }
    }
    settle();
    for (unsigned cpu = 0; cpu < cpus; cpu++) {
        vgic_unload(&gic, cpu);
        pcpu_of[cpu] = NOWHERE;
    }
}

#endif
