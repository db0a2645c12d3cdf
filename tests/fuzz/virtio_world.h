/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The machine that malicious guests (virtio_guest.h) are on: up to two VMs of two vCPUs, each of
 * which runs on a pCPU of its own, with all memory guarded (fakehal_add_guarded_ram()). Made anew
 * for each case, so that one says all that is needed to see it again.
 *
 * Core touches no memory but what it has mapped, and maps nothing of a VM's but for that VM, on its
 * pCPUs, and while it is mapped in its stage 2.
 */
#ifndef FUZZ_VIRTIO_WORLD_H
#define FUZZ_VIRTIO_WORLD_H

#include "abi/virtio.h"
#include "fakehal/fakehal.h"
#include "fuzz.h"
#include "virtio/device.h"
#include "vm/hv.h"
#include "vm/ram.h"
#include "vm/sched.h"

#define VIRTIO_GUEST_BASE  UINT64_C(0x0a000000)
#define VIRTIO_GUEST_INTID 48u
#define VIRTIO_GUEST_RAM   UINT64_C(0x40000000)
#ifndef VIRTIO_GUEST_PAGES
#define VIRTIO_GUEST_PAGES 16u /* even, at most 64; before the first include, if others */
#endif
#define VIRTIO_GUEST_SIZE    (VIRTIO_GUEST_PAGES * PAGE_SIZE)
#define VIRTIO_GUEST_VCPUS   2u
#define VIRTIO_GUEST_DEVICES 4u
#define VIRTIO_GUEST_VMS     2u
#define VIRTIO_GUEST_POOL    UINT64_C(0x80000000)
/* Of the first VM's memory: behind each two pages one is nobody's. */
#define VIRTIO_GUEST_PA      UINT64_C(0x90000000)
#define VIRTIO_GUEST_PA_SIZE (VIRTIO_GUEST_PAGES / 2 * 3 * PAGE_SIZE)

/* What a guest knows of one of its devices. */
struct virtio_guest_driver {
    struct virtio_device *dev;
    uint32_t rings; /* the place of those of its queue 0: virtio_guest_rings() */
    uint16_t size;  /* of all queues */
    uint16_t avail_idx[VIRTIO_QUEUES_MAX];
};

struct virtio_guest {
    struct fuzz_input *in;
    struct virtio_guest_driver *d; /* that it is at */
    struct virtio_guest_driver driver[VIRTIO_GUEST_DEVICES];
    unsigned nr_drivers;
    uint32_t next_rings; /* the first place behind those of its devices */
    struct vm vm;
    struct vm_config config;
    struct hv *hv;
    unsigned cpu; /* of its first vCPU */
    pa_t pa;      /* of its memory, if that stays where it is */
    bool pooled;  /* its memory is the pool's, and comes and goes */
    struct vcpu vcpu[VIRTIO_GUEST_VCPUS];
    struct vgic_cpu gic_cpu[VIRTIO_GUEST_VCPUS];
    struct vgic_irq spi[32];
    uint64_t unmapped; /* bit n: page n of its memory */
    bool meanwhile;
    unsigned char nowhere[PAGE_SIZE]; /* in place of memory that there is none of */
};

struct virtio_world {
    struct hv hv;
    struct virtio_guest *guest[VIRTIO_GUEST_VMS];
};

/* Page n of a VM whose memory stays where it is. */
static inline pa_t virtio_guest_page_pa(const struct virtio_guest *g, uint64_t n)
{
    return pa_add(g->pa, (n + n / 2) * PAGE_SIZE);
}

/* Core maps this on pCPU `self`. */
static inline void virtio_world_mapped(void *ctx, uint64_t base, uint64_t len)
{
    const struct virtio_world *world = ctx;

    for (unsigned i = 0; i < VIRTIO_GUEST_VMS; i++) {
        const struct virtio_guest *g = world->guest[i];
        if (g == NULL || g->pooled || !ranges_overlap(base, len, g->pa.v, VIRTIO_GUEST_PA_SIZE))
            continue;
        FUZZ_ASSERT(fakehal()->self / VIRTIO_GUEST_VCPUS == i);
        for (uint64_t at = (base - g->pa.v) / PAGE_SIZE;
             at <= (base + len - 1 - g->pa.v) / PAGE_SIZE; at++) {
            FUZZ_ASSERT(at % 3 != 2);
            FUZZ_ASSERT((g->unmapped >> (at / 3 * 2 + at % 3) & 1) == 0);
        }
    }
}

/* Core waits on one pCPU: the others go on. */
static inline void virtio_world_relax(void *ctx)
{
    struct virtio_world *world = ctx;

    for (unsigned cpu = 0; cpu < VIRTIO_GUEST_VCPUS * VIRTIO_GUEST_VMS; cpu++)
        if (cpu != fakehal()->self)
            world->hv.pcpu[cpu].passes++;
}

/* More memory for the pool. */
static inline void virtio_world_add_pool(struct hv *hv, uint64_t base, uint64_t size)
{
    struct page_pool *pool = &hv->pool;

    fakehal_add_guarded_ram(pa(base), size);
    FUZZ_ASSERT(page_pool_add(pool, pa(base), size) == HV_OK);
    const struct page_region *region = &pool->region[pool->nr_regions - 1];
    fakehal_guard(pa(region->first_pfn << PAGE_SHIFT), region->nr_pages << PAGE_SHIFT);
}

/* The machine, with no VM. */
static inline struct virtio_world *virtio_world_start(void)
{
    static struct virtio_world world;
    struct hv *hv = &world.hv;

    memset(&world, 0, sizeof(world));
    fakehal_reset();
    fakehal()->platform.nr_cpus = VIRTIO_GUEST_VCPUS * VIRTIO_GUEST_VMS;
    fakehal()->map = virtio_world_mapped;
    fakehal()->map_ctx = &world;
    fakehal()->relax = virtio_world_relax;
    fakehal()->relax_ctx = &world;
    hv->platform = fakehal()->platform;
    hv->idregs = fakehal()->idregs;
    hv->account.limit = UINT64_MAX;
    page_pool_init(&hv->pool);
    virtio_world_add_pool(hv, VIRTIO_GUEST_POOL, 0x28000);
    return &world;
}

/* No page is anybody's, and none has anything of its last owner's. */
static inline void virtio_world_end(struct virtio_world *world)
{
    struct page_pool *pool = &world->hv.pool;

    FUZZ_ASSERT(page_pool_free_pages(pool) == pool->total_pages);
    FUZZ_ASSERT(fakehal()->maps == fakehal()->unmaps + pool->nr_regions);
    for (uint32_t i = 0; i < pool->nr_regions; i++) {
        const struct page_region *region = &pool->region[i];
        const char *mem =
            fakehal_mem(pa(region->first_pfn << PAGE_SHIFT), region->nr_pages << PAGE_SHIFT);
        FUZZ_ASSERT(mem[0] == 0 && memcmp(mem, mem + 1, (region->nr_pages << PAGE_SHIFT) - 1) == 0);
    }
}

/* --- VMs --- */

static inline void virtio_guest_kick(void *ctx, unsigned cpu)
{
    (void)ctx;
    FUZZ_ASSERT(cpu < VIRTIO_GUEST_VCPUS);
}

static inline void virtio_guest_vgic(struct virtio_guest *g)
{
    const struct vgic_config config = {
        .cpu = g->gic_cpu,
        .spi = g->spi,
        .nr_cpus = VIRTIO_GUEST_VCPUS,
        .nr_spis = 32,
        .kick = virtio_guest_kick,
    };

    for (unsigned i = 0; i < VIRTIO_GUEST_VCPUS; i++) {
        g->gic_cpu[i].vcpu = &g->vcpu[i].arch;
        g->gic_cpu[i].affinity = i;
    }
    FUZZ_ASSERT(vgic_init(&g->vm.vgic, &config) == HV_OK);
}

static inline void virtio_guest_memory(struct virtio_guest *g, unsigned n)
{
    if (g->pooled) {
        FUZZ_ASSERT(vm_ram_alloc(&g->vm, VIRTIO_GUEST_SIZE) == HV_OK);
        return;
    }
    g->pa = pa(VIRTIO_GUEST_PA + n * 0x100000u);
    fakehal_add_guarded_ram(g->pa, VIRTIO_GUEST_PA_SIZE);
    for (unsigned page = 0; page < VIRTIO_GUEST_PAGES; page += 2)
        FUZZ_ASSERT(s2_map(&g->vm.s2, ipa(VIRTIO_GUEST_RAM + page * PAGE_SIZE),
                           virtio_guest_page_pa(g, page), 2 * PAGE_SIZE, S2_RWX,
                           S2_MEM_NORMAL) == HV_OK);
}

/* VM number n, as vm_create() would make it, but for what no virtio device looks at. */
static inline void virtio_guest_join(struct virtio_guest *g, struct virtio_world *world, unsigned n,
                                     struct fuzz_input *in, bool pooled)
{
    struct hv *hv = &world->hv;

    memset(g, 0, sizeof(*g));
    g->hv = hv;
    g->in = in;
    g->cpu = n * VIRTIO_GUEST_VCPUS;
    g->pooled = pooled;
    g->config.name[0] = (char)('a' + n);
    g->config.memory = VIRTIO_GUEST_SIZE;
    g->vm.hv = hv;
    g->vm.config = &g->config;
    g->vm.nr_vcpus = VIRTIO_GUEST_VCPUS;
    g->vm.vcpu = g->vcpu;
    g->vm.state = VM_RUNNING;
    g->vm.account.limit = UINT64_MAX;
    spinlock_init(&g->vm.lock, LOCK_RANK_VM);
    FUZZ_ASSERT(s2_init(&g->vm.s2, &hv->pool, &g->vm.account, &fakehal()->idregs,
                        (uint16_t)(n + 1)) == HV_OK);
    virtio_guest_memory(g, n);
    virtio_guest_vgic(g);
    for (unsigned i = 0; i < VIRTIO_GUEST_VCPUS; i++) {
        struct pcpu *pcpu = &hv->pcpu[g->cpu + i];
        sched_init_pcpu(hv, g->cpu + i);
        pcpu->passes = 1;
        hv->online |= UINT64_C(1) << (g->cpu + i);
        g->vcpu[i].vm = &g->vm;
        g->vcpu[i].index = i;
        g->vcpu[i].pcpu = pcpu;
        g->vcpu[i].state = VCPU_RUNNING;
        pcpu->current = pcpu->running = &g->vcpu[i];
    }
    world->guest[n] = g;
    fakehal()->self = g->cpu;
}

/* The devices go, which are at rest, and the VM's memory. */
static inline void virtio_guest_leave(struct virtio_guest *g)
{
    fakehal()->self = g->cpu;
    while (g->vm.nr_devices > 0) {
        const struct vm_device *device = &g->vm.device[--g->vm.nr_devices];
        device->destroy(&g->vm, device->dev);
    }
    vgic_destroy(&g->vm.vgic);
    if (g->vm.s2.fill != NULL)
        vm_ram_empty(&g->vm);
    s2_destroy(&g->vm.s2);
    vm_ram_free(&g->vm);
    FUZZ_ASSERT(g->vm.account.used == 0);
}

#endif
