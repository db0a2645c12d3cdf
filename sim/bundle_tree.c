/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "sim/bundle_tree.h"
#include <libfdt.h>
#include <string.h>

void tree_do(struct tree *tree, int err)
{
    if (tree->err == 0)
        tree->err = err;
}

void tree_begin(struct tree *tree, const char *name)
{
    tree_do(tree, tree->err != 0 ? 0 : fdt_begin_node(tree->fdt, name));
}

void tree_end(struct tree *tree)
{
    tree_do(tree, tree->err != 0 ? 0 : fdt_end_node(tree->fdt));
}

void tree_string(struct tree *tree, const char *name, const char *value)
{
    int len = (int)strlen(value) + 1;

    tree_do(tree, tree->err != 0 ? 0 : fdt_property(tree->fdt, name, value, len));
}

void tree_u32(struct tree *tree, const char *name, uint32_t value)
{
    tree_do(tree, tree->err != 0 ? 0 : fdt_property_u32(tree->fdt, name, value));
}

void tree_u64(struct tree *tree, const char *name, uint64_t value)
{
    tree_do(tree, tree->err != 0 ? 0 : fdt_property_u64(tree->fdt, name, value));
}

void tree_flag(struct tree *tree, const char *name)
{
    tree_do(tree, tree->err != 0 ? 0 : fdt_property(tree->fdt, name, NULL, 0));
}

bool tree_file(struct tree *tree, const char *name, struct file_in *file, char *reason)
{
    void *place = NULL;

    if (tree->err == 0)
        tree_do(tree, fdt_property_placeholder(tree->fdt, name, (int)file->size, &place));
    return tree->err != 0 || file_in_read(file, place, reason);
}
