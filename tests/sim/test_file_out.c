/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#define _DEFAULT_SOURCE 1
#include "cases.h"
#include "scratch.h"
#include "sim/trace/file_out.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static char reason[FILE_OUT_REASON_MAX];

static void setup(void)
{
    scratch_begin();
    memset(reason, 0, sizeof(reason));
}

static void must_write(struct file_out *out, const char *text)
{
    cr_assert_not_null(out, "%s", reason);
    cr_assert(file_out_write(out, text, strlen(text)));
}

CASE(file_out, a_new_file)
{
    const char *path = scratch_path("new");
    struct file_out *out = file_out_open(path, reason);

    must_write(out, "one ");
    must_write(out, "two");
    cr_expect_eq(file_out_size(out), 7);
    cr_expect_neq(access(path, F_OK), 0, "it is there before it is complete");
    cr_expect(file_out_commit(out, reason));
    scratch_expect(path, "one two");
    cr_expect_eq(scratch_count(), 1);
}

CASE(file_out, a_new_file_has_the_mode_that_umask_leaves)
{
    mode_t before = umask(027);
    struct stat info;

    cr_expect(file_out_commit(file_out_open(scratch_path("new"), reason), reason));
    umask(before);
    cr_assert_eq(stat(scratch_path("new"), &info), 0);
    cr_expect_eq(info.st_mode & 07777, 0640);
    cr_expect_eq(info.st_size, 0);
}

CASE(file_out, the_old_file_stays_until_the_commit)
{
    const char *path = scratch_path("old");
    struct file_out *out;
    struct stat info;

    scratch_write(path, "old", 3);
    cr_assert_eq(chmod(path, 0604), 0);
    out = file_out_open(path, reason);
    must_write(out, "a new text");
    scratch_expect(path, "old");
    cr_expect(file_out_commit(out, reason));
    scratch_expect(path, "a new text");
    cr_assert_eq(stat(path, &info), 0);
    cr_expect_eq(info.st_mode & 07777, 0604);
    cr_expect_eq(scratch_count(), 1);
}

CASE(file_out, discarded)
{
    const char *path = scratch_path("old");
    struct file_out *out;

    scratch_write(path, "old", 3);
    out = file_out_open(path, reason);
    must_write(out, "new");
    file_out_discard(out);
    scratch_expect(path, "old");
    out = file_out_open(scratch_path("none"), reason);
    must_write(out, "new");
    file_out_discard(out);
    file_out_discard(NULL);
    cr_expect_eq(scratch_count(), 1);
}

/* Pieces below, at and above any buffer. */
CASE(file_out, pieces_of_all_sizes)
{
    static const size_t sizes[] = {0, 1, 4095, 65535, 65536, 65537, 1, 200000, 65536, 3};
    uint8_t *data = malloc(1000000);
    struct file_out *out = file_out_open(scratch_path("big"), reason);
    struct scratch_bytes got;
    size_t at = 0;

    cr_assert_not_null(out);
    for (size_t i = 0; i < 1000000; i++)
        data[i] = (uint8_t)(i * 2654435761u >> 13);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        cr_expect(file_out_write(out, data + at, sizes[i]));
        at += sizes[i];
        cr_expect_eq(file_out_size(out), at);
    }
    cr_expect(file_out_commit(out, reason));
    got = scratch_read(scratch_path("big"));
    cr_expect_eq(got.size, at);
    cr_expect_arr_eq(got.data, data, at);
    free(got.data);
    free(data);
}

CASE(file_out, a_link_is_followed)
{
    struct file_out *out;
    struct stat info;

    scratch_write(scratch_path("target"), "old", 3);
    cr_assert_eq(symlink("target", scratch_path("link")), 0);
    out = file_out_open(scratch_path("link"), reason);
    must_write(out, "new");
    cr_expect(file_out_commit(out, reason));
    scratch_expect(scratch_path("target"), "new");
    cr_assert_eq(lstat(scratch_path("link"), &info), 0);
    cr_expect(S_ISLNK(info.st_mode));
}

CASE(file_out, no_regular_file_is_written_directly)
{
    const char *path = scratch_path("fifo");
    char text[8] = "";
    struct file_out *out;
    int reader;

    cr_assert_eq(mkfifo(path, 0600), 0);
    reader = open(path, O_RDONLY | O_NONBLOCK);
    cr_assert_geq(reader, 0);
    out = file_out_open(path, reason);
    must_write(out, "text");
    cr_expect(file_out_commit(out, reason));
    cr_expect_eq(read(reader, text, sizeof(text)), 4);
    cr_expect_str_eq(text, "text");
    close(reader);
    cr_expect_eq(scratch_count(), 1);

    out = file_out_open("/dev/null", reason);
    must_write(out, "text");
    cr_expect(file_out_commit(out, reason));
}

CASE(file_out, a_full_disk_is_said)
{
    struct file_out *out = file_out_open("/dev/full", reason);

    must_write(out, "text");
    cr_expect_not(file_out_commit(out, reason));
    cr_expect_not_null(strstr(reason, "/dev/full"), "%s", reason);
    cr_expect_not_null(strstr(reason, strerror(ENOSPC)), "%s", reason);
}

CASE(file_out, a_write_that_fails_keeps_the_old_file)
{
    const char *path = scratch_path("old");
    struct rlimit before;
    static uint8_t much[300000];
    struct file_out *out;

    scratch_write(path, "old", 3);
    cr_assert_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, SIG_IGN);
    out = file_out_open(path, reason);
    cr_assert_not_null(out);
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &(struct rlimit){100000, before.rlim_max}), 0);
    cr_expect_not(file_out_write(out, much, sizeof(much)));
    cr_expect_not(file_out_write(out, "more", 4));
    cr_expect_not(file_out_commit(out, reason));
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
    cr_expect_not_null(strstr(reason, strerror(EFBIG)), "%s", reason);
    scratch_expect(path, "old");
    cr_expect_eq(scratch_count(), 1);
}

CASE(file_out, a_reader_who_left)
{
    const char *path = scratch_path("fifo");
    struct file_out *out;
    int reader;

    signal(SIGPIPE, SIG_IGN);
    cr_assert_eq(mkfifo(path, 0600), 0);
    reader = open(path, O_RDONLY | O_NONBLOCK);
    out = file_out_open(path, reason);
    must_write(out, "text");
    close(reader);
    cr_expect_not(file_out_commit(out, reason));
    cr_expect_not_null(strstr(reason, strerror(EPIPE)), "%s", reason);
}

CASE(file_out, what_cannot_be_written)
{
    static char long_name[6000];
    const char *const paths[] = {
        "", "/", "/nowhere/at/all", "/proc/version", scratch_directory, long_name};

    memset(long_name, 'n', sizeof(long_name) - 1);
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        reason[0] = '\0';
        cr_expect_null(file_out_open(paths[i], reason), "%s", paths[i]);
        cr_expect_not_null(strstr(reason, "cannot write"), "%s: %s", paths[i], reason);
        cr_expect_lt(strlen(reason), FILE_OUT_REASON_MAX);
    }
    cr_expect_eq(scratch_count(), 0);
}

/* The name of one whose process ended without a commit is passed by. */
CASE(file_out, two_at_a_time)
{
    const char *path = scratch_path("file");
    struct file_out *first = file_out_open(path, reason);
    struct file_out *second = file_out_open(path, reason);

    must_write(first, "first");
    must_write(second, "second");
    cr_expect(file_out_commit(second, reason));
    scratch_expect(path, "second");
    cr_expect(file_out_commit(first, reason));
    scratch_expect(path, "first");
    cr_expect_eq(scratch_count(), 1);
}

CASES_RUN(file_out, setup, scratch_end)
