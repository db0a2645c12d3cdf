/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Chains of descriptors: reading one from the tables, and the bytes that it describes. */
#include "abi/virtio.h"
#include "hal/hal.h"
#include "virtio/virtq_priv.h"
#include <string.h>

/* Where descriptors are read from: the queue's own table, or an indirect one. */
struct table {
    struct guest_window *window;
    ipa_t at;
    uint32_t count; /* entries; an index reaches no further than 65535 */
    uint32_t limit; /* entries that may be followed, one after the other */
    bool indirect;
};

/* One look: the driver may write it at any time. */
static bool read_desc(struct virtq *q, const struct table *table, uint16_t index,
                      struct virtq_desc *desc)
{
    ipa_t at = ipa_add(table->at, index * sizeof(*desc));
    void *from;

    /* An indirect table may begin anywhere (2.7.5.3), so that an entry may lie in two pages. */
    if ((at.v & PAGE_MASK) > PAGE_SIZE - sizeof(*desc))
        return guest_window_read(table->window, q->s2, at, desc, sizeof(*desc)) == HV_OK;
    if (guest_window_map(table->window, q->s2, at, sizeof(*desc), S2_READ, &from) != HV_OK)
        return false;
    memcpy(desc, from, sizeof(*desc));
    hal_phys_unmap(from, sizeof(*desc));
    return true;
}

/* 2.7.4.2: those that are written come after those that are read. */
static bool add_seg(struct virtq_chain *chain, const struct virtq_desc *desc)
{
    uint32_t count = (uint32_t)chain->nr_out + chain->nr_in;

    if (count == VIRTQ_SEGS_MAX)
        return false;
    if ((desc->flags & VIRTQ_DESC_F_WRITE) != 0) {
        chain->nr_in++;
        chain->in_len += desc->len;
    } else if (chain->nr_in != 0) {
        return false;
    } else {
        chain->nr_out++;
        chain->out_len += desc->len;
    }
    chain->seg[count] = (struct virtq_seg){ipa(desc->addr), desc->len};
    return true;
}

/* 2.7.5.3.1, 2.7.5.3.2: such a descriptor is the last one of the queue's own table. */
static bool enter_indirect(struct virtq *q, struct table *table, const struct virtq_desc *desc)
{
    if (!q->indirect || table->indirect || (desc->flags & VIRTQ_DESC_F_NEXT) != 0 ||
        desc->len == 0 || desc->len % sizeof(*desc) != 0)
        return false;
    *table = (struct table){
        .window = &q->window[VIRTQ_WINDOW_TABLE],
        .at = ipa(desc->addr),
        .count = desc->len / (uint32_t)sizeof(*desc),
        .limit = VIRTQ_SEGS_MAX,
        .indirect = true,
    };
    return true;
}

/* The next one is within the table, and not one too many: who goes round in a loop has to stop. */
static bool may_follow(struct table *table, uint16_t index)
{
    return index < table->count && table->limit-- != 0;
}

static bool read_all(struct virtq *q, struct table *table, uint16_t index,
                     struct virtq_chain *chain)
{
    struct virtq_desc desc;

    do {
        if (!may_follow(table, index) || !read_desc(q, table, index, &desc))
            return false;
        index = desc.next;
        if ((desc.flags & VIRTQ_DESC_F_INDIRECT) != 0) {
            if (!enter_indirect(q, table, &desc))
                return false;
            index = 0;
            desc.flags = VIRTQ_DESC_F_NEXT;
        } else if (!add_seg(chain, &desc)) {
            return false;
        }
    } while ((desc.flags & VIRTQ_DESC_F_NEXT) != 0);
    return true;
}

/* Where the chain's copies begin: found with the lock held, for those that are made without it. An
 * address that is none is found out by who copies. */
static void remember_data(struct virtq *q, struct virtq_chain *chain)
{
    struct guest_window *window = &q->window[VIRTQ_WINDOW_DATA];
    void *at;

    if (guest_window_map(window, q->s2, chain->seg[0].at, 1,
                         chain->nr_out != 0 ? S2_READ : S2_WRITE, &at) == HV_OK)
        hal_phys_unmap(at, 1);
    chain->window = *window;
    chain->s2 = q->s2;
}

bool virtq_chain_read(struct virtq *q, uint16_t head, struct virtq_chain *chain)
{
    struct table table = {
        .window = &q->window[VIRTQ_WINDOW_DESC],
        .at = q->desc,
        .count = q->size,
        .limit = q->size,
    };

    chain->head = head;
    chain->nr_out = 0;
    chain->nr_in = 0;
    chain->out_len = 0;
    chain->in_len = 0;
    if (!read_all(q, &table, head, chain))
        return virtq_break(q);
    remember_data(q, chain);
    return true;
}

/* --- Its bytes --- */

/* What is to be copied of one half of a chain: `read` to the hypervisor, or else from it. */
struct copy {
    uint64_t offset; /* within the half */
    uint64_t left;
    unsigned char *to;         /* or NULL */
    const unsigned char *from; /* or NULL */
};

static hv_err copy_seg(struct guest_window *window, struct s2 *s2, const struct virtq_seg *seg,
                       struct copy *copy)
{
    ipa_t at = ipa_add(seg->at, copy->offset);
    uint64_t n = seg->len - copy->offset < copy->left ? seg->len - copy->offset : copy->left;
    hv_err err;

    if (copy->to != NULL) {
        err = guest_window_read(window, s2, at, copy->to, n);
        copy->to += n;
    } else {
        err = guest_window_write(window, s2, at, copy->from, n);
        copy->from += n;
    }
    copy->offset = 0;
    copy->left -= n;
    return err;
}

static hv_err copy_segs(const struct virtq_chain *chain, const struct virtq_seg *seg,
                        struct copy *copy)
{
    struct guest_window window = chain->window;

    for (; copy->left != 0; seg++) {
        if (copy->offset >= seg->len) {
            copy->offset -= seg->len;
            continue;
        }
        hv_err err = copy_seg(&window, chain->s2, seg, copy);
        if (err != HV_OK)
            return err;
    }
    return HV_OK;
}

hv_err virtq_read(const struct virtq_chain *chain, uint64_t offset, void *to, uint64_t len)
{
    struct copy copy = {.offset = offset, .left = len, .to = to};

    if (range_exceeds(offset, len, chain->out_len))
        return HV_ERR_RANGE;
    return copy_segs(chain, chain->seg, &copy);
}

hv_err virtq_write(const struct virtq_chain *chain, uint64_t offset, const void *from, uint64_t len)
{
    struct copy copy = {.offset = offset, .left = len, .from = from};

    if (range_exceeds(offset, len, chain->in_len))
        return HV_ERR_RANGE;
    return copy_segs(chain, &chain->seg[chain->nr_out], &copy);
}
