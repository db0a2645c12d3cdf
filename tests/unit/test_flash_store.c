/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "dev/flash_store.h"
#include "vm_fixture.h"

#define SECTOR UINT64_C(0x40000)

static struct fixture f;

static void setup(void)
{
    fixture_hv(&f, MIB(16), 1);
}

static void finish(void)
{
    fixture_end(&f);
}

static hv_err create(struct vm_blob first, struct vm_blob second, struct flash_store **out)
{
    return flash_store_create(f.hv, &(struct flash_setup){.image = {first, second}}, out);
}

static const struct vm_blob none = {NULL, 0};

CASE(flash_store, erased_costs_next_to_nothing)
{
    struct flash_store *store;
    uint8_t bytes[64];

    cr_assert_eq(create(none, none, &store), HV_OK);
    cr_expect_eq(store->account.used, 0);
    cr_expect_leq(f.hv->account.used, 3, "128 MiB of ones");
    flash_bank_read(&store->bank[1], 0x4000000 - sizeof(bytes), bytes, sizeof(bytes));
    for (size_t i = 0; i < sizeof(bytes); i++)
        cr_expect_eq(bytes[i], 0xff);
    flash_store_destroy(store);
}

CASE(flash_store, images_across_sectors)
{
    struct flash_store *store;
    unsigned char *image = calloc(1, 2 * SECTOR + 5);
    unsigned char *seen = calloc(1, 2 * SECTOR + 8);

    for (size_t i = 0; i < 2 * SECTOR + 5; i++)
        image[i] = (unsigned char)(i * 7 + i / 256);
    cr_assert_eq(create((struct vm_blob){image, 2 * SECTOR + 5}, none, &store), HV_OK);
    cr_expect_eq(store->account.used, 3 * 64);
    flash_bank_read(&store->bank[0], 0, seen, 2 * SECTOR + 8);
    cr_expect_arr_eq(seen, image, 2 * SECTOR + 5);
    cr_expect_eq(seen[2 * SECTOR + 5], 0xff);
    flash_bank_erase(&store->bank[0], SECTOR + 1);
    flash_bank_read(&store->bank[0], SECTOR - 2, seen, SECTOR + 4);
    cr_expect_arr_eq(seen, image + SECTOR - 2, 2);
    for (size_t i = 2; i < SECTOR + 2; i++)
        cr_assert_eq(seen[i], 0xff);
    cr_expect_arr_eq(seen + SECTOR + 2, image + 2 * SECTOR, 2);
    flash_store_destroy(store);
    free(image);
    free(seen);
}

CASE(flash_store, images_that_are_too_long)
{
    static const unsigned char byte;
    struct flash_store *store;

    cr_expect_eq(create((struct vm_blob){&byte, 0x4000001}, none, &store), HV_ERR_RANGE);
    cr_expect_eq(create(none, (struct vm_blob){&byte, UINT64_MAX}, &store), HV_ERR_RANGE);
}

CASE(flash_store, programming_across_sectors)
{
    static const uint8_t bits[4] = {0xf0, 0x0f, 0, 0xff};
    struct flash_store *store;
    uint8_t seen[4];

    cr_assert_eq(create(none, none, &store), HV_OK);
    cr_expect_eq(flash_bank_program(&store->bank[1], SECTOR - 1, bits, 4), HV_OK);
    flash_bank_read(&store->bank[1], SECTOR - 1, seen, 4);
    cr_expect_arr_eq(seen, bits, 4);
    cr_expect_eq(flash_bank_program(&store->bank[1], SECTOR - 2, bits, 4), HV_OK);
    flash_bank_read(&store->bank[1], SECTOR - 1, seen, 2);
    cr_expect_eq(seen[0], 0x00, "0xf0 and 0x0f");
    cr_expect_eq(seen[1], 0x00);
    flash_store_destroy(store);
}

/* Four sectors, of whichever bank. An erased one keeps its pages. */
CASE(flash_store, what_is_programmed_may_take_a_megabyte)
{
    static const uint8_t zero = 0, ones = 0xff;
    struct flash_store *store;

    cr_assert_eq(create((struct vm_blob){&zero, 1}, none, &store), HV_OK);
    cr_expect_eq(store->account.used, 64);
    for (uint64_t n = 1; n <= 4; n++)
        cr_expect_eq(flash_bank_program(&store->bank[n % 2], n * SECTOR, &zero, 1), HV_OK);
    cr_expect_eq(flash_bank_program(&store->bank[1], 9 * SECTOR, &zero, 1), HV_ERR_QUOTA);
    cr_expect_eq(flash_bank_program(&store->bank[1], 9 * SECTOR, &ones, 1), HV_OK, "costs nothing");
    flash_bank_erase(&store->bank[0], 2 * SECTOR);
    cr_expect_eq(flash_bank_program(&store->bank[1], 9 * SECTOR, &zero, 1), HV_ERR_QUOTA);
    cr_expect_eq(flash_bank_program(&store->bank[0], 2 * SECTOR, &zero, 1), HV_OK);
    flash_store_destroy(store);
}

CASE(flash_store, or_what_somebody_says)
{
    static const uint8_t zero = 0;
    struct flash_setup setup = {.image = {{&zero, 1}, {&zero, 1}}, .quota = 3 * SECTOR - 1};
    struct flash_store *store;

    cr_assert_eq(flash_store_create(f.hv, &setup, &store), HV_OK);
    cr_expect_eq(flash_bank_program(&store->bank[0], SECTOR, &zero, 1), HV_ERR_QUOTA);
    flash_store_destroy(store);
    setup.quota = 2 * SECTOR - 1;
    cr_expect_eq(flash_store_create(f.hv, &setup, &store), HV_ERR_QUOTA);
    cr_expect_eq(page_pool_free_pages(&f.hv->pool), f.free_pages);
    setup.quota = 3 * SECTOR;
    cr_assert_eq(flash_store_create(f.hv, &setup, &store), HV_OK);
    cr_expect_eq(flash_bank_program(&store->bank[0], SECTOR, &zero, 1), HV_OK);
    flash_store_destroy(store);
}

/* The first sector fits, the second one does not, and there are more. */
CASE(flash_store, images_larger_than_the_quota)
{
    static const uint8_t zeroes[4 * 0x40000];
    struct flash_setup setup = {.image = {{zeroes, sizeof(zeroes)}}, .quota = SECTOR};
    struct flash_store *store;

    cr_expect_eq(flash_store_create(f.hv, &setup, &store), HV_ERR_QUOTA);
    cr_expect_eq(page_pool_free_pages(&f.hv->pool), f.free_pages);
}

static unsigned turns;

static void count_turn(struct pcpu *pcpu)
{
    (void)pcpu;
    turns++;
}

/* 8 MiB are eight pieces to fill, and eight to give back. */
CASE(flash_store, others_have_their_turn)
{
    static uint8_t image[8 * 1024 * 1024];
    struct flash_store *store;

    f.hv->turn = count_turn;
    f.hv->pcpu[0].passes = 1;
    turns = 0;
    cr_assert_eq(create((struct vm_blob){image, sizeof(image)}, none, &store), HV_OK);
    cr_expect_eq(turns, 8);
    flash_store_destroy(store);
    cr_expect_eq(turns, 16);
    f.hv->turn = NULL;
}

CASE(flash_store, no_memory)
{
    static const unsigned char byte;
    struct flash_store *store;
    unsigned failures = 0;

    for (uint64_t n = 1;; n++) {
        page_pool_fail_nth(&f.hv->pool, n);
        hv_err err = create((struct vm_blob){&byte, 1}, (struct vm_blob){&byte, 1}, &store);
        if (err == HV_OK)
            break;
        cr_assert_eq(err, HV_ERR_NOMEM);
        cr_assert_eq(page_pool_free_pages(&f.hv->pool), f.free_pages);
        failures++;
    }
    page_pool_fail_nth(&f.hv->pool, 0);
    cr_expect_eq(failures, 4, "the struct, the page of ones, two sectors");
    flash_store_destroy(store);
}

CASES_RUN(flash_store, setup, finish)
