/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "sim/bundle_make.h"
#include "boot/bundle.h"
#include "dev/registry.h"
#include "sim/bundle_disk.h"
#include "sim/bundle_source.h"
#include "sim/bundle_tree.h"
#include "sim/file_in.h"
#include "sim/options_parse.h"
#include <libfdt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(FILE_IN_REASON_MAX <= BUNDLE_MAKE_REASON_MAX, "a file's reason fits");

/* What the tree and each VM take beside the files and the strings. */
#define TREE_OVERHEAD 4096u
#define NET_OVERHEAD  128u
#define VM_OVERHEAD   384u

/* All that goes into a bundle; a file that is not open is not there. */
struct bundle_files {
    struct file_in kernel;
    struct file_in initrd;
    struct bundle_disk disk[SIM_DISK_OPTIONS];
};

static bool refuse(char *reason, const char *why)
{
    (void)snprintf(reason, BUNDLE_MAKE_REASON_MAX, "the bundle cannot be made: %s", why);
    return false;
}

/* One VM has the name that it always had; of several each has its number. */
static void vm_name(const struct sim_options *options, unsigned index, char name[VM_NAME_MAX])
{
    if (options->vms == 1)
        (void)snprintf(name, VM_NAME_MAX, "linux");
    else
        (void)snprintf(name, VM_NAME_MAX, "vm%u", index);
}

/* The first VM has the images, and the others take them from it. */
static bool write_images(struct tree *tree, const struct sim_options *options, unsigned index,
                         struct bundle_files *files, char *reason)
{
    char first[VM_NAME_MAX];

    if (index == 0)
        return tree_file(tree, options->firmware != NULL ? "firmware" : "kernel", &files->kernel,
                         reason) &&
               (files->initrd.fd < 0 || tree_file(tree, "initrd", &files->initrd, reason));
    vm_name(options, 0, first);
    tree_string(tree, "images-of", first);
    return true;
}

static void write_net(struct tree *tree, const struct sim_options *options)
{
    tree_begin(tree, "net@0");
    tree_string(tree, "compatible", "halcyon,net");
    if (options->net_user)
        tree_flag(tree, "uplink");
    tree_end(tree);
}

/* Behind the disks that are files. */
static void write_flash(struct tree *tree, const struct sim_options *options)
{
    tree_begin(tree, "flash");
    tree_string(tree, "compatible", "halcyon,flash");
    tree_u32(tree, "machine", options_disk_files(options));
    tree_end(tree);
}

static bool write_vm(struct tree *tree, const struct sim_options *options, unsigned index,
                     struct bundle_files *files, char *reason)
{
    char first[VM_NAME_MAX];
    char name[VM_NAME_MAX];

    vm_name(options, index, name);
    tree_begin(tree, name);
    tree_string(tree, "compatible", "halcyon,vm");
    tree_u64(tree, "memory-size", options->memory);
    tree_u32(tree, "vcpus", options->smp);
    if (options->nr_weights != 0)
        tree_u32(tree, "weight", options->weights[index]);
    tree_string(tree, "bootargs", options->append);
    vm_name(options, 0, first);
    if (!write_images(tree, options, index, files, reason) ||
        !bundle_disks_write(tree, options, index == 0 ? NULL : first, files->disk, reason))
        return false;
    if (options->flash != NULL)
        write_flash(tree, options);
    if (options->net)
        write_net(tree, options);
    tree_end(tree);
    return true;
}

static void write_settings(struct tree *tree, const struct sim_options *options)
{
    if (options->log == NULL && options->console == NULL && options->vmids == 0)
        return;
    tree_begin(tree, "halcyon");
    if (options->log != NULL)
        tree_string(tree, "log", options->log);
    if (options->console != NULL)
        tree_string(tree, "console", options->console);
    if (options->vmids != 0)
        tree_u32(tree, "vmids", options->vmids);
    tree_end(tree);
}

static bool write_tree(struct bundle_blob *out, const struct sim_options *options,
                       struct bundle_files *files, char *reason)
{
    struct tree tree = {out->data, 0};

    tree_do(&tree, fdt_create(out->data, (int)out->size));
    tree_do(&tree, tree.err != 0 ? 0 : fdt_finish_reservemap(out->data));
    tree_begin(&tree, "");
    tree_string(&tree, "compatible", "halcyon,bundle");
    write_settings(&tree, options);
    tree_begin(&tree, "vms");
    for (unsigned i = 0; i < options->vms; i++)
        if (!write_vm(&tree, options, i, files, reason))
            return false;
    tree_end(&tree);
    tree_end(&tree);
    tree_do(&tree, tree.err != 0 ? 0 : fdt_finish(out->data));
    if (tree.err != 0)
        return refuse(reason, fdt_strerror(tree.err));
    out->size = fdt_totalsize(out->data);
    return true;
}

static bool make(const struct sim_options *options, struct bundle_blob *out,
                 struct bundle_files *files, char *reason)
{
    uint64_t disks = bundle_disks_size(options, files->disk);
    uint64_t size =
        TREE_OVERHEAD + files->kernel.size + files->initrd.size + disks +
        options->vms * (VM_OVERHEAD + (options->net ? NET_OVERHEAD : 0) + strlen(options->append)) +
        (options->log != NULL ? strlen(options->log) : 0);

    if (size > BUNDLE_MAKE_LIMIT)
        return refuse(reason, disks == 0
                                  ? "kernel and initrd together have more than 1 GiB"
                                  : "kernel, initrd and disks together have more than 1 GiB");
    *out = (struct bundle_blob){malloc((size_t)size), (size_t)size};
    if (out->data == NULL)
        return refuse(reason, "no memory");
    if (write_tree(out, options, files, reason))
        return true;
    bundle_free(out);
    return false;
}

static bool open_files(const struct sim_options *options, struct bundle_files *files, char *reason)
{
    return file_in_open(&files->kernel, options->kernel, BUNDLE_MAKE_LIMIT, reason) &&
           (options->initrd == NULL ||
            file_in_open(&files->initrd, options->initrd, BUNDLE_MAKE_LIMIT, reason)) &&
           bundle_disks_open(options, files->disk, reason);
}

bool bundle_make(const struct sim_options *options, struct bundle_blob *out, char *reason)
{
    struct bundle_files files = {.kernel = {.fd = -1}, .initrd = {.fd = -1}};
    bool done;

    for (unsigned i = 0; i < SIM_DISK_OPTIONS; i++)
        files.disk[i].file.fd = -1;
    done = open_files(options, &files, reason) && make(options, out, &files, reason);
    file_in_close(&files.kernel);
    file_in_close(&files.initrd);
    for (unsigned i = 0; i < SIM_DISK_OPTIONS; i++)
        file_in_close(&files.disk[i].file);
    return done;
}

bool bundle_read(const char *path, struct bundle_blob *out, char *reason)
{
    struct file_in file;
    bool done;

    if (!file_in_open(&file, path, BUNDLE_MAKE_LIMIT, reason))
        return false;
    if (bundle_is_source(path)) {
        file_in_close(&file);
        return bundle_compile(path, out, reason);
    }
    *out = (struct bundle_blob){malloc((size_t)file.size), (size_t)file.size};
    done = out->data != NULL ? file_in_read(&file, out->data, reason) : refuse(reason, "no memory");
    file_in_close(&file);
    if (!done)
        bundle_free(out);
    return done;
}

void bundle_free(struct bundle_blob *blob)
{
    free(blob->data);
    *blob = (struct bundle_blob){NULL, 0};
}

void bundle_facts(const struct bundle_blob *blob, struct bundle_facts *out)
{
    struct hv_config config;
    char reason[BUNDLE_REASON_MAX];

    *out = (struct bundle_facts){0, true};
    if (bundle_parse(blob->data, blob->size, &dev_registry, &config, reason) != HV_OK)
        return;
    out->escapes = !config.no_escape;
    for (uint32_t i = 0; i < config.nr_vms; i++) {
        uint64_t memory = bundle_disks_memory(&config.vm[i]);
        memory =
            config.vm[i].memory > UINT64_MAX - memory ? UINT64_MAX : config.vm[i].memory + memory;
        out->memory = memory > UINT64_MAX - out->memory ? UINT64_MAX : out->memory + memory;
    }
}
