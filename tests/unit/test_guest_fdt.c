/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "boot/guest_fdt.h"
#include "boot/platform.h"
#include "dev_fixture.h"
#include "fdt_fixture.h"
#include "vm_fixture.h"

static const struct image_layout no_initrd = {.kernel = 0x40000000, .dtb = 0x48000000};
static const struct image_layout with_initrd = {.initrd = 0x148000000, .initrd_size = 0x1234567};

static struct fixture f;

static void build(uint32_t vcpus, const struct image_layout *layout)
{
    fixture_hv(&f, MIB(8), 1);
    f.config.bootargs = "console=ttyAMA0 quiet";
    fixture_create(&f, vcpus);
    memset(tree, 0xa5, sizeof(tree));
    cr_assert_eq(guest_fdt_build(f.vm, layout, tree, sizeof(tree)), HV_OK);
    cr_assert_eq(fdt_check_full(tree, sizeof(tree)), 0);
}

static void expect_bytes(const char *path, const char *name, const void *data, size_t len)
{
    int got;
    const void *value = fdt_getprop(tree, fdt_path_offset(tree, path), name, &got);

    cr_assert_neq(value, NULL, "%s: %s", path, name);
    cr_assert_eq((size_t)got, len, "%s: %s: %d bytes", path, name, got);
    cr_expect_arr_eq(value, data, len, "%s: %s", path, name);
}

static void expect_cells_n(const char *path, const char *name, const uint32_t *cells, size_t n)
{
    fdt32_t out[TREE_CELLS_MAX];

    tree_encode(out, cells, n);
    expect_bytes(path, name, out, n * 4);
}

#define expect_cells(path, name, ...)                                                              \
    expect_cells_n(path, name, (const uint32_t[]){__VA_ARGS__},                                    \
                   sizeof((const uint32_t[]){__VA_ARGS__}) / 4)
#define expect_strings(path, name, literal) expect_bytes(path, name, literal, sizeof(literal))

static void expect_no(const char *path, const char *name)
{
    cr_expect_eq(fdt_getprop(tree, fdt_path_offset(tree, path), name, NULL), NULL, "%s: %s", path,
                 name);
}

CASE(guest_fdt, one_vcpu)
{
    build(1, &no_initrd);
    expect_strings("/", "compatible", "halcyon,virt\0linux,dummy-virt");
    expect_cells("/", "#address-cells", 2);
    expect_cells("/", "#size-cells", 2);
    expect_strings("/chosen", "bootargs", "console=ttyAMA0 quiet");
    expect_strings("/chosen", "stdout-path", "/pl011@9000000");
    expect_no("/chosen", "linux,initrd-start");
    expect_no("/chosen", "linux,initrd-end");
    expect_strings("/memory@40000000", "device_type", "memory");
    expect_cells("/memory@40000000", "reg", 0, 0x40000000, 0, 0x200000);
    expect_strings("/cpus/cpu@0", "device_type", "cpu");
    expect_strings("/cpus/cpu@0", "compatible", "arm,armv8");
    expect_cells("/cpus", "#address-cells", 2);
    expect_cells("/cpus", "#size-cells", 0);
    expect_cells("/cpus/cpu@0", "reg", 0, 0);
    expect_no("/cpus/cpu@0", "enable-method");
    expect_strings("/psci", "compatible", "arm,psci-1.0\0arm,psci-0.2");
    expect_strings("/psci", "method", "hvc");
}

CASE(guest_fdt, interrupts)
{
    uint32_t gic;

    build(1, &no_initrd);
    gic = fdt_get_phandle(tree, fdt_path_offset(tree, "/intc@8000000"));
    cr_assert_neq(gic, 0);
    expect_cells("/", "interrupt-parent", gic);
    expect_strings("/intc@8000000", "compatible", "arm,gic-v3");
    expect_bytes("/intc@8000000", "interrupt-controller", "", 0);
    expect_cells("/intc@8000000", "#interrupt-cells", 3);
    expect_cells("/intc@8000000", "reg", 0, 0x8000000, 0, 0x10000, 0, 0x80a0000, 0, 0x20000);
    expect_strings("/intc@8000000/its@8080000", "compatible", "arm,gic-v3-its");
    expect_bytes("/intc@8000000/its@8080000", "msi-controller", "", 0);
    expect_cells("/intc@8000000/its@8080000", "#msi-cells", 1);
    expect_cells("/intc@8000000/its@8080000", "reg", 0, 0x8080000, 0, 0x20000);
    expect_strings("/timer", "compatible", "arm,armv8-timer\0arm,armv7-timer");
    expect_cells("/timer", "interrupts", 1, 13, 4, 1, 14, 4, 1, 11, 4, 1, 10, 4);
    expect_bytes("/timer", "always-on", "", 0);
}

CASE(guest_fdt, uart)
{
    uint32_t clock;

    build(1, &no_initrd);
    clock = fdt_get_phandle(tree, fdt_path_offset(tree, "/clock-24000000"));
    cr_assert_neq(clock, 0);
    expect_strings("/clock-24000000", "compatible", "fixed-clock");
    expect_cells("/clock-24000000", "clock-frequency", 24000000);
    expect_cells("/clock-24000000", "#clock-cells", 0);
    expect_strings("/pl011@9000000", "compatible", "arm,pl011\0arm,primecell");
    expect_cells("/pl011@9000000", "reg", 0, 0x9000000, 0, 0x1000);
    expect_cells("/pl011@9000000", "interrupts", 0, 1, 4);
    expect_cells("/pl011@9000000", "clocks", clock, clock);
    expect_strings("/pl011@9000000", "clock-names", "uartclk\0apb_pclk");
}

/* Of a registry of the test's own: what no device of the hypervisor need have. */
CASE(guest_fdt, devices)
{
    uint32_t clock;

    fixture_hv(&f, MIB(8), 1);
    f.hv->devices = &dev_fixture_registry;
    f.config.nr_devices = 3;
    f.config.device[0].class = &dev_fixture_classes[0];
    f.config.device[1].class = &dev_fixture_classes[4];
    f.config.device[2].class = &dev_fixture_classes[2];
    fixture_create(&f, 1);
    cr_assert_eq(guest_fdt_build(f.vm, &no_initrd, tree, sizeof(tree)), HV_OK);
    cr_assert_eq(fdt_check_full(tree, sizeof(tree)), 0);
    expect_strings("/chosen", "stdout-path", "/uart@9000000");
    expect_strings("/virtio_mmio@a000000", "compatible", "virtio,mmio");
    expect_cells("/virtio_mmio@a000000", "reg", 0, 0xa000000, 0, 0x200);
    expect_cells("/virtio_mmio@a000000", "interrupts", 0, 16, 4);
    expect_bytes("/virtio_mmio@a000000", "dma-coherent", "", 0);
    expect_cells("/virtio_mmio@a000200", "reg", 0, 0xa000200, 0, 0x200);
    expect_cells("/virtio_mmio@a000200", "interrupts", 0, 17, 4);
    cr_expect_lt(fdt_path_offset(tree, "/virtio_mmio@a000400"), 0);
    cr_expect_lt(fdt_path_offset(tree, "/virtio_mmio@a000000"),
                 fdt_path_offset(tree, "/virtio_mmio@a000200"), "Linux numbers them as they come");
    expect_cells("/rtc@9010000", "interrupts", 0, 2, 4);
    expect_no("/rtc@9010000", "clocks");
    clock = fdt_get_phandle(tree, fdt_path_offset(tree, "/clock-1000000"));
    cr_assert_neq(clock, 0);
    cr_expect_lt(clock, 0x8000);
    expect_cells("/uart@9000000", "clocks", clock);
    expect_cells("/flash@0", "clocks", clock, clock);
    expect_strings("/flash@0", "clock-names", "clk\0apb_pclk");
    expect_cells("/flash@0", "reg", 0, 0, 0, 0x4000000, 0, 0x4000000, 0, 0x4000000);
    expect_no("/flash@0", "interrupts");
    expect_cells("/flash@0", "bank-width", 4);
    expect_cells("/flash@0", "phandle", 0x8001);
    expect_strings("/test-keys", "compatible", "test-keys");
    expect_cells("/test-keys/poweroff", "gpios", 0x8001, 3);
}

CASE(guest_fdt, several_vcpus_and_an_initrd)
{
    build(4, &with_initrd);
    f.vm->vcpu[3].arch.config.vmpidr_el2 = 0xff80000000 | 0x40010203;
    cr_assert_eq(guest_fdt_build(f.vm, &with_initrd, tree, sizeof(tree)), HV_OK);
    expect_cells("/chosen", "linux,initrd-start", 1, 0x48000000);
    expect_cells("/chosen", "linux,initrd-end", 1, 0x49234567);
    expect_cells("/cpus/cpu@2", "reg", 0, 2);
    expect_strings("/cpus/cpu@2", "enable-method", "psci");
    expect_cells("/cpus/cpu@ff00010203", "reg", 0xff, 0x00010203);
    expect_cells("/intc@8000000", "reg", 0, 0x8000000, 0, 0x10000, 0, 0x80a0000, 0, 0x80000);
}

CASE(guest_fdt, no_bootargs)
{
    build(1, &no_initrd);
    f.config.bootargs = "";
    cr_assert_eq(guest_fdt_build(f.vm, &no_initrd, tree, sizeof(tree)), HV_OK);
    expect_no("/chosen", "bootargs");
}

/* At every size a whole tree or an error. */
CASE(guest_fdt, too_small_a_buffer)
{
    size_t fitting = 0;

    build(2, &with_initrd);
    for (size_t size = 0; size < 4096; size += 4) {
        unsigned char *buf = malloc(size + 1);
        hv_err err = guest_fdt_build(f.vm, &with_initrd, buf, size);
        if (err == HV_OK) {
            cr_assert_eq(fdt_check_full(buf, size), 0);
            fitting++;
        } else {
            cr_assert_eq(err, HV_ERR_NOMEM);
            cr_assert_eq(fitting, 0, "fits at %zu, but not at a greater size", size);
        }
        free(buf);
    }
    cr_expect_gt(fitting, 100);
    cr_expect_lt(fitting, 900);
}

/* Another reader of trees that follows the same bindings must understand it. */
CASE(guest_fdt, platform_discovery_reads_it)
{
    struct hal_platform out;
    char reason[PLATFORM_REASON_MAX];

    build(2, &no_initrd);
    /* A guest has no EL2 and no maintenance interrupt; everything before it is found. */
    cr_expect_eq(platform_discover(tree, sizeof(tree), 1, &out, reason), HV_ERR_FORMAT);
    cr_expect_str_eq(reason, "/intc@8000000: interrupts: there is no number 0");
    cr_expect_eq(out.nr_cpus, 2);
    cr_expect_eq(out.ram[0].base, 0x40000000);
    cr_expect_eq(out.ram[0].size, 0x200000);
    cr_expect_eq(out.gicr[0].size, 0x40000);
}

static void finish(void)
{
    fixture_end(&f);
}

CASE(guest_fdt, seeds)
{
    static const uint64_t key[2] = {1, 2};
    const uint64_t *kaslr;
    uint64_t first;
    int len;

    build(1, &no_initrd);
    expect_no("/chosen", "kaslr-seed");
    expect_no("/chosen", "rng-seed");
    random_seed(&f.hv->random, key);
    cr_assert_eq(guest_fdt_build(f.vm, &no_initrd, tree, sizeof(tree)), HV_OK);
    kaslr = fdt_getprop(tree, fdt_path_offset(tree, "/chosen"), "kaslr-seed", &len);
    cr_assert_neq(kaslr, NULL);
    cr_assert_eq(len, 8);
    memcpy(&first, kaslr, 8);
    cr_assert_neq(fdt_getprop(tree, fdt_path_offset(tree, "/chosen"), "rng-seed", &len), NULL);
    cr_expect_eq(len, 32);
    cr_assert_eq(guest_fdt_build(f.vm, &no_initrd, tree, sizeof(tree)), HV_OK);
    kaslr = fdt_getprop(tree, fdt_path_offset(tree, "/chosen"), "kaslr-seed", &len);
    cr_assert_neq(kaslr, NULL);
    cr_expect_neq(memcmp(&first, kaslr, 8), 0, "new ones for each tree");
}

CASES_RUN(guest_fdt, NULL, finish)
