/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Up to three VMs that have to do with each other, VM n on pCPU n, with a virtio device each, whose
 * drivers a test plays in turn. */
#ifndef TESTS_VIRTIO_PEERS_H
#define TESTS_VIRTIO_PEERS_H

#include "virtio_fixture.h"

#define PEERS       3u
#define PEER_QUEUES 10u
#define RINGS       (GUEST_RAM + 0x10000) /* 0x3000 for each queue */
#define DATA        (GUEST_RAM + 0x80000)

static struct vm_config peer_config[PEERS]; /* but the first's, which is f.config */
static struct vm *vms[PEERS];
static struct driver drv[PEERS][PEER_QUEUES];

/* From here on registers and rings are those of VM n, which runs on pCPU n. Who was it before? */
static inline unsigned be(unsigned n)
{
    unsigned before = fakehal()->self;

    f.vm = vms[n];
    at(n);
    return before;
}

/* After setup(), whose VM is the first. */
static inline void peers_begin(void)
{
    memset(vms, 0, sizeof(vms));
    vms[0] = f.vm;
}

/* VM n, not the first, with `name`, which runs from now on and has no device yet. */
static inline void peer_make(unsigned n, const char *name)
{
    struct vm_config *config = &peer_config[n];

    *config = f.config;
    strcpy(config->name, name);
    config->vcpus = 1;
    config->affinity[0] = UINT64_C(1) << n;
    cr_assert_eq(vm_create(f.hv, config, (uint16_t)(n + 1), &vms[n]), HV_OK);
    vm_start(vms[n], ipa(GUEST_ENTRY), 0);
    cr_assert_eq(next(n), &vms[n]->vcpu[0]);
}

/* Before finish(). */
static inline void peers_end(void)
{
    for (unsigned n = 1; n < PEERS; n++)
        if (vms[n] != NULL)
            fixture_destroy(&f, vms[n]);
    f.vm = vms[0];
}

/* The work of all VMs is done until none is left. */
static inline void settle(void)
{
    unsigned self = fakehal()->self;
    unsigned idle = 0;

    for (unsigned i = 0; idle < 2 * PEERS; i++) {
        cr_assert_lt(i, 30000, "it comes to no end");
        unsigned cpu = i % PEERS;
        bool busy = fakehal()->cpu[cpu].pending[HAL_INTID_KICK] || pcpu(cpu)->resched;
        idle = busy ? 0 : idle + 1;
        fakehal()->cpu[cpu].pending[HAL_INTID_KICK] = false;
        if (busy)
            (void)next(cpu);
    }
    at(self);
}

/* The driver of the VM that is at work starts its device with all `queues` of 16. */
static inline void go_with(uint64_t features, unsigned queues)
{
    unsigned n = fakehal()->self;

    cr_assert(negotiate(F_VERSION_1 | features));
    for (unsigned q = 0; q < queues; q++)
        cr_assert(set_queue(q, &drv[n][q], RINGS + q * 0x3000, 16));
    driver_ok();
    settle();
}

/* The next buffer of the queue that came back, free again: what was written to it, or UINT32_MAX.
 */
static inline uint32_t taken_back(unsigned q)
{
    struct driver *d = &drv[fakehal()->self][q];
    uint16_t head;
    uint32_t len;

    if (!driver_used(d, &head, &len))
        return UINT32_MAX;
    driver_free(d, head);
    return len;
}

#endif
