/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The driver's side of a split virtqueue (Virtual I/O Device Version 1.2, 2.7) for tests of the
 * device's: an honest one, whose rings a test may scribble over to be a hostile one. It knows the
 * specification and nothing of core/virtio. Rings and buffers are in a guest's memory on fakehal.
 */
#ifndef TESTS_VIRTQ_DRIVER_H
#define TESTS_VIRTQ_DRIVER_H

#include "cases.h"
#include "fakehal/fakehal.h"
#include "mem/s2.h"
#include <string.h>

/* 2.7.5 */
#define DESC_NEXT     1u
#define DESC_WRITE    2u
#define DESC_INDIRECT 4u

#define DRIVER_MAX 256u

struct driver {
    struct s2 *s2;
    uint64_t desc, avail, used; /* IPAs, of a page each at least */
    uint16_t size;
    uint16_t avail_idx; /* what was offered so far */
    uint16_t used_idx;  /* what was taken back so far */
    uint16_t nr_free;
    uint16_t free[DRIVER_MAX]; /* descriptors that are in no chain, a stack */
};

struct driver_seg {
    uint64_t at;
    uint32_t len;
};

/* A guest's memory at `at`, which is in one stage-2 entry with all of `len` bytes. */
static inline void *driver_mem(const struct driver *d, uint64_t at, uint64_t len)
{
    struct s2_mapping mapping;

    cr_assert_eq(s2_query(d->s2, ipa(at), &mapping), HV_OK);
    return fakehal_mem(pa_add(mapping.pa, at - mapping.ipa.v), len);
}

static inline void driver_put16(const struct driver *d, uint64_t at, uint16_t value)
{
    memcpy(driver_mem(d, at, 2), &value, 2);
}

static inline void driver_put32(const struct driver *d, uint64_t at, uint32_t value)
{
    memcpy(driver_mem(d, at, 4), &value, 4);
}

static inline void driver_put64(const struct driver *d, uint64_t at, uint64_t value)
{
    memcpy(driver_mem(d, at, 8), &value, 8);
}

static inline uint16_t driver_get16(const struct driver *d, uint64_t at)
{
    uint16_t value;

    memcpy(&value, driver_mem(d, at, 2), 2);
    return value;
}

static inline uint32_t driver_get32(const struct driver *d, uint64_t at)
{
    uint32_t value;

    memcpy(&value, driver_mem(d, at, 4), 4);
    return value;
}

/* Rings of `size` in the three pages from `base`, all free. */
static inline void driver_init(struct driver *d, struct s2 *s2, uint64_t base, uint16_t size)
{
    *d = (struct driver){.s2 = s2,
                         .desc = base,
                         .avail = base + 0x1000,
                         .used = base + 0x2000,
                         .size = size,
                         .nr_free = size};
    for (uint16_t i = 0; i < size; i++)
        d->free[i] = (uint16_t)(size - 1 - i);
    for (unsigned page = 0; page < 3; page++)
        memset(driver_mem(d, base + page * 0x1000, 0x1000), 0, 0x1000);
}

/* Writes one descriptor of the table at `table`. */
static inline void driver_desc(const struct driver *d, uint64_t table, uint16_t index, uint64_t at,
                               uint32_t len, uint16_t flags, uint16_t next)
{
    uint64_t to = table + 16u * index;

    driver_put64(d, to, at);
    driver_put32(d, to + 8, len);
    driver_put16(d, to + 12, flags);
    driver_put16(d, to + 14, next);
}

static inline uint16_t driver_take_free(struct driver *d)
{
    cr_assert_gt(d->nr_free, 0);
    return d->free[--d->nr_free];
}

/* A chain of the queue's own descriptors: `out` of them are read, the other ones written. */
static inline uint16_t driver_chain(struct driver *d, const struct driver_seg *seg, unsigned out,
                                    unsigned in)
{
    uint16_t head = driver_take_free(d);
    uint16_t index = head;

    for (unsigned i = 0; i < out + in; i++) {
        bool last = i + 1 == out + in;
        uint16_t next = last ? 0 : driver_take_free(d);
        driver_desc(d, d->desc, index, seg[i].at, seg[i].len,
                    (uint16_t)((i < out ? 0 : DESC_WRITE) | (last ? 0 : DESC_NEXT)), next);
        index = next;
    }
    return head;
}

/* The same in a table at `table`, behind one descriptor of the queue. */
static inline uint16_t driver_indirect(struct driver *d, uint64_t table,
                                       const struct driver_seg *seg, unsigned out, unsigned in)
{
    uint16_t head = driver_take_free(d);
    unsigned count = out + in;

    for (uint16_t i = 0; i < count; i++)
        driver_desc(d, table, i, seg[i].at, seg[i].len,
                    (uint16_t)((i < out ? 0 : DESC_WRITE) | (i + 1u == count ? 0 : DESC_NEXT)),
                    (uint16_t)(i + 1));
    driver_desc(d, d->desc, head, table, 16 * count, DESC_INDIRECT, 0);
    return head;
}

/* Makes the chain that begins at `head` available, which the device may not see yet. */
static inline void driver_stage(struct driver *d, uint16_t head)
{
    driver_put16(d, d->avail + 4 + 2u * (d->avail_idx % d->size), head);
    d->avail_idx++;
}

/* The device sees what was staged. */
static inline void driver_show(const struct driver *d)
{
    driver_put16(d, d->avail + 2, d->avail_idx);
}

static inline void driver_offer(struct driver *d, uint16_t head)
{
    driver_stage(d, head);
    driver_show(d);
}

/* Descriptors of the chain are free again. */
static inline void driver_free(struct driver *d, uint16_t head)
{
    for (uint16_t index = head;;) {
        uint16_t flags = driver_get16(d, d->desc + 16u * index + 12);
        d->free[d->nr_free++] = index;
        cr_assert_leq(d->nr_free, d->size);
        if ((flags & DESC_NEXT) == 0)
            return;
        index = driver_get16(d, d->desc + 16u * index + 14);
    }
}

/* The next chain that was given back; false if there is none. */
static inline bool driver_used(struct driver *d, uint16_t *head, uint32_t *len)
{
    uint64_t at = d->used + 4 + 8u * (d->used_idx % d->size);

    if (driver_get16(d, d->used + 2) == d->used_idx)
        return false;
    cr_assert_lt(driver_get32(d, at), d->size, "an index of the table");
    *head = (uint16_t)driver_get32(d, at);
    *len = driver_get32(d, at + 4);
    d->used_idx++;
    return true;
}

/* VIRTQ_AVAIL_F_NO_INTERRUPT, and used_event (2.7.7, 2.7.10). */
static inline void driver_no_interrupt(const struct driver *d, bool on)
{
    driver_put16(d, d->avail, on);
}

static inline void driver_used_event(const struct driver *d, uint16_t event)
{
    driver_put16(d, d->avail + 4 + 2u * d->size, event);
}

/* VIRTQ_USED_F_NO_NOTIFY, and avail_event. */
static inline bool driver_is_unheard(const struct driver *d)
{
    return (driver_get16(d, d->used) & 1) != 0;
}

static inline uint16_t driver_avail_event(const struct driver *d)
{
    return driver_get16(d, d->used + 4 + 8u * d->size);
}

/* Whether the driver has to notify after its index went from `before` to avail_idx (2.7.13.4). */
static inline bool driver_must_notify(const struct driver *d, bool event_idx, uint16_t before)
{
    if (!event_idx)
        return !driver_is_unheard(d);
    return (uint16_t)(d->avail_idx - driver_avail_event(d) - 1) < (uint16_t)(d->avail_idx - before);
}

#endif
