/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A VM's flash under any accesses and faults, with allocations that fail: the bank's contents only
 * lose bits but by an erase, nothing is ever mapped writable or while a command is under way, and
 * at the end every page is back.
 */
#include "base/bits.h"
#include "dev/cfi_flash.h"
#include "fakehal/fakehal.h"
#include "fuzz.h"
#include "vm/hv.h"
#include "vm/sched.h"

#define HOST_RAM  UINT64_C(0x80000000)
#define HOST_SIZE MIB(4)
#define STEPS     256u

struct world {
    struct fuzz_input in;
    struct hv *hv;
    struct vm *vm;
    struct flash_store *store;
    struct cfi_flash flash;
    unsigned lines; /* of the log */
};

/* A guest that programs and programs fills no log. */
static void count_line(void *ctx, const char *text, size_t len)
{
    struct world *w = ctx;

    (void)text;
    (void)len;
    FUZZ_ASSERT(++w->lines <= FLASH_BANKS);
}

static uint64_t no_time(void *ctx)
{
    (void)ctx;
    return 0;
}

/* Few places, so that sequences meet: two sectors of each bank, and the banks' ends. */
static uint64_t take_offset(struct fuzz_input *in)
{
    static const uint64_t bases[] = {0, 0x40000, 0x3ffff00, 0x4000000, 0x4040000, 0x7ffff00};
    uint64_t base = bases[fuzz_take_below(in, ARRAY_LEN(bases))];

    return base + (fuzz_take(in, 2) &
                   (base >= 0x3ffff00 && base != 0x4000000 && base != 0x4040000 ? 0xff : 0x1fff));
}

static uint64_t take_value(struct fuzz_input *in)
{
    static const uint8_t likely[] = {0x20, 0xd0, 0x40, 0xe8, 0x60, 0x01, 0x70, 0xff, 0x00, 0x50};
    unsigned pick = (unsigned)fuzz_take(in, 1);

    return pick < 0xc0 ? likely[pick % sizeof(likely)] : fuzz_take(in, 8);
}

static void check_mapping(struct world *w, uint64_t offset)
{
    const struct cfi_chips *chips = &w->flash.chips[offset / FLASH_BANK_SIZE];
    struct s2_mapping mapping;

    if (s2_query(&w->vm->s2, ipa(offset), &mapping) != HV_OK)
        return;
    FUZZ_ASSERT(chips->mode == CFI_ARRAY);
    FUZZ_ASSERT(mapping.prot == (S2_READ | S2_EXEC));
}

static void access_flash(struct world *w, bool write)
{
    unsigned log2 = fuzz_take_below(&w->in, 4);
    struct mmio_access access = {
        .offset = take_offset(&w->in), .size = (uint8_t)(1u << log2), .write = write};

    if (access.offset + access.size > MACHINE_FLASH_SIZE)
        return;
    if (write)
        access.value = take_value(&w->in) & (UINT64_MAX >> (64 - 8 * access.size));
    bool taken = cfi_flash_access(&w->flash, &access);
    FUZZ_ASSERT(taken || !is_aligned(access.offset, access.size));
    FUZZ_ASSERT(write || !taken || (access.value & ~(UINT64_MAX >> (64 - 8 * access.size))) == 0);
    check_mapping(w, access.offset);
}

static void step(struct world *w)
{
    uint64_t offset;

    switch (fuzz_take(&w->in, 1) % 8) {
    case 0:
        page_pool_fail_nth(&w->hv->pool, 1 + fuzz_take(&w->in, 1) % 3);
        break;
    case 1:
        offset = take_offset(&w->in);
        if (cfi_flash_map(&w->flash, offset))
            FUZZ_ASSERT(w->flash.chips[offset / FLASH_BANK_SIZE].mode == CFI_ARRAY);
        check_mapping(w, offset);
        break;
    case 2:
    case 3:
        access_flash(w, false);
        break;
    default:
        access_flash(w, true);
    }
}

static void set_up(struct world *w, const struct vm_config *config, const struct flash_setup *setup)
{
    fakehal_reset();
    w->hv = calloc(1, sizeof(*w->hv));
    FUZZ_ASSERT(w->hv != NULL);
    fakehal()->platform.nr_cpus = 1;
    w->hv->platform = fakehal()->platform;
    fakehal_add_guarded_ram(pa(HOST_RAM), HOST_SIZE);
    log_init(&w->hv->log, &(struct log_sink){count_line, no_time, w});
    page_pool_init(&w->hv->pool);
    vmids_init(&w->hv->vmids, 255);
    FUZZ_ASSERT(page_pool_add(&w->hv->pool, pa(HOST_RAM), HOST_SIZE) == HV_OK);
    const struct page_region *region = &w->hv->pool.region[0];
    fakehal_guard(pa(region->first_pfn << PAGE_SHIFT), region->nr_pages << PAGE_SHIFT);
    w->hv->account.limit = UINT64_MAX;
    hal_id_regs(&w->hv->idregs);
    sched_init_pcpu(w->hv, 0);
    sched_online(&w->hv->pcpu[0]);
    FUZZ_ASSERT(vm_create(w->hv, config, 1, &w->vm) == HV_OK);
    FUZZ_ASSERT(flash_store_create(w->hv, setup, &w->store) == HV_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct vm_config config = {
        .name = "g", .memory = VM_MIN_MEMORY, .vcpus = 1, .bootargs = ""};
    /* With it all sectors that steps come by can be there; without it not. */
    const struct flash_setup setup = {.image = {{data, size}},
                                      .quota = size % 2 != 0 ? size + MIB(3) : 0};
    struct world w = {.in = {data, size}};
    uint64_t free_pages;

    if (size > FLASH_BANK_SIZE)
        return 0;
    set_up(&w, &config, &setup);
    free_pages = page_pool_free_pages(&w.hv->pool) + w.store->account.used;
    bool plain = (fuzz_take(&w.in, 1) & 7) == 0;
    FUZZ_ASSERT(cfi_flash_init(&w.flash, w.vm, 0, plain ? NULL : w.store) == HV_OK);
    for (unsigned i = 0; i < STEPS && w.in.left > 0; i++)
        step(&w);
    page_pool_fail_nth(&w.hv->pool, 0);
    FUZZ_ASSERT(s2_unmap(&w.vm->s2, ipa(0), MACHINE_FLASH_SIZE) == HV_OK);
    FUZZ_ASSERT(page_pool_free_pages(&w.hv->pool) + w.store->account.used == free_pages);
    vm_destroy(w.vm);
    flash_store_destroy(w.store);
    FUZZ_ASSERT(w.hv->account.used == 0);
    free(w.hv);
    return 0;
}
