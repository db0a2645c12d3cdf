/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "platform_fixture.h"

CASE(platform, finds_everything_of_virt)
{
    tree_virt();
    EXPECT_OK();
    cr_expect_eq(out.nr_ram, 1);
    expect_range(&out.ram[0], 0x40000000, 0x40000000);
    cr_expect_eq(out.nr_reserved, 0);
    cr_expect_eq(out.nr_cpus, 2);
    cr_expect_eq(out.cpu_mpidr[0], 0);
    cr_expect_eq(out.cpu_mpidr[1], 1);
    expect_range(&out.gicd, 0x8000000, 0x10000);
    cr_expect_eq(out.nr_gicr, 1);
    expect_range(&out.gicr[0], 0x80a0000, 0xf60000);
    cr_expect_eq(out.gicr_stride, 0);
    cr_expect_eq(out.gic_maintenance_intid, 25);
    cr_expect_eq(out.timer_virt_intid, 27);
    cr_expect_eq(out.timer_hyp_intid, 26);
    expect_range(&out.uart, 0x9000000, 0x1000);
    cr_expect_eq(out.uart_intid, 33);
    expect_range(&out.initrd, 0x48000000, 0x1234);
    cr_expect_eq(out.dtb.size, TREE_SIZE);
    cr_expect_str_empty(reason);
}

CASE(platform, memory)
{
    tree_virt();
    tree_string("/memory@880000000", "device_type", "memory");
    tree_cells("/memory@880000000", "reg", 8, 0x80000000, 1, 0, 9, 0xc0000000, 0, 0x1000, 1, 0, 0,
               0);
    tree_string("/secram@e000000", "device_type", "memory");
    tree_string("/secram@e000000", "status", "disabled");
    tree_cells("/secram@e000000", "reg", 0, 0xe000000, 0, 0x1000000);
    EXPECT_OK();
    cr_assert_eq(out.nr_ram, 3, "an entry of size 0 and a disabled node are no RAM");
    /* Subnodes are added in front. */
    expect_range(&out.ram[0], 0x880000000, 0x100000000);
    expect_range(&out.ram[1], 0x9c0000000, 0x1000);
    expect_range(&out.ram[2], 0x40000000, 0x40000000);
    tree_string("/secram@e000000", "status", "okay");
    EXPECT_OK();
    cr_expect_eq(out.nr_ram, 4);
}

CASE(platform, memory_refused)
{
    uint32_t many[17 * 4] = {0};

    tree_virt();
    tree_cells("/memory@40000000", "reg", 0, 0x40000000, 0, 0x40000000, 0, 0x7ffff000, 0, 0x1000);
    EXPECT_REFUSED(HV_ERR_EXIST, "/memory@40000000: RAM at 0x7ffff000 is described twice");
    tree_cells("/memory@40000000", "reg", 0, 0x40000000, 0);
    EXPECT_REFUSED(HV_ERR_FORMAT, "/memory@40000000: reg: ");
    tree_cells("/memory@40000000", "reg", 0xffff, 0xfffff000, 0, 0x1001);
    EXPECT_REFUSED(HV_ERR_RANGE, "48 bits");
    tree_cells("/memory@40000000", "reg", 0, 0x40000000, 0xffffffff, 0xffffffff);
    EXPECT_REFUSED(HV_ERR_RANGE, "48 bits");
    for (uint32_t i = 0; i < 17; i++) {
        many[i * 4] = i + 1;
        many[i * 4 + 3] = 0x1000;
    }
    tree_cells_n("/memory@40000000", "reg", many, 17 * 4);
    EXPECT_REFUSED(HV_ERR_RANGE, "more than 16 ranges");
    tree_cells("/memory@40000000", "reg", 0, 0x40000000, 0, 0);
    EXPECT_REFUSED(HV_ERR_NOENT, "no memory node");
    tree_drop("/memory@40000000", "reg");
    EXPECT_REFUSED(HV_ERR_NOENT, "no memory node");
    tree_drop_node("/memory@40000000");
    EXPECT_REFUSED(HV_ERR_NOENT, "/: no memory node");
}

CASE(platform, cells_of_the_bus)
{
    tree_virt();
    tree_drop("/", "#address-cells"); /* then it is 2 */
    tree_drop("/", "#size-cells");    /* then it is 1 */
    tree_cells("/memory@40000000", "reg", 0, 0x40000000, 0x40000000);
    tree_cells(GIC, "reg", 0, 0x8000000, 0x10000, 0, 0x80a0000, 0xf60000);
    tree_cells(UART, "reg", 0, 0x9000000, 0x1000);
    EXPECT_OK();
    expect_range(&out.ram[0], 0x40000000, 0x40000000);
    expect_range(&out.gicr[0], 0x80a0000, 0xf60000);
    tree_cells("/", "#address-cells", 3);
    EXPECT_REFUSED(HV_ERR_FORMAT, "#address-cells");
    tree_cells("/", "#address-cells", 0);
    EXPECT_REFUSED(HV_ERR_FORMAT, "#address-cells");
    tree_bytes("/", "#address-cells", "\0\0", 2);
    EXPECT_REFUSED(HV_ERR_FORMAT, "#address-cells");
    tree_cells("/", "#address-cells", 2);
    tree_cells("/", "#size-cells", 3);
    EXPECT_REFUSED(HV_ERR_FORMAT, "#size-cells");
}

CASE(platform, reserved)
{
    tree_virt();
    cr_assert_eq(fdt_add_mem_rsv(tree, 0x41000000, 0x2000), 0);
    tree_cells("/reserved-memory", "#address-cells", 2);
    tree_cells("/reserved-memory", "#size-cells", 2);
    tree_bytes("/reserved-memory", "ranges", "", 0);
    tree_cells("/reserved-memory/fw@50000000", "reg", 0, 0x50000000, 0, 0x3000);
    tree_cells("/reserved-memory/pool", "size", 0, 0x1000);
    tree_cells("/reserved-memory/off@51000000", "reg", 0, 0x51000000, 0, 0x3000);
    tree_string("/reserved-memory/off@51000000", "status", "disabled");
    EXPECT_OK();
    cr_assert_eq(out.nr_reserved, 2);
    expect_range(&out.reserved[0], 0x41000000, 0x2000);
    expect_range(&out.reserved[1], 0x50000000, 0x3000);
    tree_cells("/reserved-memory/fw@50000000", "reg", 0, 0x50000000);
    EXPECT_REFUSED(HV_ERR_FORMAT, "/reserved-memory/fw@50000000: reg: ");
    cr_assert_eq(fdt_add_mem_rsv(tree, 0xfffffffffffff000, 0x2000), 0);
    EXPECT_REFUSED(HV_ERR_RANGE, "memory reservation 1 wraps");
    cr_assert_eq(fdt_del_mem_rsv(tree, 1), 0);
    for (int i = 0; i < 32; i++)
        cr_assert_eq(fdt_add_mem_rsv(tree, 0x42000000, 0x1000), 0);
    EXPECT_REFUSED(HV_ERR_RANGE, "more than 32 ranges");
}

CASE(platform, cpus)
{
    tree_virt();
    /* The boot CPU need not be listed first; MPIDR_EL1 has bits that are no affinity. */
    cr_assert_eq(platform_discover(tree, sizeof(tree), 0xc1000001, &out, reason), HV_OK);
    cr_expect_eq(out.nr_cpus, 2);
    cr_expect_eq(out.cpu_mpidr[0], 1);
    cr_expect_eq(out.cpu_mpidr[1], 0);
    tree_cells("/cpus", "#address-cells", 2);
    tree_cells("/cpus/cpu@0", "reg", 0, 0);
    tree_cells("/cpus/cpu@1", "reg", 0x7f, 0x00010203);
    tree_string("/cpus/cpu@2", "device_type", "cpu");
    tree_string("/cpus/cpu@2", "status", "fail");
    tree_string("/cpus/cluster", "device_type", "topology");
    tree_bytes("/cpus/cpu-map", "x", "", 0);
    EXPECT_OK();
    cr_expect_eq(out.nr_cpus, 2);
    cr_expect_eq(out.cpu_mpidr[0], 0);
    cr_expect_eq(out.cpu_mpidr[1], 0x7f00010203);
}

CASE(platform, cpus_refused)
{
    char path[32];

    tree_virt();
    tree_cells("/cpus/cpu@1", "reg", 0);
    EXPECT_REFUSED(HV_ERR_EXIST, "another CPU has it");
    tree_cells("/cpus/cpu@1", "reg", 0x80000001);
    EXPECT_REFUSED(HV_ERR_FORMAT, "/cpus/cpu@1: reg: not the affinity");
    tree_bytes("/cpus/cpu@1", "reg", "\0", 1);
    EXPECT_REFUSED(HV_ERR_FORMAT, "/cpus/cpu@1: reg: ");
    tree_drop("/cpus/cpu@1", "reg");
    EXPECT_REFUSED(HV_ERR_FORMAT, "/cpus/cpu@1: reg: it has none");
    tree_cells("/cpus/cpu@1", "reg", 1);
    for (uint32_t i = 2; i < 65; i++) {
        (void)snprintf(path, sizeof(path), "/cpus/cpu@%x", i);
        tree_string(path, "device_type", "cpu");
        tree_cells(path, "reg", i);
    }
    EXPECT_REFUSED(HV_ERR_RANGE, "more than 64 CPUs");
    tree_drop_node("/cpus/cpu@40");
    EXPECT_OK();
    cr_expect_eq(out.nr_cpus, 64);
    tree_drop_node("/cpus/cpu@0");
    EXPECT_REFUSED(HV_ERR_NOENT, "/cpus: the running CPU (MPIDR 0x0) is not listed");
    tree_cells("/cpus/cpu@0", "reg", 1);
    tree_string("/cpus/cpu@0", "device_type", "cpu");
    EXPECT_REFUSED(HV_ERR_EXIST, "another CPU has it");
    tree_drop_node("/cpus");
    EXPECT_REFUSED(HV_ERR_NOENT, "no /cpus");
}

CASE(platform, gic)
{
    tree_virt();
    tree_cells(GIC, "#redistributor-regions", 2);
    tree_u64(GIC, "redistributor-stride", 0x40000);
    tree_cells(GIC, "#interrupt-cells", 4);
    tree_cells(GIC, "reg", 0, 0x8000000, 0, 0x10000, 0, 0x80a0000, 0, 0x80000, 1, 0, 0, 0x40000);
    tree_cells(GIC, "interrupts", 1, 9, 4, 0);
    tree_cells(TIMER, "interrupts", 1, 13, 4, 0, 1, 14, 4, 0, 1, 11, 4, 0, 1, 10, 4, 0);
    tree_cells(UART, "interrupts", 0, 987, 4, 0);
    EXPECT_OK();
    cr_expect_eq(out.nr_gicr, 2);
    expect_range(&out.gicr[0], 0x80a0000, 0x80000);
    expect_range(&out.gicr[1], 0x100000000, 0x40000);
    cr_expect_eq(out.gicr_stride, 0x40000);
    cr_expect_eq(out.gic_maintenance_intid, 25);
    cr_expect_eq(out.timer_virt_intid, 27);
    cr_expect_eq(out.uart_intid, 1019);
}

CASE(platform, gic_registers_refused)
{
    tree_virt();
    tree_cells(GIC, "#redistributor-regions", 2);
    EXPECT_REFUSED(HV_ERR_FORMAT, GIC ": reg: it has too few entries");
    tree_cells(GIC, "#redistributor-regions", 0);
    EXPECT_REFUSED(HV_ERR_RANGE, "#redistributor-regions: not 1 to 8");
    tree_cells(GIC, "#redistributor-regions", 9);
    EXPECT_REFUSED(HV_ERR_RANGE, "#redistributor-regions: not 1 to 8");
    tree_bytes(GIC, "#redistributor-regions", "", 0);
    EXPECT_REFUSED(HV_ERR_FORMAT, "#redistributor-regions: neither");
    tree_drop(GIC, "#redistributor-regions");
    EXPECT_OK();
    tree_cells(GIC, "redistributor-stride", 0x10000);
    EXPECT_REFUSED(HV_ERR_FORMAT, "redistributor-stride: no stride");
    tree_cells(GIC, "redistributor-stride", 0x21000);
    EXPECT_REFUSED(HV_ERR_FORMAT, "redistributor-stride: no stride");
    tree_cells(GIC, "redistributor-stride", 0xf70000);
    EXPECT_REFUSED(HV_ERR_FORMAT, GIC ": reg: entry 1 is smaller than redistributor-stride");
    tree_cells(GIC, "redistributor-stride", 0xf60000);
    EXPECT_OK();
    tree_u64(GIC, "redistributor-stride", UINT64_C(0x100000000));
    EXPECT_REFUSED(HV_ERR_FORMAT, "reg: entry 1 is smaller than redistributor-stride");
    tree_cells(GIC, "#redistributor-regions", 2);
    tree_cells(GIC, "redistributor-stride", 0x60000);
    tree_cells(GIC, "reg", 0, 0x8000000, 0, 0x10000, 0, 0x80a0000, 0, 0x80000, 1, 0, 0, 0x40000);
    EXPECT_REFUSED(HV_ERR_FORMAT, "reg: entry 2 is smaller than redistributor-stride");
    tree_drop(GIC, "#redistributor-regions");
    tree_drop(GIC, "redistributor-stride");
    tree_cells(GIC, "reg", 0, 0x8000000, 0, 0x1000, 0, 0x80a0000, 0, 0xf60000);
    EXPECT_REFUSED(HV_ERR_FORMAT, "reg: entry 0 is no frame");
    tree_cells(GIC, "reg", 0, 0x8000000, 0, 0x10000, 0, 0x80a1000, 0, 0xf60000);
    EXPECT_REFUSED(HV_ERR_FORMAT, "reg: entry 1 is no frame");
    tree_string(GIC, "status", "disabled");
    EXPECT_REFUSED(HV_ERR_NOENT, "no GICv3");
    tree_bytes(GIC, "status", "okay", 4);
    EXPECT_REFUSED(HV_ERR_NOENT, "no GICv3");
    tree_drop(GIC, "status");
    tree_string(GIC, "compatible", "arm,gic-400");
    EXPECT_REFUSED(HV_ERR_NOENT, "no GICv3");
}

CASE(platform, interrupts_refused)
{
    tree_virt();
    tree_drop(GIC, "interrupts");
    EXPECT_REFUSED(HV_ERR_FORMAT, GIC ": interrupts: there is no number 0");
    tree_cells(GIC, "interrupts", 0, 9, 4);
    EXPECT_REFUSED(HV_ERR_FORMAT, "number 0 is not a PPI");
    tree_cells(GIC, "interrupts", 1, 16, 4);
    EXPECT_REFUSED(HV_ERR_FORMAT, "neither an SPI nor a PPI");
    tree_cells(GIC, "interrupts", 3, 1, 4);
    EXPECT_REFUSED(HV_ERR_FORMAT, "neither an SPI nor a PPI");
    tree_cells(GIC, "interrupts", 1, 9);
    EXPECT_REFUSED(HV_ERR_FORMAT, "no multiple");
    tree_cells(GIC, "#interrupt-cells", 2);
    EXPECT_REFUSED(HV_ERR_FORMAT, "#interrupt-cells is not 3 or 4");
    tree_cells(GIC, "#interrupt-cells", 5);
    EXPECT_REFUSED(HV_ERR_FORMAT, "#interrupt-cells is not 3 or 4");
    tree_drop(GIC, "#interrupt-cells");
    EXPECT_REFUSED(HV_ERR_FORMAT, "#interrupt-cells is not 3 or 4");
}

CASE(platform, timer)
{
    tree_virt();
    tree_cells(TIMER, "interrupts", 1, 11, 4, 1, 10, 4, 1, 13, 4);
    tree_bytes(TIMER, "interrupt-names", "virt\0hyp-phys\0phys", 19);
    EXPECT_OK();
    cr_expect_eq(out.timer_virt_intid, 27);
    cr_expect_eq(out.timer_hyp_intid, 26);
    tree_bytes(TIMER, "interrupt-names", "virt\0phys", 10);
    EXPECT_REFUSED(HV_ERR_FORMAT, "/timer: interrupt-names: no \"hyp-phys\"");
    tree_drop(TIMER, "interrupt-names");
    EXPECT_REFUSED(HV_ERR_FORMAT, "/timer: interrupts: there is no number 3");
    tree_cells(TIMER, "interrupt-parent", 77);
    EXPECT_REFUSED(HV_ERR_FORMAT, "its interrupt parent is not the GICv3");
    tree_bytes(TIMER, "interrupt-parent", "x", 1);
    EXPECT_REFUSED(HV_ERR_FORMAT, "its interrupt parent is not the GICv3");
    tree_drop(TIMER, "interrupt-parent");
    tree_drop("/", "interrupt-parent");
    EXPECT_REFUSED(HV_ERR_FORMAT, "its interrupt parent is not the GICv3");
    tree_cells("/", "interrupt-parent", 0);
    EXPECT_REFUSED(HV_ERR_FORMAT, "its interrupt parent is not the GICv3");
    tree_drop_node(TIMER);
    EXPECT_REFUSED(HV_ERR_NOENT, "no architected timer");
}

CASE(platform, initrd)
{
    tree_virt();
    tree_u64("/chosen", "linux,initrd-start", 0x7ffff000);
    tree_u64("/chosen", "linux,initrd-end", 0x80000000);
    EXPECT_OK();
    expect_range(&out.initrd, 0x7ffff000, 0x1000);
    tree_u64("/chosen", "linux,initrd-end", 0x80000001);
    EXPECT_REFUSED(HV_ERR_RANGE, "/chosen: linux,initrd-start: the initrd is not in RAM");
    tree_u64("/chosen", "linux,initrd-start", 0x3ffff000);
    EXPECT_REFUSED(HV_ERR_RANGE, "not in RAM");
    tree_u64("/chosen", "linux,initrd-start", 0x80000002);
    EXPECT_REFUSED(HV_ERR_FORMAT, "linux,initrd-end: before");
    tree_bytes("/chosen", "linux,initrd-start", "abcdef", 6);
    EXPECT_REFUSED(HV_ERR_FORMAT, "absent or malformed");
    tree_drop("/chosen", "linux,initrd-start");
    EXPECT_REFUSED(HV_ERR_FORMAT, "absent or malformed");
    tree_u64("/chosen", "linux,initrd-start", 0x80000001);
    EXPECT_OK();
    cr_expect_eq(out.initrd.size, 0);
    tree_drop("/chosen", "linux,initrd-start");
    tree_drop("/chosen", "linux,initrd-end");
    EXPECT_OK();
    cr_expect_eq(out.initrd.size, 0);
}

#define TRACE "/reserved-memory/trace@70000000"

static void add_trace(const char *path, uint32_t base, uint32_t size)
{
    tree_cells("/reserved-memory", "#address-cells", 2);
    tree_cells("/reserved-memory", "#size-cells", 2);
    tree_bytes("/reserved-memory", "ranges", "", 0);
    tree_cells(path, "reg", 0, base, 0, size);
    tree_string(path, "compatible", "halcyon,trace-buffer");
}

CASE(platform, trace_buffer)
{
    tree_virt();
    EXPECT_OK();
    cr_expect_eq(out.trace.size, 0);
    add_trace(TRACE, 0x70000000, 0x100000);
    tree_cells("/reserved-memory/fw@50000000", "reg", 0, 0x50000000, 0, 0x3000);
    EXPECT_OK();
    expect_range(&out.trace, 0x70000000, 0x100000);
    cr_expect_eq(out.nr_reserved, 2, "nobody else gets it");
    add_trace(TRACE, 0x7ffff000, 0x1000);
    EXPECT_OK();
    expect_range(&out.trace, 0x7ffff000, 0x1000);
    tree_string(TRACE, "status", "disabled");
    EXPECT_OK();
    cr_expect_eq(out.trace.size, 0);
    tree_drop(TRACE, "status");
    tree_string(TRACE, "compatible", "halcyon,other");
    EXPECT_OK();
    cr_expect_eq(out.trace.size, 0);
    tree_drop_node("/reserved-memory");
    tree_cells("/trace@70000000", "reg", 0, 0x70000000, 0, 0x1000);
    tree_string("/trace@70000000", "compatible", "halcyon,trace-buffer");
    EXPECT_OK();
    cr_expect_eq(out.trace.size, 0, "it is not reserved");
}

CASE(platform, trace_buffer_refused)
{
    tree_virt();
    add_trace(TRACE, 0x70000000, 0x1800);
    EXPECT_REFUSED(HV_ERR_FORMAT, TRACE ": reg: not whole pages");
    add_trace(TRACE, 0x70000040, 0x1000);
    EXPECT_REFUSED(HV_ERR_FORMAT, "not whole pages");
    add_trace(TRACE, 0x70000000, 0);
    EXPECT_REFUSED(HV_ERR_FORMAT, "not whole pages");
    tree_drop(TRACE, "reg");
    EXPECT_REFUSED(HV_ERR_FORMAT, TRACE ": reg: it has no entry");
    add_trace(TRACE, 0x7ffff000, 0x2000);
    EXPECT_REFUSED(HV_ERR_RANGE, TRACE ": reg: not in RAM that is nobody else's");
    add_trace(TRACE, 0x3ffff000, 0x2000);
    EXPECT_REFUSED(HV_ERR_RANGE, "nobody else's");
    add_trace(TRACE, 0x09000000, 0x1000); /* the UART */
    EXPECT_REFUSED(HV_ERR_RANGE, "nobody else's");
    add_trace(TRACE, 0x48001000, 0x1000); /* the last page of the initrd */
    EXPECT_REFUSED(HV_ERR_RANGE, "nobody else's");
    add_trace(TRACE, 0x48002000, 0x1000);
    EXPECT_OK();
    tree_cells("/reserved-memory/fw@48002000", "reg", 0, 0x48002fff, 0, 0x1000);
    EXPECT_REFUSED(HV_ERR_RANGE, "nobody else's");
    tree_drop_node("/reserved-memory/fw@48002000");
    cr_assert_eq(fdt_add_mem_rsv(tree, 0x48002800, 0x10), 0);
    EXPECT_REFUSED(HV_ERR_RANGE, "nobody else's");
    cr_assert_eq(fdt_del_mem_rsv(tree, 0), 0);
    add_trace("/reserved-memory/trace@60000000", 0x60000000, 0x1000);
    EXPECT_REFUSED(HV_ERR_EXIST, "a second trace buffer");
}

CASE(platform, utilities_on_the_root)
{
    struct platform_range range;
    const char *why = NULL;
    uint64_t unit;

    tree_virt();
    tree_cells("/", "reg", 0, 0, 0, 1);
    cr_expect_eq(fdt_util_reg(tree, 0, 0, &range, &why), HV_ERR_NOENT, "the root is on no bus");
    cr_expect_eq(fdt_util_unit(tree, 0, &unit, &why), HV_ERR_NOENT);
}

CASE(platform, truncated_at_every_length)
{
    tree_virt();
    cr_assert_eq(fdt_pack(tree), 0);
    for (size_t size = 0; size < fdt_totalsize(tree); size++) {
        /* On the heap, where a sanitizer watches its end. */
        void *copy = malloc(size + 1);
        memcpy(copy, tree, size);
        cr_assert_eq(platform_discover(copy, size, 0, &out, reason), HV_ERR_FORMAT, "%zu", size);
        free(copy);
    }
    cr_expect_neq(strstr(reason, "not a devicetree"), NULL);
}

CASE(platform, random_corruption)
{
    uint64_t state = 0x5eed;
    unsigned refused = 0;

    tree_virt();
    cr_assert_eq(fdt_pack(tree), 0);
    size_t size = fdt_totalsize(tree);
    unsigned char *copy = malloc(size);
    for (unsigned i = 0; i < 2000; i++) {
        memcpy(copy, tree, size);
        for (uint64_t n = prng_next(&state) % 4 + 1; n > 0; n--)
            copy[prng_next(&state) % size] = (unsigned char)prng_next(&state);
        if (platform_discover(copy, size, 0, &out, reason) != HV_OK) {
            refused++;
            cr_assert_neq(reason[0], '\0');
            cr_assert_lt(strlen(reason), PLATFORM_REASON_MAX);
        }
    }
    free(copy);
    cr_expect_gt(refused, 400);
    cr_expect_lt(refused, 2000);
}

CASE(platform, seed)
{
    static const char bytes[] = "0123456789abcdefXYZ";

    tree_virt();
    EXPECT_OK();
    cr_expect(!out.has_seed);
    tree_bytes("/chosen", "kaslr-seed", "ABCDEFGH", 8);
    EXPECT_OK();
    cr_expect(out.has_seed);
    cr_expect_arr_eq(out.seed, "ABCDEFGH\0\0\0\0\0\0\0\0", 16);
    tree_bytes("/chosen", "rng-seed", bytes, sizeof(bytes));
    EXPECT_OK();
    cr_expect_arr_eq(out.seed, "0123456789abcdef", 16, "preferred, and cut");
    tree_bytes("/chosen", "rng-seed", "", 0);
    EXPECT_OK();
    cr_expect_arr_eq(out.seed, "ABCDEFGH\0\0\0\0\0\0\0\0", 16, "an empty one is none");
}

CASES_RUN(platform, NULL, NULL)
