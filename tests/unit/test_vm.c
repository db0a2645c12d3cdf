/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "mem/guest_mem.h"
#include "vm/vm.h"
#include "vm_fixture.h"

static struct fixture f;

static void finish(void)
{
    fixture_end(&f);
}

static void setup(void)
{
    fixture_hv(&f, MIB(8), 1);
}

CASE(vm, vcpu_configuration)
{
    fakehal()->now = 777;
    fixture_create(&f, 3);
    const struct arch_vcpu_config *config = &f.vm->vcpu[2].arch.config;
    /* VM SWIO FMO IMO AMO FB BSU=IS TWI TID3 TSC TIDCP TACR RW TLOR TERR */
    cr_assert_eq(config->hcr_el2, UINT64_C(0x18803c263b));
    cr_assert_eq(config->cptr_el2, 0x401033ff);
    cr_assert_eq(config->mdcr_el2, 0x84c60);
    cr_assert_eq(config->hstr_el2, 0);
    cr_assert_eq(config->cnthctl_el2, 1);
    cr_assert_eq(config->cntvoff_el2, 0);
    cr_assert_eq(config->vmpidr_el2, 0x80000002);
    cr_assert_eq(config->vpidr_el2, 0x411fd070);
    cr_assert_eq(config->vttbr_el2 & 0xffffffffffff, f.vm->s2.tag.vttbr);
    cr_assert_eq(config->vttbr_el2 >> 48, 0, "none before it is loaded");
    cr_assert_eq(config->vtcr_el2, f.vm->s2.tag.vtcr);
    cr_assert_eq(f.vm->vcpu[2].arch.gic.hcr & 1, 1);
    cr_assert_eq(f.vm->vcpu[2].state, VCPU_OFF);
    cr_assert_eq(f.vm->vgic.cpu[2].affinity, 2);
    cr_assert_eq(f.vm->vgic.cpu[2].private_irq[27].hw_intid, 27);
    cr_assert_eq(f.vm->vgic.cpu[2].private_irq[30].hw_intid, UINT32_MAX);
}

CASE(vm, pointer_authentication_is_not_trapped)
{
    f.hv->idregs.reg[IDREG_ISAR1] = UINT64_C(1) << 4;
    fixture_create(&f, 1);
    cr_assert_eq(f.vcpu->arch.config.hcr_el2, UINT64_C(0x318803c263b));
}

CASE(vm, memory_is_mapped_clean_and_executable)
{
    struct s2_mapping map;

    fixture_create(&f, 1);
    for (uint64_t at = GUEST_RAM; at < GUEST_RAM + GUEST_SIZE; at += 0x1000) {
        cr_assert_eq(s2_query(&f.vm->s2, ipa(at), &map), HV_OK);
        cr_assert_eq(map.prot, S2_RWX);
        cr_assert_eq(map.type, S2_MEM_NORMAL);
    }
    cr_assert_eq(map.size, MIB(2), "one block of stage 2 for 2 MiB of memory");
    cr_assert_eq(s2_query(&f.vm->s2, ipa(GUEST_RAM + GUEST_SIZE), &map), HV_ERR_NOENT);
    cr_assert_eq(s2_query(&f.vm->s2, ipa(GUEST_RAM - 1), &map), HV_ERR_NOENT);
    uint64_t cleaned = 0;
    for (uint64_t n = 0; n < fakehal()->log_len; n++) {
        const struct fakehal_record *record = fakehal_log(n);
        if (record->kind == FAKEHAL_CACHE_OP && record->op == HAL_CACHE_CLEAN_INV &&
            record->addr == map.pa.v + cleaned)
            cleaned += record->len;
    }
    cr_assert_eq(cleaned, MIB(2), "all of it, in pieces");
}

/* Every second page of the pool is taken, so that there are blocks of one page alone. */
CASE(vm, memory_in_a_fragmented_pool)
{
    static pa_t page[2048];
    size_t n = 0;

    f.config.memory = MIB(1) + 0x5000;
    while (n < 2048 && page_pool_alloc(&f.hv->pool, &f.hv->account, 0, &page[n]) == HV_OK)
        n++;
    for (size_t i = 0; i < n; i++)
        if ((page[i].v & 0x1000) != 0 || page[i].v >= FIXTURE_RAM_PA + MIB(7))
            page_pool_free(&f.hv->pool, &f.hv->account, page[i], 0);
    uint64_t before = page_pool_free_pages(&f.hv->pool);
    fixture_create(&f, 1);
    cr_assert_leq(f.vm->account.used, f.vm->account.limit);
    for (uint64_t at = GUEST_RAM; at < GUEST_RAM + f.config.memory; at += 0x1000) {
        char text[8];
        cr_assert_eq(guest_mem_write(&f.vm->s2, ipa(at), &at, 8), HV_OK);
        cr_assert_eq(guest_mem_read(&f.vm->s2, ipa(at), text, 8), HV_OK);
        cr_assert_arr_eq(text, &at, 8);
    }
    vm_destroy(f.vm);
    f.vm = NULL;
    cr_assert_eq(page_pool_free_pages(&f.hv->pool), before);
    for (size_t i = 0; i < n; i++)
        if ((page[i].v & 0x1000) == 0 && page[i].v < FIXTURE_RAM_PA + MIB(7))
            page_pool_free(&f.hv->pool, &f.hv->account, page[i], 0);
}

CASE(vm, gic_is_on_the_bus)
{
    struct mmio_access access = {.offset = 0xffe8, .size = 4};
    const struct mmio_region *region;

    fixture_create(&f, 2);
    region = mmio_bus_find(&f.vm->bus, ipa(0x08000000));
    cr_assert_not_null(region);
    cr_assert_eq(region->size, 0x10000);
    cr_assert(region->access(region->dev, &access));
    cr_assert_eq(access.value & 0xf0, 0x30, "GICD_PIDR2: GICv3");
    cr_assert_null(mmio_bus_find(&f.vm->bus, ipa(0x08010000)));
    region = mmio_bus_find(&f.vm->bus, ipa(0x080a0000));
    cr_assert_not_null(region);
    access = (struct mmio_access){.offset = 0x20008, .size = 8};
    cr_assert(region->access(region->dev, &access));
    cr_assert_eq(access.value >> 32, 1, "GICR_TYPER of the second: affinity 1");
    cr_assert_not_null(mmio_bus_find(&f.vm->bus, ipa(0x080dffff)));
    region = mmio_bus_find(&f.vm->bus, ipa(0x0809ffff));
    cr_assert_not_null(region);
    access = (struct mmio_access){.offset = 0xffe8, .size = 4};
    cr_assert(region->access(region->dev, &access));
    cr_assert_eq(access.value & 0xf0, 0x30, "GITS_PIDR2: GICv3");
    cr_assert_null(mmio_bus_find(&f.vm->bus, ipa(0x080e0000)), "two redistributors");
}

/* GICD_TYPER.ITLinesNumber and the priority of the last SPI, beyond which there is none. */
CASE(vm, spis_are_as_configured)
{
    static const uint32_t spis[] = {0, 1, 988};
    static const uint32_t last[] = {287, 32, 1019};

    for (unsigned i = 0; i < 3; i++) {
        f.config.spis = spis[i];
        fixture_create(&f, 1);
        struct mmio_access access = {.offset = 4, .size = 4};
        cr_assert(vgic_dist_access(&f.vm->vgic, &access));
        cr_assert_eq(access.value & 0x1f, last[i] / 32);
        for (uint32_t beyond = 0; beyond < 2; beyond++) {
            access = (struct mmio_access){
                .offset = 0x400 + last[i] + beyond, .size = 1, .value = 0x80, .write = true};
            cr_assert(vgic_dist_access(&f.vm->vgic, &access));
            access.write = false;
            cr_assert(vgic_dist_access(&f.vm->vgic, &access));
            cr_assert_eq(access.value, beyond == 0 ? 0x80 : 0);
        }
        vm_destroy(f.vm);
        f.vm = NULL;
    }
}

static void refused(hv_err err)
{
    struct vm *vm = f.vm;

    fakehal_console_clear();
    cr_assert_eq(vm_create(f.hv, &f.config, 1, &vm), err);
    cr_assert_null(vm);
    cr_assert(fakehal_console_has("error vm: g not created: "), "%s", fakehal()->out);
}

CASE(vm, refuses_impossible_configurations)
{
    f.config.vcpus = 0;
    refused(HV_ERR_INVAL);
    f.config.vcpus = 17;
    refused(HV_ERR_INVAL);
    f.config.vcpus = 1;
    f.config.spis = 989;
    refused(HV_ERR_INVAL);
    f.config.spis = 0;
    f.config.memory = 0;
    refused(HV_ERR_INVAL);
    f.config.memory = 0xff000;
    refused(HV_ERR_INVAL);
    f.config.memory = 0x100800;
    refused(HV_ERR_INVAL);
    f.config.memory = MIB(9);
    refused(HV_ERR_NOMEM);
    f.config.memory = UINT64_C(1) << 62;
    refused(HV_ERR_RANGE);
    f.config.memory = UINT64_MAX - 0xfff;
    refused(HV_ERR_RANGE);
    f.config.memory = GUEST_SIZE;
    f.hv->idregs.reg[IDREG_MMFR0] = 0xf; /* a reserved PARange */
    refused(HV_ERR_UNSUPPORTED);
}

/* The struct fits, the memory does not: what is left is too little for tables. */
CASE(vm, memory_that_just_does_not_fit)
{
    f.config.memory = align_down(page_pool_free_pages(&f.hv->pool) * 0x1000 - 0x20000, 0x1000);
    for (unsigned i = 0; i < 40; i++, f.config.memory += 0x1000)
        if (vm_create(f.hv, &f.config, 1, &f.vm) == HV_OK)
            vm_destroy(f.vm);
        else
            cr_assert_eq(page_pool_free_pages(&f.hv->pool), f.free_pages);
    f.vm = NULL;
    cr_assert(fakehal_console_has("not created"));
}

/* Each allocation fails once: an error with nothing left behind, or a smaller block instead. */
CASE(vm, every_allocation_may_fail)
{
    unsigned failed = 0;

    f.config.vcpus = 2;
    f.config.memory = MIB(1) + MIB(2) + 0x3000;
    for (uint64_t n = 1; n < 100; n++) {
        page_pool_fail_nth(&f.hv->pool, n);
        hv_err err = vm_create(f.hv, &f.config, 1, &f.vm);
        page_pool_fail_nth(&f.hv->pool, 0);
        if (err == HV_OK)
            vm_destroy(f.vm);
        else
            failed++;
        cr_assert(err == HV_OK || err == HV_ERR_NOMEM);
        cr_assert_eq(page_pool_free_pages(&f.hv->pool), f.free_pages, "allocation %" PRIu64, n);
    }
    f.vm = NULL;
    cr_assert_geq(failed, 4, "struct, root, record page, table");
    cr_assert_lt(failed, 30);
}

CASE(vm, quota_of_the_hypervisor_holds)
{
    f.hv->account.limit = 1;
    refused(HV_ERR_QUOTA);
    f.hv->account.limit = UINT64_MAX;
    fixture_create(&f, 1);
    pa_t page;
    hv_err err;
    unsigned extra = 0;
    static pa_t got[4096];
    while ((err = page_pool_alloc(&f.hv->pool, &f.vm->account, 0, &page)) == HV_OK)
        got[extra++] = page;
    cr_assert_eq(err, HV_ERR_QUOTA, "a VM cannot take the whole pool");
    cr_assert_lt(extra, 600);
    while (extra > 0)
        page_pool_free(&f.hv->pool, &f.vm->account, got[--extra], 0);
}

static unsigned destroyed;

static void destroy_device(struct vm *vm, void *dev)
{
    cr_assert_eq(vm, f.vm);
    cr_assert_eq(*(unsigned *)dev, --destroyed, "the last one first");
}

CASE(vm, devices_go_with_it)
{
    static unsigned dev[VM_MAX_DEVICES + 1];

    fixture_create(&f, 1);
    for (unsigned i = 0; i < VM_MAX_DEVICES; i++) {
        dev[i] = i;
        cr_assert_eq(vm_add_device(f.vm, &dev[i], destroy_device), HV_OK);
    }
    cr_assert_eq(vm_add_device(f.vm, &dev[VM_MAX_DEVICES], destroy_device), HV_ERR_NOMEM);
    destroyed = VM_MAX_DEVICES;
    vm_destroy(f.vm);
    f.vm = NULL;
    cr_assert_eq(destroyed, 0);
}

CASE(vm, life_and_end)
{
    fixture_create(&f, 1);
    vm_end(f.vm, VM_CRASHED, "not running yet");
    cr_assert_eq(f.vm->state, VM_CREATED);
    cr_assert(!vm_is_over(f.vm), "it has not begun");
    vm_start(f.vm, ipa(GUEST_ENTRY), 0x48000000);
    cr_assert_eq(f.vm->state, VM_RUNNING);
    cr_assert_eq(f.vm->nr_live, 1);
    cr_assert_eq(f.vcpu->state, VCPU_RUNNABLE);
    cr_assert_eq(f.vcpu->power, VCPU_POWER_PENDING);
    cr_assert_eq(f.vcpu->arch.pc, GUEST_ENTRY);
    cr_assert_eq(f.vcpu->arch.x[0], 0x48000000);
    cr_assert_eq(sched_next(&f.hv->pcpu[0]), f.vcpu);
    vm_end(f.vm, VM_OFF, "because of %d", 42);
    cr_assert_eq(f.vm->state, VM_OFF);
    cr_assert_str_eq(f.vm->stop_reason, "because of 42");
    cr_assert(!vm_is_over(f.vm), "its pCPU has not seen it yet");
    cr_assert_null(sched_next(&f.hv->pcpu[0]));
    cr_assert(vm_is_over(f.vm));
    cr_assert_eq(f.vcpu->state, VCPU_OFF);
    cr_assert_eq(f.vcpu->power, VCPU_POWER_OFF);
    cr_assert(f.hv->work, "the manager is to destroy it");
    vm_end(f.vm, VM_CRASHED, "too late");
    cr_assert_eq(f.vm->state, VM_OFF);
    cr_assert(fakehal_console_has("notice vm: g off: because of 42\r\n"));
    cr_assert(!fakehal_console_has("too late"));
}

CASE(vm, ends_are_told_apart)
{
    fixture_create(&f, 1);
    vm_start(f.vm, ipa(GUEST_ENTRY), 0);
    vm_end(f.vm, VM_RESET, "r");
    cr_assert(fakehal_console_has("notice vm: g reset: r\r\n"));
    cr_assert_eq(f.vm->state, VM_RESET);
}

static void start_again(void *ctx)
{
    vm_start(ctx, ipa(GUEST_ENTRY), 0);
}

CASE(vm, starts_once)
{
    fixture_create(&f, 1);
    vm_start(f.vm, ipa(GUEST_ENTRY), 0);
    cr_assert(fakehal_expect_check(start_again, f.vm));
}

CASE(vm, power_of_vcpus)
{
    fixture_create(&f, 2);
    vm_start(f.vm, ipa(GUEST_ENTRY), 0);
    cr_assert_eq(sched_next(&f.hv->pcpu[0]), f.vcpu);
    struct vcpu *second = &f.vm->vcpu[1];
    cr_assert_eq(f.vcpu->power, VCPU_POWER_ON);
    cr_assert_eq(vm_vcpu_on(f.vcpu, ipa(GUEST_RAM), 0), HV_ERR_EXIST);
    cr_assert_eq(vm_vcpu_on(second, ipa(GUEST_RAM), 5), HV_OK);
    cr_assert_eq(second->power, VCPU_POWER_PENDING);
    cr_assert_eq(vm_vcpu_on(second, ipa(GUEST_RAM), 6), HV_ERR_BUSY, "on its way");
    cr_assert_eq(second->arch.x[0], 5);
    vm_vcpu_off(f.vcpu);
    cr_assert_eq(f.vm->state, VM_RUNNING);
    cr_assert_eq(vm_vcpu_on(f.vcpu, ipa(GUEST_RAM), 8), HV_ERR_EXIST, "not yet let go");
    cr_assert_eq(sched_next(&f.hv->pcpu[0]), second);
    cr_assert_eq(f.vcpu->power, VCPU_POWER_OFF);
    cr_assert_eq(second->power, VCPU_POWER_ON);
    cr_assert_eq(vm_vcpu_on(second, ipa(GUEST_RAM), 7), HV_ERR_EXIST);
    cr_assert_eq(vm_vcpu_on(f.vcpu, ipa(GUEST_RAM + 4), 9), HV_OK);
    cr_assert_eq(f.vcpu->arch.pc, GUEST_RAM + 4);
    vm_vcpu_off(second);
    cr_assert_eq(sched_next(&f.hv->pcpu[0]), f.vcpu);
    vm_vcpu_off(f.vcpu);
    cr_assert_eq(f.vm->state, VM_OFF);
    cr_assert(fakehal_console_has("notice vm: g off: its last CPU powered off\r\n"));
}

CASES_RUN(vm, setup, finish)
