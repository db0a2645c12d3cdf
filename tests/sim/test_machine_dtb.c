/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The machine's devicetree, as core's platform discovery reads it. */
#include "boot/platform.h"
#include "cases.h"
#include "hal/hal.h"
#include "sim/machine_dtb.h"
#include <libfdt.h>

static _Alignas(8) unsigned char tree[0x10000];
static _Alignas(8) unsigned char other[0x10000];
static struct hal_platform out;
static char reason[256];
static struct machine_dtb_facts facts;

static void begin(void)
{
    memset(tree, 0, sizeof(tree));
    memset(other, 0, sizeof(other));
    facts = (struct machine_dtb_facts){.ram_size = UINT64_C(0x30000000), .nr_cpus = 1, .seed = 1};
}

static void discover(void)
{
    cr_assert(machine_dtb_write(&facts, tree, reason), "%s", reason);
    cr_assert_eq(platform_discover(tree, sizeof(tree), 0x80000000, &out, reason), HV_OK, "%s",
                 reason);
}

CASE(machine_dtb, the_whole_machine)
{
    facts.initrd = UINT64_C(0x40400000);
    facts.initrd_size = 0x123457;
    discover();
    cr_expect_eq(out.nr_ram, 1);
    cr_expect_eq(out.ram[0].base, UINT64_C(0x40000000));
    cr_expect_eq(out.ram[0].size, UINT64_C(0x30000000));
    cr_expect_eq(out.nr_reserved, 0);
    cr_expect_eq(out.nr_cpus, 1);
    cr_expect_eq(out.cpu_mpidr[0], 0);
    cr_expect_eq(out.gicd.base, UINT64_C(0x08000000));
    cr_expect_eq(out.gicd.size, 0x10000);
    cr_expect_eq(out.nr_gicr, 1);
    cr_expect_eq(out.gicr[0].base, UINT64_C(0x080a0000));
    cr_expect_eq(out.gicr[0].size, 0xf60000);
    cr_expect_eq(out.gicr_stride, 0x20000);
    cr_expect_eq(out.gic_maintenance_intid, 25);
    cr_expect_eq(out.timer_hyp_intid, 26);
    cr_expect_eq(out.timer_virt_intid, 27);
    cr_expect_eq(out.uart.base, UINT64_C(0x09000000));
    cr_expect_eq(out.uart.size, 0x1000);
    cr_expect_eq(out.uart_intid, 33);
    cr_expect_eq(out.initrd.base, UINT64_C(0x40400000));
    cr_expect_eq(out.initrd.size, 0x123457);
    cr_expect(out.has_seed);
}

CASE(machine_dtb, console_and_firmware)
{
    const char *path;
    int len;

    discover();
    path = fdt_getprop(tree, fdt_path_offset(tree, "/chosen"), "stdout-path", &len);
    cr_assert_not_null(path);
    cr_expect_eq(fdt_node_check_compatible(tree, fdt_path_offset(tree, path), "arm,pl011"), 0);
    cr_expect_str_eq(fdt_getprop(tree, fdt_path_offset(tree, "/psci"), "method", &len), "smc");
    cr_expect_str_eq(fdt_getprop(tree, fdt_path_offset(tree, "/cpus/cpu@0"), "enable-method", &len),
                     "psci");
    cr_expect_eq(out.initrd.size, 0, "none was given");
}

CASE(machine_dtb, many_cpus)
{
    facts.nr_cpus = 64;
    facts.cpu = SIM_CPU_MAX;
    discover();
    cr_assert_eq(out.nr_cpus, 64);
    for (unsigned cpu = 0; cpu < 64; cpu++) {
        cr_expect_eq(out.cpu_mpidr[cpu], (cpu / 16) * 256 + cpu % 16, "CPU %u", cpu);
        cr_expect_eq(machine_dtb_mpidr(cpu), (cpu / 16) * 256 + cpu % 16);
    }
}

/* First outputs of SplitMix64 with the state 1234567: the generator's published test vector. */
CASE(machine_dtb, seed)
{
    static const uint64_t vector[] = {UINT64_C(6457827717110365317), UINT64_C(3203168211198807973),
                                      UINT64_C(9817491932198370423), UINT64_C(4593380528125082431),
                                      UINT64_C(16408922859458223821)};
    int chosen;
    int len;
    const fdt64_t *seed;

    facts.seed = 1234567;
    discover();
    chosen = fdt_path_offset(tree, "/chosen");
    seed = fdt_getprop(tree, chosen, "rng-seed", &len);
    cr_assert(seed != NULL && len == 32);
    for (int i = 0; i < 4; i++)
        cr_expect_eq(fdt64_ld(seed + i), vector[i]);
    seed = fdt_getprop(tree, chosen, "kaslr-seed", &len);
    cr_assert(seed != NULL && len == 8);
    cr_expect_eq(fdt64_ld(seed), vector[4]);
}

CASE(machine_dtb, seed_0_is_none)
{
    int chosen;

    facts.seed = 0;
    discover();
    cr_expect_not(out.has_seed);
    chosen = fdt_path_offset(tree, "/chosen");
    cr_expect_null(fdt_getprop(tree, chosen, "rng-seed", NULL));
    cr_expect_null(fdt_getprop(tree, chosen, "kaslr-seed", NULL));
}

CASE(machine_dtb, the_same_twice)
{
    facts.nr_cpus = 3;
    discover();
    cr_assert(machine_dtb_write(&facts, other, reason));
    cr_expect_eq(memcmp(tree, other, sizeof(tree)), 0);
    facts.seed = 2;
    cr_assert(machine_dtb_write(&facts, other, reason));
    cr_expect_neq(memcmp(tree, other, sizeof(tree)), 0);
}

CASES_RUN(machine_dtb, begin, NULL)
