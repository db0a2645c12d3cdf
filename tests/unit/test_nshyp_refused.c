/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What core/role/nshyp.c does with bundles, machines and memory that will not do: a reason, and the
 * end. */
#include "nshyp_fixture.h"

/* --- The bundle --- */

CASE(nshyp_refused, no_bundle)
{
    bundle();
    machine(RAM_SIZE);
    tree_drop("/chosen", "linux,initrd-start");
    tree_drop("/chosen", "linux,initrd-end");
    power_on();
    expect_gives_up("no VM bundle: pass one as the machine's initrd");
}

CASE(nshyp_refused, bundle_of_no_vm)
{
    bundle();
    machine(RAM_SIZE);
    power_on();
    expect_gives_up("VM bundle refused: /vms: no VM");
}

CASE(nshyp_refused, malformed_bundle_starts_nothing)
{
    bundle();
    bundle_vm("a", VM_MEMORY, "");
    bundle_vm("b", VM_MEMORY, "");
    tree_cells("/vms/a", "memory-size", 0x100000);
    machine(RAM_SIZE);
    power_on();
    expect_gives_up("VM bundle refused: /vms/a: memory-size: 4 bytes long, must be 8: "
                    "/bits/ 64 <...>");
}

CASE(nshyp_refused, truncated_bundle)
{
    bundle();
    bundle_vm("a", VM_MEMORY, "");
    machine(RAM_SIZE);
    tree_cells("/chosen", "linux,initrd-end", (uint32_t)(BUNDLE_AT + bundle_size - 1));
    power_on();
    expect_gives_up("VM bundle refused: /: not a devicetree blob, or a damaged one: "
                    "FDT_ERR_TRUNCATED");
}

/* The devicetree promises RAM that the HAL cannot map. */
CASE(nshyp_refused, bundle_where_no_ram_is)
{
    bundle();
    machine(RAM_SIZE);
    tree_cells("/memory@40000000", "reg", 0, RAM, 0, (uint32_t)RAM_SIZE, 0, 0x80000000, 0,
               0x100000);
    tree_cells("/chosen", "linux,initrd-start", 0x80000000);
    tree_cells("/chosen", "linux,initrd-end", 0x80001000);
    power_on();
    expect_gives_up("VM bundle: the machine's initrd does not lie in its RAM");
}

CASE(nshyp_refused, log_level_of_the_bundle)
{
    bundle();
    bundle_vm("a", VM_MEMORY, "o");
    tree_string("/halcyon", "log", "info");
    machine(RAM_SIZE);
    power_on();
    EXPECT_LOG("[halcyon 0.000000] info boot: 2 CPUs, 15 MiB of RAM free\r\n");
    EXPECT_LOG(OFF_LINE);
    setup();
    bundle();
    bundle_vm("a", VM_MEMORY, "o");
    tree_string("/halcyon", "log", "error,role=notice");
    machine(RAM_SIZE);
    power_on();
    cr_assert_str_eq(fakehal()->out, "[halcyon 0.000000] " OFF_LINE);
    setup();
    bundle();
    bundle_vm("a", VM_MEMORY, "");
    tree_string("/halcyon", "log", "loud");
    machine(RAM_SIZE);
    power_on();
    expect_gives_up("VM bundle refused: /halcyon: log: must be LEVEL or LEVEL,MODULE=LEVEL,...");
}

/* A VMID must be there for each CPU at least, of those that are used. */
static void with_vmids(uint32_t vmids, uint32_t pcpus)
{
    setup();
    bundle();
    bundle_vm("a", VM_MEMORY, "o");
    tree_cells("/halcyon", "vmids", vmids);
    if (pcpus != 0)
        tree_cells("/halcyon", "pcpus", pcpus);
    machine(RAM_SIZE);
    tree_string("/cpus/cpu@2", "device_type", "cpu");
    tree_cells("/cpus/cpu@2", "reg", 2);
    power_on();
}

CASE(nshyp_refused, fewer_vmids_than_cpus)
{
    with_vmids(2, 0);
    expect_gives_up("VM bundle refused: /halcyon: vmids: fewer than CPUs");
    with_vmids(3, 0);
    EXPECT_LOG(OFF_LINE);
    cr_assert_eq(hv->platform.nr_cpus, 3);
    with_vmids(2, 2);
    EXPECT_LOG(OFF_LINE);
    cr_assert_eq(hv->platform.nr_cpus, 2);
    cr_assert_eq(hv->vmids.count, 2);
    with_vmids(0xffff, 4);
    EXPECT_LOG(OFF_LINE);
    cr_assert_eq(hv->platform.nr_cpus, 3, "all that there are");
    cr_assert_eq(hv->vmids.count, 0xff, "as many as 8 bits give");
}

/* --- The machine's devicetree --- */

static void put_header(uint32_t magic, uint32_t size)
{
    fdt32_t header[2];

    fdt32_st(&header[0], magic);
    fdt32_st(&header[1], size);
    memcpy(fakehal_mem(pa(DTB_AT), sizeof(header)), header, sizeof(header));
}

CASE(nshyp_refused, unreadable_devicetree)
{
    boot.dtb = pa(0);
    power_on_as_it_is();
    expect_gives_up("machine's devicetree: its address is not readable");
    cr_assert_eq(fakehal()->inits, 0);
    setup();
    boot.dtb = pa(RAM + RAM_SIZE - 32); /* less than a header */
    power_on_as_it_is();
    expect_gives_up("machine's devicetree: its address is not readable");
}

CASE(nshyp_refused, devicetree_too_large)
{
    static const uint32_t sizes[] = {0x1000001, 0x7fffffff, 0x80000000, 0xffffffff};

    for (size_t i = 0; i < 4; i++) {
        setup();
        put_header(0xd00dfeed, sizes[i]);
        power_on_as_it_is();
        expect_gives_up("machine's devicetree: it is larger than the boot protocol allows");
        cr_assert_eq(fakehal()->inits, 0);
    }
}

CASE(nshyp_refused, no_devicetree_at_all)
{
    static const uint32_t sizes[] = {0, 40, 0x1000, 0xffffffff};

    for (size_t i = 0; i < 4; i++) {
        setup();
        put_header(0xedfe0dd0, sizes[i]);
        power_on_as_it_is();
        expect_gives_up("machine's devicetree: not a devicetree: FDT_ERR_BADMAGIC");
    }
}

CASE(nshyp_refused, devicetree_smaller_than_its_header)
{
    for (uint32_t size = 0; size < 40; size += 13) {
        setup();
        bundle();
        machine(RAM_SIZE);
        put_tree(DTB_AT);
        put_header(0xd00dfeed, size);
        power_on_as_it_is();
        expect_gives_up("machine's devicetree: not a devicetree: FDT_ERR_TRUNCATED");
    }
}

CASE(nshyp_refused, malformed_devicetree)
{
    bundle();
    machine(RAM_SIZE);
    tree_drop_node(GIC);
    power_on();
    expect_gives_up("machine's devicetree: /: no GICv3 (compatible \"arm,gic-v3\")");
    cr_assert_eq(fakehal()->inits, 0);
}

/* A machine that gives the page at `base` to records of exits. */
static void with_trace_buffer(uint32_t base)
{
    setup();
    bundle();
    bundle_vm("a", VM_MEMORY, "o");
    machine(RAM_SIZE);
    tree_cells("/reserved-memory", "#address-cells", 2);
    tree_cells("/reserved-memory", "#size-cells", 2);
    tree_bytes("/reserved-memory", "ranges", "", 0);
    tree_cells("/reserved-memory/trace", "reg", 0, base, 0, 0x1000);
    tree_string("/reserved-memory/trace", "compatible", "halcyon,trace-buffer");
    power_on();
}

CASE(nshyp_refused, trace_buffer_over_what_is_in_use)
{
    static const char reason[] =
        "machine's devicetree: /reserved-memory: the trace buffer overlaps "
        "the image or the devicetree";

    with_trace_buffer((uint32_t)(RAM + IMAGE_SIZE - 0x1000));
    expect_gives_up(reason);
    with_trace_buffer((uint32_t)DTB_AT);
    expect_gives_up(reason);
    cr_assert_eq(fakehal()->inits, 0);
    with_trace_buffer((uint32_t)(RAM + RAM_SIZE - 0x1000));
    EXPECT_LOG(OFF_LINE);
    cr_assert_eq(hv->platform.trace.base, RAM + RAM_SIZE - 0x1000);
}

CASE(nshyp_refused, machine_without_a_uart)
{
    bundle();
    bundle_vm("a", VM_MEMORY, "o");
    machine(RAM_SIZE);
    tree_drop_node(UART);
    power_on();
    EXPECT_LOG(OFF_LINE);
    cr_assert_eq(hv->console->intid, HAL_INTID_NONE);
}

/* --- The machine itself --- */

CASE(nshyp_refused, hal_cannot_serve_the_machine)
{
    bundle();
    bundle_vm("a", VM_MEMORY, "");
    machine(RAM_SIZE);
    fakehal()->init_result = HV_ERR_UNSUPPORTED;
    power_on();
    cr_assert_eq(fakehal()->inits, 1);
    EXPECT_LOG("error boot: cannot take the machine into use: ");
    EXPECT_LOG(NOTHING_LINE);
    cr_assert_eq(fakehal()->runs, 0);
}

CASE(nshyp_refused, arena_too_small)
{
    boot.arena_size = sizeof(struct hv);
    cr_assert(fakehal_expect_check(enter_core, &boot));
}

CASE(nshyp_refused, no_ram_is_free)
{
    bundle();
    bundle_vm("a", VM_MEMORY, "");
    machine(RAM_SIZE);
    boot.image_size = RAM_SIZE;
    power_on();
    EXPECT_LOG("error boot: cannot set up the page pool: ");
    EXPECT_LOG(NOTHING_LINE);
}

/* --- Too little memory --- */

/* True if the VM starts and is restarted; otherwise there are words why nothing runs. */
static bool with_ram(uint64_t size)
{
    setup();
    bundle();
    bundle_vm("a", VM_MEMORY, "ro");
    machine(size);
    power_on();
    bool nothing = fakehal_console_has(NOTHING_LINE);
    bool reason = fakehal_console_has("cannot set up the page pool: ") ||
                  fakehal_console_has(" not created: ") ||
                  fakehal_console_has(": cannot be loaded: ");
    cr_assert_eq(nothing, reason, "%s", fakehal()->out);
    cr_assert_eq(nothing, fakehal()->runs == 0);
    cr_assert_eq(!nothing, fakehal_console_has(OFF_LINE));
    cr_assert_eq(nothing, fakehal_console_has(" error "), "%s", fakehal()->out);
    cr_assert_eq(guests[0].starts, nothing ? 0 : 2);
    return !nothing;
}

/* From no free page to enough, by large steps; where the outcome is another one than before, by
 * pages, so that it runs out at each of the allocations there. */
CASE(nshyp_refused, any_size_of_ram)
{
    const uint64_t step = 32 * PAGE_SIZE;
    bool last = false;
    unsigned seen[2] = {0};

    for (uint64_t size = BUNDLE_AT - RAM + 3 * step; size < MIB(3); size += step) {
        bool now = with_ram(size);
        seen[now]++;
        for (uint64_t less = PAGE_SIZE; now != last && less < 2 * step; less += PAGE_SIZE)
            seen[with_ram(size - less)]++;
        last = now;
    }
    cr_assert_gt(seen[false], 20);
    cr_assert_gt(seen[true], 5);
}

/* Each allocation of a restart fails once: restarted all the same, or a machine that says no. */
CASE(nshyp_refused, restart_fails_at_each_allocation)
{
    unsigned failed = 0;

    for (uint64_t n = 1; n < 24; n++) {
        setup();
        bundle();
        bundle_vm("a", VM_MEMORY, "yro");
        machine(MIB(8));
        fail_allocation = n;
        power_on();
        bool restarted = fakehal_console_has(OFF_LINE);
        cr_assert_eq(guests[0].starts, restarted ? 2 : 1);
        cr_assert_eq(!restarted, fakehal_console_has("error role: a: not restarted\r\n"));
        cr_assert_eq(!restarted, fakehal_console_has(FAILED_LINE));
        failed += !restarted;
    }
    cr_assert_geq(failed, 5, "struct, tables, record page, UART, devicetree");
    cr_assert_lt(failed, 23);
}

CASES_RUN(nshyp_refused, setup, finish)
