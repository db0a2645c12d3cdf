/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A directory for the files of a case, and whole files as bytes. */
#ifndef TESTS_SIM_SCRATCH_H
#define TESTS_SIM_SCRATCH_H

#include <criterion/criterion.h>
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char scratch_directory[32];

struct scratch_bytes {
    uint8_t *data;
    size_t size;
};

static inline void scratch_begin(void)
{
    strcpy(scratch_directory, "/tmp/halcyon-test-XXXXXX");
    cr_assert_not_null(mkdtemp(scratch_directory));
}

/* A path in the directory, valid until the fourth call after it. */
static inline const char *scratch_path(const char *name)
{
    static char paths[4][128];
    static unsigned next;
    char *path = paths[next++ % 4];

    snprintf(path, sizeof(paths[0]), "%s/%s", scratch_directory, name);
    return path;
}

/* How many files are there. */
static inline unsigned scratch_count(void)
{
    DIR *directory = opendir(scratch_directory);
    unsigned count = 0;

    cr_assert_not_null(directory);
    for (const struct dirent *entry; (entry = readdir(directory)) != NULL;)
        count += entry->d_name[0] != '.';
    closedir(directory);
    return count;
}

static inline void scratch_end(void)
{
    DIR *directory = opendir(scratch_directory);

    cr_assert_not_null(directory);
    for (const struct dirent *entry; (entry = readdir(directory)) != NULL;)
        if (entry->d_name[0] != '.')
            unlinkat(dirfd(directory), entry->d_name, 0);
    closedir(directory);
    cr_expect_eq(rmdir(scratch_directory), 0);
}

static inline void scratch_write(const char *path, const void *data, size_t size)
{
    FILE *file = fopen(path, "wb");

    cr_assert_not_null(file, "%s", path);
    cr_assert_eq(fwrite(data, 1, size, file), size);
    cr_assert_eq(fclose(file), 0);
}

/* free() it. */
static inline struct scratch_bytes scratch_read(const char *path)
{
    struct scratch_bytes bytes = {NULL, 0};
    FILE *file = fopen(path, "rb");

    cr_assert_not_null(file, "%s", path);
    cr_assert_eq(fseek(file, 0, SEEK_END), 0);
    bytes.size = (size_t)ftell(file);
    rewind(file);
    bytes.data = malloc(bytes.size + 1);
    cr_assert_not_null(bytes.data);
    cr_assert_eq(fread(bytes.data, 1, bytes.size, file), bytes.size);
    bytes.data[bytes.size] = 0;
    fclose(file);
    return bytes;
}

static inline void scratch_expect(const char *path, const char *text)
{
    struct scratch_bytes bytes = scratch_read(path);

    cr_expect(bytes.size == strlen(text) && memcmp(bytes.data, text, bytes.size) == 0,
              "%s holds \"%s\"", path, (const char *)bytes.data);
    free(bytes.data);
}

#endif
