/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "sim/file_in.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool refuse(const struct file_in *file, char *reason, const char *why)
{
    (void)snprintf(reason, FILE_IN_REASON_MAX, "%s: %s", file->path, why);
    return false;
}

static bool check(struct file_in *file, uint64_t limit, char *reason)
{
    struct stat status;

    if (fstat(file->fd, &status) != 0)
        return refuse(file, reason, strerror(errno));
    if (!S_ISREG(status.st_mode))
        return refuse(file, reason, "not a regular file; copy it into one");
    if (status.st_size <= 0)
        return refuse(file, reason, "empty");
    file->size = (uint64_t)status.st_size;
    if (file->size > limit) {
        (void)snprintf(reason, FILE_IN_REASON_MAX, "%s: %llu MiB, more than the %llu MiB that fit",
                       file->path, (unsigned long long)(file->size >> 20),
                       (unsigned long long)(limit >> 20));
        return false;
    }
    return true;
}

bool file_in_open(struct file_in *file, const char *path, uint64_t limit, char *reason)
{
    *file = (struct file_in){.path = path};
    file->fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    if (file->fd < 0)
        return refuse(file, reason, strerror(errno));
    if (check(file, limit, reason))
        return true;
    file_in_close(file);
    return false;
}

bool file_in_read(struct file_in *file, void *to, char *reason)
{
    uint64_t done = 0;

    while (done < file->size) {
        ssize_t got = read(file->fd, (char *)to + done, (size_t)(file->size - done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return refuse(file, reason, strerror(errno));
        if (got == 0)
            return refuse(file, reason, "became shorter while it was read");
        done += (uint64_t)got;
    }
    return true;
}

void file_in_close(struct file_in *file)
{
    if (file->fd >= 0)
        (void)close(file->fd);
    file->fd = -1;
}
