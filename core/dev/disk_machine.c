/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A disk of the machine's: each piece goes through a buffer of its slot's. What a reset leaves
 * under way runs out before anything else begins, so that no old write comes after a new one.
 */
#include "base/bits.h"
#include "base/check.h"
#include "dev/disk.h"

enum slot_state {
    SLOT_FREE,
    SLOT_HELD, /* the device's: it fills or reads the buffer */
    SLOT_BUSY, /* the HAL's */
    SLOT_DONE, /* to be collected */
    SLOT_LOST, /* the HAL's, and nobody waits for it */
};

struct slot {
    struct blk_io io;
    enum slot_state state;
};

struct disk_machine {
    struct disk disk;     /* first */
    struct spinlock lock; /* rank dev: all that follows, and the HAL's disk */
    unsigned number;      /* of the HAL's */
    struct hal_disk_info info;
    void (*notify)(void *ctx); /* NULL: no device */
    void *ctx;
    uint32_t nr_lost;
    pa_t buffers; /* HAL_DISK_LEN_MAX for each slot */
    unsigned char *mapped;
    struct slot slot[HAL_DISK_SLOTS];
};

#define BUFFERS_SIZE ((uint64_t)HAL_DISK_SLOTS * HAL_DISK_LEN_MAX)

static struct disk_machine *machine_of(struct blk_backend *backend)
{
    return (struct disk_machine *)(void *)backend;
}

static struct slot *slot_of(struct blk_io *io)
{
    return (struct slot *)(void *)io;
}

static void machine_attach(struct blk_backend *backend, void (*notify)(void *ctx), void *ctx)
{
    struct disk_machine *machine = machine_of(backend);

    spinlock_lock(&machine->lock);
    machine->notify = notify;
    machine->ctx = ctx;
    spinlock_unlock(&machine->lock);
}

static void forget(struct disk_machine *machine)
{
    for (unsigned i = 0; i < HAL_DISK_SLOTS; i++) {
        struct slot *slot = &machine->slot[i];
        if (slot->state == SLOT_BUSY) {
            slot->state = SLOT_LOST;
            machine->nr_lost++;
        } else if (slot->state != SLOT_LOST) {
            slot->state = SLOT_FREE;
        }
    }
}

static void machine_detach(struct blk_backend *backend)
{
    struct disk_machine *machine = machine_of(backend);

    spinlock_lock(&machine->lock);
    machine->notify = NULL;
    forget(machine);
    spinlock_unlock(&machine->lock);
}

static void machine_forget(struct blk_backend *backend)
{
    struct disk_machine *machine = machine_of(backend);

    spinlock_lock(&machine->lock);
    forget(machine);
    spinlock_unlock(&machine->lock);
}

static struct slot *take_free(struct disk_machine *machine)
{
    if (machine->nr_lost != 0)
        return NULL;
    for (unsigned i = 0; i < HAL_DISK_SLOTS; i++) {
        if (machine->slot[i].state != SLOT_FREE)
            continue;
        machine->slot[i].state = SLOT_HELD;
        return &machine->slot[i];
    }
    return NULL;
}

static uint64_t buffer_of(const struct disk_machine *machine, const struct slot *slot)
{
    return machine->buffers.v + (uint64_t)(slot - machine->slot) * HAL_DISK_LEN_MAX;
}

static hv_err machine_begin(struct blk_backend *backend, enum blk_op op, uint64_t sector,
                            uint64_t len, struct blk_io **io)
{
    struct disk_machine *machine = machine_of(backend);
    struct slot *slot;

    spinlock_lock(&machine->lock);
    slot = take_free(machine);
    spinlock_unlock(&machine->lock);
    if (slot == NULL)
        return HV_ERR_BUSY;
    slot->io = (struct blk_io){
        .op = op, .sector = sector, .len = len < HAL_DISK_LEN_MAX ? len : HAL_DISK_LEN_MAX};
    if (op == BLK_FLUSH)
        slot->io.len = 0;
    slot->io.buf = machine->mapped + (uint64_t)(slot - machine->slot) * HAL_DISK_LEN_MAX;
    *io = &slot->io;
    return HV_OK;
}

static enum hal_disk_op hal_op(enum blk_op op)
{
    return op == BLK_READ ? HAL_DISK_READ : op == BLK_WRITE ? HAL_DISK_WRITE : HAL_DISK_FLUSH;
}

static void machine_submit(struct blk_backend *backend, struct blk_io *io)
{
    struct disk_machine *machine = machine_of(backend);
    struct slot *slot = slot_of(io);
    const struct hal_disk_request request = {
        .op = hal_op(io->op),
        .sector = io->sector,
        .len = (uint32_t)io->len,
        .buf = pa(buffer_of(machine, slot)),
    };

    spinlock_lock(&machine->lock);
    if (io->op == BLK_FLUSH && !machine->info.flush) {
        io->result = HV_OK;
        slot->state = SLOT_DONE;
    } else {
        slot->state = SLOT_BUSY;
        hal_disk_submit(machine->number, (unsigned)(slot - machine->slot), &request);
    }
    spinlock_unlock(&machine->lock);
}

static struct blk_io *machine_collect(struct blk_backend *backend)
{
    struct disk_machine *machine = machine_of(backend);
    struct blk_io *io = NULL;

    spinlock_lock(&machine->lock);
    for (unsigned i = 0; i < HAL_DISK_SLOTS && io == NULL; i++) {
        if (machine->slot[i].state != SLOT_DONE)
            continue;
        machine->slot[i].state = SLOT_HELD;
        io = &machine->slot[i].io;
    }
    spinlock_unlock(&machine->lock);
    return io;
}

static void machine_end(struct blk_backend *backend, struct blk_io *io)
{
    struct disk_machine *machine = machine_of(backend);

    spinlock_lock(&machine->lock);
    slot_of(io)->state = SLOT_FREE;
    spinlock_unlock(&machine->lock);
}

static const struct blk_backend_ops machine_ops = {
    .attach = machine_attach,
    .detach = machine_detach,
    .forget = machine_forget,
    .begin = machine_begin,
    .submit = machine_submit,
    .collect = machine_collect,
    .end = machine_end,
};

/* The lock is held while the device is told: it is not gone meanwhile. */
bool disk_machine_interrupt(struct disk *disk, uint32_t intid)
{
    struct disk_machine *machine = machine_of(&disk->backend);
    unsigned number;
    hv_err result;
    bool any = false;

    if (machine->info.intid != intid)
        return false;
    spinlock_lock(&machine->lock);
    while (hal_disk_done(machine->number, &number, &result)) {
        struct slot *slot = &machine->slot[number];
        if (slot->state == SLOT_LOST) {
            machine->nr_lost--;
            slot->state = SLOT_FREE;
        } else {
            slot->state = SLOT_DONE;
            slot->io.result = result;
        }
        any = true;
    }
    if (any && machine->notify != NULL)
        machine->notify(machine->ctx);
    spinlock_unlock(&machine->lock);
    return true;
}

void disk_machine_route(const struct disk *disk)
{
    const struct disk_machine *machine = (const struct disk_machine *)(const void *)disk;

    /* It could be enabled once. */
    HV_CHECK(hal_irq_enable(machine->info.intid, true) == HV_OK);
}

static void machine_destroy(struct hv *hv, struct disk *disk)
{
    struct disk_machine *machine = machine_of(&disk->backend);

    hal_phys_unmap(machine->mapped, BUFFERS_SIZE);
    page_pool_free(&hv->pool, &hv->account, machine->buffers, page_pool_order(BUFFERS_SIZE));
}

hv_err disk_machine_create(struct hv *hv, const struct disk_setup *setup, struct disk **out)
{
    struct disk_machine *machine;
    hv_err err;

    if (setup->number >= hal_disk_count())
        return HV_ERR_NOENT;
    err = disk_alloc(hv, sizeof(*machine), out);
    if (err != HV_OK)
        return err;
    machine = machine_of(&(*out)->backend);
    spinlock_init(&machine->lock, LOCK_RANK_DEV);
    machine->number = setup->number;
    hal_disk_info(setup->number, &machine->info);
    machine->disk.backend = (struct blk_backend){
        .ops = &machine_ops,
        .sectors = machine->info.sectors,
        .read_only = setup->read_only || machine->info.read_only,
        .requests = HAL_DISK_SLOTS,
    };
    err =
        page_pool_alloc(&hv->pool, &hv->account, page_pool_order(BUFFERS_SIZE), &machine->buffers);
    if (err == HV_OK) {
        machine->mapped = hal_phys_map(machine->buffers, BUFFERS_SIZE);
        HV_CHECK(machine->mapped != NULL);
        machine->disk.destroy = machine_destroy;
        err = hal_irq_enable(machine->info.intid, true);
    }
    if (err != HV_OK)
        disk_free(hv, &machine->disk);
    return err;
}
