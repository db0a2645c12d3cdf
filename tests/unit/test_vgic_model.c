/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Random sources, register accesses, acknowledges and EOIs on several vCPUs, which move between
 * pCPUs, and are powered down, at any time, against a naive model: a table of interrupts in the
 * terms of IHI 0069 (4.1), which knows no list register. Nothing may be lost or come twice, nothing
 * may come that is not due, and what comes is the most important.
 */
#include "vgic_model.h"

/* --- What may happen --- */

static void raise_timer(unsigned cpu)
{
    struct model_irq *irq = at(cpu, TIMER);
    run_on_some_pcpu(cpu);
    m.actor = cpu;
    if (irq->hw_active)
        return;
    hal_irq_activate(TIMER_HW);
    irq->hw_active = true;
    irq->latched = true;
    vgic_raise_hw(&gic, cpu, TIMER);
}

/* From one vCPU to some, or to all others. */
static void send_sgi(unsigned from, unsigned intid)
{
    bool all = rand() % 4 == 0;
    unsigned targets = (unsigned)rand() % (1u << MAX_CPUS);
    run_on_some_pcpu(from);
    m.actor = from;
    vgic_send_sgi(&gic, from,
                  (uint64_t)intid << 24 | (all ? UINT64_C(1) << 40 : UINT64_C(0)) | targets, true);
    for (unsigned cpu = 0; cpu < m.cpus; cpu++)
        if (all ? cpu != from : (targets >> cpu & 1) != 0)
            at(cpu, intid)->latched |= at(cpu, intid)->group1;
}

static void do_source(unsigned by, unsigned cpu, unsigned intid)
{
    struct model_irq *irq = at(cpu, intid);
    bool level = rand() % 2 == 0;
    if (intid < 16) {
        send_sgi(by, intid);
    } else if (intid == TIMER) {
        raise_timer(cpu);
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

/* An affinity that may be nobody's, or 1 of N with an affinity that means nothing. */
static void set_route(unsigned by, unsigned intid)
{
    struct model_irq *irq = at(0, intid);
    irq->target = (unsigned)rand() % (m.cpus + 1);
    irq->any = rand() % 3 == 0;
    uint64_t route = irq->target | (irq->any ? UINT64_C(1) << 31 : 0);
    dist(by, true, IROUTER + 8 * intid, 8, &route);
    irq->target = irq->target < m.cpus ? irq->target : MAX_CPUS;
}

/* Once RWP is clear, nobody can take it any more. */
static void check_disable(unsigned by, unsigned cpu, unsigned intid)
{
    if (is_write_pending(by, cpu, intid))
        return;
    for (unsigned at = 0; at < m.cpus; at++)
        for (unsigned n = 0; n < fakehal()->lr_count && (intid >= 32 || at == cpu); n++)
            cr_assert((uint32_t)vcpus[at].gic.lr[n] != intid ||
                          (vcpus[at].gic.lr[n] >> 62 & 1) == 0,
                      "%u can still be taken by vCPU %u", intid, at);
}

static void do_setting(unsigned by, unsigned cpu, unsigned intid)
{
    struct model_irq *irq = at(cpu, intid);
    unsigned what = (unsigned)rand() % 6;
    if (what < 2) {
        irq->enabled = rand() % 4 != 0;
        bit_write(by, cpu, irq->enabled ? ISENABLER : ICENABLER, intid);
        if (!irq->enabled)
            check_disable(by, cpu, intid);
    } else if (what == 2 && (m.roomy || !irq->active)) {
        irq->priority = 8 * ((unsigned)rand() % 32);
        priority_write(by, cpu, intid, irq->priority + (unsigned)rand() % 8);
    } else if (what == 3 && intid >= 32) {
        set_route(by, intid);
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

/* GICR_WAKER.ProcessorSleep, GICR_CTLR.DPG1NS and DPG0. */
static void do_participation(unsigned by, unsigned cpu)
{
    uint64_t dpg = (uint64_t)(rand() % 4) << 24;
    uint64_t sleep = rand() % 4 == 0 ? 2 : 0;
    m.selectable[cpu] = (dpg & 2u << 24) == 0;
    m.awake[cpu] = sleep == 0;
    cr_assert(redist(by, true, cpu * (uint64_t)REDIST, 4, &dpg));
    cr_assert(redist(by, true, cpu * (uint64_t)REDIST + 0x14, 4, &sleep));
}

static void do_ack(unsigned cpu)
{
    run_on_some_pcpu(cpu);
    m.actor = cpu;
    unsigned limit = limit_of(cpu);
    unsigned best = best_due(cpu, limit);
    /* One that has still to come from another vCPU's queue comes with a kick. */
    if (m.cpus > 1 || rand() % 2 == 0)
        settle();
    be(cpu);
    bool pending = vgic_has_pending(&gic, cpu);
    cr_assert(pending || best == 256, "WFI would block with an interrupt due");
    uint32_t got = guest_ack(cpu);
    if (got == 1023) {
        cr_assert_eq(best, 256u, "vCPU %u took nothing, priority %#x was due", cpu, best);
        return;
    }
    cr_assert_lt(got, 96u, "vCPU %u took %u", cpu, got);
    struct model_irq *irq = at(cpu, got);
    cr_assert(may_take(cpu, got), "vCPU %u took %u, which is not due", cpu, got);
    cr_assert(irq->priority <= best && irq->priority < limit, "%u has priority %#x, not %#x", got,
              irq->priority, best);
    irq->latched = false;
    irq->active = true;
    irq->active_on = cpu;
    m.stack[cpu][m.depth[cpu]] = got;
    m.running[cpu][m.depth[cpu]++] = irq->priority;
    m.taken++;
    m.shared += irq->any ? 1 : 0;
}

static void do_eoi(unsigned cpu)
{
    if (m.depth[cpu] == 0)
        return;
    run_on_some_pcpu(cpu);
    m.actor = cpu;
    unsigned intid = m.stack[cpu][--m.depth[cpu]];
    if (m.split)
        m.dropped[cpu][m.nr_dropped[cpu]++] = intid;
    else
        at(cpu, intid)->active = false;
    guest_eoi(cpu, intid);
    /* The count of EOIs without a list register is worth something only at once, as on hardware. */
    if ((fakehal_gic_misr(&vcpus[cpu]) & 4) != 0)
        settle();
}

/* Deactivates one whose priority was dropped, in any order; an SPI on any vCPU. */
static void do_dir(unsigned cpu)
{
    if (m.nr_dropped[cpu] == 0)
        return;
    unsigned *one = &m.dropped[cpu][(unsigned)rand() % m.nr_dropped[cpu]];
    unsigned by = *one < 32 ? cpu : (unsigned)rand() % m.cpus;
    run_on_some_pcpu(by);
    m.actor = by;
    at(cpu, *one)->active = false;
    guest_dir(by, *one);
    *one = m.dropped[cpu][--m.nr_dropped[cpu]];
}

static void clear_active(unsigned by, unsigned cpu, unsigned intid)
{
    at(cpu, intid)->active = false;
    bit_write(by, cpu, ICACTIVER, intid);
}

/* What the guest had acknowledged stays active; it clears that sooner or later, as Linux does. */
static void lose(unsigned cpu, unsigned intid)
{
    cr_assert(bit_read(cpu, cpu, ISACTIVER, intid), "%u is no longer active", intid);
    at(cpu, intid)->active_on = MAX_CPUS;
    if (!m.roomy || rand() % 2 == 0)
        clear_active(cpu, cpu, intid);
}

/* Power off and on again: the CPU interface is as after a reset, the rest stays. */
static void do_power_cycle(unsigned cpu)
{
    unload(cpu);
    m.actor = cpu;
    vgic_cpu_reset(&gic, cpu);
    struct model_irq *timer = at(cpu, TIMER);
    timer->latched &= !timer->hw_active || timer->active;
    timer->hw_active = false;
    m.awake[cpu] = false;
    m.pmr[cpu] = 0xf8;
    memset(vcpus[cpu].gic.ap1r, 0, sizeof(vcpus[cpu].gic.ap1r));
    fakehal_gic_enable(&vcpus[cpu], false, 0xf8);
    run_on_some_pcpu(cpu);
    for (; m.depth[cpu] > 0; m.depth[cpu]--)
        lose(cpu, m.stack[cpu][m.depth[cpu] - 1]);
    for (; m.nr_dropped[cpu] > 0; m.nr_dropped[cpu]--)
        lose(cpu, m.dropped[cpu][m.nr_dropped[cpu] - 1]);
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

static void act(unsigned by, unsigned cpu, unsigned intid)
{
    unsigned what = (unsigned)rand() % 100;
    if (what < 30) {
        do_source(by, cpu, intid);
    } else if (what < 38) {
        do_state(by, cpu, intid);
    } else if (what < 45) {
        do_setting(by, cpu, intid);
    } else if (what < 68) {
        do_ack(cpu);
    } else if (what < 89) {
        if (m.nr_dropped[cpu] > 0 && rand() % 2 == 0)
            do_dir(cpu);
        else
            do_eoi(cpu);
    } else if (what < 91) {
        do_participation(by, cpu);
    } else if (what < 94) {
        check_state(by, cpu, intid);
    } else if (what < 96) {
        settle();
    } else if (what < 98) {
        unload(cpu);
    } else if (what < 99) {
        m.pmr[cpu] = 8 * (16 + (unsigned)rand() % 16);
        fakehal_gic_enable(&vcpus[cpu], false, (uint8_t)m.pmr[cpu]);
    } else if (rand() % 2 == 0) {
        do_power_cycle(cpu);
    } else {
        m.group1_on = rand() % 4 != 0;
        uint64_t ctlr = m.group1_on ? 2 : 0;
        dist(by, true, D_CTLR, 4, &ctlr);
    }
}

static void step(void)
{
    unsigned cpu = (unsigned)rand() % m.cpus;
    unsigned by = (unsigned)rand() % m.cpus;
    run_on_some_pcpu(by);
    m.actor = by;
    kicks_begin();
    act(by, cpu, used[(unsigned)rand() % NR_USED]);
    check_kicks();
}

/* Everything that is still due must come out in the end, 1-of-N interrupts somewhere. */
static void drain_vcpu(unsigned cpu)
{
    uint64_t before;
    run_on_some_pcpu(cpu);
    m.pmr[cpu] = 0xf8;
    fakehal_gic_enable(&vcpus[cpu], false, 0xf8);
    do {
        before = m.taken;
        do_ack(cpu);
        do_eoi(cpu);
        do_dir(cpu);
    } while (m.taken != before);
}

static void drain(void)
{
    run_on_some_pcpu(0);
    m.group1_on = true;
    dist(0, true, D_CTLR, 4, &(uint64_t){2});
    for (unsigned cpu = 0; cpu < m.cpus; cpu++) {
        for (unsigned i = 0; i < NR_USED; i++) {
            if (used[i] >= 16 && used[i] != TIMER) {
                at(cpu, used[i])->level = false;
                vgic_set_level(&gic, cpu, used[i], false);
            }
            if (at(cpu, used[i])->active && at(cpu, used[i])->active_on == MAX_CPUS) {
                run_on_some_pcpu(0);
                clear_active(0, cpu, used[i]);
            }
        }
        while (m.depth[cpu] > 0)
            do_eoi(cpu);
        while (m.nr_dropped[cpu] > 0)
            do_dir(cpu);
    }
    /* What waits for a vCPU that must let go of its pCPU may go to one that was asked before. */
    for (unsigned round = 0; round < 20 && is_anything_due(); round++)
        for (unsigned cpu = 0; cpu < m.cpus; cpu++)
            drain_vcpu(cpu);
    cr_assert_not(is_anything_due(), "something is left");
    for (unsigned cpu = 0; cpu < m.cpus; cpu++)
        do_ack(cpu);
    check_rest();
}

static void run(unsigned cpus, unsigned pcpus, unsigned lrs, unsigned seed)
{
    const unsigned steps = 2000;
    srand(seed);
    model_init(cpus, pcpus, lrs);
    for (unsigned i = 0; i < steps; i++) {
        step();
        check_hardware();
        if (i % 32 == 0)
            check_rest();
    }
    drain();
    cr_assert_gt(m.taken, 10u, "only %lu interrupts in %u steps", m.taken, steps);
}

static void run_all(unsigned lrs)
{
    uint64_t shared = 0;
    uint64_t taken = 0;
    for (unsigned cpus = 1; cpus <= MAX_CPUS; cpus++) {
        for (unsigned i = 0; i < 12; i++) {
            run(cpus, 1 + i % MAX_CPUS, lrs, 10000 * lrs + 1000 * cpus + i);
            shared += m.shared;
            taken += m.taken;
        }
    }
    cr_assert_gt(shared, 100u, "only %lu of them 1 of N", shared);
    cr_assert_gt(taken, 48u * 2000 / 20, "only %lu interrupts", taken);
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
