/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A malicious guest for fuzzers of virtio devices: two vCPUs that write registers, rings,
 * descriptors, indirect tables and configuration space in any order, with enough of an honest
 * driver that requests get through. The fuzzer makes its device:
 *
 *     world = virtio_guest_start(&g, &in);
 *     ... virtio_create(dev, &g.vm, &setup with VIRTIO_GUEST_BASE and _INTID, ...) ...
 *     virtio_guest_attach(&g, dev);
 *     while (g.in->left > 0)
 *         virtio_guest_step(&g);      and now and then what a backend does
 *     virtio_guest_end(&g, world);
 *
 * and calls virtio_guest_meanwhile() in its serve() or its backend wherever the lock is let go:
 * there the other vCPU does something. A guest with several devices attaches each, and is at one of
 * them, virtio_guest_pick(). That no access goes outside of its memory is the world's to see.
 */
#ifndef FUZZ_VIRTIO_GUEST_H
#define FUZZ_VIRTIO_GUEST_H

#include "virtio_world.h"

/* Alone on a machine of its own. */
static inline struct virtio_world *virtio_guest_start(struct virtio_guest *g, struct fuzz_input *in)
{
    struct virtio_world *world = virtio_world_start();

    virtio_guest_join(g, world, 0, in, false);
    return world;
}

/* --- What it does --- */

static inline void virtio_guest_access(struct virtio_guest *g, uint64_t offset, uint8_t size,
                                       bool write, uint64_t value)
{
    struct mmio_access access = {offset, value, fakehal()->self, size, write};

    if (offset + size <= VIRTIO_FRAME_SIZE)
        (void)virtio_access(g->d->dev, &access);
}

static inline void virtio_guest_reg(struct virtio_guest *g, uint64_t offset, uint32_t value)
{
    virtio_guest_access(g, offset, 4, true, value);
}

/* Places for rings, three pages each: four in its first 16 pages, as many as there is room for
 * behind them. */
#define VIRTIO_GUEST_PLACES (4 + (VIRTIO_GUEST_PAGES - 16) / 3)

/* The rings of queue n. Several queues share a place now and then. */
static inline uint64_t virtio_guest_rings(const struct virtio_guest *g, uint32_t n)
{
    uint64_t place = (g->d->rings + n) % VIRTIO_GUEST_PLACES;

    return VIRTIO_GUEST_RAM + (3 * place + (place < 4 ? 0 : 4)) * PAGE_SIZE;
}

/* Its memory at `at`, up to the page's end: if that is gone it comes back, empty. */
static inline void *virtio_guest_mem(struct virtio_guest *g, uint64_t at)
{
    struct s2_mapping mapping;

    if (!g->pooled)
        return fakehal_mem(
            pa_add(virtio_guest_page_pa(g, (at - VIRTIO_GUEST_RAM) / PAGE_SIZE), at % PAGE_SIZE),
            1);
    if (s2_query(&g->vm.s2, ipa(at), &mapping) == HV_OK)
        return fakehal_mem(pa_add(mapping.pa, at - mapping.ipa.v), 1);
    if (vm_ram_fill(&g->vm.s2, ipa(at)) != HV_OK)
        return g->nowhere + at % PAGE_SIZE;
    FUZZ_ASSERT(s2_query(&g->vm.s2, ipa(at), &mapping) == HV_OK);
    const char *page = fakehal_mem(mapping.pa, PAGE_SIZE);
    FUZZ_ASSERT(page[0] == 0 && memcmp(page, page + 1, PAGE_SIZE - 1) == 0);
    return fakehal_mem(pa_add(mapping.pa, at - mapping.ipa.v), 1);
}

/* An address: of its memory, most of the time. */
static inline uint64_t virtio_guest_address(struct virtio_guest *g)
{
    uint64_t value = fuzz_take(g->in, 2);

    return value >= 0xff00 ? fuzz_take(g->in, 8) : VIRTIO_GUEST_RAM + (value * 16 & 0xffff);
}

/* All the way to DRIVER_OK, with features, sizes and queues as the input says. */
static inline void virtio_guest_bring_up(struct virtio_guest *g)
{
    uint64_t how = fuzz_take(g->in, 4);
    uint64_t features = g->d->dev->offered;

    g->d->size = (uint16_t)(1u << (how & 7));
    features &=
        ~(((how & 8) != 0 ? UINT64_C(1) << 28 : 0) | ((how & 16) != 0 ? UINT64_C(1) << 29 : 0));
    if ((how & 32) != 0)
        features ^= (how >> 8 & 0xffff) * ((how & 64) != 0 ? UINT64_C(0x10001) : 1);
    virtio_guest_reg(g, 0x70, 0);
    virtio_guest_reg(g, 0x70, 3);
    for (uint32_t half = 0; half < 2; half++) {
        virtio_guest_reg(g, 0x24, half);
        virtio_guest_reg(g, 0x20, (uint32_t)(features >> 32 * half));
    }
    virtio_guest_reg(g, 0x70, 11);
    for (uint32_t n = 0; n < g->d->dev->nr_queues; n++) {
        uint64_t rings = virtio_guest_rings(g, n);
        g->d->avail_idx[n] = 0;
        virtio_guest_reg(g, 0x30, n);
        virtio_guest_reg(g, 0x38, g->d->size);
        virtio_guest_reg(g, 0x80, (uint32_t)rings);
        virtio_guest_reg(g, 0x90, (uint32_t)(rings + PAGE_SIZE));
        virtio_guest_reg(g, 0xa0, (uint32_t)(rings + 2 * PAGE_SIZE));
        for (unsigned i = 1; i <= 2; i++)
            memset(virtio_guest_mem(g, rings + i * PAGE_SIZE), 0, PAGE_SIZE);
        virtio_guest_reg(g, 0x44, 1);
    }
    virtio_guest_reg(g, 0x70, 15);
}

/* A descriptor of a queue's table, or of what may be used as an indirect one. */
static inline void virtio_guest_desc(struct virtio_guest *g)
{
    unsigned where = (unsigned)fuzz_take(g->in, 1);
    unsigned what = (unsigned)fuzz_take(g->in, 1);
    uint64_t addr = virtio_guest_address(g);
    uint32_t len = (uint32_t)fuzz_take(g->in, 1) << ((what & 3) * 4);
    uint16_t flags = (uint16_t)(what >> 2 & 7);
    uint16_t next = (uint16_t)((where & 7) + 1);
    uint64_t at =
        (where & 0x80) != 0 ? VIRTIO_GUEST_RAM + 0xc000 : virtio_guest_rings(g, where >> 5 & 3);

    if ((what & 0xe0) == 0xe0)
        next = (uint16_t)fuzz_take(g->in, 2);
    if ((what & 0x60) == 0x40)
        len = (uint32_t)fuzz_take(g->in, 4);
    if ((flags & 4) != 0 && (what & 0x80) == 0)
        addr = VIRTIO_GUEST_RAM + 0xc000, len &= ~15u;
    unsigned char *to = (unsigned char *)virtio_guest_mem(g, at) + (where & 15) * 16u;
    memcpy(to, &addr, 8);
    memcpy(to + 8, &len, 4);
    memcpy(to + 12, &flags, 2);
    memcpy(to + 14, &next, 2);
}

/* Makes a descriptor available; the ring's index says so later. */
static inline void virtio_guest_put(struct virtio_guest *g, uint32_t n, uint16_t head)
{
    unsigned char *ring = virtio_guest_mem(g, virtio_guest_rings(g, n) + PAGE_SIZE);

    memcpy(ring + 4 + 2u * (g->d->avail_idx[n]++ & (g->d->size - 1u)), &head, 2);
}

static inline void virtio_guest_publish(struct virtio_guest *g, uint32_t n)
{
    unsigned char *ring = virtio_guest_mem(g, virtio_guest_rings(g, n) + PAGE_SIZE);

    memcpy(ring + 2, &g->d->avail_idx[n], 2);
}

/* Descriptor n of queue `queue`. */
static inline void virtio_guest_set_desc(struct virtio_guest *g, uint32_t queue, unsigned n,
                                         const struct virtq_desc *desc)
{
    memcpy((unsigned char *)virtio_guest_mem(g, virtio_guest_rings(g, queue)) + n * sizeof(*desc),
           desc, sizeof(*desc));
}

/* One chain, as an honest driver makes it available. */
static inline void virtio_guest_give(struct virtio_guest *g, uint32_t queue, unsigned head)
{
    virtio_guest_put(g, queue, (uint16_t)head);
    virtio_guest_publish(g, queue);
    virtio_guest_reg(g, 0x50, queue);
}

/* Makes a few descriptors available, and notifies. */
static inline void virtio_guest_offer(struct virtio_guest *g)
{
    unsigned what = (unsigned)fuzz_take(g->in, 1);
    uint32_t n = (what >> 4) % g->d->dev->nr_queues;

    for (unsigned i = 0; i <= (what & 3); i++) {
        uint16_t head = (uint16_t)fuzz_take(g->in, 1);
        virtio_guest_put(g, n, (uint16_t)(head >= 0xf0 ? head << 8 : head & 15));
    }
    virtio_guest_publish(g, n);
    if ((what & 4) == 0)
        virtio_guest_reg(g, 0x50, n);
}

static inline void virtio_guest_scribble(struct virtio_guest *g)
{
    uint64_t at = fuzz_take(g->in, 2);
    uint64_t value = fuzz_take(g->in, 8);

    memcpy(virtio_guest_mem(g, VIRTIO_GUEST_RAM + (at & 0xfff8)), &value, 8);
}

/* A page of its memory goes, or comes back. */
static inline void virtio_guest_page(struct virtio_guest *g)
{
    unsigned n = (unsigned)fuzz_take(g->in, 1) % VIRTIO_GUEST_PAGES;
    ipa_t at = ipa(VIRTIO_GUEST_RAM + n * PAGE_SIZE);
    hv_err err;

    if (g->pooled) {
        (void)virtio_guest_mem(g, at.v);
        return;
    }
    if ((g->unmapped & UINT64_C(1) << n) == 0)
        err = s2_unmap(&g->vm.s2, at, PAGE_SIZE);
    else
        err = s2_map(&g->vm.s2, at, virtio_guest_page_pa(g, n), PAGE_SIZE, S2_RW, S2_MEM_NORMAL);
    FUZZ_ASSERT(err == HV_OK);
    g->unmapped ^= UINT64_C(1) << n;
}

/* Registers by their names, with values that mean something. Not those that wait for serve(). */
static inline void virtio_guest_known_reg(struct virtio_guest *g)
{
    static const uint8_t offset[] = {0x14, 0x20, 0x24, 0x30, 0x38, 0x50, 0x64, 0x80,
                                     0x84, 0x90, 0x94, 0xa0, 0xa4, 0xac, 0x44, 0x70};
    unsigned which = (unsigned)fuzz_take(g->in, 1);
    uint32_t value = (uint32_t)fuzz_take(g->in, which >= 0x80 ? 4 : 1);

    if ((which & 15) >= 14)
        value |= g->meanwhile ? 1 : 0;
    virtio_guest_reg(g, offset[which & 15], value);
}

/* Any access. A zero to a register that waits for serve() would wait for ever within it. */
static inline void virtio_guest_raw_access(struct virtio_guest *g)
{
    uint64_t what = fuzz_take(g->in, 2);
    uint64_t offset = what & 0x1ff;
    uint8_t size = (uint8_t)(1u << (what >> 9 & 3));
    bool write = (what & 0x800) != 0;
    uint64_t value = write ? fuzz_take(g->in, size) : 0;

    if (g->meanwhile && offset < 0x100)
        value |= 1;
    virtio_guest_access(g, offset, size, write, value);
}

static inline void virtio_guest_act(struct virtio_guest *g, unsigned what)
{
    switch (what % 8) {
    case 0:
        virtio_guest_raw_access(g);
        break;
    case 1:
        virtio_guest_known_reg(g);
        break;
    case 2:
        virtio_guest_scribble(g);
        break;
    case 3:
        if ((what & 0x18) == 0)
            virtio_guest_page(g);
        else if (!g->meanwhile)
            virtio_guest_bring_up(g);
        break;
    case 4:
    case 5:
        virtio_guest_desc(g);
        break;
    default:
        virtio_guest_offer(g);
        break;
    }
}

/* --- What the hypervisor does --- */

static inline void virtio_guest_check_device(const struct virtio_guest *g,
                                             const struct virtio_device *dev)
{
    FUZZ_ASSERT(!dev->resetting && dev->isr <= 3);
    FUZZ_ASSERT(dev->line == (dev->isr != 0));
    FUZZ_ASSERT(g->spi[dev->intid - 32].level == dev->line);
    FUZZ_ASSERT((dev->status & ~0xcfu) == 0);
    FUZZ_ASSERT((dev->status & 8) == 0 || (dev->accepted & ~dev->offered) == 0);
    for (uint32_t n = 0; n < dev->nr_queues; n++) {
        FUZZ_ASSERT(!dev->queue[n].broken || !virtio_is_live(dev));
        FUZZ_ASSERT(!dev->queue[n].ready || virtq_is_sound(&dev->queue[n]));
    }
}

/* What holds whatever the guest did. */
static inline void virtio_guest_check(const struct virtio_guest *g)
{
    for (unsigned i = 0; i < g->nr_drivers; i++)
        virtio_guest_check_device(g, g->driver[i].dev);
}

/* Pieces of work on this vCPU, at most so many: a guest may lay its rings on top of each other and
 * feed the device for ever. False: there are more. */
static inline bool virtio_guest_serve(struct virtio_guest *g, unsigned pieces)
{
    struct vcpu *vcpu = &g->vcpu[fakehal()->self - g->cpu];

    for (; vcpu->requests != 0; pieces--) {
        if (pieces == 0)
            return false;
        vcpu->requests = 0;
        vm_serve_devices(vcpu);
        virtio_guest_check(g);
    }
    return true;
}

/* In the middle of serve(), on the pCPU that serves, with no lock held: the other vCPU goes on. */
static inline void virtio_guest_meanwhile(struct virtio_guest *g)
{
    unsigned what = (unsigned)fuzz_take(g->in, 1);
    unsigned self = fakehal()->self;

    if (g->meanwhile || (what & 3) != 0)
        return;
    g->meanwhile = true;
    fakehal()->self = self ^ 1;
    virtio_guest_act(g, what >> 2);
    (void)virtio_guest_serve(g, 2);
    fakehal()->self = self;
    g->meanwhile = false;
}

/* It has one more device, and is at it. */
static inline void virtio_guest_attach(struct virtio_guest *g, struct virtio_device *dev)
{
    g->d = &g->driver[g->nr_drivers++];
    g->d->dev = dev;
    g->d->rings = g->next_rings;
    g->next_rings += dev->nr_queues;
    virtio_guest_bring_up(g);
}

static inline void virtio_guest_pick(struct virtio_guest *g, unsigned n)
{
    g->d = &g->driver[n % g->nr_drivers];
}

static inline void virtio_guest_step(struct virtio_guest *g)
{
    unsigned what = (unsigned)fuzz_take(g->in, 1);

    fakehal()->self = g->cpu + (what >> 7);
    sched_pass(g->hv);
    virtio_guest_act(g, what & 0x7f);
    virtio_guest_check(g);
    (void)virtio_guest_serve(g, 4);
}

/* Resets the devices: they come to rest, whatever waits for a pCPU to pass. */
static inline void virtio_guest_rest(struct virtio_guest *g)
{
    bool rests = false;

    fakehal()->self = g->cpu;
    for (unsigned i = 0; i < g->nr_drivers; i++) {
        virtio_guest_pick(g, i);
        virtio_guest_reg(g, 0x70, 0);
        FUZZ_ASSERT(g->d->dev->status == 0 && !g->d->dev->line);
    }
    for (unsigned i = 0; !rests && i < 8 * VIRTIO_QUEUES_MAX; i++) {
        rests = g->vm.work == 0;
        for (unsigned n = 0; n < VIRTIO_GUEST_VCPUS; n++) {
            fakehal()->self = g->cpu + n;
            sched_pass(g->hv);
            rests = virtio_guest_serve(g, 1) && rests;
        }
    }
    FUZZ_ASSERT(rests && g->vm.work == 0);
    for (unsigned i = 0; i < g->nr_drivers; i++)
        FUZZ_ASSERT(g->driver[i].dev->pending == 0);
}

/* Then the VM goes, and with it the device: what the fuzzer gave to virtio_create() is called.
 * Nothing is left behind. */
static inline void virtio_guest_end(struct virtio_guest *g, struct virtio_world *world)
{
    virtio_guest_rest(g);
    virtio_guest_leave(g);
    virtio_world_end(world);
}

#endif
