/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* core_main() from power-on to the end of the machine, for bundles that run. */
#include "nshyp_fixture.h"

/* --- What goes well --- */

CASE(nshyp, powers_off_with_its_vm)
{
    bundle();
    bundle_vm("a", VM_MEMORY, "yo");
    machine(RAM_SIZE);
    fakehal()->now = 3 * fakehal()->hz + 125; /* two microseconds */
    power_on();
    cr_assert_str_eq(fakehal()->out,
                     "[halcyon 3.000002] notice vm: a off: powered off by PSCI SYSTEM_OFF\r\n"
                     "[halcyon 3.000002] " OFF_LINE);
    cr_assert_eq(fakehal()->inits, 1);
    cr_assert_eq(guests[0].starts, 1);
    cr_assert_eq(guests[0].last_seed, 0, "the machine has none to give");
    cr_assert_eq(guests[0].vmid, 1, "0 is nobody's");
    cr_assert_eq(hv->console->intid, 33, "the UART's SPI 1");
}

/* Neither the seconds nor the microseconds overflow. */
CASE(nshyp, time_of_a_very_old_machine)
{
    bundle();
    bundle_vm("a", VM_MEMORY, "o");
    machine(RAM_SIZE);
    fakehal()->hz = 1000000000;
    fakehal()->now = UINT64_C(18446744073709551000);
    power_on();
    EXPECT_LOG("[halcyon 18446744073.709551] " OFF_LINE);
}

/* Seconds since 1970 when the counter was 0. */
CASE(nshyp, wall_clock)
{
    for (unsigned i = 0; i < 2; i++) {
        setup();
        bundle();
        bundle_vm("a", VM_MEMORY, "o");
        machine(RAM_SIZE);
        fakehal()->hz = 1000000;
        fakehal()->now = 7000000;
        fakehal()->wall = i == 0 ? 0 : 1700000000;
        power_on();
        cr_expect_eq(hv->wall_base, i == 0 ? 0 : 1699999993, "0 is none");
    }
}

CASE(nshyp, devices_beside_the_caches)
{
    bundle();
    bundle_vm("a", VM_MEMORY, "o");
    machine(RAM_SIZE);
    tree_string("/virtio_mmio@a000000", "compatible", "virtio,mmio");
    tree_cells("/virtio_mmio@a000000", "reg", 0, 0xa000000, 0, 0x200);
    tree_cells("/virtio_mmio@a000000", "interrupts", 0, 16, 1);
    power_on();
    EXPECT_LOG("warn boot: 1 virtio devices are not used: the devicetree does not say "
               "dma-coherent\r\n");
    EXPECT_LOG(OFF_LINE);
}

CASE(nshyp, crash_of_the_vm)
{
    bundle();
    bundle_vm("a", VM_MEMORY, "c");
    machine(RAM_SIZE);
    power_on();
    EXPECT_LOG("[halcyon 0.000000] error vm: a stopped: vCPU 0, PC 0x40080000: ");
    EXPECT_LOG("[halcyon 0.000000] " FAILED_LINE);
    EXPECT_NO_LOG("all VMs powered off");
}

CASE(nshyp, resets_start_from_the_image_again)
{
    bundle();
    bundle_vm("a", VM_MEMORY, "yryryo");
    machine(RAM_SIZE);
    tree_u64("/chosen", "kaslr-seed", UINT64_C(0x123456789abcdef));
    power_on();
    cr_assert_eq(guests[0].starts, 3);
    cr_assert_neq(guests[0].last_seed, 0);
    EXPECT_LOG("notice vm: a reset: reset by PSCI SYSTEM_RESET\r\n");
    EXPECT_LOG(OFF_LINE);
}

#define LIVES 12u

static uint64_t free_in_life[LIVES];
static unsigned lives;

/* Resets until it has lived LIVES times. */
static void live(void *ctx, struct arch_vcpu *arch, struct arch_exit *exit)
{
    struct vcpu *vcpu = list_entry(arch, struct vcpu, arch);

    (void)ctx;
    hv = vcpu->vm->hv;
    cr_assert_not_null(hv->console->focus);
    cr_assert_eq(((struct pl011 *)hv->console->focus->device)->vm, vcpu->vm,
                 "keys go to the VM that lives");
    cr_assert_eq(hv->console->focus->rx_head, hv->console->focus->rx_tail,
                 "none were left from the life before");
    free_in_life[lives++] = page_pool_free_pages(&hv->pool);
    fakehal_console_type("key", 3);
    console_interrupt(hv->console);
    cr_assert_eq(hv->console->focus->rx_head - hv->console->focus->rx_tail, 2,
                 "the PL011 has taken one");
    exit->esr = ESR(0x16);
    arch->x[0] = lives < LIVES ? SYSTEM_RESET : SYSTEM_OFF;
}

CASE(nshyp, resets_cost_nothing)
{
    lives = 0;
    bundle();
    bundle_vm("a", VM_MEMORY, "");
    machine(RAM_SIZE);
    put_tree(DTB_AT);
    fakehal_set_run(live, NULL);
    cr_assert(fakehal_expect_halt(HAL_HALT_OFF, enter_core, &boot));
    cr_assert_eq(lives, LIVES);
    for (unsigned i = 1; i < LIVES; i++)
        cr_assert_eq(free_in_life[i], free_in_life[0]);
    cr_assert_null(hv->console->focus);
    cr_assert_eq(page_pool_free_pages(&hv->pool), hv->pool.total_pages);
    EXPECT_LOG(OFF_LINE);
}

/* The image, the devicetree and the bundle are not in the pool, whatever a guest does. */
CASE(nshyp, what_is_taken_stays_as_it_is)
{
    unsigned char *image = fakehal_mem(pa(RAM), IMAGE_SIZE);

    bundle();
    bundle_vm("a", MIB(14), "yryo");
    machine(RAM_SIZE);
    memset(image, 0x77, IMAGE_SIZE);
    unsigned char *taken[] = {image, fakehal_mem(pa(DTB_AT), 1), fakehal_mem(pa(BUNDLE_AT), 1)};
    size_t size[] = {IMAGE_SIZE, put_tree(DTB_AT), bundle_size};
    static unsigned char before[3][0x10000];
    for (size_t i = 0; i < 3; i++)
        memcpy(before[i], taken[i], size[i]);
    power_on_as_it_is();
    for (size_t i = 0; i < 3; i++)
        cr_assert_arr_eq(taken[i], before[i], size[i]);
    EXPECT_LOG(OFF_LINE);
}

CASE(nshyp, resets_and_then_crashes)
{
    bundle();
    bundle_vm("a", 2 * VM_MEMORY, "yyryc");
    machine(RAM_SIZE);
    power_on();
    cr_assert_eq(guests[0].starts, 2, "not again after the crash");
    EXPECT_LOG("notice vm: a reset: ");
    EXPECT_LOG("error vm: a stopped: ");
    EXPECT_LOG(FAILED_LINE);
}

/* --- Several --- */

CASE(nshyp, two_vms_end_one_after_the_other)
{
    bundle();
    bundle_vm("b", VM_MEMORY, "yyyo");
    bundle_vm("a", VM_MEMORY, "yo");
    machine(RAM_SIZE);
    power_on();
    EXPECT_LOG("notice vm: a off: ");
    EXPECT_LOG("notice vm: b off: ");
    EXPECT_LOG(OFF_LINE);
    cr_assert_neq(guests[0].vmid, guests[1].vmid);
}

/* The reset of one is not seen by the other. */
CASE(nshyp, one_resets_while_the_other_runs)
{
    bundle();
    bundle_vm("b", VM_MEMORY, "yyyyyyyyyo");
    bundle_vm("a", VM_MEMORY, "yryro");
    machine(RAM_SIZE);
    power_on();
    cr_assert_eq(guests[0].starts, 1);
    cr_assert_eq(guests[1].starts, 3);
    EXPECT_LOG(OFF_LINE);
}

CASE(nshyp, the_crash_of_one_leaves_the_other_alone)
{
    bundle();
    bundle_vm("b", VM_MEMORY, "yyyo");
    bundle_vm("a", VM_MEMORY, "c");
    machine(RAM_SIZE);
    power_on();
    EXPECT_LOG("error vm: a stopped: ");
    EXPECT_LOG("notice vm: b off: ");
    EXPECT_LOG(FAILED_LINE);
}

CASE(nshyp, as_many_as_there_are_slots)
{
    static const char *const names[] = {"a", "b", "c", "d", "e", "f", "g", "h"};

    bundle();
    for (unsigned i = 0; i < 8; i++)
        bundle_vm(names[i], VM_MEMORY, "yo");
    machine(RAM_SIZE);
    power_on();
    for (unsigned i = 0; i < 8; i++)
        cr_assert_eq(guests[i].starts, 1);
    EXPECT_LOG(OFF_LINE);
}

CASE(nshyp, one_that_cannot_be_made_is_done_without)
{
    bundle();
    bundle_vm("b", MIB(64), "");
    bundle_vm("a", VM_MEMORY, "o");
    machine(RAM_SIZE);
    power_on();
    EXPECT_LOG("error role: b: not started\r\n");
    EXPECT_LOG("notice vm: a off: ");
    EXPECT_LOG(FAILED_LINE);
}

CASE(nshyp, any_number_of_vcpus)
{
    for (uint32_t vcpus = 1; vcpus <= 8; vcpus++) {
        setup();
        bundle();
        bundle_vm("a", VM_MEMORY, "o");
        tree_cells("/vms/a", "vcpus", vcpus);
        machine(RAM_SIZE);
        power_on();
        EXPECT_LOG(OFF_LINE);
    }
}

CASE(nshyp, a_vm_that_is_stopped_is_not_started)
{
    bundle();
    bundle_vm("b", VM_MEMORY, "");
    tree_bytes("/vms/b", "stopped", "", 0);
    bundle_vm("a", VM_MEMORY, "o");
    machine(RAM_SIZE);
    power_on();
    cr_assert_eq(guests[0].starts, 0);
    EXPECT_LOG(OFF_LINE);
}

CASE(nshyp, larger_than_the_machine)
{
    bundle();
    bundle_vm("b", MIB(64), "o");
    machine(RAM_SIZE);
    power_on();
    cr_assert_eq(guests[0].starts, 0);
    EXPECT_LOG("error vm: b not created: ");
    EXPECT_LOG("(1 vCPUs, 65536 KiB of memory; ");
    EXPECT_LOG("error role: b: not started\r\n");
    EXPECT_LOG("error boot: no VM could be started: see above\r\n");
    EXPECT_LOG(NOTHING_LINE);
}

/* An arm64 Image that says that it needs 64 MiB. */
CASE(nshyp, kernel_too_large_for_its_vm)
{
    unsigned char header[64] = {[19] = 4, [56] = 'A', 'R', 'M', 0x64};

    bundle();
    bundle_vm("a", VM_MEMORY, "");
    tree_bytes("/vms/a", "kernel", header, sizeof(header));
    machine(RAM_SIZE);
    power_on();
    EXPECT_LOG("error boot: a: kernel: needs 65536 KiB at 0x40000000, the VM has 1024 KiB at "
               "0x40000000\r\n");
    EXPECT_LOG("error role: a: not started\r\n");
    EXPECT_LOG("error boot: no VM could be started: see above\r\n");
    EXPECT_LOG(NOTHING_LINE);
    cr_assert_eq(fakehal()->runs, 0);
}

CASES_RUN(nshyp, setup, finish)
