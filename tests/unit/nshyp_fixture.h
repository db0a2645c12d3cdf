/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#ifndef TESTS_NSHYP_FIXTURE_H
#define TESTS_NSHYP_FIXTURE_H

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

static inline void setup(void)
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

static inline void finish(void)
{
}

/* --- The guests --- */

static inline unsigned char kernel_byte(const struct guest *guest, size_t i)
{
    return (unsigned char)((size_t)guest->name[0] + 7 * i);
}

static inline struct guest *guest_of(const struct vm *vm)
{
    for (unsigned i = 0; i < nr_guests; i++)
        if (strcmp(guests[i].name, vm->config->name) == 0)
            return &guests[i];
    cr_assert_fail("nobody's VM runs: %s", vm->config->name);
    return NULL;
}

static inline uint64_t check_dtb(struct vm *vm)
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
static inline void check_memory(struct guest *guest, struct vm *vm)
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

static inline void check_start(struct guest *guest, struct vcpu *vcpu)
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

static inline void scribble(const struct guest *guest, struct vcpu *vcpu)
{
    unsigned char page[PAGE_SIZE];

    memset(page, 0xa5, sizeof(page));
    for (uint64_t at = GUEST_RAM; at < GUEST_RAM + guest->memory; at += sizeof(page))
        cr_assert_eq(guest_mem_write(&vcpu->vm->s2, ipa(at), page, sizeof(page)), HV_OK);
    memset(vcpu->arch.x, 0xa5, sizeof(vcpu->arch.x));
}

static inline void play(void *ctx, struct arch_vcpu *arch, struct arch_exit *exit)
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
static inline void bundle(void)
{
    tree_new();
    tree_string("/", "compatible", "halcyon,bundle");
    tree_node("/vms");
}

/* libfdt adds in front: the VM that is added last is the first one. */
static inline void bundle_vm(const char *name, uint64_t memory, const char *actions)
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

static inline uint64_t put_tree(uint64_t at)
{
    cr_assert_eq(fdt_pack(tree), 0);
    memcpy(fakehal_mem(pa(at), fdt_totalsize(tree)), tree, fdt_totalsize(tree));
    return fdt_totalsize(tree);
}

/* A machine with the bundle in tree[] as its initrd. */
static inline void machine(uint64_t ram_size)
{
    bundle_size = put_tree(BUNDLE_AT);
    tree_virt();
    tree_cells("/memory@40000000", "reg", 0, RAM, 0, (uint32_t)ram_size);
    tree_cells("/chosen", "linux,initrd-start", BUNDLE_AT);
    tree_cells("/chosen", "linux,initrd-end", (uint32_t)(BUNDLE_AT + bundle_size));
}

static inline void enter_core(void *ctx)
{
    core_main(ctx);
}

/* Whatever happened, the machine ends in order, and every page is given back. */
static inline void power_on_as_it_is(void)
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

static inline void power_on(void)
{
    cr_assert_leq(put_tree(DTB_AT), BUNDLE_AT - DTB_AT);
    power_on_as_it_is();
}

#define EXPECT_LOG(text)    cr_assert(fakehal_console_has(text), "%s", fakehal()->out)
#define EXPECT_NO_LOG(text) cr_assert_not(fakehal_console_has(text), "%s", fakehal()->out)

/* The machine gives up for `reason`, the first line of two, without having run anybody. */
static inline void expect_gives_up(const char *reason)
{
    char text[400];

    snprintf(text, sizeof(text),
             "[halcyon 0.000000] error boot: %s\r\n[halcyon 0.000000] " NOTHING_LINE, reason);
    cr_assert_str_eq(fakehal()->out, text);
    cr_assert_eq(fakehal()->runs, 0);
}

#endif
