/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A malicious guest against the entropy device, on a machine that has numbers now and then. */
#include "virtio/rng.h"
#include "virtio_guest.h"

#define STEPS_MAX 1000u

static struct virtio_rng rng;
static struct virtio_guest g;

static void destroy(struct vm *vm, void *dev)
{
    FUZZ_ASSERT(vm == &g.vm && dev == &rng);
    virtio_rng_end(&rng);
    for (unsigned cpu = 0; cpu < VIRTIO_GUEST_VCPUS; cpu++)
        FUZZ_ASSERT(list_empty(&g.hv->pcpu[cpu].timers.head));
}

static void time_goes_on(void)
{
    fakehal()->now += fakehal()->hz / 1000;
    timer_queue_run(&g.hv->pcpu[fakehal()->self].timers);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};

    struct virtio_world *world = virtio_guest_start(&g, &in);
    memset(&rng, 0, sizeof(rng));
    FUZZ_ASSERT(virtio_rng_create(&rng, &g.vm, VIRTIO_GUEST_BASE, VIRTIO_GUEST_INTID, destroy) ==
                HV_OK);
    virtio_guest_attach(&g, &rng.dev);
    for (unsigned i = 0; i < STEPS_MAX && in.left > 0; i++) {
        virtio_guest_step(&g);
        unsigned what = (unsigned)fuzz_take(&in, 1) % 8;
        if (what == 1)
            time_goes_on();
        if (what == 0)
            fakehal()->entropy_result = fakehal()->entropy_result == HV_OK ? HV_ERR_BUSY : HV_OK;
    }
    fakehal()->entropy_result = HV_OK;
    virtio_guest_end(&g, world);
    return 0;
}
