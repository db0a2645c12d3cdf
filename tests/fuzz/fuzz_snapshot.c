/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Any bytes as a snapshot, loaded into a machine if they are accepted. The sums are made right, or
 * nothing behind them would be reached: an input whose first bit is clear is the whole file, else
 * it is a list of changes of a good one.
 */
#define _GNU_SOURCE 1
#include "fuzz.h"
#include "sim/snapshot.h"
#include "tests/sim/fake_machine.h"
#include "tests/sim/snapshot_fixture.h"
#include <fcntl.h>
#include <unistd.h>

#define FILE_MAX KIB(64)
#define RAM_SIZE MIB(4)

static uint8_t good[FILE_MAX];
static size_t good_size;
static uint8_t file[FILE_MAX];

static void save_good(struct sim_machine *machine, const char *path)
{
    struct snapshot_meta meta = {.config = fake_machine_config(RAM_SIZE), .run_size = 3};
    char reason[SNAPSHOT_REASON_MAX];

    memset(machine->ram, 0, SIM_IMAGE_SIZE);
    memset(machine->state, 0, FAKE_STATE_SIZE);
    memset(machine->ram + MIB(1), 0x31, 3 * PAGE_SIZE);
    for (size_t i = 0; i < PAGE_SIZE; i++)
        machine->ram[MIB(2) + i] = (uint8_t)(i * i * 2654435761u >> 11); /* stored as it is */
    memcpy(machine->state + PAGE_SIZE, "state", 5);
    FUZZ_ASSERT(snapshot_save(path, machine, &meta, reason));
}

static void make_good(void)
{
    struct sim_machine machine = fake_machine_make(RAM_SIZE);
    char path[] = "/tmp/halcyon-fuzz-XXXXXX";
    int fd = mkstemp(path);
    ssize_t size;

    FUZZ_ASSERT(fd >= 0);
    (void)close(fd);
    save_good(&machine, path);
    fd = open(path, O_RDONLY);
    size = read(fd, good, sizeof(good));
    FUZZ_ASSERT(size > 0 && (size_t)size < sizeof(good));
    good_size = (size_t)size;
    (void)close(fd);
    (void)unlink(path);
    fake_machine_end(&machine);
}

/* Where what is worth a change is: the header without its opaque part, and all behind it. */
static size_t choose_place(struct fuzz_input *in)
{
    size_t at = fuzz_take_below(in, (unsigned)(good_size - SNAP_HEADER + SNAP_RUN - 8));

    return at < SNAP_RUN ? at : at - SNAP_RUN + SNAP_HEADER;
}

static size_t make_changed(struct fuzz_input *in)
{
    static const size_t widths[] = {1, 2, 4, 8};

    memcpy(file, good, good_size);
    while (in->left > 0) {
        size_t width = widths[fuzz_take_below(in, 4)];
        size_t at = choose_place(in);
        le_put(file + at, fuzz_take(in, width), width);
    }
    return good_size;
}

static void load(struct snapshot_file *snapshot)
{
    const struct snapshot_meta *meta = snapshot_meta(snapshot);
    char reason[SNAPSHOT_REASON_MAX] = "";
    struct sim_machine machine;

    FUZZ_ASSERT(meta->run_size <= SNAPSHOT_RUN_MAX);
    FUZZ_ASSERT(meta->config.ram_size >= MIB(4) && meta->config.ram_size <= SIM_RAM_MAX);
    machine = fake_machine_make(RAM_SIZE);
    if (!snapshot_load(snapshot, &machine, reason))
        FUZZ_ASSERT(reason[0] != '\0' && machine.thawed == 0);
    fake_machine_end(&machine);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    char reason[SNAPSHOT_REASON_MAX] = "";
    struct snapshot_file *snapshot;
    char path[64];
    size_t file_size;
    int fd = memfd_create("snapshot", 0);

    if (good_size == 0)
        make_good();
    if (fuzz_take(&in, 1) & 1) {
        file_size = make_changed(&in);
    } else {
        file_size = in.left < FILE_MAX ? in.left : FILE_MAX;
        memcpy(file, in.data, file_size);
    }
    snap_seal(file, file_size);
    FUZZ_ASSERT(fd >= 0 && write(fd, file, file_size) == (ssize_t)file_size);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    snapshot = snapshot_open(path, reason);
    if (snapshot != NULL)
        load(snapshot);
    else
        FUZZ_ASSERT(reason[0] != '\0' && strlen(reason) < sizeof(reason));
    snapshot_close(snapshot);
    close(fd);
    return 0;
}
