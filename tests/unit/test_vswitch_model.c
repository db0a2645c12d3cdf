/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The switch against a model: lists without limits of who is where, queues, and turns. */
#include "vswitch_fixture.h"

#define MODEL_MACS 6u

static struct model {
    int where[MODEL_MACS];
    uint64_t seen[MODEL_MACS];
    uint32_t queue[PORTS][VSWITCH_QUEUE];
    unsigned source[PORTS][VSWITCH_QUEUE];
    unsigned len[PORTS];
    unsigned turn[PORTS][PORTS]; /* sources that have frames there */
    unsigned turns[PORTS];
    bool up[PORTS];
} m;

static bool model_has_room(unsigned to, unsigned from)
{
    unsigned held = 0;

    for (unsigned i = 0; i < m.len[to]; i++)
        held += m.source[to][i] == from;
    return held < 2 * (VSWITCH_QUEUE - m.len[to]);
}

static void model_put(unsigned to, unsigned from, uint32_t mark)
{
    bool has_some = false;

    if (!m.up[to] || !model_has_room(to, from))
        return;
    for (unsigned i = 0; i < m.turns[to]; i++)
        has_some = has_some || m.turn[to][i] == from;
    if (!has_some)
        m.turn[to][m.turns[to]++] = from;
    m.queue[to][m.len[to]] = mark;
    m.source[to][m.len[to]++] = from;
}

static void model_send(unsigned from, unsigned target, unsigned source, uint32_t mark)
{
    uint64_t now = hal_time_now();

    m.where[source] = (int)from;
    m.seen[source] = now;
    if (target < MODEL_MACS && m.where[target] >= 0 &&
        now - m.seen[target] <= 300 * hal_time_hz()) {
        if (m.where[target] != (int)from)
            model_put((unsigned)m.where[target], from, mark);
        return;
    }
    for (unsigned n = 0; n < PORTS; n++)
        if (n != from)
            model_put(n, from, mark);
}

static int64_t model_take(unsigned n)
{
    unsigned from = m.turn[n][0], at = 0, left = 0;

    if (m.len[n] == 0)
        return -1;
    while (m.source[n][at] != from)
        at++;
    uint32_t mark = m.queue[n][at];
    m.len[n]--;
    memmove(m.queue[n] + at, m.queue[n] + at + 1, (m.len[n] - at) * sizeof(m.queue[n][0]));
    memmove(m.source[n] + at, m.source[n] + at + 1, (m.len[n] - at) * sizeof(m.source[n][0]));
    m.turns[n]--;
    memmove(m.turn[n], m.turn[n] + 1, m.turns[n] * sizeof(m.turn[n][0]));
    for (unsigned i = 0; i < m.len[n]; i++)
        left += m.source[n][i] == from;
    if (left != 0)
        m.turn[n][m.turns[n]++] = from;
    return mark;
}

static void model_step(struct random *random, uint32_t mark)
{
    uint64_t r = random_next(random);
    unsigned n = (unsigned)(r % PORTS);
    unsigned target = r >> 8 & 7; /* 6 and 7: to all */
    unsigned source = (unsigned)(r >> 12 & 0xff) % MODEL_MACS;

    switch (r >> 16 & 31) {
    case 0:
        m.up[n] = !m.up[n];
        m.len[n] = m.turns[n] = 0;
        set_up(n, m.up[n]);
        break;
    case 1:
        fakehal_advance((r >> 24 & 255) * hal_time_hz());
        break;
    case 2 ... 11:
        cr_assert_eq(take(n), model_take(n));
        break;
    default:
        (void)send_as(n, target < MODEL_MACS ? mac(target) : broadcast, mac(source), mark);
        model_send(n, target, source, mark);
        break;
    }
}

CASE(vswitch_model, random_steps)
{
    for (unsigned round = 0; round < 20; round++) {
        struct random random;
        random_seed(&random, (const uint64_t[]){round, 1});
        memset(&m, 0, sizeof(m));
        for (unsigned i = 0; i < MODEL_MACS; i++)
            m.where[i] = -1;
        for (unsigned n = 0; n < PORTS; n++) {
            vswitch_detach(&st[n].port);
            m.up[n] = true;
        }
        for (unsigned n = 0; n < PORTS; n++)
            add_port(n);
        for (uint32_t i = 0; i < 3000; i++)
            model_step(&random, i);
        for (unsigned n = 0; n < PORTS; n++) {
            while (m.len[n] > 0)
                cr_assert_eq(take(n), model_take(n), "round %u", round);
            cr_assert_eq(take(n), -1);
            cr_assert_eq(st[n].port.nr_free, VSWITCH_QUEUE);
        }
    }
}

CASES_RUN(vswitch_model, setup, finish)
