/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A virtio device that is notified, posted by a backend, served and reset at once: it is served by
 * one pCPU at a time, nothing that was posted is forgotten, and what a driver gets back by a reset
 * nobody uses any more.
 */
#include "explore/explore.h"
#include "explore/tests.h"
#include "hal/hal.h"
#include "virtio/device.h"
#include "vm/sched.h"

#define VCPUS  2u /* on a pCPU each; the next one is a backend's */
#define CPUS   (VCPUS + 1)
#define PHASES 16u /* after each of which all is done that was posted in it */
#define QUEUES 2u
#define INTID  48u

/* 4.2.2 and 2.1 */
enum { NOTIFY = 0x50, ACK = 0x64, STATUS = 0x70, FEATURES = 0x20, FEATURES_SEL = 0x24 };

static struct vm vm;
static struct vcpu vcpu[VCPUS];
static struct vgic_cpu gic_cpu[VCPUS];
static struct vgic_irq gic_spi[32];
static struct virtio_device dev;
static struct virtq queue[QUEUES];
static _Atomic unsigned wanted[QUEUES]; /* what was asked for, before the post */
static unsigned done[QUEUES];           /* who serves, or resets, has them to himself */
static _Atomic unsigned arrived;
static unsigned memory; /* the device's while it is live and served, else the driver's */

static bool serve(struct virtio_device *self, uint32_t n)
{
    unsigned until = wanted[n];

    virtio_lock(self);
    bool live = virtio_is_live(self);
    done[n] = until;
    virtio_unlock(self);
    /* As a copy of what was popped. */
    if (live)
        memory++;
    hal_cpu_relax();
    virtio_lock(self);
    if (live && virtio_is_live(self))
        virtio_config_changed(self);
    virtio_unlock(self);
    return until % 4 == 1 && until != wanted[n];
}

/* What was posted before is forgotten, and rightly. */
static void forget(struct virtio_device *self)
{
    EXPECT(!virtio_is_live(self));
    for (unsigned n = 0; n < QUEUES; n++)
        done[n] = wanted[n];
    /* The driver's again: it is in its own write, here. */
    memory++;
}

static const struct virtio_ops ops = {.id = 42, .reset = forget, .serve = serve};

static void reg(uint64_t offset, uint64_t value)
{
    struct mmio_access access = {.offset = offset, .value = value, .size = 4, .write = true};

    EXPECT(virtio_access(&dev, &access));
}

static void bring_up(void)
{
    reg(STATUS, 0);
    reg(STATUS, 3);
    reg(FEATURES_SEL, 1);
    reg(FEATURES, 1);
    reg(STATUS, 11);
    reg(STATUS, 15);
}

static void kick(void *ctx, unsigned cpu)
{
    (void)ctx;
    (void)cpu;
}

static void destroy(struct vm *of, void *self)
{
    (void)of;
    (void)self;
}

static void prepare(struct world *w)
{
    const struct vgic_config config = {
        .cpu = gic_cpu, .spi = gic_spi, .nr_cpus = VCPUS, .nr_spis = 32, .kick = kick};
    const struct virtio_setup setup = {
        .ops = &ops, .base = 0x0a000000, .intid = INTID, .queue = queue, .nr_queues = QUEUES};

    vm.hv = &w->hv;
    vm.vcpu = vcpu;
    vm.nr_vcpus = VCPUS;
    for (unsigned i = 1; i < CPUS; i++)
        sched_init_pcpu(&w->hv, i);
    for (unsigned i = 0; i < VCPUS; i++) {
        gic_cpu[i].vcpu = &vcpu[i].arch;
        gic_cpu[i].affinity = i;
        vcpu[i].vm = &vm;
        vcpu[i].index = i;
        vcpu[i].pcpu = &w->hv.pcpu[i];
        vcpu[i].state = VCPU_RUNNING;
        w->hv.pcpu[i].current = &vcpu[i];
    }
    EXPECT(vgic_init(&vm.vgic, &config) == HV_OK);
    EXPECT(virtio_create(&dev, &vm, &setup, destroy) == HV_OK);
    bring_up();
}

/* Before the vCPU runs on. */
static void before_run(struct vcpu *self)
{
    while ((atomic_exchange(&self->requests, 0) & VCPU_REQ_DEVICES) != 0)
        vm_serve_devices(self);
}

static void act(unsigned cpu, unsigned rounds, uint64_t *random)
{
    for (unsigned round = 0; round < rounds; round++) {
        uint64_t what = explore_pick(random, 16);
        uint32_t n = (uint32_t)what % QUEUES;

        if (cpu >= VCPUS) {
            /* Seldom: each of its posts would make up for one that was forgotten. */
            if (what >= 4)
                continue;
            atomic_fetch_add(&wanted[n], 1);
            virtio_post(&dev, n);
            continue;
        }
        if (what == 0) {
            bring_up();
        } else if (what < 4) {
            reg(ACK, 3);
        } else {
            atomic_fetch_add(&wanted[n], 1);
            reg(NOTIFY, n);
        }
        before_run(&vcpu[cpu]);
    }
}

/* Until all CPUs are here for the nth time. */
static void meet(unsigned n)
{
    atomic_fetch_add(&arrived, 1);
    while (atomic_load(&arrived) < n * CPUS)
        hal_cpu_relax();
}

static void check(void)
{
    for (unsigned n = 0; n < QUEUES; n++)
        EXPECT(done[n] == wanted[n]);
    EXPECT(vm.work == 0 && dev.pending == 0 && !dev.serving && !dev.resetting);
    EXPECT(dev.line == (dev.isr != 0));
    EXPECT(gic_spi[INTID - 32].level == dev.line);
}

/* At the end of a phase whoever was asked looks once more, and nobody else does. What was forgotten
 * would be found by the next post. */
static void work(struct world *w, unsigned cpu, uint64_t *random)
{
    (void)w;
    for (unsigned phase = 0; phase < PHASES; phase++) {
        act(cpu, 1 + phase % 2, random);
        meet(3 * phase + 1);
        if (cpu < VCPUS)
            before_run(&vcpu[cpu]);
        meet(3 * phase + 2);
        if (cpu == 0)
            check();
        meet(3 * phase + 3);
    }
}

const struct explore_test explore_virtio = {
    .name = "virtio", .nr_cpus = CPUS, .prepare = prepare, .work = work};
