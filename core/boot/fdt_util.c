/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "boot/fdt_util.h"
#include "base/addr.h"
#include "base/log.h"
#include <libfdt.h>
#include <string.h>

/*
 * libfdt 1.6.1 adds a property's length to its place in 32 bits: a length near 2^32 takes it back
 * to where it was, for ever. True if no length in the structure block leaves the block; what else
 * may be wrong there is left to libfdt. The header has been checked.
 */
static bool lengths_fit(const void *fdt)
{
    const unsigned char *block = (const unsigned char *)fdt + fdt_off_dt_struct(fdt);
    uint64_t size = fdt_size_dt_struct(fdt);
    uint64_t at = 0;

    while (size - at >= FDT_TAGSIZE) {
        uint32_t tag = fdt32_ld((const fdt32_t *)(const void *)(block + at));
        uint64_t left = size - at - FDT_TAGSIZE;
        uint64_t len = 0;

        if (tag == FDT_PROP) {
            if (left < 2 * FDT_TAGSIZE)
                return false;
            len = 2 * FDT_TAGSIZE +
                  (uint64_t)fdt32_ld((const fdt32_t *)(const void *)(block + at + FDT_TAGSIZE));
        } else if (tag == FDT_BEGIN_NODE) {
            const unsigned char *name = block + at + FDT_TAGSIZE;
            const unsigned char *end = memchr(name, '\0', left);
            if (end == NULL)
                return false;
            len = (uint64_t)(end - name) + 1;
        } else if (tag != FDT_END_NODE && tag != FDT_NOP) {
            return true;
        }
        len = align_up(len, FDT_TAGSIZE);
        if (len > left)
            return false;
        at += FDT_TAGSIZE + len;
    }
    return true;
}

int fdt_util_check(const void *fdt, size_t size)
{
    if (size < FDT_V17_SIZE)
        return -FDT_ERR_TRUNCATED;
    int err = fdt_check_header(fdt);
    if (err != 0)
        return err;
    if (fdt_version(fdt) < 17)
        return -FDT_ERR_BADVERSION;
    if (fdt_totalsize(fdt) > size)
        return -FDT_ERR_TRUNCATED;
    return lengths_fit(fdt) ? fdt_check_full(fdt, size) : -FDT_ERR_BADSTRUCTURE;
}

#define ADDRESS_BITS 48u /* what stage-2 tables and our own map */
#define MAX_DEPTH    16u /* buses above a node: going up costs a pass over the tree each time */

const char *fdt_util_path(const void *fdt, int node, char out[FDT_UTIL_PATH_MAX])
{
    char path[FDT_UTIL_PATH_MAX];

    if (fdt_get_path(fdt, node, path, (int)sizeof(path)) != 0)
        memcpy(out, "...", sizeof("..."));
    else
        (void)log_escape(out, FDT_UTIL_PATH_MAX, path, strlen(path));
    return out;
}

const char *fdt_util_string(const void *fdt, int node, const char *name)
{
    int len;
    const char *text = fdt_getprop(fdt, node, name, &len);

    if (text == NULL || len == 0 || memchr(text, '\0', (size_t)len) != text + len - 1)
        return NULL;
    return text;
}

bool fdt_util_enabled(const void *fdt, int node)
{
    const char *status = fdt_util_string(fdt, node, "status");

    if (status == NULL)
        return fdt_getprop(fdt, node, "status", NULL) == NULL;
    return strcmp(status, "okay") == 0 || strcmp(status, "ok") == 0;
}

/* A big-endian number of `cells` cells, at most 2. */
static uint64_t read_cells(const fdt32_t *at, unsigned cells)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < cells; i++)
        value = value << 32 | fdt32_ld(at + i);
    return value;
}

hv_err fdt_util_number(const void *fdt, int node, const char *name, uint64_t *out)
{
    int len;
    const fdt32_t *cells = fdt_getprop(fdt, node, name, &len);

    if (cells == NULL)
        return HV_ERR_NOENT;
    if (len != 4 && len != 8)
        return HV_ERR_FORMAT;
    *out = read_cells(cells, (unsigned)len / 4);
    return HV_OK;
}

/* #address-cells or #size-cells of a bus: 0..2, or 3 for what is not a number of at most 64 bits.
 */
static unsigned bus_cells(const void *fdt, int bus, const char *name, unsigned fallback)
{
    uint64_t cells;
    hv_err err = fdt_util_number(fdt, bus, name, &cells);

    if (err == HV_ERR_NOENT)
        return fallback;
    return err == HV_OK && cells <= 2 ? (unsigned)cells : 3;
}

struct bus {
    unsigned address_cells;
    unsigned size_cells;
};

/* The defaults are the specification's, 2.3.5. */
static hv_err bus_init(struct bus *bus, const void *fdt, int node, const char **why)
{
    bus->address_cells = bus_cells(fdt, node, "#address-cells", 2);
    bus->size_cells = bus_cells(fdt, node, "#size-cells", 1);
    if (bus->address_cells == 0 || bus->address_cells > 2 || bus->size_cells > 2) {
        *why = "its bus has a #address-cells or #size-cells that is not understood";
        return HV_ERR_FORMAT;
    }
    return HV_OK;
}

/* Entry `index` of a property of entries of `cells` cells. */
static hv_err entry_at(const void *fdt, int node, const char *name, unsigned cells, unsigned index,
                       const fdt32_t **out, const char **why)
{
    unsigned size = cells * (unsigned)sizeof(fdt32_t);
    int len;
    const fdt32_t *entries = fdt_getprop(fdt, node, name, &len);

    if (entries == NULL)
        return HV_ERR_NOENT;
    if (size == 0 || (unsigned)len % size != 0) {
        *why = "a property of entries has a length that is no multiple of theirs";
        return HV_ERR_FORMAT;
    }
    if (index >= (unsigned)len / size)
        return HV_ERR_NOENT;
    *out = entries + (size_t)index * cells;
    return HV_OK;
}

/* From the addresses below the bus `node` to those of its parent's bus (2.3.8). */
static hv_err translate(const void *fdt, int node, const struct bus *below, const struct bus *above,
                        struct platform_range *range, const char **why)
{
    unsigned cells = below->address_cells + above->address_cells + below->size_cells;
    const fdt32_t *entry;
    int len;

    *why = "a bus above it has no ranges";
    if (fdt_getprop(fdt, node, "ranges", &len) == NULL)
        return HV_ERR_FORMAT;
    if (len == 0)
        return HV_OK;
    *why = "it lies outside the ranges of a bus above it";
    for (unsigned i = 0;; i++) {
        hv_err err = entry_at(fdt, node, "ranges", cells, i, &entry, why);
        if (err != HV_OK)
            return HV_ERR_FORMAT;
        uint64_t child = read_cells(entry, below->address_cells);
        uint64_t parent = read_cells(entry + below->address_cells, above->address_cells);
        uint64_t size = read_cells(entry + cells - below->size_cells, below->size_cells);
        if (range->base >= child && !range_exceeds(range->base - child, range->size, size)) {
            range->base -= child;
            return __builtin_add_overflow(range->base, parent, &range->base) ? HV_ERR_FORMAT
                                                                             : HV_OK;
        }
    }
}

hv_err fdt_util_reg(const void *fdt, int node, unsigned index, struct platform_range *out,
                    const char **why)
{
    int parent = fdt_parent_offset(fdt, node);
    unsigned depth = 0;
    const fdt32_t *entry;
    struct bus bus;
    hv_err err;

    if (parent < 0)
        return HV_ERR_NOENT;
    err = bus_init(&bus, fdt, parent, why);
    if (err == HV_OK)
        err = entry_at(fdt, node, "reg", bus.address_cells + bus.size_cells, index, &entry, why);
    if (err != HV_OK)
        return err;
    out->base = read_cells(entry, bus.address_cells);
    out->size = read_cells(entry + bus.address_cells, bus.size_cells);
    for (int at = parent; at > 0; at = parent) {
        struct bus above;
        *why = "it is nested too deep";
        if (++depth > MAX_DEPTH)
            return HV_ERR_FORMAT;
        parent = fdt_parent_offset(fdt, at);
        err = bus_init(&above, fdt, parent, why);
        if (err == HV_OK)
            err = translate(fdt, at, &bus, &above, out, why);
        if (err != HV_OK)
            return err;
        bus = above;
    }
    if (range_exceeds(out->base, out->size, UINT64_C(1) << ADDRESS_BITS)) {
        *why = "it ends above 48 bits of address";
        return HV_ERR_RANGE;
    }
    return HV_OK;
}

hv_err fdt_util_unit(const void *fdt, int node, uint64_t *out, const char **why)
{
    int parent = fdt_parent_offset(fdt, node);
    const fdt32_t *entry;
    struct bus bus;
    hv_err err;

    if (parent < 0)
        return HV_ERR_NOENT;
    err = bus_init(&bus, fdt, parent, why);
    if (err == HV_OK)
        err = entry_at(fdt, node, "reg", bus.address_cells, 0, &entry, why);
    if (err == HV_OK)
        *out = read_cells(entry, bus.address_cells);
    return err;
}

/* "interrupt-parent" is inherited (2.4.1). */
static bool irq_parent_is(const void *fdt, int node, int gic)
{
    unsigned depth = 0;
    uint64_t phandle;

    for (int at = node; at >= 0 && depth <= MAX_DEPTH; at = fdt_parent_offset(fdt, at), depth++) {
        hv_err err = fdt_util_number(fdt, at, "interrupt-parent", &phandle);
        if (err == HV_OK)
            return phandle != 0 && phandle == fdt_get_phandle(fdt, gic);
        if (err != HV_ERR_NOENT)
            return false;
    }
    return false;
}

hv_err fdt_util_irq(const void *fdt, int node, int gic, unsigned index, uint32_t *out,
                    const char **why)
{
    const fdt32_t *entry;
    uint64_t cells;
    hv_err err;

    *why = "the interrupt controller's #interrupt-cells is not 3 or 4";
    if (fdt_util_number(fdt, gic, "#interrupt-cells", &cells) != HV_OK || cells < 3 || cells > 4)
        return HV_ERR_FORMAT;
    err = entry_at(fdt, node, "interrupts", (unsigned)cells, index, &entry, why);
    if (err != HV_OK)
        return err;
    *why = "its interrupt parent is not the GICv3";
    if (node != gic && !irq_parent_is(fdt, node, gic))
        return HV_ERR_FORMAT;
    uint32_t type = fdt32_ld(entry);
    uint32_t number = fdt32_ld(entry + 1);
    *why = "an interrupt is neither an SPI nor a PPI of the GICv3";
    if (type > 1 || number >= (type == 0 ? 988u : 16u))
        return HV_ERR_FORMAT;
    *out = number + (type == 0 ? 32 : 16);
    return HV_OK;
}
