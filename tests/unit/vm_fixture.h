/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A hypervisor instance over fakehal with a console and one VM, for the tests of core/vm, dev,
 * exit, psci and boot.
 */
#ifndef TESTS_VM_FIXTURE_H
#define TESTS_VM_FIXTURE_H

#include "cases.h"
#include "dev/console.h"
#include "dev/registry.h"
#include "fakehal/fakehal.h"
#include "vm/hv.h"
#include "vm/sched.h"
#include <inttypes.h>

#define FIXTURE_RAM_PA UINT64_C(0x80000000)
#define GUEST_RAM      UINT64_C(0x40000000)
#define GUEST_SIZE     UINT64_C(0x200000)
#define GUEST_ENTRY    UINT64_C(0x40080000)
#define UART_INTID     33u /* of the machine */

struct fixture {
    struct hv *hv;
    struct console console;
    struct vm_config config;
    struct vm *vm;
    struct vcpu *vcpu;
    uint64_t free_pages; /* before any VM */
    uint64_t mapped;     /* hal_phys_map()s that last */
};

static inline uint64_t fixture_micros(void *ctx)
{
    (void)ctx;
    return 0;
}

static inline void fixture_pcpu(struct fixture *f, uint32_t cpu)
{
    static const uint32_t intids[] = {25, 26, 27, UART_INTID};

    sched_init_pcpu(f->hv, cpu);
    sched_online(&f->hv->pcpu[cpu]);
    for (size_t k = 0; k < 4; k++)
        fakehal()->cpu[cpu].enabled[intids[k]] = true;
    fakehal()->cpu[cpu].enabled[HAL_INTID_KICK] = true;
}

/* What sched_next() gives pCPU `cpu`, which calls it. */
static inline struct vcpu *fixture_next(const struct fixture *f, uint32_t cpu)
{
    unsigned self = fakehal()->self;

    fakehal()->self = cpu;
    struct vcpu *vcpu = sched_next(&f->hv->pcpu[cpu]);
    fakehal()->self = self;
    return vcpu;
}

/* While one pCPU waits for others, those that were kicked come to the scheduler. */
static inline void fixture_serve_kicks(void *ctx)
{
    const struct fixture *f = ctx;

    for (uint32_t cpu = 0; cpu < f->hv->platform.nr_cpus; cpu++) {
        if (cpu == fakehal()->self || !fakehal()->cpu[cpu].pending[HAL_INTID_KICK])
            continue;
        fakehal()->cpu[cpu].pending[HAL_INTID_KICK] = false;
        (void)fixture_next(f, cpu);
    }
}

/* A new machine, and a hypervisor on `cpus` pCPUs of it, all online, with `ram` bytes for guests.
 */
static inline void fixture_hv(struct fixture *f, uint64_t ram, uint32_t cpus)
{
    const struct log_sink sink = {console_log_write, fixture_micros, &f->console};

    fakehal_reset();
    memset(f, 0, sizeof(*f));
    f->hv = calloc(1, sizeof(*f->hv));
    fakehal()->platform.nr_cpus = cpus;
    fakehal()->platform.uart = (struct platform_range){0x09000000, 0x1000};
    f->hv->platform = fakehal()->platform;
    console_init(&f->console, UART_INTID);
    f->hv->console = &f->console;
    f->hv->devices = &dev_registry;
    fakehal_add_ram(pa(FIXTURE_RAM_PA), ram);
    log_init(&f->hv->log, &sink);
    page_pool_init(&f->hv->pool);
    vmids_init(&f->hv->vmids, 255);
    cr_assert_eq(page_pool_add(&f->hv->pool, pa(FIXTURE_RAM_PA), ram), HV_OK);
    f->hv->account.limit = UINT64_MAX;
    hal_id_regs(&f->hv->idregs);
    idreg_virtualise(&f->hv->idregs, 40, &f->hv->guest_idregs);
    for (uint32_t i = 0; i < cpus; i++)
        fixture_pcpu(f, i);
    fakehal()->relax = fixture_serve_kicks;
    fakehal()->relax_ctx = f;
    f->mapped = fakehal()->maps - fakehal()->unmaps;
    f->free_pages = page_pool_free_pages(&f->hv->pool);
    f->config = (struct vm_config){.name = "g", .memory = GUEST_SIZE, .vcpus = 1, .bootargs = ""};
}

static inline void fixture_create(struct fixture *f, uint32_t vcpus)
{
    f->config.vcpus = vcpus;
    cr_assert_eq(vm_create(f->hv, &f->config, 1, &f->vm), HV_OK);
    f->vcpu = &f->vm->vcpu[0];
}

/* With the VM started and its vCPU 0 loaded and running, as an exit handler finds it. */
static inline void fixture_start(struct fixture *f, uint32_t vcpus)
{
    fixture_hv(f, MIB(8), 1);
    fixture_create(f, vcpus);
    vm_start(f->vm, ipa(GUEST_ENTRY), 0);
    cr_assert_eq(sched_next(&f->hv->pcpu[0]), f->vcpu);
}

/* Ends the VM, lets every pCPU see that, and destroys it. */
static inline void fixture_destroy(struct fixture *f, struct vm *vm)
{
    vm_end(vm, VM_OFF, "the test is over");
    for (uint32_t cpu = 0; cpu < f->hv->platform.nr_cpus; cpu++)
        (void)fixture_next(f, cpu);
    cr_assert_eq(vm->nr_live, 0, "%u vCPUs are still somewhere", vm->nr_live);
    vm_destroy(vm);
}

/* Destroys the VM; nothing may be left behind. To be called from a CASES_RUN()'s finish(). */
static inline void fixture_end(struct fixture *f)
{
    if (f->vm != NULL)
        fixture_destroy(f, f->vm);
    cr_assert_eq(page_pool_free_pages(&f->hv->pool), f->free_pages, "pages leaked");
    cr_assert_eq(f->hv->account.used, 0, "pages leaked");
    cr_assert_eq(fakehal()->maps - fakehal()->unmaps, f->mapped, "mappings leaked");
    free(f->hv);
}

/* The virtual interrupt line of the guest's UART. */
static inline bool fixture_uart_line(const struct fixture *f)
{
    return f->vm->vgic.spi[1].level; /* INTID 33 is SPI 1 */
}

static inline uint64_t fixture_sys(struct fixture *f, enum arch_sysreg reg)
{
    return hal_vcpu_sysreg_get(&f->vcpu->arch, reg);
}

#endif
