/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* --disk [FILE][,ro][,ram][,size=SIZE], and --flash as far as it is a disk of the machine's, too */
#include "sim/options_parse.h"
#include <stdio.h>
#include <string.h>

static bool is_word(const char *at, size_t len, const char *word)
{
    return len == strlen(word) && memcmp(at, word, len) == 0;
}

static bool take_disk_size(struct options_parse *p, const char *at, size_t len,
                           struct sim_disk_option *disk)
{
    char size[24];

    if (len >= sizeof(size))
        return options_refuse(p, "--disk: the size has too many digits");
    memcpy(size, at, len);
    size[len] = '\0';
    return options_take_size(p, "disk: size", size, &disk->size);
}

/* A word after the file's name; the first may be one that there is no file. */
static bool take_word(struct options_parse *p, const char *at, size_t len,
                      struct sim_disk_option *disk)
{
    if (is_word(at, len, "ro"))
        disk->read_only = true;
    else if (is_word(at, len, "ram"))
        disk->ram = true;
    else if (len > 5 && memcmp(at, "size=", 5) == 0)
        return take_disk_size(p, at + 5, len - 5, disk);
    else
        return options_refuse(p, "--disk: after the file's name come ro, ram or size=SIZE, with "
                                 "commas before them");
    return true;
}

static bool check_disk(struct options_parse *p, struct sim_disk_option *disk)
{
    if (disk->file_len == 0 && disk->size == 0)
        return options_refuse(p, "--disk: the file's name is empty; a disk without one has a size, "
                                 "as in --disk size=64M");
    if (disk->file_len >= SIM_DISK_FILE_MAX)
        return options_refuse(p, "--disk: the file's name is too long");
    if (disk->file_len == 0)
        disk->ram = true;
    if (disk->size != 0 && !disk->ram)
        return options_refuse(p, "--disk: a file's size is what it is; size= goes with ram, which "
                                 "copies it into memory");
    return true;
}

bool options_set_disk(struct options_parse *p, const char *text)
{
    struct sim_disk_option *disk = &p->out->disk[p->out->nr_disks];
    const char *at = text;

    if (p->out->nr_disks == SIM_DISK_OPTIONS)
        return options_refuse(p, "--disk: at most %u disks", SIM_DISK_OPTIONS);
    *disk = (struct sim_disk_option){.file = text};
    if (strncmp(text, "size=", 5) != 0) {
        disk->file_len = (unsigned)strcspn(text, ",");
        at += disk->file_len;
        at += *at == ',';
    }
    while (*at != '\0') {
        size_t len = strcspn(at, ",");
        if (!take_word(p, at, len, disk))
            return false;
        at += len;
        at += *at == ',';
    }
    p->out->nr_disks++;
    return check_disk(p, disk);
}

unsigned options_disk_files(const struct sim_options *options)
{
    unsigned files = 0;

    for (unsigned i = 0; i < options->nr_disks; i++)
        files += !options->disk[i].ram;
    return files;
}

/* Those whose sectors are a file's are the machine's, whoever described the VMs. */
bool options_check_disks(struct options_parse *p)
{
    unsigned files = options_disk_files(p->out);

    if (p->given[OPT_FLASH] && p->out->vms > 1)
        return options_refuse(p, "--flash with --vms: a file has one VM: use a bundle");
    if (p->given[OPT_FLASH] && files == SIM_DISKS_MAX)
        return options_refuse(p, "--flash: it takes the place of a --disk F, of which there are %u",
                              SIM_DISKS_MAX);
    if (p->out->nr_disks > files && !p->given[OPT_KERNEL])
        return options_refuse(p,
                              "--disk with ram or size= goes with --kernel F; in a bundle it is a "
                              "node disk@N");
    if (files > SIM_DISKS_MAX)
        return options_refuse(p, "--disk: at most %u that are files; ram copies one into memory",
                              SIM_DISKS_MAX);
    if (files != 0 && p->given[OPT_RESTORE])
        return options_refuse(p, "--disk with --restore: a snapshot has its disks in it");
    if (files != 0 && p->given[OPT_SNAPSHOT])
        return options_refuse(p, "--disk with --snapshot: the file would not be in it: use ram");
    if (files != 0 && p->out->vms > 1)
        return options_refuse(p, "--disk with --vms: a file has one VM: use ram, or a bundle");
    return true;
}

void options_disk_path(const struct sim_disk_option *disk, char path[SIM_DISK_FILE_MAX])
{
    (void)snprintf(path, SIM_DISK_FILE_MAX, "%.*s", (int)disk->file_len, disk->file);
}
