/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * core_main() from a machine's devicetree and a VM bundle to the end of the machine. Each guest is
 * a string of actions, one for each exit; at each start of a VM all that it finds is looked at.
 */
#include "base/list.h"
#include "dev/console.h"
#include "fdt_fixture.h"
#include "mem/guest_mem.h"
#include "vm_fixture.h"
#include <stdio.h>

#define RAM        UINT64_C(0x40000000)
#define RAM_SIZE   MIB(16)
#define IMAGE_SIZE UINT64_C(0x10000) /* the hypervisor's own, at the start of RAM */
#define DTB_AT     (RAM + IMAGE_SIZE)
#define BUNDLE_AT  (RAM + UINT64_C(0x15000)) /* behind the devicetree and some room */
#define ARENA_SIZE KIB(128)                  /* as hal-aarch64's */

#define KERNEL_AT   UINT64_C(0x40080000) /* a flat image, RAM + 0x80000 */
#define DTB_IPA     UINT64_C(0x40000000) /* and its devicetree, where RAM begins */
#define DTB_SPAN    UINT64_C(0x10000)
#define KERNEL_SIZE 100u
#define VM_MEMORY   MIB(1)

#define SYSTEM_OFF   0x84000008u
#define SYSTEM_RESET 0x84000009u

#define ESR(ec) (UINT64_C(ec) << 26 | 1u << 25)

#define OFF_LINE     "notice role: machine off: all VMs powered off\r\n"
#define FAILED_LINE  "notice role: machine off: no VM is left, some were stopped or not started\r\n"
#define NOTHING_LINE "error role: machine off: nothing to run\r\n"

/* `actions`: o SYSTEM_OFF, r SYSTEM_RESET, c an exception that no guest can handle, y WFE after
 * overwriting all memory. */
struct guest {
    const char *name;
    const char *actions;
    uint64_t memory;
    bool started;
    unsigned starts;
    uint64_t last_seed; /* kaslr-seed in its devicetree */
    uint64_t vmid;
};

static _Alignas(64) unsigned char arena[ARENA_SIZE];
static struct hal_boot boot;
static struct guest guests[16];
static unsigned nr_guests;
static uint64_t bundle_size;
static struct hv *hv;            /* as the guests' vCPUs lead to it */
static uint64_t free_at_start;   /* pages, when the first guest ran */
static uint64_t fail_allocation; /* after each reset, the how manyth fails */

static void setup(void)
{
    fakehal_reset();
    fakehal_add_ram(pa(RAM), RAM_SIZE);
    memset(arena, 0, sizeof(arena));
    boot = (struct hal_boot){.dtb = pa(DTB_AT),
                             .image = pa(RAM),
                             .image_size = IMAGE_SIZE,
                             .arena = arena,
                             .arena_size = sizeof(arena)};
    nr_guests = 0;
    bundle_size = 0;
    hv = NULL;
    free_at_start = 0;
    fail_allocation = 0;
}

static void finish(void)
{
}

/* --- The guests --- */

static unsigned char kernel_byte(const struct guest *guest, size_t i)
{
    return (unsigned char)((size_t)guest->name[0] + 7 * i);
}

static struct guest *guest_of(const struct vm *vm)
{
    for (unsigned i = 0; i < nr_guests; i++)
        if (strcmp(guests[i].name, vm->config->name) == 0)
            return &guests[i];
    cr_assert_fail("nobody's VM runs: %s", vm->config->name);
    return NULL;
}

static uint64_t check_dtb(struct vm *vm)
{
    static _Alignas(8) unsigned char dtb[DTB_SPAN];
    const fdt64_t *value;
    int len;

    cr_assert_eq(guest_mem_read(&vm->s2, ipa(DTB_IPA), dtb, sizeof(dtb)), HV_OK);
    cr_assert_eq(fdt_check_full(dtb, sizeof(dtb)), 0);
    value = fdt_getprop(dtb, fdt_path_offset(dtb, "/chosen"), "kaslr-seed", &len);
    return value != NULL ? fdt64_ld(value) : 0;
}

/* The kernel as the bundle has it, the devicetree, and zeroes: nothing of a life before. */
static void check_memory(struct guest *guest, struct vm *vm)
{
    unsigned char page[PAGE_SIZE];
    uint64_t end = GUEST_RAM + guest->memory;

    for (uint64_t at = GUEST_RAM + DTB_SPAN; at < end; at += sizeof(page)) {
        cr_assert_eq(guest_mem_read(&vm->s2, ipa(at), page, sizeof(page)), HV_OK);
        size_t i = 0;
        for (; at == KERNEL_AT && i < KERNEL_SIZE; i++)
            cr_assert_eq(page[i], kernel_byte(guest, i));
        for (; i < sizeof(page); i++)
            if (page[i] != 0)
                cr_assert_fail("%s: byte %zu behind %" PRIx64, guest->name, i, at);
    }
}

static void check_start(struct guest *guest, struct vcpu *vcpu)
{
    uint64_t dtb_seed = check_dtb(vcpu->vm);

    cr_assert_eq(vcpu->index, 0);
    cr_assert_eq(vcpu->arch.pc, KERNEL_AT);
    cr_assert_eq(vcpu->arch.x[0], DTB_IPA);
    for (unsigned i = 1; i < 31; i++)
        cr_assert_eq(vcpu->arch.x[i], 0);
    cr_assert_eq(vcpu->arch.pstate, 0x3c5, "EL1h, all masked");
    check_memory(guest, vcpu->vm);
    cr_assert(dtb_seed == 0 || dtb_seed != guest->last_seed, "each life has a seed of its own");
    guest->last_seed = dtb_seed;
    guest->vmid = vcpu->arch.config.vttbr_el2 >> 48;
    guest->starts++;
    guest->started = true;
}

static void scribble(const struct guest *guest, struct vcpu *vcpu)
{
    unsigned char page[PAGE_SIZE];

    memset(page, 0xa5, sizeof(page));
    for (uint64_t at = GUEST_RAM; at < GUEST_RAM + guest->memory; at += sizeof(page))
        cr_assert_eq(guest_mem_write(&vcpu->vm->s2, ipa(at), page, sizeof(page)), HV_OK);
    memset(vcpu->arch.x, 0xa5, sizeof(vcpu->arch.x));
}

static void play(void *ctx, struct arch_vcpu *arch, struct arch_exit *exit)
{
    struct vcpu *vcpu = list_entry(arch, struct vcpu, arch);
    struct guest *guest = guest_of(vcpu->vm);

    (void)ctx;
    hv = vcpu->vm->hv;
    if (free_at_start == 0)
        free_at_start = page_pool_free_pages(&hv->pool);
    if (!guest->started)
        check_start(guest, vcpu);
    exit->esr = ESR(0x16); /* HVC */
    switch (*guest->actions++) {
    case 'o':
        arch->x[0] = SYSTEM_OFF;
        break;
    case 'r':
        arch->x[0] = SYSTEM_RESET;
        guest->started = false;
        if (fail_allocation != 0)
            page_pool_fail_nth(&hv->pool, fail_allocation);
        break;
    case 'c':
        exit->esr = ESR(0x0e); /* illegal execution state */
        break;
    case 'y':
        scribble(guest, vcpu);
        exit->esr = ESR(0x01) | 1; /* WFE */
        break;
    default:
        cr_assert_fail("%s runs when it is over", guest->name);
    }
}

/* --- The machine --- */

/* Bundle first, then machine, as they share tree[]; what is changed in between is the test's. */
static void bundle(void)
{
    tree_new();
    tree_string("/", "compatible", "halcyon,bundle");
    tree_node("/vms");
}

/* libfdt adds in front: the VM that is added last is the first one. */
static void bundle_vm(const char *name, uint64_t memory, const char *actions)
{
    struct guest *guest = &guests[nr_guests++];
    unsigned char kernel[KERNEL_SIZE];
    char path[48];

    *guest = (struct guest){.name = name, .actions = actions, .memory = memory};
    snprintf(path, sizeof(path), "/vms/%s", name);
    for (size_t i = 0; i < sizeof(kernel); i++)
        kernel[i] = kernel_byte(guest, i);
    tree_string(path, "compatible", "halcyon,vm");
    tree_u64(path, "memory-size", memory);
    tree_bytes(path, "kernel", kernel, sizeof(kernel));
}

static uint64_t put_tree(uint64_t at)
{
    cr_assert_eq(fdt_pack(tree), 0);
    memcpy(fakehal_mem(pa(at), fdt_totalsize(tree)), tree, fdt_totalsize(tree));
    return fdt_totalsize(tree);
}

/* A machine with the bundle in tree[] as its initrd. */
static void machine(uint64_t ram_size)
{
    bundle_size = put_tree(BUNDLE_AT);
    tree_virt();
    tree_cells("/memory@40000000", "reg", 0, RAM, 0, (uint32_t)ram_size);
    tree_cells("/chosen", "linux,initrd-start", BUNDLE_AT);
    tree_cells("/chosen", "linux,initrd-end", (uint32_t)(BUNDLE_AT + bundle_size));
}

static void enter_core(void *ctx)
{
    core_main(ctx);
}

/* Whatever happened, the machine ends in order, and every page is given back. */
static void power_on_as_it_is(void)
{
    fakehal_set_run(play, NULL);
    cr_assert(fakehal_expect_halt(HAL_HALT_OFF, enter_core, &boot), "%s", fakehal()->out);
    cr_assert_not_null(strstr(fakehal()->out, " role: machine off: "));
    cr_assert_null(fakehal()->cpu[0].loaded);
    if (hv == NULL)
        return;
    cr_assert_eq(page_pool_free_pages(&hv->pool), hv->pool.total_pages, "pages leaked");
    cr_assert_eq(hv->account.used, 0);
    cr_assert_null(hv->console->focus);
}

static void power_on(void)
{
    cr_assert_leq(put_tree(DTB_AT), BUNDLE_AT - DTB_AT);
    power_on_as_it_is();
}

#define EXPECT_LOG(text)    cr_assert(fakehal_console_has(text), "%s", fakehal()->out)
#define EXPECT_NO_LOG(text) cr_assert_not(fakehal_console_has(text), "%s", fakehal()->out)

/* The machine gives up for `reason`, the first line of two, without having run anybody. */
static void expect_gives_up(const char *reason)
{
    char text[400];

    snprintf(text, sizeof(text),
             "[halcyon 0.000000] error boot: %s\r\n[halcyon 0.000000] " NOTHING_LINE, reason);
    cr_assert_str_eq(fakehal()->out, text);
    cr_assert_eq(fakehal()->runs, 0);
}

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
    cr_assert_eq(hv->console->focus->vm, vcpu->vm, "keys go to the VM that lives");
    cr_assert_eq(hv->console->rx_head, hv->console->rx_tail, "none were left from the life before");
    free_in_life[lives++] = page_pool_free_pages(&hv->pool);
    fakehal_console_type("key", 3);
    console_interrupt(hv->console);
    cr_assert_eq(hv->console->rx_head - hv->console->rx_tail, 2, "the PL011 has taken one");
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

/* --- More than this role runs --- */

CASE(nshyp, more_than_one_vm_is_refused)
{
    static const char *const names[] = {"a", "b", "c", "d", "e", "f", "g", "h",
                                        "i", "j", "k", "l", "m", "n", "o", "p"};

    bundle();
    bundle_vm("b", VM_MEMORY, "");
    bundle_vm("a", VM_MEMORY, "");
    machine(RAM_SIZE);
    power_on();
    expect_gives_up("VM bundle refused: /vms: 2 VMs: this version runs one VM with one vCPU");
    setup();
    bundle();
    for (unsigned i = 0; i < 16; i++)
        bundle_vm(names[i], VM_MEMORY, "");
    machine(RAM_SIZE);
    power_on();
    expect_gives_up("VM bundle refused: /vms: 16 VMs: this version runs one VM with one vCPU");
}

CASE(nshyp, more_than_one_vcpu_is_refused)
{
    for (uint32_t vcpus = 1; vcpus <= 8; vcpus++) {
        char reason[100];

        setup();
        bundle();
        bundle_vm("a", VM_MEMORY, "o");
        tree_cells("/vms/a", "vcpus", vcpus);
        machine(RAM_SIZE);
        power_on();
        if (vcpus == 1) {
            EXPECT_LOG(OFF_LINE);
            continue;
        }
        snprintf(reason, sizeof(reason),
                 "VM bundle refused: /vms/a: vcpus: %u: this version runs one VM with one vCPU",
                 vcpus);
        expect_gives_up(reason);
    }
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

/* --- The bundle --- */

CASE(nshyp, no_bundle)
{
    bundle();
    machine(RAM_SIZE);
    tree_drop("/chosen", "linux,initrd-start");
    tree_drop("/chosen", "linux,initrd-end");
    power_on();
    expect_gives_up("no VM bundle: pass one as the machine's initrd");
}

CASE(nshyp, bundle_of_no_vm)
{
    bundle();
    machine(RAM_SIZE);
    power_on();
    expect_gives_up("VM bundle refused: /vms: no VM");
}

CASE(nshyp, malformed_bundle_starts_nothing)
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

CASE(nshyp, truncated_bundle)
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
CASE(nshyp, bundle_where_no_ram_is)
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

CASE(nshyp, log_level_of_the_bundle)
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

/* --- The machine's devicetree --- */

static void put_header(uint32_t magic, uint32_t size)
{
    fdt32_t header[2];

    fdt32_st(&header[0], magic);
    fdt32_st(&header[1], size);
    memcpy(fakehal_mem(pa(DTB_AT), sizeof(header)), header, sizeof(header));
}

CASE(nshyp, unreadable_devicetree)
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

CASE(nshyp, devicetree_too_large)
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

CASE(nshyp, no_devicetree_at_all)
{
    static const uint32_t sizes[] = {0, 40, 0x1000, 0xffffffff};

    for (size_t i = 0; i < 4; i++) {
        setup();
        put_header(0xedfe0dd0, sizes[i]);
        power_on_as_it_is();
        expect_gives_up("machine's devicetree: not a devicetree: FDT_ERR_BADMAGIC");
    }
}

CASE(nshyp, devicetree_smaller_than_its_header)
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

CASE(nshyp, malformed_devicetree)
{
    bundle();
    machine(RAM_SIZE);
    tree_drop_node(GIC);
    power_on();
    expect_gives_up("machine's devicetree: /: no GICv3 (compatible \"arm,gic-v3\")");
    cr_assert_eq(fakehal()->inits, 0);
}

CASE(nshyp, machine_without_a_uart)
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

CASE(nshyp, hal_cannot_serve_the_machine)
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

CASE(nshyp, arena_too_small)
{
    boot.arena_size = sizeof(struct hv);
    cr_assert(fakehal_expect_check(enter_core, &boot));
}

CASE(nshyp, no_ram_is_free)
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
CASE(nshyp, any_size_of_ram)
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
CASE(nshyp, restart_fails_at_each_allocation)
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

CASES_RUN(nshyp, setup, finish)
