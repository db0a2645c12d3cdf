/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * How the bundle's parser reads a node: each kind of node has a table with a row for every property
 * that it may have. For boot/bundle*.c. All functions that return an error have filled the reason
 * in.
 */
#ifndef BOOT_BUNDLE_PROPS_H
#define BOOT_BUNDLE_PROPS_H

#include "base/err.h"
#include "boot/bundle.h"
#include "vm/config.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Longest escaped form of a name in a reason: a few bytes of it are enough to find it by. */
#define BUNDLE_TEXT_MAX 49u
/* "/vms/", a VM's name, and another name, escaped. */
#define BUNDLE_PATH_MAX (8u + VM_NAME_MAX + BUNDLE_TEXT_MAX)
#define BUNDLE_ROWS_MAX 16u

struct bundle_parser {
    const void *fdt;
    const struct dev_registry *registry;
    char *reason; /* BUNDLE_REASON_MAX bytes */
    struct hv_config *out;
    char path[BUNDLE_PATH_MAX]; /* of the node that is looked at, escaped */
};

/* A property that has been read: `text` is its name, escaped if it came from outside. */
struct bundle_prop {
    const char *text;
    const char *data;
    uint32_t len;
};

/* A property that a kind of node may have; `target` is what the node describes. */
struct bundle_row {
    const char *name;
    bool required;
    hv_err (*read)(struct bundle_parser *p, const struct bundle_prop *prop, void *target);
};

/* Writes the reason, with p->path before it. Returns `err`. */
__attribute__((format(printf, 3, 4))) hv_err bundle_refuse(struct bundle_parser *p, hv_err err,
                                                           const char *format, ...);
/* Which node reasons are about from now on. `name` may be any bytes. */
void bundle_set_path(struct bundle_parser *p, const char *parent, const char *name);

/* The property's value; HV_ERR_FORMAT if it has another form. */
HV_MUST_CHECK hv_err bundle_get_string(struct bundle_parser *p, const struct bundle_prop *prop,
                                       const char **out);
HV_MUST_CHECK hv_err bundle_get_u64(struct bundle_parser *p, const struct bundle_prop *prop,
                                    uint64_t *out);
HV_MUST_CHECK hv_err bundle_get_blob(struct bundle_parser *p, const struct bundle_prop *prop,
                                     struct vm_blob *out);
/* A number of 32 bits from min to max; else HV_ERR_FORMAT or HV_ERR_RANGE. */
HV_MUST_CHECK hv_err bundle_get_count(struct bundle_parser *p, const struct bundle_prop *prop,
                                      uint32_t min, uint32_t max, uint32_t *out);
/* A property whose being there is all that it says. */
HV_MUST_CHECK hv_err bundle_get_flag(struct bundle_parser *p, const struct bundle_prop *prop,
                                     bool *out);
HV_MUST_CHECK hv_err bundle_expect_string(struct bundle_parser *p, const struct bundle_prop *prop,
                                          const char *expected);

/* Every property of the node must have a row, once, and every required row a property. At most
 * BUNDLE_ROWS_MAX rows. */
HV_MUST_CHECK hv_err bundle_read_props(struct bundle_parser *p, int node,
                                       const struct bundle_row *rows, size_t nr_rows, void *target);
HV_MUST_CHECK hv_err bundle_refuse_subnodes(struct bundle_parser *p, int node);

#endif
