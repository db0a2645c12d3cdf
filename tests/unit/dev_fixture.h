/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A registry of the tests' own, with what no device of the hypervisor need have: each kind of
 * property, classes of which a VM has one, several, or always one, two slots of virtio-mmio.
 */
#ifndef TESTS_DEV_FIXTURE_H
#define TESTS_DEV_FIXTURE_H

#include "dev/registry.h"

/* What was made, in this order. */
struct dev_fixture {
    uint32_t count;
    struct dev_instance made[VM_MAX_DEVICES];
    hv_err err; /* what the constructor says */
};

static struct dev_fixture dev_fixture;

static inline hv_err dev_fixture_create(struct vm *vm, const struct dev_instance *instance)
{
    (void)vm;
    dev_fixture.made[dev_fixture.count++] = *instance;
    return dev_fixture.err;
}

static inline const char *dev_fixture_check(const struct dev_config *config)
{
    return config->image.size != 0 && config->size != 0 ? "image: there is a size too" : NULL;
}

static const struct dev_prop dev_fixture_disk[] = {
    {"image", DEV_PROP_BLOB, false, offsetof(struct dev_config, image), 0, 0},
    {"size", DEV_PROP_U64, false, offsetof(struct dev_config, size), 512, UINT64_C(1) << 40},
    {"serial", DEV_PROP_STRING, false, offsetof(struct dev_config, text[1]), 1, 20},
    {"read-only", DEV_PROP_FLAG, false, offsetof(struct dev_config, flag[3]), 0, 0},
    {"queues", DEV_PROP_U32, true, offsetof(struct dev_config, number[2]), 1, 8},
};

static const struct dev_prop dev_fixture_net[] = {
    {"mac", DEV_PROP_MAC, true, offsetof(struct dev_config, mac), 0, 0},
};

static const struct dev_fdt_prop dev_fixture_props[] = {
    {"bank-width", "\0\0\0\4", 4},
    {"phandle", "\0\0\x80\x01", 4},
};
static const struct dev_fdt_prop dev_fixture_extra_props[] = {{"compatible", "test-keys", 10}};
static const struct dev_fdt_prop dev_fixture_child_props[] = {{"gpios", "\0\0\x80\x01\0\0\0\3", 8}};
static const struct dev_fdt_extra dev_fixture_extra = {
    "test-keys", dev_fixture_extra_props, 1, "poweroff", dev_fixture_child_props, 1,
};

static const struct dev_class dev_fixture_classes[] = {
    {
        .bundle = "disk",
        .max = 20,
        .props = dev_fixture_disk,
        .nr_props = 5,
        .check = dev_fixture_check,
        .virtio = true,
        .name = "disk",
        .create = dev_fixture_create,
    },
    {
        .always = true,
        .base = 0x9000000,
        .size = 0x1000,
        .intid = 33,
        .name = "uart",
        .compatible = "test,uart",
        .compatible_len = 10,
        .clock_hz = 1000000,
        .clocks = "apb_pclk",
        .clocks_len = 9,
        .console = true,
        .create = dev_fixture_create,
    },
    {
        .bundle = "net",
        .max = 32,
        .props = dev_fixture_net,
        .nr_props = 1,
        .virtio = true,
        .name = "net",
        .create = dev_fixture_create,
    },
    {
        .bundle = "flash",
        .max = 1,
        .always = true,
        .base = 0,
        .size = 0x8000000,
        .name = "flash",
        .compatible = "test,flash",
        .compatible_len = 11,
        .clock_hz = 1000000,
        .clocks = "clk\0apb_pclk",
        .clocks_len = 13,
        .banks = 2,
        .fdt_props = dev_fixture_props,
        .nr_fdt_props = 2,
        .fdt_extra = &dev_fixture_extra,
        .create = dev_fixture_create,
    },
    {
        .bundle = "rtc",
        .max = 1,
        .base = 0x9010000,
        .size = 0x1000,
        .intid = 34,
        .name = "rtc",
        .compatible = "test,rtc",
        .compatible_len = 9,
        .create = dev_fixture_create,
    },
};

static const struct dev_registry dev_fixture_registry = {dev_fixture_classes, 5};

#endif
