/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#define _DEFAULT_SOURCE 1
#include "sim/trace/file_out.h"
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BUFFER_SIZE   ((size_t)64 * 1024)
#define NAME_ATTEMPTS 100u

struct file_out {
    int fd;
    int error; /* errno of the first failure */
    uint64_t size;
    size_t fill;
    char *target;    /* as it is reached without links */
    char *temporary; /* NULL: the target is written directly */
    uint8_t buffer[BUFFER_SIZE];
};

static void say(char *reason, const char *path, int error)
{
    snprintf(reason, FILE_OUT_REASON_MAX, "cannot write %.150s: %.80s", path, strerror(error));
}

static void release(struct file_out *out)
{
    if (out->fd >= 0)
        (void)close(out->fd);
    free(out->target);
    free(out->temporary);
    free(out);
}

/* Makes the file beside the target. Its name has the process in it, and a number for what is left
 * of one that had the same. */
static bool create_temporary(struct file_out *out, mode_t mode)
{
    size_t size = strlen(out->target) + 48;
    unsigned attempt = 0;

    out->temporary = malloc(size);
    if (out->temporary == NULL)
        return false;
    do {
        snprintf(out->temporary, size, "%s.%ld-%u.partial", out->target, (long)getpid(), attempt);
        out->fd = open(out->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    } while (out->fd < 0 && errno == EEXIST && ++attempt < NAME_ATTEMPTS);
    return out->fd >= 0;
}

/* The regular file at `path`: a new one gets its mode, and needs the right to write the old one. */
static bool open_beside(struct file_out *out, const char *path, const struct stat *old)
{
    if (access(path, W_OK) != 0)
        return false;
    out->target = realpath(path, NULL);
    if (out->target == NULL || !create_temporary(out, S_IRUSR | S_IWUSR))
        return false;
    if (fchmod(out->fd, old->st_mode & 0777) == 0)
        return true;
    int error = errno;
    (void)unlink(out->temporary);
    errno = error;
    return false;
}

static bool open_directly(struct file_out *out, const char *path)
{
    out->target = strdup(path);
    out->fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
    return out->target != NULL && out->fd >= 0;
}

static bool open_any(struct file_out *out, const char *path)
{
    struct stat old;

    if (stat(path, &old) == 0)
        return S_ISREG(old.st_mode) ? open_beside(out, path, &old) : open_directly(out, path);
    if (errno != ENOENT || path[0] == '\0')
        return false;
    out->target = strdup(path);
    return out->target != NULL && create_temporary(out, 0666);
}

struct file_out *file_out_open(const char *path, char *reason)
{
    struct file_out *out = malloc(sizeof(*out));

    if (out == NULL) {
        say(reason, path, ENOMEM);
        return NULL;
    }
    memset(out, 0, offsetof(struct file_out, buffer));
    out->fd = -1;
    if (open_any(out, path))
        return out;
    say(reason, path, errno);
    release(out);
    return NULL;
}

static bool write_all(struct file_out *out, const uint8_t *data, size_t len)
{
    while (len > 0 && out->error == 0) {
        ssize_t done = write(out->fd, data, len);
        if (done < 0) {
            out->error = errno == EINTR ? 0 : errno;
            continue;
        }
        data += done;
        len -= (size_t)done;
    }
    return out->error == 0;
}

static bool flush(struct file_out *out)
{
    size_t fill = out->fill;

    out->fill = 0;
    return write_all(out, out->buffer, fill);
}

bool file_out_write(struct file_out *out, const void *data, size_t len)
{
    if (out->error != 0)
        return false;
    out->size += len;
    if (len > BUFFER_SIZE - out->fill && !flush(out))
        return false;
    if (len > BUFFER_SIZE)
        return write_all(out, data, len);
    if (len > 0)
        memcpy(out->buffer + out->fill, data, len);
    out->fill += len;
    return true;
}

uint64_t file_out_size(const struct file_out *out)
{
    return out->size;
}

/* The new name is on the disk only with its directory. Nothing is lost if that cannot be said. */
static void sync_directory(const char *target)
{
    char *copy = strdup(target);
    int fd = copy != NULL ? open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

    if (fd >= 0) {
        (void)fsync(fd);
        (void)close(fd);
    }
    free(copy);
}

static int put_in_place(struct file_out *out)
{
    if (fsync(out->fd) != 0)
        return errno;
    int fd = out->fd;
    out->fd = -1;
    if (close(fd) != 0 || rename(out->temporary, out->target) != 0)
        return errno;
    sync_directory(out->target);
    return 0;
}

bool file_out_commit(struct file_out *out, char *reason)
{
    bool good;

    if (out == NULL)
        return true;
    if (flush(out) && out->temporary != NULL)
        out->error = put_in_place(out);
    good = out->error == 0;
    if (!good) {
        say(reason, out->target, out->error);
        if (out->temporary != NULL)
            (void)unlink(out->temporary);
    }
    release(out);
    return good;
}

void file_out_discard(struct file_out *out)
{
    if (out == NULL)
        return;
    if (out->temporary != NULL)
        (void)unlink(out->temporary);
    release(out);
}
