/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "sim/disk_file.h"
#include "dev/flash_store.h"
#include "sim/options_parse.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

static bool refuse(char *reason, const char *path, const char *why)
{
    (void)snprintf(reason, DISK_FILE_REASON_MAX, "%.160s: %s", path, why);
    return false;
}

/* All of it, or false: a file that has become shorter is a disk that fails. */
static bool move(int fd, const struct hal_disk_request *request, char *buf)
{
    uint64_t offset = request->sector * HAL_DISK_SECTOR;
    uint32_t done = 0;

    while (done < request->len) {
        ssize_t got = request->op == HAL_DISK_READ
                          ? pread(fd, buf + done, request->len - done, (off_t)(offset + done))
                          : pwrite(fd, buf + done, request->len - done, (off_t)(offset + done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        done += (uint32_t)got;
    }
    return true;
}

static bool transfer(void *ctx, const struct hal_disk_request *request, void *buf)
{
    const int *fd = ctx;

    if (request->op == HAL_DISK_FLUSH)
        return fdatasync(*fd) == 0;
    return move(*fd, request, buf);
}

static bool lock(int fd, const char *path, bool read_only, char *reason)
{
    return flock(fd, (read_only ? LOCK_SH : LOCK_EX) | LOCK_NB) == 0 ||
           refuse(reason, path, "another machine has it for its disk");
}

static bool check(int fd, const char *path, uint64_t *sectors, char *reason)
{
    struct stat status;

    if (fstat(fd, &status) != 0)
        return refuse(reason, path, strerror(errno));
    if (!S_ISREG(status.st_mode))
        return refuse(reason, path, "not a regular file, and no other can be a disk");
    if (status.st_size <= 0 || status.st_size % HAL_DISK_SECTOR != 0)
        return refuse(reason, path, "as a disk it must have a multiple of 512 bytes, and some");
    *sectors = (uint64_t)status.st_size / HAL_DISK_SECTOR;
    return true;
}

/* --- --flash --- */

#define FLASH_NEW_SIZE MIB(1) /* EDK2's variables take 768 KiB, U-Boot's environment 256 */

/* A file that is empty is new: it becomes a flash that nobody has programmed. */
static bool fill_new(int fd, const char *path, char *reason)
{
    struct stat status;
    uint8_t erased[4096];

    if (fstat(fd, &status) != 0)
        return refuse(reason, path, strerror(errno));
    if (!S_ISREG(status.st_mode) || status.st_size != 0)
        return true;
    memset(erased, 0xff, sizeof(erased));
    for (uint64_t at = 0; at < FLASH_NEW_SIZE; at += sizeof(erased))
        if (pwrite(fd, erased, sizeof(erased), (off_t)at) != (ssize_t)sizeof(erased))
            return refuse(reason, path, "cannot be filled: is there room for 1 MiB?");
    if (fsync(fd) != 0)
        return refuse(reason, path, strerror(errno));
    return true;
}

static bool open_flash(struct disk_files *files, const char *path, struct sim_disk *disk,
                       char *reason)
{
    int *fd = &files->fd[files->count];

    *fd = open(path, O_RDWR | O_CREAT | O_NONBLOCK | O_CLOEXEC | O_NOCTTY, 0666);
    if (*fd < 0)
        return refuse(reason, path, strerror(errno));
    files->count++;
    *disk = (struct sim_disk){.transfer = transfer, .ctx = fd};
    if (!lock(*fd, path, false, reason) || !fill_new(*fd, path, reason) ||
        !check(*fd, path, &disk->sectors, reason))
        return false;
    if (disk->sectors * HAL_DISK_SECTOR % FLASH_SECTOR_SIZE != 0 ||
        disk->sectors * HAL_DISK_SECTOR > FLASH_BANK_SIZE)
        return refuse(reason, path, "as flash it must have a multiple of 256 KiB, 64 MiB at most");
    return true;
}

/* --- All of them --- */

static bool open_one(struct disk_files *files, const struct sim_disk_option *option,
                     struct sim_disk *disk, char *reason)
{
    char path[SIM_DISK_FILE_MAX];
    int *fd = &files->fd[files->count];

    options_disk_path(option, path);
    *fd = open(path, (option->read_only ? O_RDONLY : O_RDWR) | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    if (*fd < 0)
        return refuse(reason, path, strerror(errno));
    files->count++;
    *disk = (struct sim_disk){.read_only = option->read_only, .transfer = transfer, .ctx = fd};
    return check(*fd, path, &disk->sectors, reason) && lock(*fd, path, option->read_only, reason);
}

bool disk_files_open(struct disk_files *files, const struct sim_options *options,
                     struct sim_machine_config *config, char reason[DISK_FILE_REASON_MAX])
{
    *files = (struct disk_files){0};
    for (unsigned i = 0; i < options->nr_disks; i++) {
        if (options->disk[i].ram)
            continue;
        if (!open_one(files, &options->disk[i], &config->disk[files->count], reason)) {
            disk_files_close(files);
            return false;
        }
    }
    if (options->flash != NULL &&
        !open_flash(files, options->flash, &config->disk[files->count], reason)) {
        disk_files_close(files);
        return false;
    }
    config->nr_disks = files->count;
    return true;
}

void disk_files_close(struct disk_files *files)
{
    while (files->count > 0)
        (void)close(files->fd[--files->count]);
}

static bool add_to_digest(int fd, XXH3_state_t *state, char *reason)
{
    char buf[16384];
    off_t at = 0;

    for (;;) {
        ssize_t got = pread(fd, buf, sizeof(buf), at);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return refuse(reason, "--disk", strerror(errno));
        if (got == 0)
            return true;
        (void)XXH3_128bits_update(state, buf, (size_t)got);
        at += got;
    }
}

bool disk_files_digest(const struct disk_files *files, uint8_t out[DISK_FILE_DIGEST_SIZE],
                       char reason[DISK_FILE_REASON_MAX])
{
    XXH3_state_t *state = XXH3_createState();
    XXH128_canonical_t canonical;
    bool done = state != NULL || refuse(reason, "--disk", "no memory");

    if (done)
        (void)XXH3_128bits_reset(state);
    for (unsigned i = 0; done && i < files->count; i++)
        done = add_to_digest(files->fd[i], state, reason);
    if (done) {
        XXH128_canonicalFromHash(&canonical, XXH3_128bits_digest(state));
        memcpy(out, canonical.digest, DISK_FILE_DIGEST_SIZE);
    }
    (void)XXH3_freeState(state);
    return done;
}
