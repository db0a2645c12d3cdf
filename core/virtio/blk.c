/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Requests of a driver (5.2.6) to pieces for the backend, and back. One request at a time is cut
 * into pieces, and the next is taken from the ring when it has none left; those whose pieces are
 * under way wait in the table. All with the device's lock held, in portions of SERVE_COST: nobody
 * can write to the driver's buffers after it has seen a reset done.
 */
#include "virtio/blk.h"
#include "abi/virtio.h"
#include "base/bits.h"
#include "base/check.h"
#include <string.h>

/* What one call of serve() does at most, in bytes; each request counts for some more. */
#define SERVE_COST   KIB(64)
#define REQUEST_COST KIB(1)

/* 5.2.4; sectors. 2 GiB, in whole pages. */
#define CLEAR_MAX   UINT32_C(0x400000)
#define CLEAR_ALIGN 8u
#define SEG_MAX     (VIRTQ_SEGS_MAX - 2u) /* header and status have their own */

#define HEADER_LEN sizeof(struct virtio_blk_header)

static struct virtio_blk *blk_of(struct virtio_device *dev)
{
    return (struct virtio_blk *)(void *)dev;
}

/* --- What a request asks for: each function gives its status, and fills what the pieces need ---
 */

typedef uint8_t request_fn(struct virtio_blk *blk, struct virtio_blk_request *request);

static bool is_on_disk(const struct virtio_blk *blk, uint64_t sector, uint64_t sectors)
{
    return !range_exceeds(sector, sectors, blk->backend->sectors);
}

static uint8_t take_transfer(struct virtio_blk *blk, struct virtio_blk_request *request,
                             uint64_t len)
{
    if (len % VIRTIO_BLK_SECTOR != 0 || !is_on_disk(blk, request->sector, len / VIRTIO_BLK_SECTOR))
        return VIRTIO_BLK_S_IOERR;
    request->len = len;
    return VIRTIO_BLK_S_OK;
}

static uint8_t take_in(struct virtio_blk *blk, struct virtio_blk_request *request)
{
    request->op = BLK_READ;
    request->at = 0;
    return take_transfer(blk, request, request->chain.in_len - 1);
}

static uint8_t take_out(struct virtio_blk *blk, struct virtio_blk_request *request)
{
    request->op = BLK_WRITE;
    request->at = HEADER_LEN;
    return take_transfer(blk, request, request->chain.out_len - HEADER_LEN);
}

static uint8_t take_flush(struct virtio_blk *blk, struct virtio_blk_request *request)
{
    (void)blk;
    request->op = BLK_FLUSH;
    request->len = 1;
    return VIRTIO_BLK_S_OK;
}

static uint8_t take_id(struct virtio_blk *blk, struct virtio_blk_request *request)
{
    uint64_t room = request->chain.in_len - 1;

    request->op = BLK_READ;
    if (room > VIRTIO_BLK_ID_LEN ||
        virtq_write(&request->chain, 0, blk->backend->serial, room) != HV_OK)
        return VIRTIO_BLK_S_IOERR;
    return VIRTIO_BLK_S_OK;
}

/* The one range of a DISCARD or WRITE_ZEROES. */
static uint8_t take_range(struct virtio_blk *blk, struct virtio_blk_request *request,
                          uint32_t *flags)
{
    struct virtio_blk_range range;

    if (!blk->backend->clears)
        return VIRTIO_BLK_S_UNSUPP;
    if (request->chain.out_len != HEADER_LEN + sizeof(range) ||
        virtq_read(&request->chain, HEADER_LEN, &range, sizeof(range)) != HV_OK)
        return VIRTIO_BLK_S_IOERR;
    *flags = range.flags;
    if ((range.flags & ~(uint32_t)VIRTIO_BLK_RANGE_UNMAP) != 0)
        return VIRTIO_BLK_S_UNSUPP;
    if (range.num_sectors > CLEAR_MAX || !is_on_disk(blk, range.sector, range.num_sectors))
        return VIRTIO_BLK_S_IOERR;
    request->sector = range.sector;
    request->len = (uint64_t)range.num_sectors * VIRTIO_BLK_SECTOR;
    return VIRTIO_BLK_S_OK;
}

/* 5.2.6.2: a discard has no flag. */
static uint8_t take_discard(struct virtio_blk *blk, struct virtio_blk_request *request)
{
    uint32_t flags = 0;
    uint8_t status = take_range(blk, request, &flags);

    request->op = BLK_DISCARD;
    return status == VIRTIO_BLK_S_OK && flags != 0 ? VIRTIO_BLK_S_UNSUPP : status;
}

static uint8_t take_write_zeroes(struct virtio_blk *blk, struct virtio_blk_request *request)
{
    uint32_t flags = 0;
    uint8_t status = take_range(blk, request, &flags);

    request->op = flags != 0 ? BLK_DISCARD : BLK_ZERO;
    return status;
}

static const struct request_row {
    uint32_t type;
    bool writes; /* refused by a read-only disk */
    request_fn *take;
} request_rows[] = {
    {VIRTIO_BLK_T_IN, false, take_in},
    {VIRTIO_BLK_T_OUT, true, take_out},
    {VIRTIO_BLK_T_FLUSH, false, take_flush},
    {VIRTIO_BLK_T_GET_ID, false, take_id},
    {VIRTIO_BLK_T_DISCARD, true, take_discard},
    {VIRTIO_BLK_T_WRITE_ZEROES, true, take_write_zeroes},
};

static uint8_t take_type(struct virtio_blk *blk, struct virtio_blk_request *request, uint32_t type)
{
    for (size_t i = 0; i < ARRAY_LEN(request_rows); i++) {
        if (request_rows[i].type != type)
            continue;
        if (request_rows[i].writes && blk->backend->read_only)
            return VIRTIO_BLK_S_IOERR;
        return request_rows[i].take(blk, request);
    }
    return VIRTIO_BLK_S_UNSUPP;
}

/* --- A request's life --- */

/* It gets no more pieces. */
static void fail(struct virtio_blk *blk, struct virtio_blk_request *request)
{
    request->status = VIRTIO_BLK_S_IOERR;
    request->done = request->len;
    if (blk->current == request)
        blk->current = NULL;
}

/*
 * The count is of bytes at the beginning (2.7.8.2), and the status is the last one: what a request
 * that reads nothing has room for before it is not written, and of a READ that failed nobody knows.
 */
static uint32_t written(const struct virtio_blk_request *request)
{
    uint64_t len = request->chain.in_len;

    if (len > 1 && (request->status != VIRTIO_BLK_S_OK || request->op != BLK_READ))
        return 0;
    return len < UINT32_MAX ? (uint32_t)len : UINT32_MAX;
}

static void complete(struct virtio_blk *blk, struct virtio_blk_request *request)
{
    struct virtio_device *dev = &blk->dev;

    request->used = false;
    blk->nr_used--;
    if (virtq_write(&request->chain, request->chain.in_len - 1, &request->status, 1) != HV_OK)
        virtio_break(dev);
    else
        (void)virtio_push(dev, 0, request->chain.head, written(request));
}

static void complete_if_done(struct virtio_blk *blk, struct virtio_blk_request *request)
{
    if (request->done == request->len && request->pending == 0)
        complete(blk, request);
}

static struct virtio_blk_request *find_unused(struct virtio_blk *blk)
{
    for (uint32_t i = 0; i < blk->backend->requests; i++)
        if (!blk->request[i].used)
            return &blk->request[i];
    return NULL;
}

/* Takes the next request from the ring. False: there is none, or the table is full. */
static bool take_request(struct virtio_blk *blk, uint64_t *cost)
{
    struct virtio_blk_request *request = find_unused(blk);
    struct virtio_blk_header header;

    if (request == NULL || !virtio_pop(&blk->dev, 0, &request->chain))
        return false;
    *cost += REQUEST_COST;
    /* There is nowhere to say what is wrong with it. */
    if (request->chain.out_len < HEADER_LEN || request->chain.in_len < 1) {
        virtio_break(&blk->dev);
        return false;
    }
    request->used = true;
    request->pending = 0;
    request->len = 0;
    request->done = 0;
    blk->nr_used++;
    if (virtq_read(&request->chain, 0, &header, HEADER_LEN) != HV_OK) {
        request->status = VIRTIO_BLK_S_IOERR;
    } else {
        request->sector = header.sector;
        request->status = take_type(blk, request, header.type);
    }
    if (request->status == VIRTIO_BLK_S_OK && request->len != 0)
        blk->current = request;
    else
        complete(blk, request);
    return true;
}

/* --- Pieces --- */

static hv_err fill(const struct virtio_blk_request *request, const struct blk_io *io)
{
    if (io->op != BLK_WRITE)
        return HV_OK;
    return virtq_read(&request->chain, request->at + request->done, io->buf, io->len);
}

/* Gives the backend the next piece of the current request. False: not now. */
static bool issue(struct virtio_blk *blk, uint64_t *cost)
{
    const struct blk_backend_ops *ops = blk->backend->ops;
    struct virtio_blk_request *request = blk->current;
    uint64_t sector = request->sector + request->done / VIRTIO_BLK_SECTOR;
    struct blk_io *io;
    hv_err err = ops->begin(blk->backend, request->op, sector, request->len - request->done, &io);

    if (err == HV_ERR_BUSY)
        return false;
    if (err == HV_OK) {
        err = fill(request, io);
        if (err != HV_OK)
            ops->end(blk->backend, io);
    }
    if (err != HV_OK) {
        fail(blk, request);
        complete_if_done(blk, request);
        return true;
    }
    io->owner = (uint32_t)(request - blk->request);
    request->done += request->op == BLK_FLUSH ? request->len : io->len;
    request->pending++;
    *cost += request->op == BLK_READ ? 0 : io->len;
    ops->submit(blk->backend, io);
    if (request->done == request->len)
        blk->current = NULL;
    return true;
}

/* Takes a piece back that is done. False: none is. */
static bool collect(struct virtio_blk *blk, uint64_t *cost)
{
    const struct blk_backend_ops *ops = blk->backend->ops;
    struct blk_io *io = ops->collect(blk->backend);
    struct virtio_blk_request *request;
    hv_err err;

    if (io == NULL)
        return false;
    request = &blk->request[io->owner];
    err = io->result;
    if (err == HV_OK && io->op == BLK_READ) {
        err = virtq_write(&request->chain,
                          request->at + (io->sector - request->sector) * VIRTIO_BLK_SECTOR, io->buf,
                          io->len);
        *cost += io->len;
    }
    ops->end(blk->backend, io);
    request->pending--;
    if (err != HV_OK)
        fail(blk, request);
    complete_if_done(blk, request);
    return true;
}

/* A step of work. False: there is none until the driver, or the backend, says so. */
static bool step(struct virtio_blk *blk, uint64_t *cost)
{
    if (collect(blk, cost))
        return true;
    if (blk->current != NULL ? issue(blk, cost) : take_request(blk, cost))
        return true;
    if (virtio_is_spent(&blk->dev))
        return false;
    /* While the backend, or the table, is full the driver need not say that there is more. */
    if (blk->current != NULL || blk->nr_used == blk->backend->requests)
        return virtio_set_notify(&blk->dev, 0, false);
    return blk->queue.quiet && virtio_set_notify(&blk->dev, 0, true);
}

/* --- virtio_ops --- */

static void blk_reset(struct virtio_device *dev)
{
    struct virtio_blk *blk = blk_of(dev);

    blk->backend->ops->forget(blk->backend);
    for (uint32_t i = 0; i < blk->backend->requests; i++)
        blk->request[i].used = false;
    blk->nr_used = 0;
    blk->current = NULL;
}

/* The only one there is: its driver's buffers are its own again. */
static void blk_stopped(struct virtio_device *dev, uint32_t queue)
{
    (void)queue;
    blk_reset(dev);
}

static bool blk_serve(struct virtio_device *dev, uint32_t queue)
{
    struct virtio_blk *blk = blk_of(dev);
    uint64_t cost = 0;
    bool more = true;

    virtio_lock(dev);
    while (more && cost < SERVE_COST)
        more = virtio_is_live(dev) && step(blk, &cost);
    if (virtio_is_live(dev))
        virtio_signal(dev, queue);
    virtio_unlock(dev);
    return more;
}

static uint32_t blk_config_read(struct virtio_device *dev, uint32_t offset, uint32_t size)
{
    uint32_t value = 0;

    memcpy(&value, (const char *)&blk_of(dev)->config + offset, size);
    return value;
}

static const struct virtio_ops blk_ops = {
    .id = VIRTIO_ID_BLOCK,
    .features = VIRTIO_BLK_F_SEG_MAX | VIRTIO_BLK_F_RO | VIRTIO_BLK_F_BLK_SIZE |
                VIRTIO_BLK_F_FLUSH | VIRTIO_BLK_F_DISCARD | VIRTIO_BLK_F_WRITE_ZEROES,
    .reset = blk_reset,
    .stopped = blk_stopped,
    .serve = blk_serve,
    .config_read = blk_config_read,
    .config_size = sizeof(struct virtio_blk_config),
};

static uint64_t withheld(const struct blk_backend *backend)
{
    uint64_t features = backend->read_only ? 0 : VIRTIO_BLK_F_RO;

    if (backend->read_only || !backend->clears)
        features |= VIRTIO_BLK_F_DISCARD | VIRTIO_BLK_F_WRITE_ZEROES;
    return features;
}

_Static_assert(sizeof(struct virtio_blk) +
                       VIRTIO_BLK_REQUESTS_MAX * sizeof(struct virtio_blk_request) <=
                   KIB(16),
               "it fits");

uint64_t virtio_blk_size(const struct blk_backend *backend)
{
    return sizeof(struct virtio_blk) + backend->requests * sizeof(struct virtio_blk_request);
}

static void blk_notify(void *ctx)
{
    virtio_post(ctx, 0);
}

hv_err virtio_blk_create(struct virtio_blk *blk, struct vm *vm, uint64_t base, uint32_t intid,
                         struct blk_backend *backend, void (*destroy)(struct vm *vm, void *dev))
{
    const struct virtio_setup setup = {
        .ops = &blk_ops,
        .base = base,
        .intid = intid,
        .nr_queues = 1,
        .queue = &blk->queue,
        .withheld = withheld(backend),
    };
    hv_err err;

    HV_CHECK(backend->requests > 0 && backend->requests <= VIRTIO_BLK_REQUESTS_MAX);
    blk->backend = backend;
    blk->config = (struct virtio_blk_config){
        .capacity = backend->sectors,
        .seg_max = SEG_MAX,
        .blk_size = VIRTIO_BLK_SECTOR,
        .num_queues = 1,
    };
    if ((setup.withheld & VIRTIO_BLK_F_DISCARD) == 0) {
        blk->config.max_discard_sectors = CLEAR_MAX;
        blk->config.max_discard_seg = 1;
        blk->config.discard_sector_alignment = CLEAR_ALIGN;
        blk->config.max_write_zeroes_sectors = CLEAR_MAX;
        blk->config.max_write_zeroes_seg = 1;
        blk->config.write_zeroes_may_unmap = 1;
    }
    err = virtio_create(&blk->dev, vm, &setup, destroy);
    /* Not before: what it forgot of an earlier life may be done now, and is told at once. */
    if (err == HV_OK && backend->ops->attach != NULL)
        backend->ops->attach(backend, blk_notify, &blk->dev);
    return err;
}

void virtio_blk_detach(struct virtio_blk *blk)
{
    blk->backend->ops->detach(blk->backend);
}
