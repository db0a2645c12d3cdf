/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A malicious guest against the block device, over a disk in memory with little of it, or over a
 * disk of the machine's that answers in any order and fails now and then. Whatever the guest does,
 * the disk's own memory is all that changes beside the guest's, requests come to an end, and
 * everything is given back.
 */
#include "abi/virtio.h"
#include "dev/disk.h"
#include "virtio_guest.h"

#define STEPS_MAX 1000u
#define SECTORS   64u
#define REQUESTS  (VIRTIO_GUEST_RAM + 0xd000) /* headers and statuses */

static struct virtio_guest g;
static struct disks disks;
static struct virtio_blk *blk;
static pa_t block; /* where it lies */
static bool destroyed;
static const unsigned char image[5000] = {1, 2, 3};

/* The device goes, then what is under way comes to its end, then the disk goes. */
static void blk_destroyed(struct vm *vm, void *dev)
{
    unsigned order = page_pool_order(virtio_blk_size(blk->backend));

    FUZZ_ASSERT(vm == &g.vm && dev == blk && !destroyed);
    virtio_blk_detach(blk);
    hal_phys_unmap(blk, PAGE_SIZE << order);
    page_pool_free(&g.hv->pool, &g.hv->account, block, order);
    if (fakehal()->nr_disks != 0) {
        (void)fakehal_disk_finish_all(0, HV_OK);
        FUZZ_ASSERT(disks_interrupt(&disks, 64));
    }
    disks_destroy(&disks);
    destroyed = true;
}

static struct disk *make_disk(unsigned how)
{
    struct disk_setup setup = {.read_only = (how & 2) != 0, .serial = "fuzz"};

    if ((how & 1) != 0) {
        (void)fakehal_add_disk(SECTORS, (how & 4) != 0);
        fakehal()->disk[0].info.flush = (how & 8) != 0;
        setup.is_machine = true;
    } else {
        setup.size = SECTORS * 512;
        setup.quota = (how & 8) != 0 ? 6 * PAGE_SIZE : 0;
        setup.image = (struct vm_blob){image, (how & 4) != 0 ? sizeof(image) : 0};
    }
    disks_init(&disks, g.hv);
    g.hv->disks = &disks;
    FUZZ_ASSERT(disks_add(&disks, 0, 0, &setup) == HV_OK);
    return disks_find(&disks, 0, 0);
}

/* A request that makes sense: header, some data, a status, in three descriptors. */
static void make_request(void)
{
    static const uint8_t types[] = {0, 1, 1, 4, 8, 11, 13, 0};
    unsigned what = (unsigned)fuzz_take(g.in, 1);
    unsigned n = what >> 5;
    uint64_t at = REQUESTS + n * 32u;
    const struct virtio_blk_header header = {
        .type = types[what & 7],
        .sector = fuzz_take(g.in, 1) & 0x7f,
    };
    const struct virtio_blk_range range = {fuzz_take(g.in, 1) & 0x7f,
                                           (uint32_t)fuzz_take(g.in, 1) & 0x7f, what >> 3 & 1};
    bool in = (types[what & 7] & 1) == 0;
    uint32_t len = (types[what & 7] & 9) == 9 ? 16 : 512u * ((what >> 3 & 3) + 1);
    const struct virtq_desc desc[] = {
        {at, 16, 1, (uint16_t)(3 * n % 12 + 1)},
        {VIRTIO_GUEST_RAM + 0xe000 + n * 16u, len, (uint16_t)(in ? 3 : 1),
         (uint16_t)(3 * n % 12 + 2)},
        {at + 16, 1, 2, 0},
    };

    memcpy(virtio_guest_mem(&g, at), &header, sizeof(header));
    if (len == 16)
        memcpy(virtio_guest_mem(&g, desc[1].addr), &range, sizeof(range));
    memcpy((unsigned char *)virtio_guest_mem(&g, virtio_guest_rings(&g, 0)) + 3 * n % 12 * 16u,
           desc, sizeof(desc));
}

/* The machine's disk is done with a request, and says so or not yet. */
static void backend_step(unsigned what)
{
    unsigned slot = what & 3;

    if (fakehal()->nr_disks == 0)
        return;
    if (fakehal()->disk[0].slot[slot].state == FAKEHAL_DISK_BUSY)
        fakehal_disk_finish(0, slot, (what & 0x1c) == 0 ? HV_ERR_IO : HV_OK);
    if ((what & 0x20) == 0)
        FUZZ_ASSERT(disks_interrupt(&disks, 64));
}

static void check_blk(void)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < blk->backend->requests; i++)
        count += blk->request[i].used;
    FUZZ_ASSERT(count == blk->nr_used);
    FUZZ_ASSERT(blk->current == NULL || blk->current->used || !virtio_is_live(&blk->dev));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    struct disk *disk;
    unsigned order;

    struct virtio_world *world = virtio_guest_start(&g, &in);
    /* Beside the small pool of the guest's tables: the disk, its buffers and the device. */
    virtio_world_add_pool(g.hv, UINT64_C(0xa0000000), 0x100000);
    disk = make_disk((unsigned)fuzz_take(&in, 1));
    order = page_pool_order(virtio_blk_size(&disk->backend));
    FUZZ_ASSERT(page_pool_alloc(&g.hv->pool, &g.hv->account, order, &block) == HV_OK);
    blk = hal_phys_map(block, PAGE_SIZE << order);
    destroyed = false;
    FUZZ_ASSERT(virtio_blk_create(blk, &g.vm, VIRTIO_GUEST_BASE, VIRTIO_GUEST_INTID, &disk->backend,
                                  blk_destroyed) == HV_OK);
    virtio_guest_attach(&g, &blk->dev);
    for (unsigned i = 0; i < STEPS_MAX && in.left > 0; i++) {
        unsigned what = (unsigned)fuzz_take(&in, 1);
        if (what % 3 == 0)
            make_request();
        if (what % 5 == 0)
            backend_step(what / 5);
        if (what == 0xff)
            page_pool_fail_nth(&g.hv->pool, 1);
        virtio_guest_step(&g);
        check_blk();
    }
    page_pool_fail_nth(&g.hv->pool, 0);
    virtio_guest_end(&g, world);
    FUZZ_ASSERT(destroyed);
    FUZZ_ASSERT(g.hv->account.used == 0);
    return 0;
}
