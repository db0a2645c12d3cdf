/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "sim/bundle_disk.h"
#include "sim/bundle_make.h"
#include "sim/options_parse.h"
#include <stdio.h>

/* What a node takes beside the file. */
#define NODE_OVERHEAD 256u

bool bundle_disks_open(const struct sim_options *options, struct bundle_disk *disk, char *reason)
{
    for (unsigned i = 0; i < options->nr_disks; i++) {
        const struct sim_disk_option *option = &options->disk[i];
        if (!option->ram || option->file_len == 0)
            continue;
        options_disk_path(option, disk[i].path);
        if (!file_in_open(&disk[i].file, disk[i].path, BUNDLE_MAKE_LIMIT, reason))
            return false;
        if (option->size != 0 && option->size < disk[i].file.size) {
            (void)snprintf(reason, BUNDLE_MAKE_REASON_MAX, "%.160s: larger than --disk's size",
                           disk[i].path);
            return false;
        }
    }
    return true;
}

uint64_t bundle_disks_size(const struct sim_options *options, const struct bundle_disk *disk)
{
    uint64_t size = 0;

    for (unsigned i = 0; i < options->nr_disks; i++)
        size += disk[i].file.size + (uint64_t)options->vms * NODE_OVERHEAD;
    return size;
}

static bool write_node(struct tree *tree, const struct sim_disk_option *option, const char *first,
                       struct file_in *file, unsigned machine, char *reason)
{
    tree_string(tree, "compatible", "halcyon,disk");
    if (option->read_only)
        tree_flag(tree, "read-only");
    if (option->size != 0)
        tree_u64(tree, "size", option->size);
    if (!option->ram)
        tree_u32(tree, "machine", machine);
    if (file->fd < 0)
        return true;
    if (first == NULL)
        return tree_file(tree, "image", file, reason);
    tree_string(tree, "image-of", first);
    return true;
}

bool bundle_disks_write(struct tree *tree, const struct sim_options *options, const char *first,
                        struct bundle_disk *disk, char *reason)
{
    unsigned machine = 0;

    for (unsigned i = 0; i < options->nr_disks; i++) {
        char name[16];
        (void)snprintf(name, sizeof(name), "disk@%x", i);
        tree_begin(tree, name);
        if (!write_node(tree, &options->disk[i], first, &disk[i].file, machine, reason))
            return false;
        machine += !options->disk[i].ram;
        tree_end(tree);
    }
    return true;
}

uint64_t bundle_disks_memory(const struct vm_config *vm)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < vm->nr_devices; i++) {
        const struct dev_config *device = &vm->device[i];
        uint64_t most = device->size != 0 ? device->size : device->image.size;
        if (device->quota != 0 && (most == 0 || device->quota < most))
            most = device->quota;
        sum += most < BUNDLE_DISK_MEMORY ? most : BUNDLE_DISK_MEMORY;
    }
    return sum;
}
