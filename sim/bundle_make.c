/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "sim/bundle_make.h"
#include "boot/bundle.h"
#include "dev/registry.h"
#include "sim/bundle_source.h"
#include "sim/file_in.h"
#include <libfdt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(FILE_IN_REASON_MAX <= BUNDLE_MAKE_REASON_MAX, "a file's reason fits");

/* What the tree and each VM take beside the files and the strings. */
#define TREE_OVERHEAD 4096u
#define VM_OVERHEAD   256u

static bool refuse(char *reason, const char *why)
{
    (void)snprintf(reason, BUNDLE_MAKE_REASON_MAX, "the bundle cannot be made: %s", why);
    return false;
}

/* libfdt's sequential write: the first error stays, and what follows it does nothing. */
struct tree {
    void *fdt;
    int err;
};

static void tree_do(struct tree *tree, int err)
{
    if (tree->err == 0)
        tree->err = err;
}

static void tree_begin(struct tree *tree, const char *name)
{
    tree_do(tree, tree->err != 0 ? 0 : fdt_begin_node(tree->fdt, name));
}

static void tree_end(struct tree *tree)
{
    tree_do(tree, tree->err != 0 ? 0 : fdt_end_node(tree->fdt));
}

static void tree_string(struct tree *tree, const char *name, const char *value)
{
    int len = (int)strlen(value) + 1;

    tree_do(tree, tree->err != 0 ? 0 : fdt_property(tree->fdt, name, value, len));
}

/* A property with the file's bytes, read straight to its place. */
static bool tree_file(struct tree *tree, const char *name, struct file_in *file, char *reason)
{
    void *place = NULL;

    if (tree->err == 0)
        tree_do(tree, fdt_property_placeholder(tree->fdt, name, (int)file->size, &place));
    return tree->err != 0 || file_in_read(file, place, reason);
}

static void tree_u32(struct tree *tree, const char *name, uint32_t value)
{
    tree_do(tree, tree->err != 0 ? 0 : fdt_property_u32(tree->fdt, name, value));
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
                         struct file_in *kernel, struct file_in *initrd, char *reason)
{
    char first[VM_NAME_MAX];

    if (index == 0)
        return tree_file(tree, options->firmware != NULL ? "firmware" : "kernel", kernel, reason) &&
               (initrd == NULL || tree_file(tree, "initrd", initrd, reason));
    vm_name(options, 0, first);
    tree_string(tree, "images-of", first);
    return true;
}

static bool write_vm(struct tree *tree, const struct sim_options *options, unsigned index,
                     struct file_in *kernel, struct file_in *initrd, char *reason)
{
    char name[VM_NAME_MAX];

    vm_name(options, index, name);
    tree_begin(tree, name);
    tree_string(tree, "compatible", "halcyon,vm");
    tree_do(tree, tree->err != 0 ? 0 : fdt_property_u64(tree->fdt, "memory-size", options->memory));
    tree_u32(tree, "vcpus", options->smp);
    if (options->nr_weights != 0)
        tree_u32(tree, "weight", options->weights[index]);
    tree_string(tree, "bootargs", options->append);
    if (!write_images(tree, options, index, kernel, initrd, reason))
        return false;
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
                       struct file_in *kernel, struct file_in *initrd, char *reason)
{
    struct tree tree = {out->data, 0};

    tree_do(&tree, fdt_create(out->data, (int)out->size));
    tree_do(&tree, tree.err != 0 ? 0 : fdt_finish_reservemap(out->data));
    tree_begin(&tree, "");
    tree_string(&tree, "compatible", "halcyon,bundle");
    write_settings(&tree, options);
    tree_begin(&tree, "vms");
    for (unsigned i = 0; i < options->vms; i++)
        if (!write_vm(&tree, options, i, kernel, initrd, reason))
            return false;
    tree_end(&tree);
    tree_end(&tree);
    tree_do(&tree, tree.err != 0 ? 0 : fdt_finish(out->data));
    if (tree.err != 0)
        return refuse(reason, fdt_strerror(tree.err));
    out->size = fdt_totalsize(out->data);
    return true;
}

static bool make(const struct sim_options *options, struct bundle_blob *out, struct file_in *kernel,
                 struct file_in *initrd, char *reason)
{
    uint64_t size = TREE_OVERHEAD + kernel->size + (initrd != NULL ? initrd->size : 0) +
                    options->vms * (VM_OVERHEAD + strlen(options->append)) +
                    (options->log != NULL ? strlen(options->log) : 0);

    if (size > BUNDLE_MAKE_LIMIT)
        return refuse(reason, "kernel and initrd together have more than 1 GiB");
    *out = (struct bundle_blob){malloc((size_t)size), (size_t)size};
    if (out->data == NULL)
        return refuse(reason, "no memory");
    if (write_tree(out, options, kernel, initrd, reason))
        return true;
    bundle_free(out);
    return false;
}

bool bundle_make(const struct sim_options *options, struct bundle_blob *out, char *reason)
{
    struct file_in kernel;
    struct file_in initrd;
    bool done;

    if (!file_in_open(&kernel, options->kernel, BUNDLE_MAKE_LIMIT, reason))
        return false;
    if (options->initrd == NULL) {
        done = make(options, out, &kernel, NULL, reason);
    } else {
        done = file_in_open(&initrd, options->initrd, BUNDLE_MAKE_LIMIT, reason) &&
               make(options, out, &kernel, &initrd, reason);
        file_in_close(&initrd);
    }
    file_in_close(&kernel);
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
    for (uint32_t i = 0; i < config.nr_vms; i++)
        out->memory = config.vm[i].memory > UINT64_MAX - out->memory
                          ? UINT64_MAX
                          : out->memory + config.vm[i].memory;
}
