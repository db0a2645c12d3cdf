/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The devices that a VM can have, one row each: what the bundle may say of one, where it is in the
 * guest's machine, how the guest's devicetree describes it, its constructor. Everything that deals
 * with devices in general (the bundle's parser, the guest's devicetree) goes by these rows and
 * knows no device. docs/adding-a-device.md.
 */
#ifndef DEV_REGISTRY_H
#define DEV_REGISTRY_H

#include "base/err.h"
#include "vm/vm.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* --- What the bundle says --- */

/* The form of a property's value, and which type the member of struct dev_config has that it goes
 * to. */
enum dev_prop_kind {
    DEV_PROP_FLAG,   /* no value: bool */
    DEV_PROP_U32,    /* a 32-bit number from min to max: uint32_t */
    DEV_PROP_U64,    /* a 64-bit number from min to max: uint64_t */
    DEV_PROP_STRING, /* one string of min to max bytes, without its terminator: const char * */
    DEV_PROP_BLOB,   /* the file's bytes, at least one: struct vm_blob */
    DEV_PROP_MAC,    /* six bytes, a unicast address: uint8_t[DEV_MAC_SIZE] */
};

struct dev_prop {
    const char *name;
    enum dev_prop_kind kind;
    bool required;
    uint16_t offset; /* of the member of struct dev_config */
    uint64_t min;
    uint64_t max;
};

#define DEV_PROPS_MAX 15u /* of one class, `compatible` not counted */

/* --- What the guest's devicetree says --- */

/* A property whose value is always the same: bytes as they stand in the tree, numbers big-endian.
 */
struct dev_fdt_prop {
    const char *name;
    const void *data;
    size_t len;
};

/* A node beside the device's own, with one node in it. */
struct dev_fdt_extra {
    const char *name;
    const struct dev_fdt_prop *props;
    size_t nr_props;
    const char *child;
    const struct dev_fdt_prop *child_props;
    size_t nr_child_props;
};

/* --- Classes and instances --- */

/* Where in its machine a VM has one. */
struct dev_instance {
    const struct dev_class *class;
    const struct dev_config *config; /* NULL: one that every VM has, and of which nothing is said */
    uint64_t base;
    uint64_t size;
    uint32_t intid; /* 0: none */
};

struct dev_class {
    /* In the bundle: the node's name before the @, and what follows "halcyon," in its compatible.
     * NULL: no bundle speaks of it, every VM has one. */
    const char *bundle;
    bool always;  /* every VM has one, and a node only says how it is */
    bool virtio;  /* has the next slot of virtio-mmio, in the place of base, size and intid */
    bool console; /* is /chosen's stdout-path */
    uint32_t max; /* nodes that a VM can have. 1: its name has no @; more: 0 to max - 1 follows */
    const struct dev_prop *props;
    size_t nr_props;
    /* Whether the properties go together: NULL, or what is wrong, which begins with a property's
     * name. May be NULL. */
    const char *(*check)(const struct dev_config *config);

    /* In the guest's machine. */
    uint64_t base;
    uint64_t size;
    uint32_t intid; /* an SPI, level-triggered; 0: none */

    /* In its devicetree. */
    const char *name;       /* of the node, before the @, unless it is virtio; and in messages */
    const char *compatible; /* strings of the property, each terminated; NULL: not in there */
    size_t compatible_len;  /* with all terminators */
    uint32_t banks;         /* 2: its `reg` has two entries, a half of it each */
    uint32_t clock_hz;      /* of all its clocks; 0: none */
    const char *clocks;     /* their names, each terminated */
    size_t clocks_len;
    const struct dev_fdt_prop *fdt_props;
    size_t nr_fdt_props;
    const struct dev_fdt_extra *fdt_extra; /* NULL: none */

    /* Puts it on the bus and registers it with vm_add_device(). Before the VM runs; on an error
     * vm_destroy() gives back what was registered. */
    hv_err (*create)(struct vm *vm, const struct dev_instance *instance);
};

struct dev_registry {
    const struct dev_class *class;
    size_t count;
};

/* Phandles from this one on are for the const properties of classes. */
#define DEV_PHANDLE_FIRST 0x8000u

/* The devices of this hypervisor: the only one but for tests. */
extern const struct dev_registry dev_registry;

/*
 * The VM's n-th instance: first what every VM has, in the order of the rows, then what `config`
 * asks for, in its order. False if there are not so many. Virtio instances get the slots of
 * virtio-mmio in this order.
 */
bool dev_instance(const struct dev_registry *registry, const struct vm_config *config, uint32_t n,
                  struct dev_instance *out);

/*
 * Makes every instance for `vm`, from vm->hv->devices. HV_ERR_RANGE if its distributor has not the
 * SPI of one, otherwise what the constructor says. On an error vm_destroy() gives back what there
 * is.
 */
HV_MUST_CHECK hv_err dev_create_all(struct vm *vm);

#endif
