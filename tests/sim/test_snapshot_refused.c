/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#define _GNU_SOURCE 1
#include "cases.h"
#include "prng.h"
#include "snapshot_cases.h"
#include <unistd.h>

static void expect_refused(const char *path, const char *word)
{
    struct snapshot_file *file;

    reason[0] = '\0';
    file = snapshot_open(path, reason);
    cr_expect_null(file, "%s was accepted, expected: %s", path, word);
    cr_expect_not_null(strstr(reason, word), "\"%s\" has no \"%s\"", reason, word);
    cr_expect_lt(strlen(reason), SNAPSHOT_REASON_MAX);
    snapshot_close(file);
}

/* --- Files that are refused -------------------------------------------------------------------*/

/* Two chunks in RAM and one in the state. */
static const char *save_small(void)
{
    machine.state[PAGE_SIZE] = 1;
    machine.ram[0] = 2;
    machine.ram[MIB(4)] = 3;
    return save();
}

CASE(snapshot_refused, cut_off_anywhere)
{
    const char *path = save_small();
    struct scratch_bytes file = scratch_read(path);

    for (size_t size = file.size; size-- > 0;) {
        cr_assert_eq(truncate(path, (off_t)size), 0);
        expect_refused(path, path);
    }
    scratch_write(path, file.data, file.size);
    cr_assert_eq(truncate(path, (off_t)file.size + 1), 0);
    expect_refused(path, "cut off");
    free(file.data);
}

CASE(snapshot_refused, each_damaged_byte)
{
    struct scratch_bytes file = scratch_read(save_small());
    const char *path = scratch_path("damaged");

    for (size_t i = 0; i < file.size; i++) {
        if (i > SNAP_RUN + 64 && i < SNAP_HEADER_SUM - 64) /* all alike */
            continue;
        file.data[i] ^= 0x10;
        scratch_write(path, file.data, file.size);
        expect_refused(path, path);
        file.data[i] ^= 0x10;
    }
    scratch_write(path, file.data, file.size);
    snapshot_close(snapshot_open(path, reason));
    free(file.data);
}

CASE(snapshot_refused, of_another_build)
{
    const char *path = save_small();

    fake_build_id = 2;
    expect_refused(path, "another build");
}

CASE(snapshot_refused, no_snapshot_at_all)
{
    expect_refused("/nowhere/at/all", "/nowhere/at/all");
    expect_refused("/", "not a regular file");
    expect_refused("/dev/zero", "not a regular file");
    scratch_write(scratch_path("text"), "HALRECRD", 8);
    expect_refused(scratch_path("text"), "not a snapshot");
    scratch_write(scratch_path("text"), "HALSNAPS", 8);
    expect_refused(scratch_path("text"), "cut off");
    cr_assert_eq(truncate(scratch_path("text"), (off_t)(UINT64_C(1) << 40)), 0);
    expect_refused(scratch_path("text"), "another version");
}

enum edited { IN_HEADER, IN_TRAILER, IN_CHUNK0, IN_CHUNK1, IN_CHUNK2 };

/* Changes with all sums right, so that what is behind them is reached. */
static const struct edit {
    enum edited part;
    size_t at;
    size_t bytes;
    uint64_t value;
    const char *word;
} edits[] = {
    {IN_HEADER, SNAP_VERSION, 4, 2, "another version"},
    {IN_HEADER, SNAP_NR_REGIONS, 4, 0, "no regions"},
    {IN_HEADER, SNAP_NR_REGIONS, 4, 3, "a region of memory is none"},
    {IN_HEADER, SNAP_NR_REGIONS, 4, SIM_REGIONS_MAX + 1, "no regions"},
    {IN_HEADER, SNAP_NR_REGIONS, 4, UINT32_MAX, "no regions"},
    {IN_HEADER, SNAP_REGION, 8, 0, "region of memory is none"},
    {IN_HEADER, SNAP_REGION, 8, FAKE_STATE + 8, "region of memory is none"},
    {IN_HEADER, SNAP_REGION, 8, FAKE_RAM, "overlap"},
    {IN_HEADER, SNAP_REGION, 8, FAKE_RAM + RAM_SIZE - PAGE_SIZE, "overlap"},
    {IN_HEADER, SNAP_REGION + 8, 8, 0, "region of memory is none"},
    {IN_HEADER, SNAP_REGION + 8, 8, 4095, "region of memory is none"},
    {IN_HEADER, SNAP_REGION + 8, 8, UINT64_MAX - 4095, "region of memory is none"},
    {IN_HEADER, SNAP_RAM_SIZE, 8, 0, "its memory"},
    {IN_HEADER, SNAP_RAM_SIZE, 8, RAM_SIZE + 1, "its memory"},
    {IN_HEADER, SNAP_RAM_SIZE, 8, MIB(2), "its memory"},
    {IN_HEADER, SNAP_RAM_SIZE, 8, GIB(64) + MIB(2), "its memory"},
    {IN_HEADER, SNAP_RAM_SIZE, 8, 0 - MIB(2), "its memory"},
    {IN_HEADER, SNAP_CPUS, 4, 0, "its CPUs"},
    {IN_HEADER, SNAP_CPUS, 4, UINT32_MAX, "its CPUs"},
    {IN_HEADER, SNAP_MODEL, 4, 2, "its CPUs"},
    {IN_HEADER, SNAP_DTB, 8, 0, "devicetree"},
    {IN_HEADER, SNAP_DTB, 8, SIM_RAM_BASE + RAM_SIZE, "devicetree"},
    {IN_HEADER, SNAP_DTB, 8, UINT64_MAX, "devicetree"},
    {IN_HEADER, SNAP_TRACED, 4, 2, "mean nothing"},
    {IN_HEADER, SNAP_RUN_SIZE, 4, SNAPSHOT_RUN_MAX + 1, "mean nothing"},
    {IN_HEADER, SNAP_RESERVED, 4, 1, "mean nothing"},
    {IN_TRAILER, 0, 8, 2, "add up"},
    {IN_TRAILER, 0, 8, 4, "add up"},
    {IN_TRAILER, 0, 8, UINT64_MAX, "more chunks than pages"},
    {IN_TRAILER, 0, 8, UINT64_C(1) << 59, "more chunks than pages"},
    {IN_TRAILER, SNAP_DATA_SIZE, 8, 0, "add up"},
    {IN_TRAILER, SNAP_DATA_SIZE, 8, UINT64_MAX, "add up"},
    {IN_CHUNK0, 0, 8, FAKE_STATE_SIZE, "outside"},
    {IN_CHUNK0, 0, 8, 0 - PAGE_SIZE, "outside"},
    {IN_CHUNK0, 0, 8, 8, "outside"},
    {IN_CHUNK0, SNAP_CHUNK_REGION, 4, 1, "overlap"},
    {IN_CHUNK0, SNAP_CHUNK_REGION, 4, 2, "outside"},
    {IN_CHUNK0, SNAP_CHUNK_REGION, 4, UINT32_MAX, "outside"},
    {IN_CHUNK0, SNAP_CHUNK_LEN, 4, 0, "outside"},
    {IN_CHUNK0, SNAP_CHUNK_LEN, 4, FAKE_STATE_SIZE, "outside"},
    {IN_CHUNK1, SNAP_CHUNK_LEN, 4, 4097, "outside"},
    {IN_CHUNK1, SNAP_CHUNK_LEN, 4, KIB(260), "outside"},
    {IN_CHUNK1, SNAP_CHUNK_LEN, 4, UINT32_MAX - 4095, "outside"},
    {IN_CHUNK1, SNAP_CHUNK_STORED, 4, 0, "no size"},
    {IN_CHUNK1, SNAP_CHUNK_STORED, 4, 4097, "no size"},
    {IN_CHUNK1, SNAP_CHUNK_STORED, 4, UINT32_MAX, "no size"},
    {IN_CHUNK1, SNAP_CHUNK_STORED, 4, 1, "add up"},
    {IN_CHUNK1, SNAP_CHUNK_RESERVED, 4, 1, "no size"},
    {IN_CHUNK2, 0, 8, 0, "overlap"},
    {IN_CHUNK2, SNAP_CHUNK_REGION, 4, 0, "outside"},
};

static void apply(uint8_t *file, size_t size, const struct edit *edit)
{
    size_t nr_chunks = 0;
    size_t table = snap_table(file, size, &nr_chunks);
    size_t base = 0;

    if (edit->part == IN_TRAILER)
        base = size - SNAP_TRAILER;
    else if (edit->part >= IN_CHUNK0)
        base = table + (edit->part - IN_CHUNK0) * SNAP_CHUNK;
    cr_assert_eq(nr_chunks, 3);
    le_put(file + base + edit->at, edit->value, edit->bytes);
    snap_seal(file, size);
}

CASE(snapshot_refused, made_on_purpose)
{
    struct scratch_bytes good = scratch_read(save_small());
    const char *path = scratch_path("edited");
    uint8_t *file = malloc(good.size);

    for (size_t i = 0; i < sizeof(edits) / sizeof(edits[0]); i++) {
        memcpy(file, good.data, good.size);
        apply(file, good.size, &edits[i]);
        scratch_write(path, file, good.size);
        expect_refused(path, edits[i].word);
    }
    free(file);
    free(good.data);
}

/* --- Loads that fail --------------------------------------------------------------------------*/

/* Chunks that change places, that share a page, and that go back to a region. */
CASE(snapshot_refused, chunks_out_of_order)
{
    struct scratch_bytes file = scratch_read(save_small());
    const char *path = scratch_path("edited");
    size_t nr_chunks = 0;
    uint8_t *state = file.data + snap_table(file.data, file.size, &nr_chunks);
    uint8_t *first = state + SNAP_CHUNK;
    uint8_t *second = first + SNAP_CHUNK;

    le_put(first, MIB(4), 8);
    le_put(second, 0, 8);
    snap_seal(file.data, file.size);
    scratch_write(path, file.data, file.size);
    expect_refused(path, "overlap");

    le_put(first, 0, 8);
    le_put(first + SNAP_CHUNK_LEN, 2 * PAGE_SIZE, 4);
    le_put(second, PAGE_SIZE, 8);
    snap_seal(file.data, file.size);
    scratch_write(path, file.data, file.size);
    expect_refused(path, "overlap");

    le_put(second, 2 * PAGE_SIZE, 8);
    le_put(state + SNAP_CHUNK_REGION, 1, 4);
    le_put(first + SNAP_CHUNK_REGION, 0, 4);
    snap_seal(file.data, file.size);
    scratch_write(path, file.data, file.size);
    expect_refused(path, "overlap");
    free(file.data);
}

/* What the machine is made of must be what it was: it is going to be destroyed. */
static void expect_load_fails(struct snapshot_file *file, const char *word)
{
    uint8_t state[FAKE_STATE_SIZE];

    cr_assert_not_null(file, "%s", reason);
    reason[0] = '\0';
    memset(machine.state, FAKE_GARBAGE, FAKE_STATE_SIZE);
    memset(state, FAKE_GARBAGE, FAKE_STATE_SIZE);
    cr_expect_not(snapshot_load(file, &machine, reason));
    cr_expect_eq(memcmp(machine.state, state, FAKE_STATE_SIZE), 0);
    cr_expect_not_null(strstr(reason, word), "\"%s\" has no \"%s\"", reason, word);
    cr_expect_eq(machine.thawed, 0);
    snapshot_close(file);
}

/* LZ4 that is none, that ends early, and that makes more or less than its chunk. */
CASE(snapshot_refused, blocks_that_do_not_unpack)
{
    struct scratch_bytes good = scratch_read(save_small());
    const char *path = scratch_path("edited");
    uint64_t seed = 9;

    for (unsigned round = 0; round < 40; round++) {
        struct scratch_bytes file = {malloc(good.size), good.size};
        size_t nr_chunks = 0;
        size_t table = snap_table(good.data, good.size, &nr_chunks);
        struct snapshot_file *opened;
        memcpy(file.data, good.data, good.size);
        for (size_t at = SNAP_HEADER; at < table; at++)
            file.data[at] = round == 0 ? 0 : round == 1 ? 0xff : (uint8_t)prng_next(&seed);
        if (round == 2) { /* good data for a longer chunk */
            memcpy(file.data, good.data, good.size);
            le_put(file.data + table + SNAP_CHUNK_LEN, 2 * PAGE_SIZE, 4);
        }
        snap_seal(file.data, file.size);
        scratch_write(path, file.data, file.size);
        opened = snapshot_open(path, reason);
        expect_load_fails(opened, "damaged");
        free(file.data);
    }
    free(good.data);
}

CASE(snapshot_refused, memory_elsewhere)
{
    struct snapshot_file *file = snapshot_open(save_small(), reason);
    struct sim_machine other = machine;

    machine.ram += PAGE_SIZE;
    expect_load_fails(file, "elsewhere");
    machine = other;
    file = snapshot_open(scratch_path("snapshot"), reason);
    machine.ram_size -= MIB(2);
    expect_load_fails(file, "elsewhere");
    machine = other;
    cr_expect_eq(machine.ram[0], 2, "it was not touched");
}

CASE(snapshot_refused, a_machine_that_refuses)
{
    struct snapshot_file *file = snapshot_open(save_small(), reason);

    machine.refuse_thaw = true;
    expect_load_fails(file, "does not thaw");
}

/* After the checks: no signal, no foreign bytes. */
CASE(snapshot_refused, a_file_that_changes_while_it_is_used)
{
    const char *path = save_small();
    struct scratch_bytes bytes = scratch_read(path);
    struct snapshot_file *file = snapshot_open(path, reason);

    cr_assert_eq(truncate(path, 100), 0);
    expect_load_fails(file, "changed");
    scratch_write(path, bytes.data, bytes.size);
    file = snapshot_open(path, reason);
    bytes.data[SNAP_HEADER + 3] ^= 1;
    scratch_write(path, bytes.data, bytes.size);
    expect_load_fails(file, "changed");
    free(bytes.data);
}

CASES_RUN(snapshot_refused, setup, finish)
