/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A devicetree that a test makes and then changes, for the modules of core/boot that read one.
 * Paths that do not exist are made.
 */
#ifndef TESTS_FDT_FIXTURE_H
#define TESTS_FDT_FIXTURE_H

#include <criterion/criterion.h>
#include <libfdt.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define TREE_SIZE 16384

static _Alignas(8) unsigned char tree[TREE_SIZE];

static inline void tree_new(void)
{
    cr_assert_eq(fdt_create_empty_tree(tree, TREE_SIZE), 0);
}

/* The node at `path`, made with all its parents if it is not there. */
static inline int tree_node(const char *path)
{
    int node = 0;

    while (*path == '/' && path[1] != '\0') {
        const char *name = path + 1;
        size_t len = strcspn(name, "/");
        int child = fdt_subnode_offset_namelen(tree, node, name, (int)len);
        if (child < 0)
            child = fdt_add_subnode_namelen(tree, node, name, (int)len);
        cr_assert_geq(child, 0, "%s", path);
        node = child;
        path = name + len;
    }
    return node;
}

static inline void tree_bytes(const char *path, const char *name, const void *data, size_t len)
{
    cr_assert_eq(fdt_setprop(tree, tree_node(path), name, data, (int)len), 0, "%s %s", path, name);
}

static inline void tree_string(const char *path, const char *name, const char *text)
{
    tree_bytes(path, name, text, strlen(text) + 1);
}

static inline void tree_cells_n(const char *path, const char *name, const uint32_t *cells, size_t n)
{
    fdt32_t out[128];

    cr_assert_leq(n, 128);
    for (size_t i = 0; i < n; i++)
        fdt32_st(&out[i], cells[i]);
    tree_bytes(path, name, out, n * 4);
}

#define tree_cells(path, name, ...)                                                                \
    tree_cells_n(path, name, (const uint32_t[]){__VA_ARGS__},                                      \
                 sizeof((const uint32_t[]){__VA_ARGS__}) / 4)

static inline void tree_u64(const char *path, const char *name, uint64_t value)
{
    tree_cells(path, name, (uint32_t)(value >> 32), (uint32_t)value);
}

static inline void tree_drop(const char *path, const char *name)
{
    cr_assert_eq(fdt_delprop(tree, tree_node(path), name), 0, "%s %s", path, name);
}

static inline void tree_drop_node(const char *path)
{
    cr_assert_eq(fdt_del_node(tree, tree_node(path)), 0, "%s", path);
}

/* xorshift64*: a fixed sequence on every machine. */
static inline uint64_t tree_random(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * UINT64_C(0x2545f4914f6cdd1d);
}

#endif
