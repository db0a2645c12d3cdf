/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The rings: what is available, what was used, and who wants to be told. Chains: virtq_chain.c. */
#include "virtio/virtq.h"
#include "abi/virtio.h"
#include "hal/hal.h"
#include "virtio/virtq_priv.h"
#include <stdatomic.h>

void virtq_reset(struct virtq *q, struct s2 *s2, uint32_t size)
{
    *q = (struct virtq){.s2 = s2, .size = size};
}

bool virtq_is_sound(const struct virtq *q)
{
    return q->size != 0 && q->size <= VIRTQ_SIZE_MAX && (q->size & (q->size - 1)) == 0 &&
           is_aligned(q->desc.v, VIRTQ_DESC_ALIGN) && is_aligned(q->driver.v, VIRTQ_DRIVER_ALIGN) &&
           is_aligned(q->device.v, VIRTQ_DEVICE_ALIGN);
}

bool virtq_break(struct virtq *q)
{
    q->broken = true;
    return false;
}

/* HV_ERR_NOENT or HV_ERR_FORMAT for a queue that is not to be touched. */
static hv_err usable(const struct virtq *q)
{
    if (q->broken)
        return HV_ERR_FORMAT;
    return q->ready ? HV_OK : HV_ERR_NOENT;
}

/* --- Fields of the rings: aligned, so that each is read or written as one (2.7.6, 2.7.8) --- */

static bool ring_read16(struct virtq *q, ipa_t ring, uint32_t offset, uint16_t *out)
{
    void *at;

    if (guest_window_map(&q->window[VIRTQ_WINDOW_DRIVER], q->s2, ipa_add(ring, offset),
                         sizeof(*out), S2_READ, &at) != HV_OK)
        return virtq_break(q);
    *out = atomic_load_explicit((_Atomic uint16_t *)at, memory_order_relaxed);
    hal_phys_unmap(at, sizeof(*out));
    return true;
}

/* To the used ring, whose fields nobody but the device writes. */
static bool ring_write16(struct virtq *q, uint32_t offset, uint16_t value)
{
    void *at;

    if (guest_window_map(&q->window[VIRTQ_WINDOW_DEVICE], q->s2, ipa_add(q->device, offset),
                         sizeof(value), S2_WRITE, &at) != HV_OK)
        return virtq_break(q);
    atomic_store_explicit((_Atomic uint16_t *)at, value, memory_order_relaxed);
    hal_cache_op(at, sizeof(value), HAL_CACHE_CLEAN);
    hal_phys_unmap(at, sizeof(value));
    return true;
}

/* --- What is available --- */

/* How many chains wait. False if the driver's index is one that it cannot have: it has no more than
 * `size` descriptors to begin chains with. The index is read anew when all that it showed are
 * popped. */
static bool count_avail(struct virtq *q, uint16_t *count)
{
    if (q->seen_avail == q->next_avail) {
        if (!ring_read16(q, q->driver, VIRTQ_AVAIL_IDX, &q->seen_avail))
            return false;
        /* What the index shows is written before it (2.7.13.3). */
        atomic_thread_fence(memory_order_acquire);
    }
    *count = (uint16_t)(q->seen_avail - q->next_avail);
    return *count <= q->size || virtq_break(q);
}

/*
 * Asks for a notification of the entry after those that were popped. What became available before
 * the driver could see that is looked for afterwards: a full barrier on both sides, so that one of
 * the two sees the other (2.7.10.2, 2.7.13.4).
 */
static bool request_event(struct virtq *q)
{
    if (q->event_idx) {
        if (!ring_write16(q, VIRTQ_USED_RING(q->size), q->next_avail))
            return false;
        q->event = q->next_avail;
    }
    atomic_thread_fence(memory_order_seq_cst);
    return true;
}

/* HV_OK: there is a chain. When the last one was popped the driver has to be told so, if it asks.
 */
static hv_err look(struct virtq *q)
{
    uint16_t count;

    if (!count_avail(q, &count))
        return HV_ERR_FORMAT;
    if (count != 0)
        return HV_OK;
    if (!q->event_idx || q->quiet || q->event == q->next_avail)
        return HV_ERR_NOENT;
    if (!request_event(q) || !count_avail(q, &count))
        return HV_ERR_FORMAT;
    return count != 0 ? HV_OK : HV_ERR_NOENT;
}

hv_err virtq_pop(struct virtq *q, struct virtq_chain *chain)
{
    uint16_t head;
    hv_err err = usable(q);

    if (err == HV_OK)
        err = look(q);
    if (err != HV_OK)
        return err;
    if (!ring_read16(q, q->driver, VIRTQ_AVAIL_RING(q->next_avail & (q->size - 1)), &head) ||
        !virtq_chain_read(q, head, chain))
        return HV_ERR_FORMAT;
    q->next_avail++;
    return HV_OK;
}

bool virtq_has_avail(struct virtq *q)
{
    uint16_t count;

    return usable(q) == HV_ERR_FORMAT || (q->ready && (!count_avail(q, &count) || count != 0));
}

void virtq_unpop(struct virtq *q, uint16_t count)
{
    q->next_avail = (uint16_t)(q->next_avail - count);
}

bool virtq_set_notify(struct virtq *q, bool on)
{
    q->quiet = !on;
    if (usable(q) != HV_OK)
        return false;
    if (!q->event_idx && !ring_write16(q, VIRTQ_USED_FLAGS, on ? 0 : VIRTQ_USED_F_NO_NOTIFY))
        return false;
    return on && request_event(q) && virtq_has_avail(q);
}

/* --- What was used --- */

hv_err virtq_fill(struct virtq *q, uint16_t n, uint16_t head, uint32_t written)
{
    const struct virtq_used_elem elem = {.id = head, .len = written};
    uint32_t slot = (uint32_t)(q->next_used + n) & (q->size - 1);
    hv_err err = usable(q);

    if (err != HV_OK)
        return err;
    err = guest_window_write(&q->window[VIRTQ_WINDOW_DEVICE], q->s2,
                             ipa_add(q->device, VIRTQ_USED_RING(slot)), &elem, sizeof(elem));
    return err == HV_OK || virtq_break(q) ? HV_OK : HV_ERR_FORMAT;
}

hv_err virtq_publish(struct virtq *q, uint16_t count)
{
    hv_err err = usable(q);

    if (err != HV_OK || count == 0)
        return err;
    /* The elements, and the buffers' bytes, before the index (2.7.8.2). */
    atomic_thread_fence(memory_order_release);
    if (!ring_write16(q, VIRTQ_USED_IDX, (uint16_t)(q->next_used + count)))
        return HV_ERR_FORMAT;
    q->next_used = (uint16_t)(q->next_used + count);
    return HV_OK;
}

hv_err virtq_push(struct virtq *q, uint16_t head, uint32_t written)
{
    hv_err err = virtq_fill(q, 0, head, written);

    return err == HV_OK ? virtq_publish(q, 1) : err;
}

/* The driver writes what it wants and then looks at the index; here it is the other way round
 * (2.7.7.2, 2.7.10.1). */
bool virtq_must_interrupt(struct virtq *q)
{
    uint16_t pushed = (uint16_t)(q->next_used - q->signalled);
    uint16_t wish;

    if (pushed == 0 || usable(q) != HV_OK)
        return false;
    q->signalled = q->next_used;
    atomic_thread_fence(memory_order_seq_cst);
    if (!q->event_idx)
        return ring_read16(q, q->driver, VIRTQ_AVAIL_FLAGS, &wish) &&
               (wish & VIRTQ_AVAIL_F_NO_INTERRUPT) == 0;
    /* Whether the index went past used_event: it was at most `pushed` ago. */
    return ring_read16(q, q->driver, VIRTQ_AVAIL_RING(q->size), &wish) &&
           (uint16_t)(q->next_used - wish - 1) < pushed;
}
