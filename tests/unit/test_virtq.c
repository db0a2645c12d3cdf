/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* An honest driver's queue: chains, copies, wraps, notifications and interrupts. */
#include "virtq_fixture.h"

static struct driver_seg seg(uint64_t at, uint32_t len)
{
    return (struct driver_seg){at, len};
}

/* A chain of one buffer of 16 bytes that is read. */
static uint16_t offer_one(void)
{
    struct driver_seg s = seg(DATA, 16);
    uint16_t head = driver_chain(&d, &s, 1, 0);

    driver_offer(&d, head);
    return head;
}

static void pop(void)
{
    cr_assert_eq(virtq_pop(&q, &chain), HV_OK);
}

static void none(void)
{
    cr_assert_eq(virtq_pop(&q, &chain), HV_ERR_NOENT);
    cr_assert(!q.broken);
}

/* One chain, all the way. */
static void round_trip(void)
{
    uint16_t head = offer_one();
    uint16_t got;
    uint32_t len;

    pop();
    cr_assert_eq(chain.head, head);
    cr_assert_eq(virtq_push(&q, head, 0), HV_OK);
    cr_assert(driver_used(&d, &got, &len));
    cr_assert_eq(got, head);
    driver_free(&d, got);
}

/* As if the queue had been round so often. */
static void start_at(uint16_t index)
{
    q.next_avail = q.seen_avail = q.next_used = q.signalled = index;
    d.avail_idx = d.used_idx = index;
    driver_show(&d);
    driver_put16(&d, d.used + 2, index);
}

/* --- Chains --- */

CASE(virtq, reset)
{
    memset(&q, 0xff, sizeof(q));
    virtq_reset(&q, &s2, 16);
    cr_assert(!q.ready);
    cr_assert(!q.broken);
    cr_assert_eq(q.size, 16);
    cr_assert_eq(q.next_avail, 0);
    cr_assert_eq(q.next_used, 0);
    none();
    cr_assert(!virtq_has_avail(&q));
    cr_assert(!virtq_must_interrupt(&q));
    cr_assert(!virtq_set_notify(&q, true));
    cr_assert_eq(virtq_push(&q, 0, 0), HV_ERR_NOENT);
    cr_assert_eq(virtq_publish(&q, 1), HV_ERR_NOENT);
}

CASE(virtq, empty)
{
    none();
    cr_assert(!virtq_has_avail(&q));
}

CASE(virtq, a_chain_is_what_the_driver_made)
{
    const struct driver_seg s[] = {seg(DATA, 16), seg(DATA + 0x100, 0), seg(DATA + 0x200, 0x300),
                                   seg(0xffff000000000000, 7)};
    uint16_t head = driver_chain(&d, s, 2, 2);

    cr_assert(!virtq_has_avail(&q));
    driver_offer(&d, head);
    cr_assert(virtq_has_avail(&q));
    pop();
    cr_assert_eq(chain.head, head);
    cr_assert_eq(chain.nr_out, 2);
    cr_assert_eq(chain.nr_in, 2);
    cr_assert_eq(chain.out_len, 16);
    cr_assert_eq(chain.in_len, 0x307);
    for (unsigned i = 0; i < 4; i++) {
        cr_assert_eq(chain.seg[i].at.v, s[i].at);
        cr_assert_eq(chain.seg[i].len, s[i].len);
    }
    none();
    cr_assert(!virtq_has_avail(&q));
}

CASE(virtq, a_chain_of_no_bytes)
{
    struct driver_seg s = seg(0, 0);

    driver_offer(&d, driver_chain(&d, &s, 1, 0));
    pop();
    cr_assert_eq(chain.out_len + chain.in_len, 0);
    cr_assert_eq(chain.nr_out, 1);
    cr_assert_eq(virtq_read(&chain, 0, NULL, 0), HV_OK);
}

CASE(virtq, as_long_as_the_queue)
{
    struct driver_seg s[SIZE];

    for (unsigned i = 0; i < SIZE; i++)
        s[i] = seg(DATA + 16 * i, 16);
    driver_offer(&d, driver_chain(&d, s, 3, 5));
    pop();
    cr_assert_eq(chain.nr_out, 3);
    cr_assert_eq(chain.nr_in, 5);
}

CASE(virtq, indirect)
{
    struct driver_seg s[130];

    for (unsigned i = 0; i < 130; i++)
        s[i] = seg(DATA + 16 * i, i);
    driver_offer(&d, driver_indirect(&d, TABLE, s, 60, 70));
    pop();
    cr_assert_eq(chain.nr_out, 60);
    cr_assert_eq(chain.nr_in, 70);
    for (unsigned i = 0; i < 130; i++)
        cr_assert_eq(chain.seg[i].len, i);
    cr_assert_eq(d.nr_free, SIZE - 1, "it takes one of the queue's");
}

/* 2.7.5.3.2: normal ones, and then a reference to a table, whose write flag means nothing. */
CASE(virtq, indirect_after_direct_ones_and_anywhere)
{
    const uint64_t table = TABLE + 0xff9; /* across the end of a page, too */
    const uint32_t len = 9;
    const uint16_t flags = DESC_WRITE;
    unsigned char raw[64] = {0};

    cr_assert_eq(s2_unmap(&s2, ipa(RAM + 0xf000), 0x1000), HV_OK);
    memcpy(&raw[8], &len, 4);
    memcpy(&raw[12], &flags, 2);
    memcpy(fakehal_mem(pa(GUEST_PA + table - RAM), sizeof(raw)), raw, sizeof(raw));
    driver_desc(&d, d.desc, 3, DATA, 5, DESC_NEXT, 4);
    driver_desc(&d, d.desc, 4, table, 64, DESC_INDIRECT | DESC_WRITE, 0xffff);
    driver_offer(&d, 3);
    pop();
    cr_assert_eq(chain.out_len, 5);
    cr_assert_eq(chain.in_len, 9);
}

CASE(virtq, popped_chains_are_copies)
{
    uint16_t head = offer_one();

    pop();
    memset(driver_mem(&d, d.desc, 0x1000), 0xff, 0x1000);
    memset(driver_mem(&d, d.avail, 0x1000), 0, 0x1000);
    cr_assert_eq(chain.head, head);
    cr_assert_eq(chain.seg[0].at.v, DATA);
    cr_assert_eq(chain.seg[0].len, 16);
}

CASE(virtq, unpop)
{
    uint16_t head[3];

    for (unsigned i = 0; i < 3; i++)
        head[i] = offer_one();
    for (unsigned i = 0; i < 3; i++)
        pop();
    none();
    virtq_unpop(&q, 2);
    cr_assert(virtq_has_avail(&q));
    for (unsigned i = 1; i < 3; i++) {
        pop();
        cr_assert_eq(chain.head, head[i]);
    }
    none();
    virtq_unpop(&q, 0);
    none();
}

/* --- Giving back --- */

CASE(virtq, push_in_any_order)
{
    uint16_t head[3];
    uint16_t got;
    uint32_t len;

    for (unsigned i = 0; i < 3; i++) {
        head[i] = offer_one();
        pop();
    }
    cr_assert(!driver_used(&d, &got, &len));
    for (unsigned i = 3; i-- > 0;)
        cr_assert_eq(virtq_push(&q, head[i], 100 + i), HV_OK);
    for (unsigned i = 3; i-- > 0;) {
        cr_assert(driver_used(&d, &got, &len));
        cr_assert_eq(got, head[i]);
        cr_assert_eq(len, 100 + i);
    }
    cr_assert(!driver_used(&d, &got, &len));
}

CASE(virtq, several_are_shown_at_once)
{
    uint16_t head[3];
    uint16_t got;
    uint32_t len;

    for (unsigned i = 0; i < 6; i++)
        round_trip();
    for (unsigned i = 0; i < 3; i++) {
        head[i] = offer_one();
        pop();
        cr_assert_eq(virtq_fill(&q, (uint16_t)i, head[i], i), HV_OK);
        cr_assert(!driver_used(&d, &got, &len));
    }
    cr_assert_eq(virtq_publish(&q, 0), HV_OK);
    cr_assert(!driver_used(&d, &got, &len));
    cr_assert_eq(virtq_publish(&q, 3), HV_OK);
    for (unsigned i = 0; i < 3; i++) {
        cr_assert(driver_used(&d, &got, &len), "across the end of the ring");
        cr_assert_eq(got, head[i]);
        cr_assert_eq(len, i);
    }
}

/* A guest with its caches off sees it: the element first, then the index. */
CASE(virtq, what_is_pushed_is_cleaned)
{
    uint16_t head = offer_one();

    pop();
    fakehal_log_clear();
    cr_assert_eq(virtq_push(&q, head, 0), HV_OK);
    const uint64_t expected[][2] = {{GUEST_PA + 0x2004, 8}, {GUEST_PA + 0x2002, 2}};
    cr_assert_eq(fakehal()->log_len, 2);
    for (unsigned i = 0; i < 2; i++) {
        const struct fakehal_record *record = fakehal_log(i);
        cr_assert_eq(record->kind, FAKEHAL_CACHE_OP);
        cr_assert_eq(record->addr, expected[i][0]);
        cr_assert_eq(record->len, expected[i][1]);
    }
}

CASE(virtq, indices_wrap)
{
    start_at(65536 - SIZE);
    for (unsigned i = 0; i < 4 * SIZE; i++)
        round_trip();
    cr_assert_eq(q.next_avail, 3 * SIZE);
    cr_assert_eq(q.next_used, 3 * SIZE);
}

CASE(virtq, sizes_from_1_to_256)
{
    for (uint16_t size = 1; size <= 256; size = (uint16_t)(2 * size)) {
        ready(size, false, true);
        for (unsigned i = 0; i < 3u * size; i++)
            round_trip();
        for (unsigned i = 0; i < size; i++)
            (void)offer_one();
        for (unsigned i = 0; i < size; i++)
            pop();
        none();
    }
}

CASE(virtq, sound)
{
    static const uint32_t bad[] = {0, 3, 255, 257, 512, 0x10000, UINT32_MAX};

    for (unsigned i = 0; i < 7; i++) {
        q.size = bad[i];
        cr_assert(!virtq_is_sound(&q));
    }
    q.size = 256;
    cr_assert(virtq_is_sound(&q));
    q.desc.v += 8;
    cr_assert(!virtq_is_sound(&q));
    q.desc.v -= 8;
    q.driver.v += 1;
    cr_assert(!virtq_is_sound(&q));
    q.driver.v += 1;
    cr_assert(virtq_is_sound(&q));
    q.device.v += 2;
    cr_assert(!virtq_is_sound(&q));
    q.device.v += 2;
    cr_assert(virtq_is_sound(&q));
}

/* --- Copies --- */

CASE(virtq, copies_across_buffers)
{
    const struct driver_seg s[] = {seg(DATA, 3),         seg(DATA + 0x100, 0),
                                   seg(DATA + 0x200, 5), seg(DATA + 0x300, 2),
                                   seg(DATA + 0x400, 0), seg(DATA + 0x500, 4)};
    char got[8];

    memcpy(driver_mem(&d, DATA, 3), "abc", 3);
    memcpy(driver_mem(&d, DATA + 0x200, 5), "defgh", 5);
    driver_offer(&d, driver_chain(&d, s, 3, 3));
    pop();
    for (unsigned from = 0; from <= 8; from++) {
        for (unsigned len = 0; from + len <= 8; len++) {
            memset(got, '-', sizeof(got));
            cr_assert_eq(virtq_read(&chain, from, got, len), HV_OK);
            cr_assert_eq(memcmp(got, &"abcdefgh"[from], len), 0);
            cr_assert(len == 8 || got[len] == '-');
        }
    }
    cr_assert_eq(virtq_read(&chain, 0, got, 9), HV_ERR_RANGE);
    cr_assert_eq(virtq_read(&chain, 9, got, 0), HV_ERR_RANGE);
    cr_assert_eq(virtq_read(&chain, UINT64_MAX, got, 2), HV_ERR_RANGE);
    cr_assert_eq(virtq_write(&chain, 1, "vwxyz", 5), HV_OK);
    cr_assert_eq(memcmp(driver_mem(&d, DATA + 0x300, 3), "\0v\0", 3), 0);
    cr_assert_eq(memcmp(driver_mem(&d, DATA + 0x500, 5), "wxyz\0", 5), 0);
    cr_assert_eq(virtq_write(&chain, 1, "vwxyz!", 6), HV_ERR_RANGE);
}

CASE(virtq, buffers_outside_of_memory)
{
    const struct driver_seg s[] = {seg(DATA, 4), seg(RAM_END - 4, 8), seg(UINT64_MAX - 1, 8)};
    char got[16] = {0};

    driver_offer(&d, driver_chain(&d, s, 2, 1));
    pop();
    cr_assert_eq(virtq_read(&chain, 0, got, 8), HV_OK);
    cr_assert_eq(virtq_read(&chain, 0, got, 9), HV_ERR_NOENT);
    cr_assert_eq(virtq_write(&chain, 0, got, 1), HV_ERR_RANGE);
    cr_assert(!q.broken, "that is the device's to judge");
}

/* --- Notifications --- */

CASE(virtq, no_notify_flag)
{
    (void)offer_one();
    pop();
    cr_assert(!driver_is_unheard(&d));
    cr_assert(!virtq_set_notify(&q, false));
    cr_assert(driver_is_unheard(&d));
    none();
    cr_assert(!virtq_set_notify(&q, true));
    cr_assert(!driver_is_unheard(&d));
    (void)virtq_set_notify(&q, false);
    (void)offer_one();
    cr_assert(virtq_set_notify(&q, true), "it came while nobody would have told");
}

/* The driver notifies of the first chain after the queue was seen to be empty, and of no other. */
CASE(virtq, event_idx_asks_when_it_is_empty)
{
    ready(SIZE, false, true);
    start_at(65536 - 100);
    none();
    for (unsigned i = 0; i < 200; i++) {
        uint16_t before = d.avail_idx;
        round_trip();
        cr_assert(driver_must_notify(&d, true, before), "round %u", i);
        before = d.avail_idx;
        round_trip();
        cr_assert(!driver_must_notify(&d, true, before), "it was not seen to be empty");
        none();
    }
}

CASE(virtq, event_idx_quiet)
{
    ready(SIZE, false, true);
    round_trip();
    cr_assert(!virtq_set_notify(&q, false));
    none();
    cr_assert_eq(driver_avail_event(&d), 0, "where it was");
    uint16_t before = d.avail_idx;
    round_trip();
    cr_assert(!driver_must_notify(&d, true, before));
    cr_assert(!virtq_set_notify(&q, true));
    cr_assert_eq(driver_avail_event(&d), 2);
    before = d.avail_idx;
    (void)offer_one();
    cr_assert(driver_must_notify(&d, true, before));
    (void)virtq_set_notify(&q, false);
    cr_assert(virtq_set_notify(&q, true));
}

/* --- Interrupts --- */

CASE(virtq, interrupt_flag)
{
    cr_assert(!virtq_must_interrupt(&q), "nothing was pushed");
    round_trip();
    cr_assert(virtq_must_interrupt(&q));
    cr_assert(!virtq_must_interrupt(&q), "once");
    driver_no_interrupt(&d, true);
    round_trip();
    cr_assert(!virtq_must_interrupt(&q));
    driver_no_interrupt(&d, false);
    cr_assert(!virtq_must_interrupt(&q), "the driver looks for itself after that");
    round_trip();
    cr_assert(virtq_must_interrupt(&q));
}

/* 2.7.10: when the index goes past used_event, however many were pushed, wherever it wraps. */
CASE(virtq, used_event)
{
    static const uint16_t from[] = {0, 1, 7, 32760, 65530, 65535};

    for (unsigned i = 0; i < 6; i++) {
        for (int event = -4; event < 8; event++) {
            for (unsigned pushed = 1; pushed <= 4; pushed++) {
                ready(SIZE, false, true);
                q.next_used = q.signalled = from[i];
                driver_used_event(&d, (uint16_t)(from[i] + event));
                for (unsigned n = 0; n < pushed; n++)
                    cr_assert_eq(virtq_push(&q, 0, 0), HV_OK);
                cr_assert_eq(virtq_must_interrupt(&q), event >= 0 && event < (int)pushed,
                             "from %u, event %d, pushed %u", from[i], event, pushed);
            }
        }
    }
}

CASES_RUN(virtq, setup, finish)
