/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "dev/registry.h"
#include "vm_fixture.h"

static struct fixture f;

static void setup(void)
{
    fixture_hv(&f, MIB(16), 1);
    fixture_create(&f, 1);
}

static void finish(void)
{
    fixture_end(&f);
}

static const struct dev_class *find(const char *name)
{
    for (size_t i = 0; i < dev_registry_count; i++)
        if (strcmp(dev_registry[i].name, name) == 0)
            return &dev_registry[i];
    return NULL;
}

CASE(registry, rows_are_sound)
{
    for (size_t i = 0; i < dev_registry_count; i++) {
        const struct dev_class *a = &dev_registry[i];
        if (a->compatible != NULL) {
            cr_expect_geq(a->intid, 32);
            cr_expect_lt(a->intid, 32 + 256);
            cr_expect_eq(a->compatible[a->compatible_len - 1], '\0');
        }
        cr_expect_lt(a->base + a->size, 0x40000001, "below RAM");
        for (size_t j = i + 1; j < dev_registry_count; j++) {
            const struct dev_class *b = &dev_registry[j];
            cr_expect(a->base + a->size <= b->base || b->base + b->size <= a->base);
            cr_expect_neq(a->intid, b->intid);
        }
    }
}

CASE(registry, pl011_is_where_virt_has_it)
{
    const struct dev_class *row = find("pl011");

    cr_assert_neq(row, NULL);
    cr_expect_eq(row->base, 0x9000000);
    cr_expect_eq(row->size, 0x1000);
    cr_expect_eq(row->intid, 33);
    cr_expect_eq(row->clock_hz, 24000000);
    cr_expect_eq(row->compatible_len, 24);
    cr_expect_arr_eq(row->compatible, "arm,pl011\0arm,primecell", 24);
}

CASE(registry, creates_and_destroys)
{
    const struct mmio_region *region;
    struct mmio_access hello = {.offset = 0, .size = 1, .value = '!', .write = true};
    uint64_t used = f.hv->account.used;

    cr_assert_eq(dev_create_all(f.vm), HV_OK);
    cr_expect_eq(f.vm->nr_devices, 1, "the flash has no state");
    cr_expect_gt(f.hv->account.used, used);
    region = mmio_bus_find(&f.vm->bus, ipa(0x9000000));
    cr_assert_neq(region, NULL);
    cr_expect(region->access(region->dev, &hello));
    cr_expect_str_eq(fakehal()->out, "!");
    cr_expect_neq(f.console.focus, NULL);
    vm_destroy(f.vm);
    f.vm = NULL;
    cr_expect_eq(f.console.focus, NULL);
}

CASE(registry, the_first_vm_keeps_the_focus)
{
    struct console_port *first;
    struct vm *second;

    cr_assert_eq(dev_create_all(f.vm), HV_OK);
    first = f.console.focus;
    cr_assert_eq(vm_create(f.hv, &f.config, 2, &second), HV_OK);
    cr_assert_eq(dev_create_all(second), HV_OK);
    cr_expect_eq(f.console.focus, first);
    vm_destroy(second);
    cr_expect_eq(f.console.focus, first);
}

CASE(registry, no_memory)
{
    page_pool_fail_nth(&f.hv->pool, 1);
    cr_expect_eq(dev_create_all(f.vm), HV_ERR_NOMEM);
    cr_expect_eq(f.console.focus, NULL);
    cr_expect_eq(f.vm->nr_devices, 0);
}

CASE(registry, no_slot)
{
    uint32_t devices = f.vm->nr_devices;

    f.vm->nr_devices = VM_MAX_DEVICES;
    cr_expect_eq(dev_create_all(f.vm), HV_ERR_NOMEM);
    f.vm->nr_devices = devices;
    cr_expect_eq(f.console.focus, NULL);
}

static bool no_access(void *dev, struct mmio_access *access)
{
    (void)dev;
    (void)access;
    return false;
}

CASE(registry, address_taken)
{
    const struct mmio_region region = {
        .base = 0x9000800, .size = 8, .access = no_access, .name = "squatter"};

    cr_assert_eq(mmio_bus_add(&f.vm->bus, &region), HV_OK);
    cr_expect_eq(dev_create_all(f.vm), HV_ERR_EXIST);
    cr_expect_eq(f.console.focus, NULL);
}

CASES_RUN(registry, setup, finish)
