/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "virtio/balloon.h"
#include "abi/virtio.h"
#include "base/bits.h"
#include "vm/hv.h"
#include "vm/ram.h"
#include <string.h>

enum role { UNUSED, INFLATE, DEFLATE, STATS, REPORT };

#define STATS_MAX 32u /* records of a buffer that are looked at */

static struct virtio_balloon *balloon_of(struct virtio_device *dev)
{
    return (struct virtio_balloon *)dev;
}

/* --- Pages on their way to the pool --- */

/* Somebody may be in the middle of a copy to what is parked: one wait for all of it. */
static void begin_leaving(struct virtio_balloon *b)
{
    sched_grace_begin(b->dev.vm, &b->grace);
    b->leaving = true;
}

/* A piece of what leaves. False: there is more, or it is too early. */
static bool release(struct virtio_balloon *b)
{
    uint64_t left = VIRTIO_BALLOON_SCRUB;

    if (!sched_grace_is_over(b->dev.vm->hv, &b->grace))
        return false;
    while (b->nr_parked > 0 && left > 0) {
        uint64_t *len = &b->parked[b->nr_parked - 1].len;
        uint64_t n = *len < left ? *len : left;
        *len -= n;
        left -= n;
        vm_ram_release(b->dev.vm, pa_add(b->parked[b->nr_parked - 1].pa, *len), n);
        b->nr_parked -= *len == 0;
    }
    b->leaving = b->nr_parked > 0;
    return !b->leaving;
}

void virtio_balloon_deflate(struct virtio_balloon *balloon)
{
    balloon->grace.waits = 0; /* vm_destroy() has waited */
    while (balloon->nr_parked > 0 && !release(balloon))
        hv_worked(balloon->dev.vm->hv, VIRTIO_BALLOON_SCRUB);
}

/* --- What the driver gives --- */

enum found { RANGE, END, WRONG };

/* The next page of an array of page numbers. */
static enum found next_pfn(struct virtio_balloon *b, ipa_t *at, uint64_t *len)
{
    uint32_t pfn;

    if (b->at == b->chain.out_len)
        return END;
    if (b->chain.in_len != 0 || virtq_read(&b->chain, b->at, &pfn, sizeof(pfn)) != HV_OK)
        return WRONG;
    *at = ipa((uint64_t)pfn << VIRTIO_BALLOON_PFN_SHIFT);
    *len = PAGE_SIZE;
    return RANGE;
}

/* What is left of the next buffer: the buffers themselves are free pages. */
static enum found next_free(struct virtio_balloon *b, ipa_t *at, uint64_t *len)
{
    const struct virtq_seg *seg = &b->chain.seg[b->seg];

    if (b->seg == b->chain.nr_in)
        return END;
    if (b->chain.nr_out != 0 || !is_aligned(seg->at.v | seg->len, PAGE_SIZE) || seg->len == 0)
        return WRONG;
    *at = ipa_add(seg->at, b->at);
    *len = seg->len - b->at;
    return RANGE;
}

static void advance(struct virtio_balloon *b, bool reported, uint64_t len)
{
    if (!reported) {
        b->at += sizeof(uint32_t);
        return;
    }
    b->at += len;
    if (b->at >= b->chain.seg[b->seg].len) {
        b->at = 0;
        b->seg++;
    }
}

/* A piece of the chain. A page that is gone already, or for which there are no tables to cut the
 * entry that it is in, stays as it is. */
static enum found take(struct virtio_balloon *b, bool reported)
{
    for (unsigned i = 0; i < VIRTIO_BALLOON_STEPS && b->nr_parked < VIRTIO_BALLOON_BATCH; i++) {
        ipa_t at;
        uint64_t len;
        pa_t pa;
        uint64_t taken;
        enum found found = reported ? next_free(b, &at, &len) : next_pfn(b, &at, &len);
        if (found != RANGE)
            return found;
        hv_err err = vm_ram_take(b->dev.vm, at, len, &pa, &taken);
        if (err == HV_ERR_RANGE)
            return WRONG;
        if (err == HV_OK) {
            b->parked[b->nr_parked].pa = pa;
            b->parked[b->nr_parked++].len = taken;
        } else {
            taken = PAGE_SIZE;
        }
        advance(b, reported, taken);
    }
    return RANGE;
}

/* Called with nothing that leaves. */
static bool serve_pages(struct virtio_balloon *b, uint32_t queue, bool reported)
{
    struct virtio_device *dev = &b->dev;

    if (!b->busy) {
        virtio_lock(dev);
        b->busy = virtio_pop(dev, queue, &b->chain);
        virtio_unlock(dev);
        b->at = b->seg = 0;
        b->queue_busy = queue;
        if (!b->busy)
            return false;
    }
    enum found found = take(b, reported);
    if (b->nr_parked == VIRTIO_BALLOON_BATCH || (found != RANGE && b->nr_parked > 0))
        begin_leaving(b);
    /* The chain goes back when its pages have: its driver may touch them at once, and the VM's
     * account has room for them then. */
    if (found == RANGE || b->nr_parked > 0)
        return true;
    b->busy = false;
    virtio_lock(dev);
    if (found == WRONG)
        virtio_break(dev);
    else if (virtio_push(dev, queue, b->chain.head, 0))
        virtio_signal(dev, queue);
    virtio_unlock(dev);
    return true;
}

/* --- The other queues: the lock is held --- */

/* Whatever the driver takes out of it comes back when it is touched. */
static bool serve_deflate(struct virtio_balloon *b, uint32_t queue)
{
    if (!virtio_pop(&b->dev, queue, &b->chain) || !virtio_push(&b->dev, queue, b->chain.head, 0))
        return false;
    virtio_signal(&b->dev, queue);
    return true;
}

static void give_stats_back(struct virtio_balloon *b, uint32_t queue)
{
    b->has_stats = false;
    if (virtio_push(&b->dev, queue, b->stats_head, 0))
        virtio_signal(&b->dev, queue);
}

/* The buffer stays here until new statistics are wanted (5.5.6.3). */
static bool serve_stats(struct virtio_balloon *b, uint32_t queue)
{
    struct virtio_balloon_stat stat;

    if (b->has_stats && b->wants_stats)
        give_stats_back(b, queue);
    b->wants_stats = false;
    if (!virtio_pop(&b->dev, queue, &b->chain))
        return false;
    if (b->has_stats)
        give_stats_back(b, queue);
    for (uint64_t i = 0; i < STATS_MAX; i++) {
        if (virtq_read(&b->chain, i * sizeof(stat), &stat, sizeof(stat)) != HV_OK)
            break;
        if (stat.tag < ARRAY_LEN(b->stat))
            b->stat[stat.tag] = stat.val;
    }
    b->has_stats = true;
    b->stats_head = b->chain.head;
    return true;
}

static bool serve(struct virtio_device *dev, uint32_t queue)
{
    struct virtio_balloon *b = balloon_of(dev);
    bool more = false;

    /* What was taken for a chain that is forgotten. */
    if (!b->busy && !b->leaving && b->nr_parked > 0)
        begin_leaving(b);
    if (b->leaving && !release(b))
        return true;
    if (b->busy)
        queue = b->queue_busy;
    virtio_lock(dev);
    enum role role = b->role[queue];
    if (role == DEFLATE)
        more = serve_deflate(b, queue);
    else if (role == STATS)
        more = serve_stats(b, queue);
    virtio_unlock(dev);
    if (role == INFLATE || role == REPORT)
        more = serve_pages(b, queue, role == REPORT);
    return more;
}

/* --- Life --- */

/* A queue that was not negotiated has no number: those behind it move up. */
static void started(struct virtio_device *dev)
{
    struct virtio_balloon *b = balloon_of(dev);
    unsigned n = 2;

    memset(b->role, UNUSED, sizeof(b->role));
    b->role[0] = INFLATE;
    b->role[1] = DEFLATE;
    if (virtio_has(dev, VIRTIO_BALLOON_F_STATS_VQ))
        b->role[n++] = STATS;
    if (virtio_has(dev, VIRTIO_BALLOON_F_PAGE_REPORTING))
        b->role[n++] = REPORT;
}

/* Nor are pages: what is parked goes the way that it does for a reset, as its queue is posted. */
static void stopped(struct virtio_device *dev, uint32_t queue)
{
    struct virtio_balloon *b = balloon_of(dev);

    if (b->queue_busy == queue)
        b->busy = false;
    if (b->role[queue] == STATS)
        b->has_stats = false;
}

/* What is parked is no longer the guest's, and is to be given back. */
static void reset(struct virtio_device *dev)
{
    struct virtio_balloon *b = balloon_of(dev);

    b->busy = false;
    b->has_stats = false;
    b->config.actual = 0;
    if (b->nr_parked > 0)
        virtio_post(dev, 0);
}

static uint32_t config_read(struct virtio_device *dev, uint32_t offset, uint32_t size)
{
    uint32_t value = 0;

    memcpy(&value, (const char *)&balloon_of(dev)->config + offset, size);
    return value;
}

static void config_write(struct virtio_device *dev, uint32_t offset, uint32_t size, uint32_t value)
{
    if (offset >= offsetof(struct virtio_balloon_config, actual))
        memcpy((char *)&balloon_of(dev)->config + offset, &value, size);
}

static const struct virtio_ops ops = {
    .id = VIRTIO_ID_BALLOON,
    .features = VIRTIO_BALLOON_F_STATS_VQ | VIRTIO_BALLOON_F_DEFLATE_ON_OOM |
                VIRTIO_BALLOON_F_PAGE_REPORTING,
    .started = started,
    .reset = reset,
    .stopped = stopped,
    .serve = serve,
    .config_read = config_read,
    .config_write = config_write,
    .config_size = sizeof(struct virtio_balloon_config),
};

/* --- The manager's side: vm/vm.h --- */

static void set_target(void *self, uint64_t pages)
{
    struct virtio_balloon *b = self;

    virtio_lock(&b->dev);
    b->config.num_pages = pages < UINT32_MAX ? (uint32_t)pages : UINT32_MAX;
    virtio_config_changed(&b->dev);
    virtio_unlock(&b->dev);
}

static void get_state(void *self, struct vm_balloon_state *out)
{
    struct virtio_balloon *b = self;
    uint32_t queue = VIRTIO_BALLOON_QUEUES;

    virtio_lock(&b->dev);
    *out = (struct vm_balloon_state){
        .target = b->config.num_pages,
        .taken = b->config.actual,
        .total = b->stat[VIRTIO_BALLOON_S_MEMTOT],
        .free = b->stat[VIRTIO_BALLOON_S_MEMFREE],
    };
    b->wants_stats = true;
    for (uint32_t n = 0; n < VIRTIO_BALLOON_QUEUES; n++)
        if (b->role[n] == STATS)
            queue = n;
    virtio_unlock(&b->dev);
    if (queue < VIRTIO_BALLOON_QUEUES)
        virtio_post(&b->dev, queue);
}

hv_err virtio_balloon_create(struct virtio_balloon *balloon, struct vm *vm, uint64_t base,
                             uint32_t intid, uint64_t withheld,
                             void (*destroy)(struct vm *vm, void *dev))
{
    const struct virtio_setup setup = {
        .ops = &ops,
        .base = base,
        .intid = intid,
        .queue = balloon->queue,
        .nr_queues = VIRTIO_BALLOON_QUEUES,
        .withheld = withheld,
    };
    hv_err err = virtio_create(&balloon->dev, vm, &setup, destroy);

    if (err != HV_OK)
        return err;
    vm_ram_allow_holes(vm);
    vm->balloon = (struct vm_balloon){set_target, get_state, balloon};
    return HV_OK;
}
