/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Random accesses to a bank against a naive model of it: an array of bytes and the mode as the data
 * sheet tells it, for a few sectors of which the last is at the bank's end.
 */
#include "flash_fixture.h"
#include "prng.h"

#define STEPS   60000u
#define WINDOW  UINT64_C(0x2000) /* at the start of each sector that takes part */
#define WINDOWS 4u

static const uint64_t places[WINDOWS] = {0, SECTOR, 2 * SECTOR, BANK1 - SECTOR};

enum { ARRAY, STATUS, ID, QUERY, PROGRAM, ERASE, LOCK, COUNT, DATA, CONFIRM };

static struct {
    uint8_t bytes[WINDOWS][WINDOW];
    bool locked[WINDOWS];
    uint8_t status;
    int mode;
    uint32_t left;
    bool placed;
    unsigned window; /* of the buffer */
    uint64_t at;     /* in it */
    uint8_t buffer[0x1000];
} model;

static void setup(void)
{
    flash_setup(&(struct flash_setup){.quota = 0});
    memset(&model, 0, sizeof(model));
    memset(model.bytes, 0xff, sizeof(model.bytes));
    model.status = 0x80;
}

static void done(uint8_t errors)
{
    model.status |= errors;
    model.mode = STATUS;
}

static void model_command(uint8_t command)
{
    static const struct {
        uint8_t command;
        int mode;
    } rows[] = {{0x10, PROGRAM}, {0x40, PROGRAM}, {0x20, ERASE}, {0x60, LOCK},
                {0x70, STATUS},  {0x90, ID},      {0x98, QUERY}, {0xe8, COUNT}};

    model.mode = ARRAY;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (rows[i].command == command)
            model.mode = rows[i].mode;
    if (command == 0x50)
        model.status = 0x80;
}

static void model_program(unsigned window, uint64_t at, const uint8_t *from, uint64_t len)
{
    if (model.locked[window]) {
        done(0x12);
        return;
    }
    for (uint64_t i = 0; i < len; i++)
        model.bytes[window][at + i] &= from[i];
    done(0);
}

static void model_data(unsigned window, uint64_t at, uint32_t value, unsigned size)
{
    if (!model.placed) {
        model.placed = true;
        model.window = window;
        model.at = at / 0x1000 * 0x1000;
    }
    if (window != model.window || at / 0x1000 * 0x1000 != model.at) {
        done(0x30);
        return;
    }
    for (unsigned i = 0; i < size; i++)
        model.buffer[at - model.at + i] = (uint8_t)(value >> (8 * i));
    if (model.left-- == 0)
        model.mode = CONFIRM;
}

static void model_write(unsigned window, uint64_t at, uint32_t value, unsigned size)
{
    uint8_t bytes[4] = {(uint8_t)value, (uint8_t)(value >> 8), (uint8_t)(value >> 16),
                        (uint8_t)(value >> 24)};
    uint8_t low = (uint8_t)value;

    switch (model.mode) {
    case PROGRAM:
        model_program(window, at, bytes, size);
        break;
    case ERASE:
        if (low == 0xd0 && !model.locked[window])
            memset(model.bytes[window], 0xff, WINDOW);
        done(low != 0xd0 ? 0x30 : model.locked[window] ? 0x22 : 0);
        break;
    case LOCK:
        if (low == 0x01 || low == 0xd0)
            model.locked[window] = low == 0x01;
        done(low == 0x01 || low == 0xd0 ? 0 : 0x30);
        break;
    case COUNT:
        model.left = value & 0xffff;
        model.placed = false;
        memset(model.buffer, 0xff, sizeof(model.buffer));
        model.mode = DATA;
        if (model.left >= 0x1000)
            done(0x30);
        break;
    case DATA:
        model_data(window, at, value, size);
        break;
    case CONFIRM:
        if (low == 0xd0)
            model_program(model.window, model.at, model.buffer, 0x1000);
        else
            done(0x30);
        break;
    default:
        model_command(low);
    }
}

static uint64_t model_read(unsigned window, uint64_t at, unsigned size)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < size; i++) {
        uint64_t byte = model.status;
        if (model.mode == ARRAY)
            byte = model.bytes[window][at + i];
        else if ((at + i) % 2 != 0)
            byte = 0;
        value |= byte << (8 * i);
    }
    return value;
}

static uint64_t seed = 20261121;

/* Commands that get somewhere, most of the time. */
static uint32_t pick_value(void)
{
    static const uint32_t likely[] = {0x20, 0xd0, 0x40, 0x10, 0xe8, 0x60, 0x01, 0x50,
                                      0x70, 0xff, 3,    0,    0xd0, 0xff, 0xe8, 0xff00ff};
    uint64_t word = prng_next(&seed);

    return (word & 3) != 0 ? likely[(word >> 8) % 16] : (uint32_t)(word >> 16);
}

static void step(void)
{
    uint64_t word = prng_next(&seed);
    unsigned window = (unsigned)(word % WINDOWS);
    uint8_t size = (uint8_t)(1u << (word >> 8) % 4);
    uint64_t at = (word >> 16) % WINDOW / 8 * 8 + (word >> 40) % 8 / size * size;
    bool knows = model.mode != ID && model.mode != QUERY;

    if (model.mode == DATA && (word >> 50) % 16 != 0 && model.placed) {
        window = model.window;
        at = model.at + at % 0x1000;
    }
    if ((word >> 60) < 8 && knows) {
        uint64_t expected = model_read(window, at, size);
        uint64_t got = flash_read(places[window] + at, size);
        cr_assert_eq(got, expected, "mode %d, %llx, %u: %llx", model.mode, (unsigned long long)at,
                     size, (unsigned long long)got);
        return;
    }
    uint64_t value = pick_value() | (uint64_t)pick_value() << 32;
    cr_assert(flash_write(places[window] + at, value, size));
    for (unsigned i = 0; i < size; i += 4) {
        uint32_t part = (uint32_t)(value >> (8 * i));
        if (size < 4)
            part &= UINT32_MAX >> (32 - 8 * size);
        model_write(window, at + i, part, size < 4 ? size : 4);
    }
}

/* What stage 2 shows is what the array holds. */
static void compare_memory(void)
{
    for (unsigned window = 0; window < WINDOWS; window++) {
        uint64_t pages;
        cr_assert_eq(cfi_flash_map(&flash, places[window]), model.mode == ARRAY);
        pages = flash_mapped(places[window]);
        cr_assert_eq(pages != 0, model.mode == ARRAY);
        if (pages == 0)
            continue;
        cr_assert_arr_eq(hal_phys_map(pa(pages), 0x1000), model.bytes[window], 0x1000);
        fakehal()->unmaps++;
    }
}

CASE(flash_model, any_accesses)
{
    unsigned programmed = 0;

    for (unsigned i = 0; i < STEPS; i++) {
        step();
        if (i % 50 == 0)
            compare_memory();
    }
    for (unsigned window = 0; window < WINDOWS; window++)
        for (uint64_t at = 0; at < WINDOW; at++)
            programmed += model.bytes[window][at] != 0xff;
    cr_expect_gt(programmed, 100, "it was worth the while: %u", programmed);
}

CASES_RUN(flash_model, setup, flash_finish)
