/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "virtio/rng.h"
#include "abi/virtio.h"
#include "hal/hal.h"

#define RETRY_HZ 1000u /* how often numbers are asked for that are not there */

/* How a chain is done with. */
enum outcome {
    FILLED,
    WRONG, /* nothing can be written there, or the driver gave something to read */
    EMPTY, /* the machine has no numbers at the moment */
};

static enum outcome fill(const struct virtq_chain *chain, uint32_t *written)
{
    uint8_t bytes[HAL_ENTROPY_MAX];
    uint64_t want = chain->in_len < VIRTIO_RNG_PIECE ? chain->in_len : VIRTIO_RNG_PIECE;

    *written = 0;
    if (want == 0 || chain->out_len != 0)
        return WRONG;
    while (*written < want) {
        uint64_t n = want - *written < sizeof(bytes) ? want - *written : sizeof(bytes);
        if (hal_entropy(bytes, n) != HV_OK)
            return *written != 0 ? FILLED : EMPTY;
        if (virtq_write(chain, *written, bytes, n) != HV_OK)
            return WRONG;
        *written += (uint32_t)n;
    }
    return FILLED;
}

static void retry(struct device_timer *timer)
{
    virtio_post(&list_entry(timer, struct virtio_rng, retry)->dev, 0);
}

/* One buffer. If there are no numbers it is found again a little later. */
static bool serve(struct virtio_device *dev, uint32_t queue)
{
    struct virtio_rng *rng = (struct virtio_rng *)dev;
    uint32_t written;

    virtio_lock(dev);
    bool got = virtio_pop(dev, queue, &rng->chain);
    virtio_unlock(dev);
    if (!got)
        return false;
    enum outcome outcome = fill(&rng->chain, &written);
    virtio_lock(dev);
    if (outcome == WRONG) {
        virtio_break(dev);
    } else if (outcome == EMPTY) {
        virtq_unpop(&dev->queue[queue], 1);
        device_timer_set(&rng->retry, hal_time_now() + hal_time_hz() / RETRY_HZ);
    } else if (virtio_push(dev, queue, rng->chain.head, written)) {
        virtio_signal(dev, queue);
    }
    virtio_unlock(dev);
    return outcome == FILLED;
}

static void reset(struct virtio_device *dev)
{
    device_timer_clear(&((struct virtio_rng *)dev)->retry);
}

static void stopped(struct virtio_device *dev, uint32_t queue)
{
    (void)queue;
    reset(dev);
}

static const struct virtio_ops ops = {
    .id = VIRTIO_ID_ENTROPY, .reset = reset, .stopped = stopped, .serve = serve};

hv_err virtio_rng_create(struct virtio_rng *rng, struct vm *vm, uint64_t base, uint32_t intid,
                         void (*destroy)(struct vm *vm, void *dev))
{
    const struct virtio_setup setup = {
        .ops = &ops,
        .base = base,
        .intid = intid,
        .queue = &rng->queue,
        .nr_queues = 1,
    };
    uint8_t byte;

    device_timer_init(&rng->retry, vm);
    rng->retry.post = retry;
    if (hal_entropy(&byte, sizeof(byte)) == HV_ERR_UNSUPPORTED)
        return HV_ERR_UNSUPPORTED;
    return virtio_create(&rng->dev, vm, &setup, destroy);
}

void virtio_rng_end(struct virtio_rng *rng)
{
    device_timer_end(&rng->retry);
}
