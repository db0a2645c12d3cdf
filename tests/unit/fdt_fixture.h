/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A devicetree that a test makes and then changes, for the modules of core/boot that read or write
 * one. Paths that do not exist are made.
 */
#ifndef TESTS_FDT_FIXTURE_H
#define TESTS_FDT_FIXTURE_H

#include "cases.h"
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

#define TREE_CELLS_MAX 128

/* The bytes of a property of `n` cells. */
static inline void tree_encode(fdt32_t out[TREE_CELLS_MAX], const uint32_t *cells, size_t n)
{
    cr_assert_leq(n, TREE_CELLS_MAX);
    for (size_t i = 0; i < n; i++)
        fdt32_st(&out[i], cells[i]);
}

static inline void tree_cells_n(const char *path, const char *name, const uint32_t *cells, size_t n)
{
    fdt32_t out[TREE_CELLS_MAX];

    tree_encode(out, cells, n);
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

#define GIC   "/intc@8000000"
#define UART  "/pl011@9000000"
#define TIMER "/timer"

/* Shaped as QEMU's virt with virtualization=on,gic-version=3 is. */
static inline void tree_virt(void)
{
    tree_new();
    tree_cells("/", "#address-cells", 2);
    tree_cells("/", "#size-cells", 2);
    tree_cells("/", "interrupt-parent", 0x8002);
    tree_string("/memory@40000000", "device_type", "memory");
    tree_cells("/memory@40000000", "reg", 0, 0x40000000, 0, 0x40000000);
    tree_cells("/cpus", "#address-cells", 1);
    tree_cells("/cpus", "#size-cells", 0);
    tree_string("/cpus/cpu@0", "device_type", "cpu");
    tree_cells("/cpus/cpu@0", "reg", 0);
    tree_string("/cpus/cpu@1", "device_type", "cpu");
    tree_cells("/cpus/cpu@1", "reg", 1);
    tree_string(GIC, "compatible", "arm,gic-v3");
    tree_cells(GIC, "phandle", 0x8002);
    tree_cells(GIC, "#interrupt-cells", 3);
    tree_cells(GIC, "#redistributor-regions", 1);
    tree_cells(GIC, "reg", 0, 0x8000000, 0, 0x10000, 0, 0x80a0000, 0, 0xf60000);
    tree_cells(GIC, "interrupts", 1, 9, 4);
    tree_bytes(TIMER, "compatible", "arm,armv8-timer\0arm,armv7-timer", 32);
    tree_cells(TIMER, "interrupts", 1, 13, 4, 1, 14, 4, 1, 11, 4, 1, 10, 4);
    tree_bytes(UART, "compatible", "arm,pl011\0arm,primecell", 24);
    tree_cells(UART, "reg", 0, 0x9000000, 0, 0x1000);
    tree_cells(UART, "interrupts", 0, 1, 4);
    tree_string("/chosen", "stdout-path", UART);
    tree_cells("/chosen", "linux,initrd-start", 0x48000000);
    tree_cells("/chosen", "linux,initrd-end", 0x48001234);
}

#endif
