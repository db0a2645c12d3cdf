/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Files of the host's as disks of the machine's. */
#include "cases.h"
#include "scratch.h"
#include "sim/disk_file.h"

static struct sim_options options;
static struct sim_machine_config config;
static struct disk_files files;
static char reason[DISK_FILE_REASON_MAX];
static char content[4096];

static void begin(void)
{
    scratch_begin();
    memset(&options, 0, sizeof(options));
    memset(&config, 0, sizeof(config));
    for (size_t i = 0; i < sizeof(content); i++)
        content[i] = (char)(i / 7);
}

static void add(const char *path, bool read_only)
{
    options.disk[options.nr_disks++] = (struct sim_disk_option){
        .file = path, .file_len = (unsigned)strlen(path), .read_only = read_only};
}

static bool transfer(unsigned disk, enum hal_disk_op op, uint64_t sector, void *buf, uint32_t len)
{
    const struct hal_disk_request request = {.op = op, .sector = sector, .len = len};

    return config.disk[disk].transfer(config.disk[disk].ctx, &request, buf);
}

CASE(disk_file, sectors_are_the_files)
{
    const char *path = scratch_path("disk");
    char buf[1024];

    scratch_write(path, content, sizeof(content));
    options.disk[options.nr_disks++] = (struct sim_disk_option){.ram = true, .size = 512};
    add(path, false);
    cr_assert(disk_files_open(&files, &options, &config, reason), "%s", reason);
    cr_assert_eq(config.nr_disks, 1);
    cr_assert_eq(config.disk[0].sectors, 8);
    cr_assert(transfer(0, HAL_DISK_READ, 6, buf, 1024));
    cr_assert_eq(memcmp(buf, content + 3072, 1024), 0);
    memset(buf, 0x77, 512);
    cr_assert(transfer(0, HAL_DISK_WRITE, 2, buf, 512));
    cr_assert(transfer(0, HAL_DISK_FLUSH, 0, NULL, 0));
    disk_files_close(&files);
    struct scratch_bytes bytes = scratch_read(path);
    memset(content + 1024, 0x77, 512);
    cr_assert(bytes.size == sizeof(content) && memcmp(bytes.data, content, bytes.size) == 0);
    free(bytes.data);
}

CASE(disk_file, one_that_becomes_shorter_fails)
{
    const char *path = scratch_path("disk");
    char buf[1024];

    scratch_write(path, content, sizeof(content));
    add(path, false);
    cr_assert(disk_files_open(&files, &options, &config, reason), "%s", reason);
    cr_assert_eq(truncate(path, 3584), 0);
    cr_assert(transfer(0, HAL_DISK_READ, 6, buf, 512));
    cr_assert_not(transfer(0, HAL_DISK_READ, 6, buf, 1024));
    disk_files_close(&files);
}

CASE(disk_file, read_only_ones_are_shared)
{
    const char *path = scratch_path("disk");
    struct disk_files other;
    char buf[512] = {0};

    scratch_write(path, content, sizeof(content));
    add(path, true);
    cr_assert(disk_files_open(&files, &options, &config, reason), "%s", reason);
    cr_assert(config.disk[0].read_only);
    cr_assert_not(transfer(0, HAL_DISK_WRITE, 0, buf, 512), "the file is not open for it");
    cr_assert(disk_files_open(&other, &options, &config, reason), "%s", reason);
    disk_files_close(&other);
    options.disk[0].read_only = false;
    cr_assert_not(disk_files_open(&other, &options, &config, reason));
    cr_expect_not_null(strstr(reason, "another machine has it"), "%s", reason);
    disk_files_close(&files);
    add(path, false);
    cr_assert_not(disk_files_open(&files, &options, &config, reason), "twice");
    cr_expect_eq(files.count, 0);
}

CASE(disk_file, what_is_no_disk)
{
    const struct {
        const char *path;
        size_t size;
        const char *why;
    } rows[] = {
        {scratch_path("empty"), 0, "multiple of 512"},
        {scratch_path("odd"), 513, "multiple of 512"},
        {scratch_directory, 0, "Is a directory"},
        {"/nowhere/disk", 0, "No such file"},
        {"/dev/null", 0, "not a regular file"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        options.nr_disks = 0;
        if (i < 2)
            scratch_write(rows[i].path, content, rows[i].size);
        add(rows[i].path, false);
        cr_assert_not(disk_files_open(&files, &options, &config, reason));
        cr_expect_not_null(strstr(reason, rows[i].why), "%s", reason);
    }
}

CASE(disk_file, digest_is_of_every_byte)
{
    const char *path = scratch_path("disk");
    uint8_t before[DISK_FILE_DIGEST_SIZE];
    uint8_t after[DISK_FILE_DIGEST_SIZE];
    char buf[512] = {1};

    scratch_write(path, content, sizeof(content));
    add(path, false);
    cr_assert(disk_files_open(&files, &options, &config, reason), "%s", reason);
    cr_assert(disk_files_digest(&files, before, reason));
    cr_assert(disk_files_digest(&files, after, reason));
    cr_assert_eq(memcmp(before, after, sizeof(before)), 0);
    cr_assert(transfer(0, HAL_DISK_WRITE, 7, buf, 512));
    cr_assert(disk_files_digest(&files, after, reason));
    cr_assert_neq(memcmp(before, after, sizeof(before)), 0);
    disk_files_close(&files);
}

CASES_RUN(disk_file, begin, scratch_end)
