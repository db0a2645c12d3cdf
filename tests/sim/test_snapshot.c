/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#define _GNU_SOURCE 1
#include "cases.h"
#include "prng.h"
#include "snapshot_cases.h"

/* Saves, begins a new machine, loads, and compares each byte. */
static void expect_round_trip(void)
{
    const char *path = save();
    uint8_t *ram = malloc(RAM_SIZE);
    uint8_t *state = malloc(FAKE_STATE_SIZE);
    struct snapshot_file *file;

    memcpy(ram, machine.ram, RAM_SIZE);
    memcpy(state, machine.state, FAKE_STATE_SIZE);
    fake_machine_end(&machine);
    machine = fake_machine_make(RAM_SIZE);
    file = snapshot_open(path, reason);
    cr_assert_not_null(file, "%s", reason);
    cr_assert(snapshot_load(file, &machine, reason), "%s", reason);
    cr_expect_eq(machine.frozen, 1);
    cr_expect_eq(machine.thawed, 1);
    cr_expect_eq(memcmp(ram, machine.ram, RAM_SIZE), 0);
    cr_expect_eq(memcmp(state, machine.state, FAKE_STATE_SIZE), 0);
    snapshot_close(file);
    free(ram);
    free(state);
}

static void fill_random(uint8_t *page, uint64_t *seed)
{
    for (size_t i = 0; i < PAGE_SIZE; i += 8)
        le_put(page + i, prng_next(seed), 8);
}

/* --- What comes back --------------------------------------------------------------------------*/

CASE(snapshot, nothing_but_zero)
{
    struct scratch_bytes file = scratch_read(save());

    cr_expect_eq(file.size, SNAP_HEADER + SNAP_TRAILER);
    free(file.data);
    expect_round_trip();
}

CASE(snapshot, one_byte_at_each_end)
{
    machine.ram[0] = 1;
    machine.ram[RAM_SIZE - 1] = 2;
    machine.ram[3 * PAGE_SIZE + PAGE_SIZE - 1] = 3;
    machine.state[0] = 4;
    machine.state[FAKE_STATE_SIZE - 1] = 5;
    expect_round_trip();
}

/* Noise, which LZ4 cannot make smaller, and text, which it can, all over. */
CASE(snapshot, full)
{
    uint64_t seed = 3;

    for (uint64_t at = 0; at < RAM_SIZE; at += PAGE_SIZE) {
        if (at % MIB(1) < KIB(512))
            fill_random(machine.ram + at, &seed);
        else
            memset(machine.ram + at, (int)(at >> 12) | 1, PAGE_SIZE);
    }
    memset(machine.state, 7, FAKE_STATE_SIZE);
    expect_round_trip();
}

/* Random pages in random runs, against a plain copy. */
CASE(snapshot, random_pages)
{
    uint64_t seed = 11;

    for (unsigned round = 0; round < 12; round++) {
        uint64_t density = 1 + prng_next(&seed) % 20;
        for (uint64_t at = 0; at < RAM_SIZE;) {
            uint64_t run = (1 + prng_next(&seed) % 40) * PAGE_SIZE;
            bool zero = prng_next(&seed) % 20 < density;
            for (; run > 0 && at < RAM_SIZE; run -= PAGE_SIZE, at += PAGE_SIZE) {
                memset(machine.ram + at, 0, PAGE_SIZE);
                if (!zero)
                    machine.ram[at + prng_next(&seed) % PAGE_SIZE] = (uint8_t)prng_next(&seed);
            }
        }
        machine.state[prng_next(&seed) % FAKE_STATE_SIZE] ^= 1;
        expect_round_trip();
    }
}

/* Of the sanitizer's run time, where there is one. */
void __asan_poison_memory_region(const volatile void *base, size_t size) __attribute__((weak));

static void guard(void)
{
    if (__asan_poison_memory_region == NULL)
        return;
    __asan_poison_memory_region(machine.state + 100, 32);
    __asan_poison_memory_region(machine.state + PAGE_SIZE - 32, 32);
    __asan_poison_memory_region(machine.state + FAKE_STATE_SIZE - 40, 32);
}

/* Stacks on which somebody is suspended are read and written as what they are, bytes. */
CASE(snapshot, memory_that_a_sanitizer_guards)
{
    struct snapshot_file *file;
    uint64_t seed = 13;

    for (unsigned noise = 0; noise < 2; noise++) {
        machine.state[0] = 1;
        if (noise)
            for (uint64_t at = 0; at < FAKE_STATE_SIZE; at += PAGE_SIZE)
                fill_random(machine.state + at, &seed);
        guard();
        file = snapshot_open(save(), reason);
        cr_assert_not_null(file, "%s", reason);
        guard();
        cr_expect(snapshot_load(file, &machine, reason), "%s", reason);
        snapshot_close(file);
    }
}

CASE(snapshot, meta)
{
    const struct snapshot_meta *got;
    struct snapshot_file *file;

    meta.config.ctx = &machine;
    meta.run_size = SNAPSHOT_RUN_MAX;
    memset(meta.run, 0x6e, SNAPSHOT_RUN_MAX);
    file = snapshot_open(save(), reason);
    cr_assert_not_null(file, "%s", reason);
    got = snapshot_meta(file);
    cr_expect_eq(got->config.ram_size, RAM_SIZE);
    cr_expect_eq(got->config.nr_cpus, 2);
    cr_expect_eq(got->config.cpu_model, SIM_CPU_MAX);
    cr_expect_eq(got->config.seed, 0x123456789abcdef0);
    cr_expect_eq(got->config.dtb.v, SIM_RAM_BASE + SIM_IMAGE_SIZE);
    cr_expect_null(got->config.ctx);
    cr_expect(got->config.trace == NULL && got->config.console_write == NULL);
    cr_expect(got->traced);
    cr_expect_eq(got->run_size, SNAPSHOT_RUN_MAX);
    cr_expect_arr_eq(got->run, meta.run, SNAPSHOT_RUN_MAX);
    snapshot_close(file);
    snapshot_close(NULL);
}

static void digest_now(uint8_t out[SNAPSHOT_DIGEST_SIZE])
{
    struct snapshot_file *file = snapshot_open(save(), reason);

    cr_assert_not_null(file, "%s", reason);
    snapshot_digest(file, out);
    snapshot_close(file);
}

CASE(snapshot, the_digest_names_the_content)
{
    uint8_t digest[5][SNAPSHOT_DIGEST_SIZE];

    digest_now(digest[0]);
    digest_now(digest[1]);
    cr_expect_arr_eq(digest[0], digest[1], SNAPSHOT_DIGEST_SIZE);
    machine.ram[RAM_SIZE / 2] = 1;
    digest_now(digest[1]);
    machine.ram[RAM_SIZE / 2] = 2;
    digest_now(digest[2]);
    meta.run[4]++;
    digest_now(digest[3]);
    meta.config.seed++;
    digest_now(digest[4]);
    for (unsigned i = 0; i < 5; i++)
        for (unsigned j = 0; j < i; j++)
            cr_expect_arr_neq(digest[i], digest[j], SNAPSHOT_DIGEST_SIZE);
}

/* --- How it is stored -------------------------------------------------------------------------*/

CASE(snapshot, chunks_leave_out_runs_of_zero_pages)
{
    static const struct {
        uint64_t page;
        uint64_t pages;
    } chunks[] = {{16, 64}, {80, 6}, {200, 1}, {209, 9}};
    struct scratch_bytes file;
    size_t nr_chunks = 0;
    size_t table;

    memset(machine.ram + 16 * PAGE_SIZE, 1, 70 * PAGE_SIZE); /* more than a chunk holds */
    machine.ram[200 * PAGE_SIZE] = 1;
    machine.ram[209 * PAGE_SIZE] = 1; /* behind eight zero pages */
    machine.ram[217 * PAGE_SIZE] = 1; /* behind seven */
    file = scratch_read(save());
    table = snap_table(file.data, file.size, &nr_chunks);
    cr_assert_eq(nr_chunks, 4);
    for (size_t i = 0; i < 4; i++) {
        const uint8_t *chunk = file.data + table + i * SNAP_CHUNK;
        cr_expect_eq(le_get(chunk, 8), chunks[i].page * PAGE_SIZE);
        cr_expect_eq(le_get(chunk + SNAP_CHUNK_REGION, 4), 1);
        cr_expect_eq(le_get(chunk + SNAP_CHUNK_LEN, 4), chunks[i].pages * PAGE_SIZE);
    }
    cr_expect_lt(file.size, SNAP_HEADER + 4 * 2000);
    free(file.data);
    expect_round_trip();
}

/* What LZ4 would make larger is stored as it is. */
CASE(snapshot, noise_does_not_grow)
{
    struct scratch_bytes file;
    uint64_t seed = 5;

    for (uint64_t at = 0; at < MIB(1); at += PAGE_SIZE)
        fill_random(machine.ram + at, &seed);
    file = scratch_read(save());
    cr_expect_eq(file.size, SNAP_HEADER + MIB(1) + 4 * SNAP_CHUNK + SNAP_TRAILER);
    free(file.data);
    expect_round_trip();
}

CASE(snapshot, the_old_file_is_kept_on_failure)
{
    const char *path = scratch_path("old");

    scratch_write(path, "old", 3);
    meta.run_size = SNAPSHOT_RUN_MAX + 1;
    cr_expect_not(snapshot_save(path, &machine, &meta, reason));
    cr_expect_not_null(strstr(reason, "too large"), "%s", reason);
    scratch_expect(path, "old");
    cr_expect_eq(scratch_count(), 1);
    meta.run_size = 0;
    cr_expect_not(snapshot_save("/nowhere/at/all", &machine, &meta, reason));
    cr_expect_not_null(strstr(reason, "/nowhere/at/all"), "%s", reason);
    for (unsigned full = 0; full < 2; full++) { /* little and much: a buffer may hide little */
        cr_expect_not(snapshot_save("/dev/full", &machine, &meta, reason));
        cr_expect_not_null(strstr(reason, "/dev/full"), "%s", reason);
        for (size_t i = 0; i < RAM_SIZE; i++)
            machine.ram[i] = (uint8_t)(i * i >> 7);
    }
}

CASES_RUN(snapshot, setup, finish)
