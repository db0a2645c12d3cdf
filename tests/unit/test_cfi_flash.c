/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The values are those of the 28F256P30's data sheet and of JESD68.01. */
#include "flash_fixture.h"

static const uint8_t image0[] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
static const uint8_t image1[] = {0xf0};

static void setup(void)
{
    flash_setup(
        &(struct flash_setup){.image = {{image0, sizeof(image0)}, {image1, sizeof(image1)}}});
}

CASE(cfi_flash, is_on_the_bus_and_reads_as_its_images)
{
    const struct mmio_region *region = mmio_bus_find(&f.vm->bus, ipa(0x7ffffff));

    cr_assert_neq(region, NULL);
    cr_expect_eq(region->base, 0);
    cr_expect_eq(region->size, 0x8000000);
    cr_expect_eq(flash_read(0, 1), 1);
    cr_expect_eq(flash_read(2, 2), 0x0403);
    cr_expect_eq(flash_read(4, 4), 0x08070605);
    cr_expect_eq(flash_read(0, 8), UINT64_C(0x0807060504030201));
    cr_expect_eq(flash_read(3, 4), 0x07060504, "memory has no alignment");
    cr_expect_eq(flash_read(8, 8), UINT64_C(0xffffffffffffff09));
    cr_expect_eq(flash_read(BANK1, 4), 0xfffffff0);
    cr_expect_eq(flash_read(0x40000 - 2, 4), 0xffffffff);
    cr_expect_eq(flash_read(2 * BANK1 - 8, 8), UINT64_MAX);
}

CASE(cfi_flash, unaligned_is_for_memory_only)
{
    struct mmio_access load = {.offset = BANK1 - 2, .size = 4};

    cr_expect(!cfi_flash_access(&flash, &load), "across the banks");
    load.offset = 2 * BANK1 - 1;
    load.size = 2;
    cr_expect(!cfi_flash_access(&flash, &load), "across the end");
    cr_expect(!flash_write(2, 0x90, 4));
    cr_expect(!flash_write(4, 0x90, 8));
    cr_expect_eq(r32(0), 0x04030201, "still an array");
    w32(0, 0x70);
    load.offset = 2;
    load.size = 4;
    cr_expect(!cfi_flash_access(&flash, &load));
    w32(0, 0xff);
    cr_expect(cfi_flash_access(&flash, &load));
}

CASE(cfi_flash, identifies_itself)
{
    w32(BANK1 + 0x100, 0x900090);
    cr_expect_eq(r32(BANK1), 0x00890089, "Intel");
    cr_expect_eq(r32(BANK1 + 4), 0x00180018);
    cr_expect_eq(r32(BANK1 + 8), 0, "not locked");
    cr_expect_eq(r32(BANK1 + 12), 0);
    cr_expect_eq(r32(BANK1 + 0x400), 0x00890089, "in any block of 256 words");
    cr_expect_eq(flash_read(BANK1, 8), UINT64_C(0x0018001800890089));
    cr_expect_eq(flash_read(BANK1, 2), 0x89);
    cr_expect_eq(flash_read(BANK1 + 2, 2), 0x89, "the other chip");
    cr_expect_eq(flash_read(BANK1 + 1, 1), 0);
    cr_expect_eq(r32(0), 0x04030201, "the other bank is in read array mode");
    w32(BANK1, 0xff00ff);
    cr_expect_eq(r32(BANK1), 0xfffffff0);
}

/* As bare QEMU 7.2's virt has it: tests/guest/programs/flash.c compares. */
CASE(cfi_flash, answers_queries)
{
    static const uint8_t expected[0x52] = {
        [0x10] = 'Q', 'R',  'Y',  0x01, 0x00, 0x31, 0x00, 0x00, 0x00, 0x00, 0x00, 0x45,
        0x55,         0x00, 0x00, 0x07, 0x07, 0x0a, 0x00, 0x04, 0x04, 0x04, 0x00, 0x19,
        0x02,         0x00, 0x0b, 0x00, 0x01, 0xff, 0x00, 0x00, 0x02, 'P',  'R',  'I',
        '1',          '0',  0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01,
    };

    w32(0x55 * 4, 0x98);
    for (uint32_t i = 0; i < 0x52; i++)
        cr_expect_eq(r32(i * 4), expected[i] | (uint32_t)expected[i] << 16, "word 0x%x", i);
    cr_expect_eq(r32(0x52 * 4), 0);
    cr_expect_eq(r32(0x3fffffc), 0);
    cr_expect_eq(flash_read(0x40, 1), 'Q');
    cr_expect_eq(flash_read(0x42, 1), 'Q', "the other chip");
    cr_expect_eq(flash_read(0x41, 1), 0, "a byte of its bus");
    cr_expect_eq(flash_read(0x40, 8), UINT64_C(0x0052005200510051));
    w32(0, 0x90);
    cr_expect_eq(r32(0), 0x00890089, "takes commands");
    w32(0, 0xf0);
    cr_expect_eq(r32(0), 0x04030201);
}

CASE(cfi_flash, programs_words_of_each_size)
{
    const uint64_t at = BANK1 + SECTOR;

    w32(at, 0x400040);
    cr_expect_eq(r32(BANK1), 0x00800080, "a read says the status");
    w32(at, 0x12345678);
    cr_expect_eq(r32(at), 0x00800080);
    cr_expect(flash_write(at, 0x10, 1));
    cr_expect(flash_write(at + 9, 0xab, 1));
    cr_expect(flash_write(at, 0x40, 1));
    cr_expect(flash_write(at + 14, 0xcdef, 2));
    cr_expect(flash_write(at + 24, UINT64_C(0x1122334400000040), 8), "two cycles");
    w32(0, 0xff);
    cr_expect_eq(r32(at), 0x00800080, "that was the other bank");
    w32(at, 0xff);
    cr_expect_eq(r32(at), 0x12345678);
    cr_expect_eq(r32(at + 8), 0xffffabff);
    cr_expect_eq(r32(at + 12), 0xcdefffff);
    cr_expect_eq(flash_read(at + 24, 8), UINT64_C(0x11223344ffffffff));
    w32(at, 0x40);
    w32(at, 0xffff00ff);
    w32(at, 0xff);
    cr_expect_eq(r32(at), 0x12340078, "bits are cleared only");
}

CASE(cfi_flash, erases_a_sector)
{
    w32(SECTOR - 4, 0x40);
    w32(SECTOR - 4, 0);
    w32(SECTOR, 0x40);
    w32(SECTOR, 0);
    w32(0x100, 0x20);
    cr_expect_eq(r32(0), 0x00800080);
    w32(0x20000, 0xd0);
    cr_expect_eq(r32(0), 0x00800080);
    w32(0, 0xff);
    cr_expect_eq(r32(0), 0xffffffff);
    cr_expect_eq(r32(SECTOR - 4), 0xffffffff);
    cr_expect_eq(r32(SECTOR), 0);
    cr_expect_eq(flash_read(BANK1, 1), 0xf0);
    w32(5 * SECTOR, 0x20);
    w32(5 * SECTOR, 0xd0);
    cr_expect_eq(r32(0), 0x00800080, "one that is erased already");
}

static void buffer(uint64_t at, uint32_t words, uint32_t first)
{
    w32(at, 0xe8);
    cr_assert_eq(r32(at), 0x00800080, "there is always a buffer free");
    w32(at, (words - 1) * 0x10001);
    for (uint32_t i = 0; i < words; i++)
        w32(at + i * 4, first + i);
}

CASE(cfi_flash, programs_a_buffer)
{
    const uint64_t at = BANK1 + 3 * SECTOR - 0x1000;

    buffer(at + 0x80, 32, 0x1000);
    w32(BANK1, 0xd0);
    cr_expect_eq(r32(BANK1), 0x00800080);
    buffer(at + 0x1000, 1024, 0);
    w32(BANK1, 0xd0);
    w32(BANK1, 0xff);
    cr_expect_eq(r32(at + 0x7c), 0xffffffff);
    for (uint32_t i = 0; i < 32; i++)
        cr_assert_eq(r32(at + 0x80 + i * 4), 0x1000 + i);
    cr_expect_eq(r32(at + 0x100), 0xffffffff);
    for (uint32_t i = 0; i < 1024; i++)
        cr_assert_eq(r32(at + 0x1000 + i * 4), i);
    /* In any order, any size; what is not written stays. */
    w32(at, 0xe8);
    w32(at, 1);
    cr_expect(flash_write(at + 6, 0x77, 1));
    cr_expect(flash_write(at + 2, 0x5566, 2));
    w32(at, 0xd0);
    w32(at, 0xff);
    cr_expect_eq(flash_read(at, 8), UINT64_C(0xff77ffff5566ffff));
}

CASE(cfi_flash, a_buffer_is_nothing_before_it_is_confirmed)
{
    buffer(BANK1 + SECTOR, 4, 0);
    w32(BANK1 + SECTOR, 0xff);
    cr_expect_eq(r32(BANK1), 0x00b000b0, "SR.4 and SR.5: command sequence error");
    w32(BANK1, 0x50);
    cr_expect_eq(r32(BANK1 + SECTOR), 0xffffffff, "clear status ends in read array mode");
    w32(BANK1, 0x70);
    cr_expect_eq(r32(BANK1), 0x00800080);
}

CASE(cfi_flash, wrong_sequences)
{
    static const struct {
        uint32_t writes[4];
        uint32_t at[4];
        unsigned count;
    } rows[] = {
        {{0x20, 0xff}, {0}, 2},                  /* erase, not confirmed */
        {{0x20, 0x20}, {0}, 2},                  /* nor so */
        {{0x60, 0x2f}, {0}, 2},                  /* lock-down, which there is not */
        {{0xe8, 0x1000}, {0}, 2},                /* more than a buffer holds */
        {{0xe8, 0xffff}, {0}, 2},                /* much more */
        {{0xe8, 1, 7, 7}, {0, 0, 0, 0x1000}, 4}, /* leaves the buffer */
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        for (unsigned k = 0; k < rows[i].count; k++)
            w32(BANK1 + rows[i].at[k], rows[i].writes[k]);
        cr_expect_eq(r32(BANK1), 0x00b000b0, "row %zu", i);
        w32(BANK1, 0x50);
        cr_expect_eq(r32(BANK1), 0xfffffff0, "row %zu", i);
    }
    for (uint32_t command = 0; command < 0x100; command++) {
        static const uint8_t known[] = {0x10, 0x20, 0x40, 0x60, 0x70, 0x90, 0x98, 0xe8};
        if (memchr(known, (int)command, sizeof(known)) != NULL)
            continue;
        w32(BANK1, 0x90);
        w32(BANK1, command);
        cr_assert_eq(r32(BANK1), 0xfffffff0, "%x: what is no command reads the array", command);
    }
}

CASE(cfi_flash, blocks_can_be_locked)
{
    w32(BANK1 + SECTOR, 0x60);
    cr_expect_eq(r32(BANK1), 0x00800080);
    w32(BANK1 + SECTOR, 0x01);
    cr_expect_eq(r32(BANK1), 0x00800080);
    w32(BANK1, 0x90);
    cr_expect_eq(r32(BANK1 + SECTOR + 8), 0x00010001);
    cr_expect_eq(r32(BANK1 + 8), 0);
    cr_expect_eq(r32(BANK1 + 2 * SECTOR + 8), 0);
    cr_expect_eq(r32(BANK1 + 65 * SECTOR + 8), 0);
    w32(BANK1 + SECTOR, 0x20);
    w32(BANK1 + SECTOR, 0xd0);
    cr_expect_eq(r32(BANK1), 0x00a200a2, "SR.5 and SR.1");
    w32(BANK1, 0x50);
    w32(BANK1 + SECTOR, 0x40);
    w32(BANK1 + SECTOR, 0);
    cr_expect_eq(r32(BANK1), 0x00920092, "SR.4 and SR.1");
    w32(BANK1, 0x50);
    buffer(BANK1 + SECTOR, 2, 0);
    w32(BANK1, 0xd0);
    cr_expect_eq(r32(BANK1), 0x00920092);
    w32(BANK1, 0xff);
    cr_expect_eq(r32(BANK1 + SECTOR), 0xffffffff);
    w32(BANK1 + SECTOR, 0x60);
    w32(BANK1 + SECTOR, 0xd0);
    w32(BANK1, 0x50);
    w32(BANK1 + SECTOR, 0x40);
    w32(BANK1 + SECTOR, 0);
    cr_expect_eq(r32(BANK1), 0x00800080);
}

/* --- As memory --- */

CASE(cfi_flash, a_load_maps_its_sector)
{
    uint64_t pages;

    cr_expect_eq(flash_mapped(0), 0, "nobody has come by yet");
    cr_expect_eq(r32(4), 0x08070605);
    pages = flash_mapped(0);
    cr_assert_neq(pages, 0);
    for (uint64_t at = 0; at < SECTOR; at += 0x1000)
        cr_assert_eq(flash_mapped(at), pages + at);
    cr_expect_eq(flash_mapped(SECTOR), 0);
    cr_expect_eq(flash_mapped(BANK1), 0);
    cr_expect_eq(*(const uint32_t *)hal_phys_map(pa(pages), 4), 0x04030201);
    fakehal()->unmaps++;
    cr_expect_eq(r32(4), 0x08070605, "and once more, by another vCPU");
}

CASE(cfi_flash, an_erased_page_is_one_for_all)
{
    cr_expect_eq(r32(SECTOR + 0x1000), 0xffffffff);
    cr_expect_eq(r32(BANK1 + SECTOR), 0xffffffff);
    cr_expect_neq(flash_mapped(SECTOR + 0x1000), 0);
    cr_expect_eq(flash_mapped(SECTOR + 0x1000), flash_mapped(BANK1 + SECTOR));
    cr_expect_eq(flash_mapped(SECTOR), 0, "its neighbour, when somebody comes by");
    cr_expect_eq(flash_mapped(SECTOR + 0x2000), 0);
}

CASE(cfi_flash, a_command_takes_it_away)
{
    static const uint8_t commands[] = {0x10, 0x20, 0x40, 0x60, 0x70, 0x90, 0x98, 0xe8};

    for (size_t i = 0; i < sizeof(commands); i++) {
        (void)r32(0);
        (void)r32(BANK1);
        (void)r32(BANK1 + 7 * SECTOR);
        cr_assert_neq(flash_mapped(BANK1), 0);
        w32(BANK1 + 8, commands[i]);
        cr_expect_eq(flash_mapped(BANK1), 0, "%x", commands[i]);
        cr_expect_eq(flash_mapped(BANK1 + 7 * SECTOR), 0, "%x", commands[i]);
        cr_expect_neq(flash_mapped(0), 0, "%x: the other bank", commands[i]);
        (void)r32(BANK1);
        cr_expect(!cfi_flash_map(&flash, BANK1), "%x", commands[i]);
        cr_expect_eq(flash_mapped(BANK1), 0, "%x", commands[i]);
        cr_expect(cfi_flash_map(&flash, 0));
        w32(BANK1, commands[i] == 0x10 || commands[i] == 0x40 ? 0xffffffff : 0xd0);
        w32(BANK1, 0xff);
        w32(BANK1, 0xff);
        w32(BANK1, 0x50);
    }
}

CASE(cfi_flash, a_command_that_changes_nothing_leaves_it)
{
    (void)r32(BANK1);
    w32(BANK1, 0xff);
    w32(BANK1, 0x84); /* no command */
    w32(BANK1, 0x50);
    cr_expect_neq(flash_mapped(BANK1), 0);
}

/* What the guest sees is what was programmed, with its caches off, and as instructions. */
CASE(cfi_flash, what_is_mapped_is_clean)
{
    uint64_t pages;
    unsigned cleaned = 0;

    w32(SECTOR, 0x40);
    w32(SECTOR, 0x1234);
    w32(SECTOR, 0xff);
    cr_expect(cfi_flash_map(&flash, SECTOR + 0x3123));
    pages = flash_mapped(SECTOR);
    cr_assert_neq(pages, 0);
    for (uint64_t i = 0; i < fakehal()->log_len; i++) {
        const struct fakehal_record *record = fakehal_log(i);
        if (record->kind == FAKEHAL_CACHE_OP && record->addr == pages && record->len == SECTOR)
            cleaned |= 1u << record->op;
    }
    cr_expect_eq(cleaned, 1u << HAL_CACHE_CLEAN_INV | 1u << HAL_CACHE_SYNC_ICACHE);
    fakehal_log_clear();
    w32(SECTOR, 0x70);
    w32(SECTOR, 0xff);
    cr_expect(cfi_flash_map(&flash, SECTOR));
    for (uint64_t i = 0; i < fakehal()->log_len; i++)
        cr_expect_neq(fakehal_log(i)->kind, FAKEHAL_CACHE_OP, "once is enough");
}

CASE(cfi_flash, no_memory_for_tables)
{
    page_pool_fail_nth(&f.hv->pool, 1);
    cr_expect_eq(r32(4), 0x08070605, "a load is answered all the same");
    cr_expect_eq(flash_mapped(4), 0);
    page_pool_fail_nth(&f.hv->pool, 1);
    cr_expect(!cfi_flash_map(&flash, 4));
    cr_expect(cfi_flash_map(&flash, 4));
}

CASE(cfi_flash, no_memory_for_a_sector)
{
    page_pool_fail_nth(&f.hv->pool, 1);
    w32(SECTOR, 0x40);
    w32(SECTOR, 0);
    cr_expect_eq(r32(0), 0x00900090, "SR.4: program error");
    w32(0, 0x50);
    w32(SECTOR, 0x40);
    w32(SECTOR, UINT32_MAX);
    cr_expect_eq(r32(0), 0x00800080);
    cr_expect_eq(store->bank[0].sector[1].v, 0, "ones take no pages");
    page_pool_fail_nth(&f.hv->pool, 0);
}

static unsigned lines_of(const char *text)
{
    unsigned count = 0;

    for (const char *at = fakehal()->out; at != NULL && (at = strstr(at, text)) != NULL; at++)
        count++;
    return count;
}

CASE(cfi_flash, a_quota_that_is_used_up_is_said_once)
{
    static const char words[] =
        "warn dev: g: flash: no memory for what is programmed: its quota is used up";

    for (uint64_t n = 8; n < 12; n++) {
        w32(n * SECTOR, 0x40);
        w32(n * SECTOR, 0);
        cr_assert_eq(r32(0), 0x00800080);
    }
    for (uint64_t n = 12; n < 15; n++) {
        w32(n * SECTOR, 0x40);
        w32(n * SECTOR, 0);
        cr_assert_eq(r32(0), 0x00900090);
    }
    cr_expect_eq(lines_of(words), 1, "%s", fakehal()->out);
    w32(0, 0x50);
    w32(8 * SECTOR, 0x40);
    w32(8 * SECTOR, 0);
    cr_expect_eq(r32(0), 0x00800080, "what it has can be programmed on");
}

/* Flash of which the bundle says nothing. */
CASE(cfi_flash, that_holds_nothing)
{
    f.vm->bus.count = 0;
    cr_assert_eq(cfi_flash_init(&flash, f.vm, 0, NULL), HV_OK);
    cr_expect_eq(r32(0), 0xffffffff);
    cr_expect_eq(flash_read(BANK1 + 8, 8), UINT64_MAX);
    cr_expect_not(cfi_flash_map(&flash, BANK1));
    w32(BANK1, 0x40);
    w32(BANK1, 0);
    cr_expect_eq(r32(BANK1), 0x00920092, "protected");
    w32(BANK1, 0x50);
    w32(BANK1, 0x20);
    w32(BANK1, 0xd0);
    cr_expect_eq(r32(BANK1), 0x00a200a2);
}

CASE(cfi_flash, contents_survive_the_chips)
{
    w32(BANK1 + SECTOR, 0x40);
    w32(BANK1 + SECTOR, 42);
    w32(BANK1, 0x60);
    w32(BANK1, 0x01);
    fixture_destroy(&f, f.vm);
    fixture_create(&f, 1);
    cr_assert_eq(cfi_flash_init(&flash, f.vm, 0, store), HV_OK);
    cr_expect_eq(r32(BANK1 + SECTOR), 42, "in read array mode again");
    w32(BANK1, 0x90);
    cr_expect_eq(r32(BANK1 + 8), 0, "no lock");
}

CASES_RUN(cfi_flash, setup, flash_finish)
