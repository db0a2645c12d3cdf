/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Random commands, messages, acknowledges and EOIs on several vCPUs, against a naive model: what
 * the guest has mapped, and for each LPI whether it is pending, and where. The model knows no list
 * register, no queue and no table. No LPI is lost, none comes that is not due, and what comes is
 * the most important.
 */
#include "its_fixture.h"

#define NR_LPIS     160u
#define NR_DEVICES  3u
#define NR_EVENTS   64u
#define DEPTH       40u
#define COLLECTIONS 5u
#define UNMAPPED    0u

struct model_lpi {
    bool pending, enabled;
    unsigned priority;
    unsigned cpu;
};

struct model_event {
    uint32_t lpi; /* index + 1, or UNMAPPED */
    uint32_t collection;
};

struct model {
    struct model_lpi lpi[NR_LPIS];
    uint8_t config[NR_LPIS]; /* what the table says; lpi[] has what was read of it */
    struct model_event event[NR_DEVICES][NR_EVENTS];
    unsigned collection[COLLECTIONS]; /* vCPU */
    unsigned running[MAX_CPUS][DEPTH];
    uint32_t stack[MAX_CPUS][DEPTH];
    unsigned depth[MAX_CPUS];
    unsigned cpus;
    uint64_t raised;
    uint64_t taken;
};

static struct model m;

/* All over the range, several to a page of states, the last one too. */
static uint32_t intid_of(uint32_t lpi)
{
    return lpi == NR_LPIS - 1 ? 65535 : 8192 + lpi * 331;
}

static uint32_t lpi_of(uint32_t intid)
{
    for (uint32_t i = 0; i < NR_LPIS; i++)
        if (intid_of(i) == intid)
            return i;
    cr_assert_fail("LPI %u is none of the guest's", intid);
    return 0;
}

static unsigned below(unsigned limit)
{
    return (unsigned)rand() % limit;
}

static bool is_due(unsigned cpu, uint32_t lpi)
{
    return m.lpi[lpi].pending && m.lpi[lpi].enabled && m.lpi[lpi].cpu == cpu;
}

static unsigned best_due(unsigned cpu)
{
    unsigned best = m.depth[cpu] > 0 ? m.running[cpu][m.depth[cpu] - 1] : 0xf8;
    unsigned limit = best;
    for (uint32_t i = 0; i < NR_LPIS; i++)
        if (is_due(cpu, i) && m.lpi[i].priority < best)
            best = m.lpi[i].priority;
    return best < limit ? best : 256;
}

static void reread(uint32_t lpi)
{
    m.lpi[lpi].enabled = (m.config[lpi] & 1) != 0;
    m.lpi[lpi].priority = m.config[lpi] & 0xf8;
}

/* --- What may happen --- */

static void do_config(void)
{
    uint32_t lpi = below(NR_LPIS);
    m.config[lpi] = (uint8_t)(below(256) | (below(4) != 0));
    *((uint8_t *)guest(CONFIGS) + (intid_of(lpi) - 8192)) = m.config[lpi];
}

static void do_map(uint32_t device, uint32_t event)
{
    uint32_t lpi = below(NR_LPIS);
    uint32_t collection = below(COLLECTIONS);
    cr_assert(cmd_mapti(device, event, intid_of(lpi), collection));
    m.event[device][event] = (struct model_event){lpi + 1, collection};
    m.lpi[lpi].cpu = m.collection[collection];
    reread(lpi);
}

static void do_raise(uint32_t device, uint32_t event, bool message)
{
    const struct model_event *e = &m.event[device][event];
    if (message)
        cr_assert_eq(vgic_its_msi(&gic, device, event), e->lpi != UNMAPPED ? HV_OK : HV_ERR_NOENT);
    else
        cr_assert_eq(cmd_int(device, event), e->lpi != UNMAPPED);
    if (e->lpi == UNMAPPED)
        return;
    struct model_lpi *lpi = &m.lpi[e->lpi - 1];
    lpi->cpu = m.collection[e->collection];
    lpi->pending = true;
    m.raised++;
}

static void do_event(uint32_t device, uint32_t event)
{
    struct model_event *e = &m.event[device][event];
    struct model_lpi *lpi = e->lpi != UNMAPPED ? &m.lpi[e->lpi - 1] : NULL;
    uint32_t collection = below(COLLECTIONS);
    switch (below(4)) {
    case 0:
        cr_assert_eq(cmd_clear(device, event), lpi != NULL);
        if (lpi != NULL)
            lpi->pending = false;
        break;
    case 1:
        cr_assert_eq(cmd_inv(device, event), lpi != NULL);
        if (lpi != NULL)
            reread(e->lpi - 1);
        break;
    case 2:
        cr_assert_eq(cmd_movi(device, event, collection), lpi != NULL);
        if (lpi == NULL)
            break;
        e->collection = collection;
        lpi->cpu = m.collection[collection];
        break;
    default:
        cr_assert_eq(cmd_discard(device, event), lpi != NULL);
        if (lpi == NULL)
            break;
        lpi->pending = false;
        e->lpi = UNMAPPED;
        break;
    }
}

static void do_all(void)
{
    unsigned from = below(m.cpus);
    unsigned to = below(m.cpus);
    uint32_t collection = below(COLLECTIONS);
    switch (below(3)) {
    case 0:
        cr_assert(cmd_invall(collection));
        for (uint32_t i = 0; i < NR_LPIS; i++)
            reread(i);
        break;
    case 1:
        cr_assert(cmd_movall(from, to));
        for (uint32_t i = 0; i < NR_LPIS; i++)
            if (m.lpi[i].cpu == from)
                m.lpi[i].cpu = to;
        break;
    default:
        cr_assert(cmd_mapc(collection, to, true));
        m.collection[collection] = to;
        break;
    }
}

static void do_ack(unsigned cpu)
{
    if (m.depth[cpu] == DEPTH || pcpu_of[cpu] == NOWHERE)
        return;
    pump();
    unsigned best = best_due(cpu);
    uint32_t got = guest_ack(cpu);
    if (best == 256) {
        cr_assert_eq(got, 1023u, "vCPU %u: %u is not due", cpu, got);
        return;
    }
    cr_assert_neq(got, 1023u, "vCPU %u: nothing came, priority %#x is due", cpu, best);
    uint32_t lpi = lpi_of(got);
    cr_assert(is_due(cpu, lpi), "vCPU %u: %u is not due", cpu, got);
    cr_assert_eq(m.lpi[lpi].priority, best, "vCPU %u: %u is not the best", cpu, got);
    m.lpi[lpi].pending = false;
    m.running[cpu][m.depth[cpu]] = best;
    m.stack[cpu][m.depth[cpu]++] = got;
    m.taken++;
}

static void do_eoi(unsigned cpu)
{
    if (m.depth[cpu] == 0 || pcpu_of[cpu] == NOWHERE)
        return;
    guest_eoi(cpu, m.stack[cpu][--m.depth[cpu]]);
}

/* The vCPU leaves its pCPU, or comes to one. Number 0, which sends the commands, stays. */
static void do_move(unsigned cpu)
{
    if (cpu == 0)
        return;
    if (pcpu_of[cpu] != NOWHERE) {
        be(cpu);
        vgic_unload(&gic, cpu);
        pcpu_of[cpu] = NOWHERE;
        return;
    }
    pcpu_of[cpu] = below(2) == 0 ? cpu : MAX_CPUS + cpu;
    be(cpu);
    vgic_load(&gic, cpu);
}

static void step(void)
{
    uint32_t device = below(NR_DEVICES);
    uint32_t event = below(NR_EVENTS);
    unsigned cpu = below(m.cpus);
    unsigned what = below(100);
    if (what < 40)
        do_raise(device, event, what < 20);
    else if (what < 46)
        do_map(device, event);
    else if (what < 52)
        do_event(device, event);
    else if (what < 55)
        do_all();
    else if (what < 62)
        do_config();
    else if (what < 64)
        do_move(cpu);
    else if (what < 80)
        do_ack(cpu);
    else
        do_eoi(cpu);
}

static void finish_model(void)
{
    for (unsigned cpu = 0; cpu < m.cpus; cpu++)
        if (pcpu_of[cpu] == NOWHERE)
            do_move(cpu);
    for (unsigned cpu = 0; cpu < m.cpus; cpu++)
        while (m.depth[cpu] > 0)
            do_eoi(cpu);
    for (unsigned i = 0; i < m.cpus * NR_LPIS; i++) {
        do_ack(i % m.cpus);
        do_eoi(i % m.cpus);
    }
    for (uint32_t i = 0; i < NR_LPIS; i++) {
        bool masked = !m.lpi[i].enabled || m.lpi[i].priority == 0xf8;
        cr_assert(!m.lpi[i].pending || masked, "LPI %u was lost", intid_of(i));
    }
}

static void run(unsigned cpus, unsigned lrs, bool active, unsigned steps)
{
    setup_its(cpus, lrs);
    fakehal()->lpi_active = active;
    memset(&m, 0, sizeof(m));
    m.cpus = cpus;
    for (uint32_t i = 0; i < COLLECTIONS; i++) {
        m.collection[i] = i % cpus;
        cr_assert(cmd_mapc(i, i % cpus, true));
    }
    for (uint32_t i = 0; i < NR_DEVICES; i++)
        cr_assert(cmd_mapd(i, ITT(i), 6, true));
    for (uint32_t i = 0; i < 400; i++)
        do_config();
    for (uint32_t i = 0; i < NR_DEVICES * NR_EVENTS; i++)
        if (i % 8 != 0)
            do_map(i / NR_EVENTS, i % NR_EVENTS);
    for (unsigned i = 0; i < steps; i++)
        step();
    finish_model();
    cr_expect_gt(m.taken, steps / 20, "only %lu of %lu taken", m.taken, m.raised);
    teardown_its();
}

CASE(its_model, one_list_register)
{
    srand(1);
    run(2, 1, false, 4000);
}

CASE(its_model, as_hardware)
{
    srand(2);
    run(4, 4, false, 6000);
}

CASE(its_model, as_qemu)
{
    srand(3);
    run(3, 4, true, 6000);
}

CASE(its_model, sixteen_list_registers)
{
    srand(4);
    run(1, 16, false, 4000);
}

CASES_RUN(its_model, NULL, NULL)
