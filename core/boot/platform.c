/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "boot/platform.h"
#include "base/addr.h"
#include "base/bits.h"
#include "base/fmt.h"
#include "boot/fdt_util.h"
#include "boot/platform_rtc.h"
#include "boot/platform_virtio.h"
#include "hal/hal.h"
#include <libfdt.h>
#include <stdarg.h>
#include <string.h>

/* Aff3..Aff0 in MPIDR_EL1. */
#define AFFINITY_MASK (BITS(39, 32) | BITS(23, 0))

#define GICD_SIZE     UINT64_C(0x10000)
#define GICR_SIZE_MIN UINT64_C(0x20000) /* RD_base and SGI_base */

#define TRACE_COMPATIBLE "halcyon,trace-buffer"

struct discovery {
    const void *fdt;
    struct hal_platform *out;
    char *reason;
    int gic;
};

__attribute__((format(printf, 4, 5))) static hv_err refuse(struct discovery *d, hv_err err,
                                                           int node, const char *format, ...)
{
    char path[FDT_UTIL_PATH_MAX];
    va_list args;
    int used =
        fmt_snprintf(d->reason, PLATFORM_REASON_MAX, "%s: ", fdt_util_path(d->fdt, node, path));

    va_start(args, format);
    (void)fmt_vsnprintf(d->reason + used, PLATFORM_REASON_MAX - (size_t)used, format, args);
    va_end(args);
    return err;
}

/* Appends to a table of ranges. */
static hv_err add_range(struct discovery *d, int node, struct platform_range *table,
                        uint32_t *count, uint32_t max, const struct platform_range *range)
{
    if (range->size == 0)
        return HV_OK;
    if (*count == max)
        return refuse(d, HV_ERR_RANGE, node, "more than %u ranges of this kind", max);
    table[(*count)++] = *range;
    return HV_OK;
}

/* Appends all entries of a node's reg; that there are none is no error. */
static hv_err add_regs(struct discovery *d, int node, struct platform_range *table, uint32_t *count,
                       uint32_t max)
{
    struct platform_range range;
    const char *why;

    for (unsigned i = 0;; i++) {
        hv_err err = fdt_util_reg(d->fdt, node, i, &range, &why);
        if (err == HV_ERR_NOENT)
            return HV_OK;
        if (err != HV_OK)
            return refuse(d, err, node, "reg: %s", why);
        err = add_range(d, node, table, count, max, &range);
        if (err != HV_OK)
            return err;
    }
}

static hv_err check_ram(struct discovery *d, int node)
{
    const struct platform_range *ram = d->out->ram;
    uint32_t n = d->out->nr_ram;

    for (uint32_t i = 0; i < n; i++)
        for (uint32_t j = i + 1; j < n; j++)
            if (ranges_overlap(ram[i].base, ram[i].size, ram[j].base, ram[j].size))
                return refuse(d, HV_ERR_EXIST, node, "RAM at 0x%llx is described twice",
                              (unsigned long long)ram[j].base);
    return HV_OK;
}

static hv_err find_ram(struct discovery *d)
{
    static const char memory[] = "memory";
    hv_err err = HV_OK;
    int node = -1;

    for (;;) {
        node =
            fdt_node_offset_by_prop_value(d->fdt, node, "device_type", memory, (int)sizeof(memory));
        if (node < 0)
            break;
        if (fdt_util_enabled(d->fdt, node))
            err = add_regs(d, node, d->out->ram, &d->out->nr_ram, PLATFORM_MAX_RAM);
        if (err == HV_OK)
            err = check_ram(d, node);
        if (err != HV_OK)
            return err;
    }
    return d->out->nr_ram > 0 ? HV_OK : refuse(d, HV_ERR_NOENT, 0, "no memory node with RAM");
}

static hv_err find_reserved(struct discovery *d)
{
    struct hal_platform *out = d->out;
    int parent = fdt_path_offset(d->fdt, "/reserved-memory");
    int node;

    for (int i = 0; i < fdt_num_mem_rsv(d->fdt); i++) {
        struct platform_range range = {0, 0};
        (void)fdt_get_mem_rsv(d->fdt, i, &range.base, &range.size);
        if (range.base > UINT64_MAX - range.size)
            return refuse(d, HV_ERR_RANGE, 0, "memory reservation %d wraps around", i);
        hv_err err =
            add_range(d, 0, out->reserved, &out->nr_reserved, PLATFORM_MAX_RESERVED, &range);
        if (err != HV_OK)
            return err;
    }
    if (parent < 0)
        return HV_OK;
    fdt_for_each_subnode(node, d->fdt, parent)
    {
        if (!fdt_util_enabled(d->fdt, node))
            continue;
        hv_err err = add_regs(d, node, out->reserved, &out->nr_reserved, PLATFORM_MAX_RESERVED);
        if (err != HV_OK)
            return err;
    }
    return HV_OK;
}

static hv_err add_cpu(struct discovery *d, int node, uint64_t boot_mpidr, bool *boot_seen)
{
    struct hal_platform *out = d->out;
    const char *why = "it has none";
    uint64_t mpidr;
    hv_err err = fdt_util_unit(d->fdt, node, &mpidr, &why);

    if (err != HV_OK)
        return refuse(d, HV_ERR_FORMAT, node, "reg: %s", why);
    if ((mpidr & ~AFFINITY_MASK) != 0)
        return refuse(d, HV_ERR_FORMAT, node, "reg: not the affinity fields of MPIDR_EL1");
    for (uint32_t i = *boot_seen ? 0 : 1; i < out->nr_cpus; i++)
        if (out->cpu_mpidr[i] == mpidr)
            return refuse(d, HV_ERR_EXIST, node, "reg: another CPU has it");
    if (mpidr == boot_mpidr) {
        *boot_seen = true;
        return HV_OK;
    }
    if (out->nr_cpus == PLATFORM_MAX_CPUS)
        return refuse(d, HV_ERR_RANGE, node, "more than %u CPUs", PLATFORM_MAX_CPUS);
    out->cpu_mpidr[out->nr_cpus++] = mpidr;
    return HV_OK;
}

/* Slot 0 is kept for the boot CPU from the start. */
static hv_err find_cpus(struct discovery *d, uint64_t boot_mpidr)
{
    int parent = fdt_path_offset(d->fdt, "/cpus");
    bool boot_seen = false;
    int node;

    d->out->cpu_mpidr[0] = boot_mpidr & AFFINITY_MASK;
    d->out->nr_cpus = 1;
    if (parent < 0)
        return refuse(d, HV_ERR_NOENT, 0, "no /cpus");
    fdt_for_each_subnode(node, d->fdt, parent)
    {
        const char *type = fdt_util_string(d->fdt, node, "device_type");
        if (type == NULL || strcmp(type, "cpu") != 0 || !fdt_util_enabled(d->fdt, node))
            continue;
        hv_err err = add_cpu(d, node, d->out->cpu_mpidr[0], &boot_seen);
        if (err != HV_OK)
            return err;
    }
    if (!boot_seen)
        return refuse(d, HV_ERR_NOENT, parent, "the running CPU (MPIDR 0x%llx) is not listed",
                      (unsigned long long)d->out->cpu_mpidr[0]);
    return HV_OK;
}

/* A PPI of `node`. */
static hv_err get_ppi(struct discovery *d, int node, unsigned index, uint32_t *out)
{
    const char *why;
    hv_err err = fdt_util_irq(d->fdt, node, d->gic, index, out, &why);

    if (err == HV_ERR_NOENT)
        return refuse(d, HV_ERR_FORMAT, node, "interrupts: there is no number %u", index);
    if (err != HV_OK)
        return refuse(d, err, node, "interrupts: %s", why);
    if (*out >= 32)
        return refuse(d, HV_ERR_FORMAT, node, "interrupts: number %u is not a PPI", index);
    return HV_OK;
}

/* An optional number of the GIC. */
static hv_err gic_number(struct discovery *d, const char *name, uint64_t *value)
{
    if (fdt_util_number(d->fdt, d->gic, name, value) == HV_ERR_FORMAT)
        return refuse(d, HV_ERR_FORMAT, d->gic, "%s: neither 4 nor 8 bytes", name);
    return HV_OK;
}

/* reg: the distributor, then the regions of redistributors. */
static hv_err get_gic_regs(struct discovery *d, uint64_t regions)
{
    for (unsigned i = 0; i <= regions; i++) {
        struct platform_range *range = i == 0 ? &d->out->gicd : &d->out->gicr[i - 1];
        const char *why = "it has too few entries";
        hv_err err = fdt_util_reg(d->fdt, d->gic, i, range, &why);

        if (err != HV_OK)
            return refuse(d, HV_ERR_FORMAT, d->gic, "reg: %s", why);
        if (i > 0 && range->size < d->out->gicr_stride)
            return refuse(d, HV_ERR_FORMAT, d->gic,
                          "reg: entry %u is smaller than redistributor-stride", i);
        if (range->size < (i == 0 ? GICD_SIZE : GICR_SIZE_MIN) ||
            !is_aligned(range->base, GICD_SIZE))
            return refuse(d, HV_ERR_FORMAT, d->gic, "reg: entry %u is no frame of a GICv3", i);
    }
    d->out->nr_gicr = (uint32_t)regions;
    return HV_OK;
}

static hv_err find_gic(struct discovery *d)
{
    uint64_t regions = 1;
    uint64_t stride = 0;
    hv_err err;

    do
        d->gic = fdt_node_offset_by_compatible(d->fdt, d->gic, "arm,gic-v3");
    while (d->gic >= 0 && !fdt_util_enabled(d->fdt, d->gic));
    if (d->gic < 0)
        return refuse(d, HV_ERR_NOENT, 0, "no GICv3 (compatible \"arm,gic-v3\")");
    err = gic_number(d, "#redistributor-regions", &regions);
    if (err == HV_OK)
        err = gic_number(d, "redistributor-stride", &stride);
    if (err != HV_OK)
        return err;
    if (regions == 0 || regions > PLATFORM_MAX_GICR)
        return refuse(d, HV_ERR_RANGE, d->gic, "#redistributor-regions: not 1 to %u",
                      PLATFORM_MAX_GICR);
    if (stride != 0 && (stride < GICR_SIZE_MIN || !is_aligned(stride, GICD_SIZE)))
        return refuse(d, HV_ERR_FORMAT, d->gic, "redistributor-stride: no stride of a GICv3");
    d->out->gicr_stride = stride;
    err = get_gic_regs(d, regions);
    if (err != HV_OK)
        return err;
    return get_ppi(d, d->gic, 0, &d->out->gic_maintenance_intid);
}

/* Linux binding arm,arch_timer: the order is secure, non-secure, virtual, hypervisor, unless
 * interrupt-names says another. */
static hv_err get_timer_ppi(struct discovery *d, int node, const char *name, unsigned fallback,
                            uint32_t *out)
{
    int index = (int)fallback;

    if (fdt_getprop(d->fdt, node, "interrupt-names", NULL) != NULL) {
        index = fdt_stringlist_search(d->fdt, node, "interrupt-names", name);
        if (index < 0)
            return refuse(d, HV_ERR_FORMAT, node, "interrupt-names: no \"%s\"", name);
    }
    return get_ppi(d, node, (unsigned)index, out);
}

static hv_err find_timer(struct discovery *d)
{
    int node = fdt_node_offset_by_compatible(d->fdt, -1, "arm,armv8-timer");
    hv_err err;

    if (node < 0)
        return refuse(d, HV_ERR_NOENT, 0, "no architected timer (compatible \"arm,armv8-timer\")");
    err = get_timer_ppi(d, node, "virt", 2, &d->out->timer_virt_intid);
    if (err == HV_OK)
        err = get_timer_ppi(d, node, "hyp-phys", 3, &d->out->timer_hyp_intid);
    return err;
}

static bool is_uart(const struct discovery *d, int node)
{
    return node >= 0 && fdt_node_check_compatible(d->fdt, node, "arm,pl011") == 0 &&
           fdt_util_enabled(d->fdt, node);
}

/*
 * The node that /chosen stdout-path names, or a negative number. Aliases are resolved here:
 * libfdt would follow one that names itself for ever.
 */
static int stdout_node(const struct discovery *d)
{
    int chosen = fdt_path_offset(d->fdt, "/chosen");
    const char *path = chosen < 0 ? NULL : fdt_util_string(d->fdt, chosen, "stdout-path");
    size_t len = 0;

    if (path == NULL)
        return -FDT_ERR_NOTFOUND;
    while (path[len] != '\0' && path[len] != ':')
        len++;
    if (path[0] != '/') {
        char alias[32];
        int aliases = fdt_path_offset(d->fdt, "/aliases");

        if (aliases < 0 || len >= sizeof(alias))
            return -FDT_ERR_NOTFOUND;
        memcpy(alias, path, len);
        alias[len] = '\0';
        path = fdt_util_string(d->fdt, aliases, alias);
        if (path == NULL || path[0] != '/')
            return -FDT_ERR_NOTFOUND;
        len = strlen(path);
    }
    return fdt_path_offset_namelen(d->fdt, path, (int)len);
}

static hv_err find_uart(struct discovery *d)
{
    const char *why = "it has no entry";
    int node = stdout_node(d);
    hv_err err;

    d->out->uart_intid = HAL_INTID_NONE;
    if (!is_uart(d, node)) {
        node = -1;
        do
            node = fdt_node_offset_by_compatible(d->fdt, node, "arm,pl011");
        while (node >= 0 && !is_uart(d, node));
        if (node < 0)
            return HV_OK;
    }
    err = fdt_util_reg(d->fdt, node, 0, &d->out->uart, &why);
    if (err != HV_OK)
        return refuse(d, HV_ERR_FORMAT, node, "reg: %s", why);
    if (d->out->uart.size < PAGE_SIZE)
        return refuse(d, HV_ERR_FORMAT, node, "reg: too small for a PL011");
    err = fdt_util_irq(d->fdt, node, d->gic, 0, &d->out->uart_intid, &why);
    if (err != HV_OK && err != HV_ERR_NOENT)
        return refuse(d, err, node, "interrupts: %s", why);
    return HV_OK;
}

static hv_err find_initrd(struct discovery *d)
{
    int node = fdt_path_offset(d->fdt, "/chosen");
    uint64_t start = 0;
    uint64_t end = 0;
    hv_err start_err;
    hv_err end_err;

    if (node < 0)
        return HV_OK;
    start_err = fdt_util_number(d->fdt, node, "linux,initrd-start", &start);
    end_err = fdt_util_number(d->fdt, node, "linux,initrd-end", &end);
    if (start_err == HV_ERR_NOENT && end_err == HV_ERR_NOENT)
        return HV_OK;
    if (start_err != HV_OK || end_err != HV_OK)
        return refuse(d, HV_ERR_FORMAT, node, "linux,initrd-start or -end: absent or malformed");
    if (start > end)
        return refuse(d, HV_ERR_FORMAT, node, "linux,initrd-end: before linux,initrd-start");
    if (start == end)
        return HV_OK;
    for (uint32_t i = 0; i < d->out->nr_ram; i++) {
        const struct platform_range *ram = &d->out->ram[i];
        if (start >= ram->base && !range_exceeds(start - ram->base, end - start, ram->size)) {
            d->out->initrd = (struct platform_range){start, end - start};
            return HV_OK;
        }
    }
    return refuse(d, HV_ERR_RANGE, node, "linux,initrd-start: the initrd is not in RAM");
}

/* True if the range is part of one piece of RAM, apart from the initrd, and reserved once only: as
 * itself. */
static bool trace_is_apart(const struct hal_platform *out, const struct platform_range *range)
{
    uint32_t reserved = 0;
    bool in_ram = false;

    for (uint32_t i = 0; i < out->nr_ram; i++)
        in_ram |= range->base >= out->ram[i].base &&
                  !range_exceeds(range->base - out->ram[i].base, range->size, out->ram[i].size);
    for (uint32_t i = 0; i < out->nr_reserved; i++)
        reserved +=
            ranges_overlap(range->base, range->size, out->reserved[i].base, out->reserved[i].size);
    return in_ram && reserved == 1 &&
           !(out->initrd.size != 0 &&
             ranges_overlap(range->base, range->size, out->initrd.base, out->initrd.size));
}

/* A child of /reserved-memory for the records of exits. It is among the reserved ranges already. */
static hv_err find_trace(struct discovery *d)
{
    int parent = fdt_path_offset(d->fdt, "/reserved-memory");
    struct platform_range *range = &d->out->trace;
    int node;

    if (parent < 0)
        return HV_OK;
    fdt_for_each_subnode(node, d->fdt, parent)
    {
        const char *why = "it has no entry";

        if (fdt_node_check_compatible(d->fdt, node, TRACE_COMPATIBLE) != 0 ||
            !fdt_util_enabled(d->fdt, node))
            continue;
        if (range->size != 0)
            return refuse(d, HV_ERR_EXIST, node, "a second trace buffer");
        if (fdt_util_reg(d->fdt, node, 0, range, &why) != HV_OK)
            return refuse(d, HV_ERR_FORMAT, node, "reg: %s", why);
        if (range->size == 0 || !is_aligned(range->base | range->size, PAGE_SIZE))
            return refuse(d, HV_ERR_FORMAT, node, "reg: not whole pages");
        if (!trace_is_apart(d->out, range))
            return refuse(d, HV_ERR_RANGE, node, "reg: not in RAM that is nobody else's");
    }
    return HV_OK;
}

/* Either property may be longer or shorter than the seed: what there is, is used. None is no error.
 */
static void find_seed(struct discovery *d)
{
    int node = fdt_path_offset(d->fdt, "/chosen");
    int len = 0;
    const void *data = NULL;

    if (node >= 0)
        data = fdt_getprop(d->fdt, node, "rng-seed", &len);
    if (node >= 0 && (data == NULL || len <= 0))
        data = fdt_getprop(d->fdt, node, "kaslr-seed", &len);
    if (data == NULL || len <= 0)
        return;
    memcpy(d->out->seed, data,
           (size_t)len < sizeof(d->out->seed) ? (size_t)len : sizeof(d->out->seed));
    d->out->has_seed = true;
}

hv_err platform_discover(const void *fdt, size_t size, uint64_t boot_mpidr,
                         struct hal_platform *out, char reason[PLATFORM_REASON_MAX])
{
    struct discovery d = {.fdt = fdt, .out = out, .reason = reason, .gic = -1};
    int check = fdt_util_check(fdt, size);
    hv_err err;

    memset(out, 0, sizeof(*out));
    reason[0] = '\0';
    if (check != 0) {
        (void)fmt_snprintf(reason, PLATFORM_REASON_MAX, "not a devicetree: %s",
                           fdt_strerror(check));
        return HV_ERR_FORMAT;
    }
    out->dtb.size = fdt_totalsize(fdt);
    err = find_ram(&d);
    if (err == HV_OK)
        err = find_reserved(&d);
    if (err == HV_OK)
        err = find_cpus(&d, boot_mpidr);
    if (err == HV_OK)
        err = find_gic(&d);
    if (err == HV_OK)
        err = find_timer(&d);
    if (err == HV_OK)
        err = find_uart(&d);
    if (err == HV_OK)
        platform_find_rtc(fdt, out);
    if (err == HV_OK)
        err = find_initrd(&d);
    if (err == HV_OK)
        err = find_trace(&d);
    if (err == HV_OK)
        platform_find_virtio(fdt, d.gic, out);
    find_seed(&d);
    return err;
}
