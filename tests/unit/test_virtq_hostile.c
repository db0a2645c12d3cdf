/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Each rule of split virtqueues that a driver can break: the queue is broken, nothing else is. */
#include "virtq_fixture.h"

/* Whatever is done from now on. */
static void is_broken(void)
{
    unsigned char before[16];

    cr_assert(q.broken);
    memcpy(before, driver_mem(&d, d.used, 16), 16);
    cr_assert_eq(virtq_pop(&q, &chain), HV_ERR_FORMAT);
    cr_assert(virtq_has_avail(&q), "there is something to be found out");
    cr_assert_eq(virtq_push(&q, 0, 0), HV_ERR_FORMAT);
    cr_assert_eq(virtq_fill(&q, 1, 0, 0), HV_ERR_FORMAT);
    cr_assert_eq(virtq_publish(&q, 1), HV_ERR_FORMAT);
    cr_assert(!virtq_must_interrupt(&q));
    cr_assert(!virtq_set_notify(&q, true));
    cr_assert_eq(memcmp(before, driver_mem(&d, d.used, 16), 16), 0, "its memory is left alone");
}

static void breaks(void)
{
    cr_assert(!q.broken);
    cr_assert_eq(virtq_pop(&q, &chain), HV_ERR_FORMAT);
    is_broken();
}

/* A chain whose descriptors a case wrote. */
static void offer(uint16_t head)
{
    driver_offer(&d, head);
}

static void desc(uint16_t index, uint16_t flags, uint16_t next)
{
    driver_desc(&d, d.desc, index, DATA, 16, flags, next);
}

static void entry(uint16_t index, uint16_t flags, uint16_t next)
{
    driver_desc(&d, TABLE, index, DATA, 16, flags, next);
}

static void refer(uint64_t table, uint32_t len, uint16_t flags)
{
    driver_desc(&d, d.desc, 0, table, len, (uint16_t)(flags | DESC_INDIRECT), 1);
    offer(0);
}

/* --- The rings --- */

CASE(virtq_hostile, head_out_of_range)
{
    offer(SIZE);
    breaks();
}

CASE(virtq_hostile, head_far_out_of_range)
{
    offer(0xffff);
    breaks();
}

CASE(virtq_hostile, index_too_far_ahead)
{
    d.avail_idx = SIZE + 1;
    driver_show(&d);
    breaks();
    ready(SIZE, false, false);
    d.avail_idx = SIZE + 1;
    driver_show(&d);
    cr_assert(virtq_has_avail(&q), "whoever looks finds out");
    is_broken();
}

CASE(virtq_hostile, index_goes_back)
{
    desc(0, 0, 0);
    offer(0);
    cr_assert_eq(virtq_pop(&q, &chain), HV_OK);
    d.avail_idx = 0;
    driver_show(&d);
    breaks();
}

CASE(virtq_hostile, index_goes_back_while_some_are_known)
{
    desc(0, 0, 0);
    offer(0);
    offer(0);
    cr_assert_eq(virtq_pop(&q, &chain), HV_OK);
    d.avail_idx = 0;
    driver_show(&d);
    cr_assert_eq(virtq_pop(&q, &chain), HV_OK, "what the index showed was there");
    breaks();
}

CASE(virtq_hostile, available_ring_outside_of_memory)
{
    q.driver = ipa(RAM_END);
    breaks();
}

CASE(virtq_hostile, available_ring_reaches_out_of_memory)
{
    q.driver = ipa(RAM_END - 4);
    driver_put16(&d, RAM_END - 2, 1);
    breaks();
}

CASE(virtq_hostile, rings_at_the_end_of_the_address_space)
{
    q.driver = ipa(UINT64_MAX - 1);
    breaks();
}

CASE(virtq_hostile, table_outside_of_memory)
{
    q.desc = ipa(RAM_END);
    offer(0);
    breaks();
}

CASE(virtq_hostile, table_reaches_out_of_memory)
{
    q.desc = ipa(RAM_END - 16);
    driver_desc(&d, RAM_END - 16, 0, DATA, 1, DESC_NEXT, 1);
    offer(0);
    breaks();
}

CASE(virtq_hostile, used_ring_outside_of_memory)
{
    desc(0, 0, 0);
    offer(0);
    q.device = ipa(RAM_END);
    cr_assert_eq(virtq_pop(&q, &chain), HV_OK);
    cr_assert_eq(virtq_push(&q, 0, 0), HV_ERR_FORMAT);
    is_broken();
}

CASE(virtq_hostile, used_ring_reaches_out_of_memory)
{
    q.device = ipa(RAM_END - 4);
    cr_assert_eq(virtq_fill(&q, 0, 0, 0), HV_ERR_FORMAT);
    is_broken();
}

CASE(virtq_hostile, used_ring_where_nothing_may_be_written)
{
    cr_assert_eq(s2_protect(&s2, ipa(d.used), 0x1000, S2_READ), HV_OK);
    cr_assert_eq(virtq_publish(&q, 1), HV_ERR_FORMAT);
    cr_assert_eq(q.next_used, 0);
    is_broken();
}

/* No rule against it: each is what the device or the driver makes of it. */
CASE(virtq_hostile, rings_on_top_of_each_other)
{
    desc(0, DESC_WRITE, 0);
    q.driver = q.device = q.desc = ipa(d.desc);
    for (unsigned i = 0; i < 20 && virtq_pop(&q, &chain) == HV_OK; i++)
        if (virtq_push(&q, chain.head, 1) != HV_OK)
            break;
}

CASE(virtq_hostile, notifications_turned_on_where_nothing_may_be_written)
{
    ready(SIZE, true, true);
    cr_assert_eq(s2_protect(&s2, ipa(d.used), 0x1000, S2_READ), HV_OK);
    cr_assert(!virtq_set_notify(&q, true));
    is_broken();
}

CASE(virtq_hostile, notifications_turned_off_where_nothing_may_be_written)
{
    cr_assert_eq(s2_protect(&s2, ipa(d.used), 0x1000, S2_READ), HV_OK);
    cr_assert(!virtq_set_notify(&q, false));
    is_broken();
}

CASE(virtq_hostile, avail_event_where_nothing_may_be_written)
{
    ready(SIZE, true, true);
    desc(0, 0, 0);
    offer(0);
    cr_assert_eq(virtq_pop(&q, &chain), HV_OK);
    cr_assert_eq(s2_protect(&s2, ipa(d.used), 0x1000, S2_READ), HV_OK);
    breaks();
}

CASE(virtq_hostile, rings_taken_away)
{
    desc(0, 0, 0);
    offer(0);
    offer(0);
    cr_assert_eq(virtq_pop(&q, &chain), HV_OK);
    cr_assert_eq(virtq_push(&q, 0, 0), HV_OK);
    cr_assert_eq(s2_unmap(&s2, ipa(d.avail), 0x1000), HV_OK);
    cr_assert(!virtq_must_interrupt(&q));
    cr_assert(q.broken, "it was looked up, and is looked up again");
}

CASE(virtq_hostile, used_event_taken_away)
{
    ready(SIZE, true, true);
    cr_assert_eq(virtq_push(&q, 0, 0), HV_OK);
    cr_assert_eq(s2_unmap(&s2, ipa(d.avail), 0x1000), HV_OK);
    cr_assert(!virtq_must_interrupt(&q));
    cr_assert(q.broken);
}

/* --- Chains --- */

CASE(virtq_hostile, next_out_of_range)
{
    desc(0, DESC_NEXT, SIZE);
    offer(0);
    breaks();
}

CASE(virtq_hostile, loop_of_one)
{
    desc(2, DESC_NEXT, 2);
    offer(2);
    breaks();
}

CASE(virtq_hostile, loop_of_all)
{
    for (uint16_t i = 0; i < SIZE; i++)
        desc(i, DESC_NEXT | DESC_WRITE, (uint16_t)((i + 1) % SIZE));
    offer(5);
    breaks();
}

/* The longest table, each descriptor without a byte: it takes no longer than its buffers. */
CASE(virtq_hostile, loop_in_the_largest_table)
{
    ready(256, false, false);
    for (uint16_t i = 0; i < 256; i++)
        desc(i, DESC_NEXT, (uint16_t)((i + 1) % 256));
    offer(0);
    uint64_t maps = fakehal()->maps;
    cr_assert_eq(virtq_pop(&q, &chain), HV_ERR_FORMAT);
    cr_assert_leq(fakehal()->maps - maps, 3 + 2 * (1 + 131), "an entry of stage 2 is found once");
}

CASE(virtq_hostile, more_buffers_than_a_chain_may_have)
{
    ready(256, false, false);
    for (uint16_t i = 0; i < 131; i++)
        desc(i, i < 130 ? DESC_NEXT : 0, (uint16_t)(i + 1));
    offer(0);
    breaks();
}

CASE(virtq_hostile, as_many_buffers_as_a_chain_may_have)
{
    ready(256, false, false);
    for (uint16_t i = 0; i < 130; i++)
        desc(i, i < 129 ? DESC_NEXT : 0, (uint16_t)(i + 1));
    offer(0);
    cr_assert_eq(virtq_pop(&q, &chain), HV_OK);
    cr_assert_eq(chain.nr_out, 130);
}

CASE(virtq_hostile, readable_after_writable)
{
    desc(0, DESC_NEXT | DESC_WRITE, 1);
    desc(1, 0, 0);
    offer(0);
    breaks();
}

CASE(virtq_hostile, lengths_do_not_wrap)
{
    for (uint16_t i = 0; i < SIZE; i++)
        driver_desc(&d, d.desc, i, UINT64_MAX, UINT32_MAX,
                    (uint16_t)(DESC_WRITE | (i + 1u < SIZE ? DESC_NEXT : 0)), (uint16_t)(i + 1));
    offer(0);
    cr_assert_eq(virtq_pop(&q, &chain), HV_OK);
    cr_assert_eq(chain.in_len, UINT64_C(0xffffffff) * SIZE);
    cr_assert_eq(virtq_write(&chain, UINT64_C(0xffffffff) * 3, "x", 1), HV_ERR_RANGE);
}

/* --- Indirect tables --- */

CASE(virtq_hostile, indirect_that_was_not_negotiated)
{
    ready(SIZE, false, false);
    entry(0, 0, 0);
    refer(TABLE, 16, 0);
    breaks();
}

CASE(virtq_hostile, indirect_in_indirect)
{
    driver_desc(&d, TABLE, 0, TABLE, 16, DESC_INDIRECT, 0);
    refer(TABLE, 16, 0);
    breaks();
}

CASE(virtq_hostile, indirect_with_a_successor)
{
    entry(0, 0, 0);
    desc(1, 0, 0);
    refer(TABLE, 16, DESC_NEXT);
    breaks();
}

CASE(virtq_hostile, indirect_of_no_length)
{
    refer(TABLE, 0, 0);
    breaks();
}

CASE(virtq_hostile, indirect_of_odd_length)
{
    entry(0, 0, 0);
    refer(TABLE, 24, 0);
    breaks();
}

CASE(virtq_hostile, indirect_outside_of_memory)
{
    refer(RAM_END, 16, 0);
    breaks();
}

CASE(virtq_hostile, indirect_across_the_end_of_memory)
{
    refer(RAM_END - 8, 16, 0);
    breaks();
}

CASE(virtq_hostile, indirect_at_the_end_of_the_address_space)
{
    refer(UINT64_MAX - 7, 0xfffffff0, 0);
    breaks();
}

CASE(virtq_hostile, indirect_next_out_of_range)
{
    entry(0, DESC_NEXT, 2);
    entry(2, 0, 0);
    refer(TABLE, 32, 0);
    breaks();
}

CASE(virtq_hostile, indirect_loop)
{
    entry(0, DESC_NEXT, 1);
    entry(1, DESC_NEXT, 0);
    refer(TABLE, 32, 0);
    breaks();
}

/* --- Its own memory only --- */

/* Once a page of buffers is gone, or may not be written, no copy reaches it any more. */
CASE(virtq_hostile, buffers_taken_away)
{
    const struct driver_seg s[] = {{DATA, 16}, {DATA + 0x1000, 16}};
    char byte = 'x';

    driver_offer(&d, driver_chain(&d, s, 1, 1));
    cr_assert_eq(virtq_pop(&q, &chain), HV_OK);
    cr_assert_eq(virtq_read(&chain, 0, &byte, 1), HV_OK);
    cr_assert_eq(virtq_write(&chain, 0, &byte, 1), HV_OK);
    cr_assert_eq(s2_protect(&s2, ipa(DATA + 0x1000), 0x1000, S2_READ), HV_OK);
    cr_assert_eq(virtq_write(&chain, 0, &byte, 1), HV_ERR_PERM);
    cr_assert_eq(s2_unmap(&s2, ipa(DATA), 0x1000), HV_OK);
    cr_assert_eq(virtq_read(&chain, 0, &byte, 1), HV_ERR_NOENT);
}

CASES_RUN(virtq_hostile, setup, finish)
