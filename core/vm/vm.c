/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "vm/vm.h"
#include "abi/machine.h"
#include "arch/el2.h"
#include "base/check.h"
#include "base/fmt.h"
#include "hal/hal.h"
#include "vm/hv.h"
#include "vm/ram.h"
#include "vm/sched.h"
#include <stdarg.h>

/* Pages beyond memory that a VM may use whatever its size: root tables, and what those devices
 * allocate that every VM has. And for each device that it asks for. */
#define VM_OVERHEAD_PAGES 328u
#define VM_DEVICE_PAGES   UINT64_C(72)

#define VM_HCR                                                                                     \
    (HCR_VM | HCR_SWIO | HCR_FMO | HCR_IMO | HCR_AMO | HCR_FB | HCR_BSU_IS | HCR_TWI | HCR_TID3 |  \
     HCR_TSC | HCR_TIDCP | HCR_TACR | HCR_RW | HCR_TLOR | HCR_TERR)
/* SVE, SME, trace and activity monitors are hidden from guests, and trap. */
#define VM_CPTR (CPTR_RES1 | CPTR_TZ | CPTR_TSM | CPTR_TTA | CPTR_TAM)
/* The debug registers are the guest's: they are switched with it. */
#define VM_MDCR    (MDCR_TPM | MDCR_TPMCR | MDCR_TDRA | MDCR_TDOSA | MDCR_TPMS | MDCR_TTRF)
#define VM_CNTHCTL CNTHCTL_EL1PCTEN
#define MPIDR_RES1 BIT(31)

/* Where the arrays of a VM lie in its block. */
struct vm_layout {
    uint64_t vcpu;
    uint64_t vgic_cpu;
    uint64_t spi;
    uint64_t size;
};

static uint32_t vm_nr_spis(const struct vm_config *config)
{
    return config->spis != 0 ? config->spis : MACHINE_NR_SPIS;
}

static struct vm_layout vm_layout(const struct vm_config *config)
{
    uint64_t nr_vcpus = config->vcpus;
    struct vm_layout at;

    at.vcpu = align_up(sizeof(struct vm), 64);
    at.vgic_cpu = align_up(at.vcpu + nr_vcpus * sizeof(struct vcpu), 64);
    at.spi = align_up(at.vgic_cpu + nr_vcpus * sizeof(struct vgic_cpu), 64);
    at.size = at.spi + vm_nr_spis(config) * sizeof(struct vgic_irq);
    return at;
}

/* Memory, its tables in the worst case (every block a page: one level 3 table for 2 MiB, one level
 * 2 table for 1 GiB) and its records (more than 128 to a page). */
static uint64_t vm_page_limit(const struct vm_config *config)
{
    uint64_t memory = config->memory;

    return memory / PAGE_SIZE + memory / MIB(2) + memory / GIB(1) + memory / PAGE_SIZE / 128 +
           VM_OVERHEAD_PAGES + config->nr_devices * VM_DEVICE_PAGES;
}

static bool vm_gicd_access(void *dev, struct mmio_access *access)
{
    return vgic_dist_access(dev, access);
}

static bool vm_gicr_access(void *dev, struct mmio_access *access)
{
    return vgic_redist_access(dev, access);
}

static bool vm_gits_access(void *dev, struct mmio_access *access)
{
    return vgic_its_access(dev, access);
}

/* The vGIC's kick: may come from any pCPU, with the vGIC's lock held. The one that is running here
 * looks at its interrupts before it goes on. */
static void vm_kick(void *ctx, unsigned cpu)
{
    struct vm *vm = ctx;
    struct vcpu *vcpu = &vm->vcpu[cpu];

    if (vm->hv->pcpu[hal_cpu_self()].current != vcpu)
        sched_wake(vcpu);
}

/* The hardware's timer says the rest, once it is loaded. */
static void vtimer_due(struct timer *timer)
{
    sched_wake(list_entry(timer, struct vcpu, vtimer_watch));
}

/* pCPUs that there are; 0 stands for all. */
static uint64_t vm_affinity(const struct hv *hv, uint64_t wanted)
{
    uint64_t all = UINT64_MAX >> (64 - hv->platform.nr_cpus);

    return wanted != 0 ? wanted & all : all;
}

static void vm_init_vcpu(struct vm *vm, uint32_t index)
{
    const struct hv *hv = vm->hv;
    struct vcpu *vcpu = &vm->vcpu[index];

    vcpu->vm = vm;
    vcpu->index = index;
    vcpu->weight = vm->config->weight != 0 ? vm->config->weight : VM_WEIGHT_DEFAULT;
    vcpu->affinity = vm_affinity(hv, vm->config->affinity[index]);
    atomic_init(&vcpu->pcpu, &vm->hv->pcpu[__builtin_ctzll(vcpu->affinity)]);
    atomic_init(&vcpu->state, VCPU_OFF);
    atomic_init(&vcpu->power, VCPU_POWER_OFF);
    atomic_init(&vcpu->requests, 0);
    list_init(&vcpu->runq);
    ptimer_init(&vcpu->ptimer, vcpu);
    timer_init(&vcpu->vtimer_watch, vtimer_due);
    vcpu->last_region = &vm->bus.region[0];
    vcpu->arch.gic.hcr = ICH_HCR_EN;
    vcpu->arch.config = (struct arch_vcpu_config){
        .hcr_el2 = VM_HCR | (idreg_has_pauth(&hv->idregs) ? HCR_API | HCR_APK : 0),
        .cptr_el2 = VM_CPTR,
        .mdcr_el2 = VM_MDCR,
        .cnthctl_el2 = VM_CNTHCTL,
        .cntvoff_el2 = 0, /* docs/decisions/0009-virtual-counter-offset.md */
        .vtcr_el2 = vm->s2.tag.vtcr,
        .vttbr_el2 = vm->s2.tag.vttbr,
        .vmpidr_el2 = MPIDR_RES1 | index,
        .vpidr_el2 = hv->idregs.midr,
    };
}

static hv_err vm_init_vgic(struct vm *vm, struct vgic_cpu *cpu, struct vgic_irq *spi)
{
    const struct mmio_region gicd = {
        .base = MACHINE_GICD_BASE,
        .size = MACHINE_GICD_SIZE,
        .access = vm_gicd_access,
        .dev = &vm->vgic,
        .name = "gicd",
    };
    const struct mmio_region gicr = {
        .base = MACHINE_GICR_BASE,
        .size = vm->nr_vcpus * MACHINE_GICR_STRIDE,
        .access = vm_gicr_access,
        .dev = &vm->vgic,
        .name = "gicr",
    };
    const struct mmio_region gits = {
        .base = MACHINE_GITS_BASE,
        .size = MACHINE_GITS_SIZE,
        .access = vm_gits_access,
        .dev = &vm->vgic,
        .name = "gits",
    };
    const struct vgic_config config = {
        .cpu = cpu,
        .spi = spi,
        .nr_cpus = vm->nr_vcpus,
        .nr_spis = vm_nr_spis(vm->config),
        .kick = vm_kick,
        .kick_ctx = vm,
        .s2 = &vm->s2,
        .pool = &vm->hv->pool,
        .account = &vm->account,
    };

    for (uint32_t i = 0; i < vm->nr_vcpus; i++) {
        cpu[i].vcpu = &vm->vcpu[i].arch;
        cpu[i].affinity = i;
    }
    hv_err err = vgic_init(&vm->vgic, &config);
    if (err != HV_OK)
        return err;
    for (uint32_t i = 0; i < vm->nr_vcpus; i++)
        vgic_map_hw(&vm->vgic, i, MACHINE_INTID_VTIMER, vm->hv->platform.timer_virt_intid);
    err = mmio_bus_add(&vm->bus, &gicd);
    if (err == HV_OK)
        err = mmio_bus_add(&vm->bus, &gicr);
    return err != HV_OK ? err : mmio_bus_add(&vm->bus, &gits);
}

/* What can be known to be wrong before anything is allocated. */
static hv_err vm_check(const struct hv *hv, const struct vm_config *config)
{
    if (config->vcpus == 0 || config->vcpus > MACHINE_MAX_VCPUS)
        return HV_ERR_INVAL;
    if (config->spis > MACHINE_MAX_SPIS)
        return HV_ERR_INVAL;
    if (config->memory < VM_MIN_MEMORY || !is_aligned(config->memory, PAGE_SIZE))
        return HV_ERR_INVAL;
    for (uint32_t i = 0; i < config->vcpus; i++)
        if (!sched_can_run(hv, vm_affinity(hv, config->affinity[i])))
            return HV_ERR_INVAL;
    return HV_OK;
}

/* The block for the struct and its arrays, with what needs no further allocation filled in. */
static hv_err vm_alloc(struct hv *hv, const struct vm_config *config, uint16_t id, struct vm **out)
{
    unsigned order = page_pool_order(vm_layout(config).size);
    pa_t block;
    hv_err err = page_pool_alloc(&hv->pool, &hv->account, order, &block);
    if (err != HV_OK)
        return err;
    struct vm *vm = hal_phys_map(block, PAGE_SIZE << order);
    HV_CHECK(vm != NULL);
    vm->hv = hv;
    vm->config = config;
    vm->block = block;
    vm->block_order = order;
    vm->id = id;
    vm->nr_vcpus = config->vcpus;
    vm->account.limit = config->quota != 0 ? config->quota / PAGE_SIZE : vm_page_limit(config);
    spinlock_init(&vm->lock, LOCK_RANK_VM);
    atomic_init(&vm->state, VM_CREATED);
    *out = vm;
    return HV_OK;
}

static void vm_free(struct vm *vm)
{
    struct hv *hv = vm->hv;
    pa_t block = vm->block;
    unsigned order = vm->block_order;

    hal_phys_unmap(vm, PAGE_SIZE << order);
    page_pool_free(&hv->pool, &hv->account, block, order);
}

/* Everything behind the tables, which are there: vm_destroy() undoes it. */
static hv_err vm_populate(struct vm *vm)
{
    struct vm_layout at = vm_layout(vm->config);
    char *block = (char *)vm;

    vm->vcpu = (struct vcpu *)(void *)(block + at.vcpu);
    for (uint32_t i = 0; i < vm->nr_vcpus; i++)
        vm_init_vcpu(vm, i);
    hv_err err = vm_init_vgic(vm, (struct vgic_cpu *)(void *)(block + at.vgic_cpu),
                              (struct vgic_irq *)(void *)(block + at.spi));
    if (err != HV_OK)
        return err;
    uint64_t memory = vm->config->memory;
    if (range_exceeds(MACHINE_RAM_BASE, memory, UINT64_C(1) << vm->s2.ipa_bits))
        return HV_ERR_RANGE;
    if (memory / PAGE_SIZE > page_pool_free_pages(&vm->hv->pool))
        return HV_ERR_NOMEM;
    return vm_ram_alloc(vm, memory);
}

static hv_err vm_build(struct hv *hv, const struct vm_config *config, uint16_t id, struct vm **out)
{
    hv_err err = vm_check(hv, config);
    if (err == HV_OK)
        err = vm_alloc(hv, config, id, out);
    if (err != HV_OK)
        return err;
    struct vm *vm = *out;
    err = s2_init(&vm->s2, &hv->pool, &vm->account, &hv->idregs, 0);
    if (err != HV_OK) {
        vm_free(vm);
        return err;
    }
    err = vm_populate(vm);
    if (err != HV_OK)
        vm_destroy(vm);
    return err;
}

hv_err vm_create(struct hv *hv, const struct vm_config *config, uint16_t id, struct vm **out)
{
    hv_err err = vm_build(hv, config, id, out);

    if (err != HV_OK) {
        *out = NULL;
        log_write(&hv->log, LOG_MOD_VM, LOG_ERROR,
                  "%s not created: %s (%u vCPUs, %llu KiB of memory; %llu KiB are free)",
                  config->name, hv_err_str(err), config->vcpus,
                  (unsigned long long)(config->memory >> 10),
                  (unsigned long long)(page_pool_free_pages(&hv->pool) << (PAGE_SHIFT - 10)));
    }
    return err;
}

void vm_destroy(struct vm *vm)
{
    /* No pCPU is still in the middle of what a timer of one of its vCPUs called. */
    sched_quiesce(vm->hv);
    while (vm->nr_devices > 0) {
        const struct vm_device *device = &vm->device[--vm->nr_devices];
        device->destroy(vm, device->dev);
    }
    vgic_destroy(&vm->vgic);
    if (vm->s2.fill != NULL)
        vm_ram_empty(vm);
    s2_destroy(&vm->s2);
    vmid_release(&vm->hv->vmids, &vm->s2);
    vm_ram_free(vm);
    HV_CHECK(vm->account.used == 0);
    vm_free(vm);
}
