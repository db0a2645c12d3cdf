/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "boot/bundle.h"
#include "abi/machine.h"
#include "base/addr.h"
#include "base/bits.h"
#include "base/fmt.h"
#include "base/log.h"
#include "boot/fdt_util.h"
#include <libfdt.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* Longest escaped form of a name in a reason: a few bytes of it are enough to find it by. */
#define NAME_TEXT_MAX 49u
/* "/vms/" and a VM's name, or an escaped name. */
#define PATH_MAX_LEN (NAME_TEXT_MAX + 8u)

struct parser {
    const void *fdt;
    char *reason;
    struct hv_config *out;
    char path[PATH_MAX_LEN]; /* of the node that is looked at, escaped */
};

/* A property that has been read: `text` is its name, escaped if it came from outside. */
struct prop {
    const char *text;
    const char *data;
    uint32_t len;
};

/* A property that a kind of node may have; `target` is what the node describes. */
struct prop_row {
    const char *name;
    bool required;
    hv_err (*read)(struct parser *p, const struct prop *prop, void *target);
};

#define ROWS_MAX 16u

__attribute__((format(printf, 3, 4))) static hv_err refuse(struct parser *p, hv_err err,
                                                           const char *format, ...)
{
    va_list args;
    int used = fmt_snprintf(p->reason, BUNDLE_REASON_MAX, "%s: ", p->path);

    va_start(args, format);
    (void)fmt_vsnprintf(p->reason + used, BUNDLE_REASON_MAX - (size_t)used, format, args);
    va_end(args);
    return err;
}

static void set_path(struct parser *p, const char *parent, const char *name)
{
    char text[NAME_TEXT_MAX];

    (void)fmt_snprintf(p->path, sizeof(p->path), "%s/%s", parent,
                       log_escape(text, sizeof(text), name, strlen(name)));
}

/* --- Values --- */

static hv_err get_string(struct parser *p, const struct prop *prop, const char **out)
{
    if (prop->len == 0 || memchr(prop->data, '\0', prop->len) != prop->data + prop->len - 1)
        return refuse(p, HV_ERR_FORMAT, "%s: not one string", prop->text);
    *out = prop->data;
    return HV_OK;
}

static hv_err get_u64(struct parser *p, const struct prop *prop, uint64_t *out)
{
    if (prop->len != 8)
        return refuse(p, HV_ERR_FORMAT, "%s: %u bytes long, must be 8: /bits/ 64 <...>", prop->text,
                      prop->len);
    *out = fdt64_ld((const fdt64_t *)(const void *)prop->data);
    return HV_OK;
}

static hv_err get_blob(struct parser *p, const struct prop *prop, struct vm_blob *out)
{
    if (prop->len == 0)
        return refuse(p, HV_ERR_FORMAT, "%s: empty", prop->text);
    *out = (struct vm_blob){prop->data, prop->len};
    return HV_OK;
}

static hv_err expect_string(struct parser *p, const struct prop *prop, const char *expected)
{
    const char *value = "";
    hv_err err = get_string(p, prop, &value);

    if (err == HV_OK && strcmp(value, expected) != 0)
        return refuse(p, HV_ERR_FORMAT, "%s: must be \"%s\"", prop->text, expected);
    return err;
}

/* --- Properties of a VM --- */

static hv_err read_vm_compatible(struct parser *p, const struct prop *prop, void *target)
{
    (void)target;
    return expect_string(p, prop, "halcyon,vm");
}

static hv_err read_memory(struct parser *p, const struct prop *prop, void *target)
{
    struct vm_config *vm = target;
    hv_err err = get_u64(p, prop, &vm->memory);

    if (err != HV_OK)
        return err;
    if (!is_aligned(vm->memory, PAGE_SIZE))
        return refuse(p, HV_ERR_RANGE, "%s: not a multiple of 4 KiB", prop->text);
    if (vm->memory < VM_MIN_MEMORY)
        return refuse(p, HV_ERR_RANGE, "%s: %llu KiB, must be at least %llu", prop->text,
                      (unsigned long long)(vm->memory >> 10),
                      (unsigned long long)(VM_MIN_MEMORY >> 10));
    if (range_exceeds(MACHINE_RAM_BASE, vm->memory, BIT(48)))
        return refuse(p, HV_ERR_RANGE, "%s: more than 48 bits of address hold", prop->text);
    return HV_OK;
}

static hv_err read_vcpus(struct parser *p, const struct prop *prop, void *target)
{
    struct vm_config *vm = target;

    if (prop->len != 4)
        return refuse(p, HV_ERR_FORMAT, "%s: %u bytes long, must be 4", prop->text, prop->len);
    vm->vcpus = fdt32_ld((const fdt32_t *)(const void *)prop->data);
    if (vm->vcpus < 1 || vm->vcpus > MACHINE_MAX_VCPUS)
        return refuse(p, HV_ERR_RANGE, "%s: %u, must be 1 to %u", prop->text, vm->vcpus,
                      MACHINE_MAX_VCPUS);
    return HV_OK;
}

static hv_err read_bootargs(struct parser *p, const struct prop *prop, void *target)
{
    return get_string(p, prop, &((struct vm_config *)target)->bootargs);
}

static hv_err read_kernel(struct parser *p, const struct prop *prop, void *target)
{
    return get_blob(p, prop, &((struct vm_config *)target)->kernel);
}

static hv_err read_initrd(struct parser *p, const struct prop *prop, void *target)
{
    return get_blob(p, prop, &((struct vm_config *)target)->initrd);
}

static hv_err read_kernel_address(struct parser *p, const struct prop *prop, void *target)
{
    struct vm_config *vm = target;

    vm->has_kernel_address = true;
    return get_u64(p, prop, &vm->kernel_address);
}

static hv_err read_initrd_address(struct parser *p, const struct prop *prop, void *target)
{
    struct vm_config *vm = target;

    vm->has_initrd_address = true;
    return get_u64(p, prop, &vm->initrd_address);
}

static const struct prop_row vm_rows[] = {
    {"compatible", true, read_vm_compatible},
    {"memory-size", true, read_memory},
    {"vcpus", false, read_vcpus},
    {"bootargs", false, read_bootargs},
    {"kernel", true, read_kernel},
    {"initrd", false, read_initrd},
    {"kernel-address", false, read_kernel_address},
    {"initrd-address", false, read_initrd_address},
};

/* --- Properties of the other nodes --- */

static hv_err read_root_compatible(struct parser *p, const struct prop *prop, void *target)
{
    (void)target;
    return expect_string(p, prop, "halcyon,bundle");
}

/* Tried on a log of its own, so that a bundle with a mistake in it changes nothing. */
static hv_err read_log(struct parser *p, const struct prop *prop, void *target)
{
    struct hv_config *config = target;
    struct log_sink sink = {NULL, NULL, NULL};
    struct log scratch;
    hv_err err = get_string(p, prop, &config->log);

    if (err != HV_OK)
        return err;
    log_init(&scratch, &sink);
    if (log_set_levels(&scratch, config->log) != HV_OK)
        return refuse(p, HV_ERR_FORMAT, "%s: must be LEVEL or LEVEL,MODULE=LEVEL,...", prop->text);
    return HV_OK;
}

static const struct prop_row root_rows[] = {
    {"compatible", true, read_root_compatible},
};

static const struct prop_row halcyon_rows[] = {
    {"log", false, read_log},
};

_Static_assert(ARRAY_LEN(vm_rows) <= ROWS_MAX, "more rows than read_props() can tick off");

/* --- Nodes --- */

static hv_err read_prop(struct parser *p, int offset, const struct prop_row *rows, size_t nr_rows,
                        bool seen[ROWS_MAX], void *target)
{
    char text[NAME_TEXT_MAX];
    const char *name = "";
    int len = 0;
    const char *data = fdt_getprop_by_offset(p->fdt, offset, &name, &len);

    if (data == NULL)
        return refuse(p, HV_ERR_FORMAT, "a property is malformed: %s", fdt_strerror(len));
    (void)log_escape(text, sizeof(text), name, strlen(name));
    for (size_t i = 0; i < nr_rows; i++) {
        struct prop prop = {text, data, (uint32_t)len};
        if (strcmp(name, rows[i].name) != 0)
            continue;
        if (seen[i])
            return refuse(p, HV_ERR_FORMAT, "%s: there twice", text);
        seen[i] = true;
        return rows[i].read(p, &prop, target);
    }
    return refuse(p, HV_ERR_FORMAT, "%s: unknown property", text);
}

/* Every property of the node must have a row, once, and every required row a property. */
static hv_err read_props(struct parser *p, int node, const struct prop_row *rows, size_t nr_rows,
                         void *target)
{
    bool seen[ROWS_MAX] = {false};
    int offset;

    fdt_for_each_property_offset(offset, p->fdt, node)
    {
        hv_err err = read_prop(p, offset, rows, nr_rows, seen, target);
        if (err != HV_OK)
            return err;
    }
    for (size_t i = 0; i < nr_rows; i++)
        if (rows[i].required && !seen[i])
            return refuse(p, HV_ERR_FORMAT, "%s: missing", rows[i].name);
    return HV_OK;
}

static hv_err refuse_subnodes(struct parser *p, int node)
{
    int child = fdt_first_subnode(p->fdt, node);
    char text[NAME_TEXT_MAX];
    const char *name;

    if (child < 0)
        return HV_OK;
    name = fdt_get_name(p->fdt, child, NULL);
    return refuse(p, HV_ERR_FORMAT, "%s: unknown node",
                  log_escape(text, sizeof(text), name, strlen(name)));
}

/* The characters that a node name may have (Devicetree Specification v0.4, 2.2.1). */
static bool name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr(",._+-", c) != NULL);
}

static hv_err read_name(struct parser *p, const char *name, struct vm_config *vm)
{
    size_t len = strlen(name);

    if (len == 0 || len >= VM_NAME_MAX)
        return refuse(p, HV_ERR_FORMAT, "a VM's name must have 1 to %u characters",
                      VM_NAME_MAX - 1);
    for (size_t i = 0; i < len; i++)
        if (!name_char(name[i]))
            return refuse(p, HV_ERR_FORMAT, "a VM's name must be of letters, digits and \",._+-\"");
    for (uint32_t i = 0; i < p->out->nr_vms; i++)
        if (strcmp(p->out->vm[i].name, name) == 0)
            return refuse(p, HV_ERR_FORMAT, "another VM has this name");
    memcpy(vm->name, name, len + 1);
    return HV_OK;
}

static hv_err read_vm(struct parser *p, int node)
{
    const char *name = fdt_get_name(p->fdt, node, NULL);
    struct vm_config *vm;
    hv_err err;

    set_path(p, "/vms", name);
    if (p->out->nr_vms == HV_MAX_VMS)
        return refuse(p, HV_ERR_RANGE, "more than %u VMs", HV_MAX_VMS);
    vm = &p->out->vm[p->out->nr_vms];
    *vm = (struct vm_config){.vcpus = 1, .bootargs = ""};
    err = read_name(p, name, vm);
    if (err == HV_OK)
        err = read_props(p, node, vm_rows, ARRAY_LEN(vm_rows), vm);
    if (err == HV_OK)
        err = refuse_subnodes(p, node);
    if (err == HV_OK && vm->has_initrd_address && vm->initrd.size == 0)
        err = refuse(p, HV_ERR_FORMAT, "initrd-address: there is no initrd");
    if (err == HV_OK)
        p->out->nr_vms++;
    return err;
}

static hv_err read_vms(struct parser *p, int node)
{
    hv_err err = read_props(p, node, NULL, 0, NULL);
    int child;

    if (err != HV_OK)
        return err;
    fdt_for_each_subnode(child, p->fdt, node)
    {
        err = read_vm(p, child);
        if (err != HV_OK)
            return err;
    }
    if (p->out->nr_vms == 0)
        return refuse(p, HV_ERR_FORMAT, "no VM");
    return HV_OK;
}

static hv_err read_halcyon(struct parser *p, int node)
{
    hv_err err = read_props(p, node, halcyon_rows, ARRAY_LEN(halcyon_rows), p->out);

    return err == HV_OK ? refuse_subnodes(p, node) : err;
}

static const struct node_row {
    const char *name;
    bool required;
    hv_err (*read)(struct parser *p, int node);
} node_rows[] = {
    {"halcyon", false, read_halcyon},
    {"vms", true, read_vms},
};

static hv_err read_node(struct parser *p, int node, bool seen[ARRAY_LEN(node_rows)])
{
    const char *name = fdt_get_name(p->fdt, node, NULL);

    set_path(p, "", name);
    for (size_t i = 0; i < ARRAY_LEN(node_rows); i++) {
        if (strcmp(name, node_rows[i].name) != 0)
            continue;
        if (seen[i])
            return refuse(p, HV_ERR_FORMAT, "there twice");
        seen[i] = true;
        return node_rows[i].read(p, node);
    }
    return refuse(p, HV_ERR_FORMAT, "unknown node");
}

static hv_err read_root(struct parser *p)
{
    bool seen[ARRAY_LEN(node_rows)] = {false};
    hv_err err = read_props(p, 0, root_rows, ARRAY_LEN(root_rows), p->out);
    int node;

    if (err != HV_OK)
        return err;
    fdt_for_each_subnode(node, p->fdt, 0)
    {
        err = read_node(p, node, seen);
        if (err != HV_OK)
            return err;
    }
    set_path(p, "", "");
    for (size_t i = 0; i < ARRAY_LEN(node_rows); i++)
        if (node_rows[i].required && !seen[i])
            return refuse(p, HV_ERR_FORMAT, "%s: missing", node_rows[i].name);
    return HV_OK;
}

/* --- The blob --- */

/* One pass over the whole tree before anything else walks it. */
static hv_err check_depth(struct parser *p)
{
    int depth = 0;

    for (int node = 0; node >= 0; node = fdt_next_node(p->fdt, node, &depth))
        if (depth > BUNDLE_MAX_DEPTH)
            return refuse(p, HV_ERR_FORMAT, "nodes are nested deeper than %d levels",
                          BUNDLE_MAX_DEPTH);
    return HV_OK;
}

static hv_err check_blob(struct parser *p, size_t size)
{
    int check = fdt_util_check(p->fdt, size);

    if (check != 0)
        return refuse(p, HV_ERR_FORMAT, "not a devicetree blob, or a damaged one: %s",
                      fdt_strerror(check));
    if (fdt_num_mem_rsv(p->fdt) != 0)
        return refuse(p, HV_ERR_FORMAT, "memory reservations mean nothing in a bundle");
    return check_depth(p);
}

hv_err bundle_parse(const void *blob, size_t size, struct hv_config *out,
                    char reason[BUNDLE_REASON_MAX])
{
    struct parser p = {.fdt = blob, .reason = reason, .out = out};
    hv_err err;

    memset(out, 0, sizeof(*out));
    reason[0] = '\0';
    set_path(&p, "", "");
    err = check_blob(&p, size);
    return err == HV_OK ? read_root(&p) : err;
}
