/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "sim/bundle_make.h"
#include "boot/bundle.h"
#include "sim/file_in.h"
#include <libfdt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(FILE_IN_REASON_MAX <= BUNDLE_MAKE_REASON_MAX, "a file's reason fits");

/* What the tree takes beside the files and the strings. */
#define TREE_OVERHEAD 4096u

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

static bool write_vm(struct tree *tree, const struct sim_options *options, struct file_in *kernel,
                     struct file_in *initrd, char *reason)
{
    tree_begin(tree, "linux");
    tree_string(tree, "compatible", "halcyon,vm");
    tree_do(tree, tree->err != 0 ? 0 : fdt_property_u64(tree->fdt, "memory-size", options->memory));
    tree_do(tree, tree->err != 0 ? 0 : fdt_property_u32(tree->fdt, "vcpus", options->smp));
    tree_string(tree, "bootargs", options->append);
    if (!tree_file(tree, "kernel", kernel, reason))
        return false;
    if (initrd != NULL && !tree_file(tree, "initrd", initrd, reason))
        return false;
    tree_end(tree);
    return true;
}

static bool write_tree(struct bundle_blob *out, const struct sim_options *options,
                       struct file_in *kernel, struct file_in *initrd, char *reason)
{
    struct tree tree = {out->data, 0};

    tree_do(&tree, fdt_create(out->data, (int)out->size));
    tree_do(&tree, tree.err != 0 ? 0 : fdt_finish_reservemap(out->data));
    tree_begin(&tree, "");
    tree_string(&tree, "compatible", "halcyon,bundle");
    if (options->log != NULL) {
        tree_begin(&tree, "halcyon");
        tree_string(&tree, "log", options->log);
        tree_end(&tree);
    }
    tree_begin(&tree, "vms");
    if (!write_vm(&tree, options, kernel, initrd, reason))
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
                    strlen(options->append) + (options->log != NULL ? strlen(options->log) : 0);

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

uint64_t bundle_memory(const struct bundle_blob *blob)
{
    struct hv_config config;
    char reason[BUNDLE_REASON_MAX];
    uint64_t sum = 0;

    if (bundle_parse(blob->data, blob->size, &config, reason) != HV_OK)
        return 0;
    for (uint32_t i = 0; i < config.nr_vms; i++)
        sum = config.vm[i].memory > UINT64_MAX - sum ? UINT64_MAX : sum + config.vm[i].memory;
    return sum;
}
