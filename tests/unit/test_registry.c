/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "dev/flash_store.h"
#include "dev/registry.h"
#include "dev_fixture.h"
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
    for (size_t i = 0; i < dev_registry.count; i++)
        if (strcmp(dev_registry.class[i].name, name) == 0)
            return &dev_registry.class[i];
    return NULL;
}

static void expect_sound_props(const struct dev_class *class)
{
    cr_expect_leq(class->nr_props, 15);
    for (size_t i = 0; i < class->nr_props; i++) {
        const struct dev_prop *prop = &class->props[i];
        cr_expect_lt(prop->offset, sizeof(struct dev_config), "%s", prop->name);
        cr_expect_leq(prop->min, prop->max, "%s", prop->name);
        cr_expect_str_neq(prop->name, "compatible");
        for (size_t j = i + 1; j < class->nr_props; j++)
            cr_expect_str_neq(prop->name, class->props[j].name);
    }
}

static void expect_sound(const struct dev_class *class)
{
    cr_expect_neq(class->name, NULL);
    cr_expect_neq(class->create, NULL);
    cr_expect(class->always || class->bundle != NULL, "%s: nobody can have it", class->name);
    cr_expect(class->bundle == NULL || (class->max >= 1 && class->max <= 32), "%s", class->name);
    cr_expect(class->virtio || class->max <= 1, "%s: two at one address", class->name);
    cr_expect(!class->virtio || class->compatible == NULL, "%s", class->name);
    if (class->compatible != NULL)
        cr_expect_eq(class->compatible[class->compatible_len - 1], '\0');
    if (class->clock_hz != 0)
        cr_expect_eq(class->clocks[class->clocks_len - 1], '\0');
    if (class->intid != 0) {
        cr_expect_geq(class->intid, 32);
        cr_expect_lt(class->intid, 32 + 16, "those of virtio-mmio follow");
    }
    expect_sound_props(class);
}

/* Two classes at fixed places. */
static void expect_apart(const struct dev_class *a, const struct dev_class *b)
{
    cr_expect(a->base + a->size <= b->base || b->base + b->size <= a->base, "%s %s", a->name,
              b->name);
    cr_expect(a->intid == 0 || a->intid != b->intid, "%s %s", a->name, b->name);
}

CASE(registry, rows_are_sound)
{
    for (size_t i = 0; i < dev_registry.count; i++) {
        const struct dev_class *a = &dev_registry.class[i];
        expect_sound(a);
        if (a->virtio)
            continue;
        cr_expect_leq(a->base + a->size, 0xa000000, "below virtio-mmio");
        for (size_t j = i + 1; j < dev_registry.count; j++)
            if (!dev_registry.class[j].virtio)
                expect_apart(a, &dev_registry.class[j]);
    }
}

/* Phandles that classes bring in are theirs alone. */
CASE(registry, phandles)
{
    uint32_t seen = 0;

    for (size_t i = 0; i < dev_registry.count; i++) {
        const struct dev_class *class = &dev_registry.class[i];
        for (size_t j = 0; j < class->nr_fdt_props; j++) {
            const uint8_t *data = class->fdt_props[j].data;
            if (strcmp(class->fdt_props[j].name, "phandle") != 0)
                continue;
            cr_assert_eq(class->fdt_props[j].len, 4);
            cr_assert(data[0] == 0 && data[1] == 0 && data[2] == 0x80 && data[3] < 32, "%s",
                      class->name);
            cr_expect_eq(seen & 1u << data[3], 0, "%s", class->name);
            seen |= 1u << data[3];
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
    cr_expect_eq(f.vm->nr_devices, 4, "PL011, PL031, PL061 and flash");
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

/* Flash of which the configuration says nothing takes nothing; with firmware or a node it does, and
 * keeps it over the VM's lives. */
CASE(registry, flash_that_is_kept)
{
    static const unsigned char firmware[] = {0x12, 0x34};
    static const unsigned char variables[] = {0x56};
    struct flash_store *store;
    struct mmio_access load = {.offset = 0x4000000, .size = 1};

    cr_assert_eq(dev_create_all(f.vm), HV_OK);
    cr_expect_eq(f.hv->flash[0], NULL);
    fixture_destroy(&f, f.vm);
    f.config.firmware = (struct vm_blob){firmware, sizeof(firmware)};
    f.config.nr_devices = 1;
    f.config.device[0].class = find("flash");
    f.config.device[0].image = (struct vm_blob){variables, sizeof(variables)};
    fixture_create(&f, 1);
    cr_assert_eq(dev_create_all(f.vm), HV_OK);
    store = f.hv->flash[0];
    cr_assert_neq(store, NULL);
    const struct mmio_region *region = mmio_bus_find(&f.vm->bus, ipa(0));
    cr_assert_neq(region, NULL);
    cr_expect(region->access(region->dev, &load));
    cr_expect_eq(load.value, 0x56);
    load.offset = 1;
    cr_expect(region->access(region->dev, &load));
    cr_expect_eq(load.value, 0x34);
    fixture_destroy(&f, f.vm);
    fixture_create(&f, 1);
    cr_assert_eq(dev_create_all(f.vm), HV_OK);
    cr_expect_eq(f.hv->flash[0], store);
    fixture_destroy(&f, f.vm);
    f.vm = NULL;
    flash_store_destroy(store);
}

CASE(registry, flash_without_memory)
{
    for (uint64_t n = 1; n <= 2; n++) {
        page_pool_fail_nth(&f.hv->pool, n);
        cr_expect_eq(dev_create_all(f.vm), HV_ERR_NOMEM, "%llu", (unsigned long long)n);
        fixture_destroy(&f, f.vm);
        fixture_create(&f, 1);
    }
    f.config.nr_devices = 1;
    f.config.device[0].class = find("flash");
    page_pool_fail_nth(&f.hv->pool, 2);
    cr_expect_eq(dev_create_all(f.vm), HV_ERR_NOMEM, "for what it holds");
    cr_expect_eq(f.hv->flash[0], NULL);
}

CASE(registry, flash_without_a_slot)
{
    const struct dev_class *row = find("flash");
    const struct dev_instance instance = {row, NULL, row->base, row->size, row->intid};
    uint32_t devices = f.vm->nr_devices;

    f.vm->nr_devices = VM_MAX_DEVICES;
    cr_expect_eq(row->create(f.vm, &instance), HV_ERR_NOMEM);
    f.vm->nr_devices = devices;
}

/* Each allocation of each device fails once; what was made goes back with the VM. */
CASE(registry, each_allocation_fails)
{
    unsigned failed = 0;

    for (uint64_t nth = 1;; nth++) {
        page_pool_fail_nth(&f.hv->pool, nth);
        hv_err err = dev_create_all(f.vm);
        page_pool_fail_nth(&f.hv->pool, 0);
        if (err == HV_OK)
            break;
        cr_assert_eq(err, HV_ERR_NOMEM);
        failed++;
        vm_destroy(f.vm);
        fixture_create(&f, 1);
    }
    cr_expect_geq(failed, 3);
}

static void destroy_nothing(struct vm *vm, void *dev)
{
    (void)vm;
    (void)dev;
}

CASE(registry, no_slot)
{
    for (uint32_t left = 0; left < 3; left++) {
        while (f.vm->nr_devices < VM_MAX_DEVICES - left)
            cr_assert_eq(vm_add_device(f.vm, NULL, destroy_nothing), HV_OK);
        cr_expect_eq(dev_create_all(f.vm), HV_ERR_NOMEM, "%u left", left);
        cr_expect_eq(f.vm->nr_devices, VM_MAX_DEVICES);
        vm_destroy(f.vm);
        fixture_create(&f, 1);
    }
}

CASE(registry, no_quota)
{
    f.vm->account.limit = f.vm->account.used;
    cr_expect_eq(dev_create_all(f.vm), HV_ERR_QUOTA);
}

static bool no_access(void *dev, struct mmio_access *access)
{
    (void)dev;
    (void)access;
    return false;
}

CASE(registry, address_taken)
{
    static const uint64_t places[] = {0x9000800, 0x9010800, 0x9030800, 0x7fffff8};

    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        const struct mmio_region region = {
            .base = places[i], .size = 8, .access = no_access, .name = "squatter"};
        cr_assert_eq(mmio_bus_add(&f.vm->bus, &region), HV_OK);
        cr_expect_eq(dev_create_all(f.vm), HV_ERR_EXIST, "%zu", i);
        vm_destroy(f.vm);
        cr_expect_eq(f.console.focus, NULL);
        fixture_create(&f, 1);
    }
}

/* --- Instances, of a registry of the test's own --- */

static void use_fixture(void)
{
    dev_fixture = (struct dev_fixture){.err = HV_OK};
    f.hv->devices = &dev_fixture_registry;
}

static void ask_for(size_t class, uint32_t unit)
{
    f.config.device[f.config.nr_devices++] =
        (struct dev_config){.class = &dev_fixture_classes[class], .unit = unit};
}

static void expect_made(uint32_t n, size_t class, const struct dev_config *config, uint64_t base,
                        uint64_t size, uint32_t intid)
{
    const struct dev_instance *made = &dev_fixture.made[n];

    cr_expect_eq(made->class, &dev_fixture_classes[class], "%u", n);
    cr_expect_eq(made->config, config, "%u", n);
    cr_expect_eq(made->base, base, "%u: %" PRIx64, n, made->base);
    cr_expect_eq(made->size, size, "%u", n);
    cr_expect_eq(made->intid, intid, "%u: %u", n, made->intid);
}

CASE(registry, what_every_vm_has)
{
    use_fixture();
    cr_assert_eq(dev_create_all(f.vm), HV_OK);
    cr_assert_eq(dev_fixture.count, 2);
    expect_made(0, 1, NULL, 0x9000000, 0x1000, 33);
    expect_made(1, 3, NULL, 0, 0x8000000, 0);
}

CASE(registry, what_a_vm_asks_for)
{
    use_fixture();
    ask_for(2, 7);
    ask_for(4, 0);
    ask_for(0, 1);
    ask_for(3, 0);
    ask_for(0, 0);
    cr_assert_eq(dev_create_all(f.vm), HV_OK);
    cr_assert_eq(dev_fixture.count, 6);
    expect_made(0, 1, NULL, 0x9000000, 0x1000, 33);
    expect_made(1, 3, &f.config.device[3], 0, 0x8000000, 0);
    expect_made(2, 2, &f.config.device[0], 0xa000000, 0x200, 48);
    expect_made(3, 4, &f.config.device[1], 0x9010000, 0x1000, 34);
    expect_made(4, 0, &f.config.device[2], 0xa000200, 0x200, 49);
    expect_made(5, 0, &f.config.device[4], 0xa000400, 0x200, 50);
}

CASE(registry, the_last_slot)
{
    use_fixture();
    for (uint32_t i = 0; i < 32; i++)
        ask_for(2, i);
    cr_assert_eq(dev_create_all(f.vm), HV_OK);
    cr_assert_eq(dev_fixture.count, 34);
    expect_made(33, 2, &f.config.device[31], 0xa003e00, 0x200, 79);
}

CASE(registry, no_such_interrupt)
{
    use_fixture();
    ask_for(0, 0);
    f.vm->vgic.nr_spis = 16;
    cr_expect_eq(dev_create_all(f.vm), HV_ERR_RANGE);
    cr_expect_eq(dev_fixture.count, 2);
}

CASE(registry, a_constructor_fails)
{
    use_fixture();
    dev_fixture.err = HV_ERR_BUSY;
    cr_expect_eq(dev_create_all(f.vm), HV_ERR_BUSY);
    cr_expect_eq(dev_fixture.count, 1);
}

CASES_RUN(registry, setup, finish)
