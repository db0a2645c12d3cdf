/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "boot/bundle_dev.h"
#include "abi/machine.h"
#include "base/check.h"
#include "base/fmt.h"
#include "base/log.h"
#include "dev/registry.h"
#include <libfdt.h>
#include <string.h>

/* --- Properties: each class has a table of them --- */

static hv_err get_u64(struct bundle_parser *p, const struct bundle_prop *prop,
                      const struct dev_prop *row, uint64_t *out)
{
    hv_err err = bundle_get_u64(p, prop, out);

    if (err == HV_OK && (*out < row->min || *out > row->max))
        return bundle_refuse(p, HV_ERR_RANGE, "%s: %llu, must be %llu to %llu", prop->text,
                             (unsigned long long)*out, (unsigned long long)row->min,
                             (unsigned long long)row->max);
    return err;
}

static hv_err get_string(struct bundle_parser *p, const struct bundle_prop *prop,
                         const struct dev_prop *row, const char **out)
{
    hv_err err = bundle_get_string(p, prop, out);

    if (err == HV_OK && (prop->len - 1 < row->min || prop->len - 1 > row->max))
        return bundle_refuse(p, HV_ERR_RANGE, "%s: %u bytes of text, must be %llu to %llu",
                             prop->text, prop->len - 1, (unsigned long long)row->min,
                             (unsigned long long)row->max);
    return err;
}

/* The lowest bit of the first byte makes a group address (IEEE 802, 8.2.2). */
static hv_err get_mac(struct bundle_parser *p, const struct bundle_prop *prop, uint8_t *out)
{
    static const uint8_t zero[DEV_MAC_SIZE];

    if (prop->len != DEV_MAC_SIZE)
        return bundle_refuse(p, HV_ERR_FORMAT, "%s: %u bytes long, must be 6: [52 54 ...]",
                             prop->text, prop->len);
    memcpy(out, prop->data, DEV_MAC_SIZE);
    if ((out[0] & 1) != 0 || memcmp(out, zero, DEV_MAC_SIZE) == 0)
        return bundle_refuse(p, HV_ERR_RANGE, "%s: not the address of one station", prop->text);
    return HV_OK;
}

static hv_err get_value(struct bundle_parser *p, const struct bundle_prop *prop,
                        const struct dev_prop *row, struct dev_config *config)
{
    void *to = (char *)config + row->offset;

    switch (row->kind) {
    case DEV_PROP_FLAG:
        return bundle_get_flag(p, prop, to);
    case DEV_PROP_U32:
        return bundle_get_count(p, prop, (uint32_t)row->min, (uint32_t)row->max, to);
    case DEV_PROP_U64:
        return get_u64(p, prop, row, to);
    case DEV_PROP_STRING:
        return get_string(p, prop, row, to);
    case DEV_PROP_BLOB:
        return bundle_get_blob(p, prop, to);
    case DEV_PROP_MAC:
        break;
    }
    return get_mac(p, prop, to);
}

static hv_err read_compatible(struct bundle_parser *p, const struct bundle_prop *prop, void *target)
{
    const struct dev_config *config = target;
    char expected[48];

    (void)fmt_snprintf(expected, sizeof(expected), "halcyon,%s", config->class->bundle);
    return bundle_expect_string(p, prop, expected);
}

/* bundle_read_props() has found its name in a table, so that it is here, too. */
static hv_err read_prop(struct bundle_parser *p, const struct bundle_prop *prop, void *target)
{
    struct dev_config *config = target;
    uint32_t n = 0;

    while (strcmp(prop->text, config->class->props[n].name) != 0)
        n++;
    config->given |= UINT32_C(1) << n;
    return get_value(p, prop, &config->class->props[n], config);
}

static hv_err read_props(struct bundle_parser *p, int node, struct dev_config *config)
{
    const struct dev_class *class = config->class;
    struct bundle_row rows[DEV_PROPS_MAX + 1] = {{"compatible", true, read_compatible}};
    const char *reason;
    hv_err err;

    HV_CHECK(class->nr_props <= DEV_PROPS_MAX);
    for (size_t i = 0; i < class->nr_props; i++)
        rows[i + 1] =
            (struct bundle_row){class->props[i].name, class->props[i].required, read_prop};
    err = bundle_read_props(p, node, rows, class->nr_props + 1, config);
    if (err != HV_OK || class->check == NULL)
        return err;
    reason = class->check(config);
    return reason == NULL ? HV_OK : bundle_refuse(p, HV_ERR_FORMAT, "%s", reason);
}

_Static_assert(DEV_PROPS_MAX + 1 <= BUNDLE_ROWS_MAX, "more rows than are ticked off");

/* --- Names: CLASS, or CLASS@UNIT --- */

static const struct dev_class *find_class(const struct dev_registry *registry, const char *name,
                                          size_t len)
{
    for (size_t i = 0; i < registry->count; i++) {
        const char *bundle = registry->class[i].bundle;
        if (bundle != NULL && strlen(bundle) == len && memcmp(bundle, name, len) == 0)
            return &registry->class[i];
    }
    return NULL;
}

/* A unit address (Devicetree Specification v0.4, 2.2.1.1): hexadecimal, without leading zeroes, in
 * lower case. UINT32_MAX if it is none. */
static uint32_t parse_unit(const char *text)
{
    uint32_t unit = 0;
    size_t len = strlen(text);

    if (len == 0 || len > 4 || (text[0] == '0' && len > 1))
        return UINT32_MAX;
    for (; *text != '\0'; text++) {
        if (*text >= '0' && *text <= '9')
            unit = unit << 4 | (uint32_t)(*text - '0');
        else if (*text >= 'a' && *text <= 'f')
            unit = unit << 4 | (uint32_t)(*text - 'a' + 10);
        else
            return UINT32_MAX;
    }
    return unit;
}

static hv_err read_unit(struct bundle_parser *p, const char *name, struct dev_config *config)
{
    const struct dev_class *class = config->class;
    const char *at = name + strlen(class->bundle);

    if (class->max == 1)
        return *at == '\0' ? HV_OK
                           : bundle_refuse(p, HV_ERR_FORMAT, "there is one: its name has no @");
    config->unit = *at == '@' ? parse_unit(at + 1) : UINT32_MAX;
    if (config->unit >= class->max)
        return bundle_refuse(p, HV_ERR_FORMAT, "its name must be %s@0 to %s@%x", class->bundle,
                             class->bundle, class->max - 1);
    return HV_OK;
}

static bool is_twice(const struct vm_config *vm, const struct dev_config *config)
{
    for (uint32_t i = 0; i < vm->nr_devices; i++)
        if (vm->device[i].class == config->class && vm->device[i].unit == config->unit)
            return true;
    return false;
}

/* --- Nodes --- */

static hv_err read_device(struct bundle_parser *p, int node, struct vm_config *vm)
{
    const char *name = fdt_get_name(p->fdt, node, NULL);
    const char *at = strchr(name, '@');
    size_t len = at == NULL ? strlen(name) : (size_t)(at - name);
    struct dev_config *config = &vm->device[vm->nr_devices];
    hv_err err;

    if (vm->nr_devices == VM_CONFIG_DEVICES)
        return bundle_refuse(p, HV_ERR_RANGE, "more than %u devices", VM_CONFIG_DEVICES);
    *config = (struct dev_config){.class = find_class(p->registry, name, len)};
    if (config->class == NULL)
        return bundle_refuse(p, HV_ERR_FORMAT, "unknown node");
    err = read_unit(p, name, config);
    if (err != HV_OK)
        return err;
    if (is_twice(vm, config))
        return bundle_refuse(p, HV_ERR_FORMAT, "there twice");
    err = read_props(p, node, config);
    if (err == HV_OK)
        err = bundle_refuse_subnodes(p, node);
    if (err == HV_OK)
        vm->nr_devices++;
    return err;
}

/* All that it has must have an interrupt, and room on the bus. */
static hv_err check_spis(struct bundle_parser *p, const struct vm_config *vm)
{
    uint32_t spis = vm->spis != 0 ? vm->spis : MACHINE_NR_SPIS;
    struct dev_instance instance;

    for (uint32_t n = 0; dev_instance(p->registry, vm, n, &instance); n++)
        if (instance.intid != 0 && instance.intid - GIC_FIRST_SPI >= spis)
            return bundle_refuse(p, HV_ERR_RANGE, "spis: %u, must be at least %u for %s", spis,
                                 instance.intid - GIC_FIRST_SPI + 1, instance.class->name);
    return HV_OK;
}

hv_err bundle_read_devices(struct bundle_parser *p, int node, struct vm_config *vm)
{
    char parent[VM_NAME_MAX + 8];
    int child;

    (void)fmt_snprintf(parent, sizeof(parent), "/vms/%s", vm->name);
    fdt_for_each_subnode(child, p->fdt, node)
    {
        bundle_set_path(p, parent, fdt_get_name(p->fdt, child, NULL));
        hv_err err = read_device(p, child, vm);
        if (err != HV_OK)
            return err;
    }
    bundle_set_path(p, "/vms", vm->name);
    return check_spis(p, vm);
}
