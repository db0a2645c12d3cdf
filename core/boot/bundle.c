/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "boot/bundle.h"
#include "base/bits.h"
#include "base/log.h"
#include "boot/bundle_props.h"
#include "boot/bundle_vm.h"
#include "boot/fdt_util.h"
#include "hal/platform.h"
#include "mem/vmid.h"
#include <libfdt.h>
#include <string.h>

/* --- Properties of the other nodes --- */

static hv_err read_root_compatible(struct bundle_parser *p, const struct bundle_prop *prop,
                                   void *target)
{
    (void)target;
    return bundle_expect_string(p, prop, "halcyon,bundle");
}

/* Tried on a log of its own, so that a bundle with a mistake in it changes nothing. */
static hv_err read_log(struct bundle_parser *p, const struct bundle_prop *prop, void *target)
{
    struct hv_config *config = target;
    struct log_sink sink = {NULL, NULL, NULL};
    struct log scratch;
    hv_err err = bundle_get_string(p, prop, &config->log);

    if (err != HV_OK)
        return err;
    log_init(&scratch, &sink);
    if (log_set_levels(&scratch, config->log) != HV_OK)
        return bundle_refuse(p, HV_ERR_FORMAT, "%s: must be LEVEL or LEVEL,MODULE=LEVEL,...",
                             prop->text);
    return HV_OK;
}

static hv_err read_console(struct bundle_parser *p, const struct bundle_prop *prop, void *target)
{
    static const char *const modes[] = {
        [HV_CONSOLE_PREFIX] = "prefix",
        [HV_CONSOLE_FOCUS] = "focus",
        [HV_CONSOLE_LINES] = "lines",
    };
    const char *value = "";
    hv_err err = bundle_get_string(p, prop, &value);

    if (err != HV_OK)
        return err;
    for (uint32_t i = 0; i < ARRAY_LEN(modes); i++) {
        if (strcmp(value, modes[i]) == 0) {
            ((struct hv_config *)target)->console = (enum hv_console_mode)i;
            return HV_OK;
        }
    }
    return bundle_refuse(p, HV_ERR_FORMAT, "%s: must be \"prefix\", \"focus\" or \"lines\"",
                         prop->text);
}

static hv_err read_no_escape(struct bundle_parser *p, const struct bundle_prop *prop, void *target)
{
    return bundle_get_flag(p, prop, &((struct hv_config *)target)->no_escape);
}

static hv_err read_pcpus(struct bundle_parser *p, const struct bundle_prop *prop, void *target)
{
    return bundle_get_count(p, prop, 1, PLATFORM_MAX_CPUS, &((struct hv_config *)target)->pcpus);
}

static hv_err read_vmids(struct bundle_parser *p, const struct bundle_prop *prop, void *target)
{
    return bundle_get_count(p, prop, HV_MIN_VMIDS, VMID_MAX, &((struct hv_config *)target)->vmids);
}

static const struct bundle_row root_rows[] = {
    {"compatible", true, read_root_compatible},
};

static const struct bundle_row halcyon_rows[] = {
    {"log", false, read_log},
    {"console", false, read_console},
    {"no-escape", false, read_no_escape},
    {"pcpus", false, read_pcpus},
    {"vmids", false, read_vmids},
};

_Static_assert(ARRAY_LEN(halcyon_rows) <= BUNDLE_ROWS_MAX, "more rows than are ticked off");

/* --- Nodes --- */

static hv_err read_vms(struct bundle_parser *p, int node)
{
    hv_err err = bundle_read_props(p, node, NULL, 0, NULL);
    int child;

    if (err != HV_OK)
        return err;
    fdt_for_each_subnode(child, p->fdt, node)
    {
        err = bundle_read_vm(p, child);
        if (err != HV_OK)
            return err;
    }
    if (p->out->nr_vms == 0)
        return bundle_refuse(p, HV_ERR_FORMAT, "no VM");
    return HV_OK;
}

static hv_err read_halcyon(struct bundle_parser *p, int node)
{
    hv_err err = bundle_read_props(p, node, halcyon_rows, ARRAY_LEN(halcyon_rows), p->out);

    return err == HV_OK ? bundle_refuse_subnodes(p, node) : err;
}

static const struct node_row {
    const char *name;
    bool required;
    hv_err (*read)(struct bundle_parser *p, int node);
} node_rows[] = {
    {"halcyon", false, read_halcyon},
    {"vms", true, read_vms},
};

static hv_err read_node(struct bundle_parser *p, int node, bool seen[ARRAY_LEN(node_rows)])
{
    const char *name = fdt_get_name(p->fdt, node, NULL);

    bundle_set_path(p, "", name);
    for (size_t i = 0; i < ARRAY_LEN(node_rows); i++) {
        if (strcmp(name, node_rows[i].name) != 0)
            continue;
        if (seen[i])
            return bundle_refuse(p, HV_ERR_FORMAT, "there twice");
        seen[i] = true;
        return node_rows[i].read(p, node);
    }
    return bundle_refuse(p, HV_ERR_FORMAT, "unknown node");
}

static hv_err read_root(struct bundle_parser *p)
{
    bool seen[ARRAY_LEN(node_rows)] = {false};
    hv_err err = bundle_read_props(p, 0, root_rows, ARRAY_LEN(root_rows), p->out);
    int node;

    if (err != HV_OK)
        return err;
    fdt_for_each_subnode(node, p->fdt, 0)
    {
        err = read_node(p, node, seen);
        if (err != HV_OK)
            return err;
    }
    bundle_set_path(p, "", "");
    for (size_t i = 0; i < ARRAY_LEN(node_rows); i++)
        if (node_rows[i].required && !seen[i])
            return bundle_refuse(p, HV_ERR_FORMAT, "%s: missing", node_rows[i].name);
    return HV_OK;
}

/* --- The blob --- */

/* One pass over the whole tree before anything else walks it. */
static hv_err check_depth(struct bundle_parser *p)
{
    int depth = 0;

    for (int node = 0; node >= 0; node = fdt_next_node(p->fdt, node, &depth))
        if (depth > BUNDLE_MAX_DEPTH)
            return bundle_refuse(p, HV_ERR_FORMAT, "nodes are nested deeper than %d levels",
                                 BUNDLE_MAX_DEPTH);
    return HV_OK;
}

static hv_err check_blob(struct bundle_parser *p, size_t size)
{
    int check = fdt_util_check(p->fdt, size);

    if (check != 0)
        return bundle_refuse(p, HV_ERR_FORMAT, "not a devicetree blob, or a damaged one: %s",
                             fdt_strerror(check));
    if (fdt_num_mem_rsv(p->fdt) != 0)
        return bundle_refuse(p, HV_ERR_FORMAT, "memory reservations mean nothing in a bundle");
    return check_depth(p);
}

hv_err bundle_parse(const void *blob, size_t size, const struct dev_registry *registry,
                    struct hv_config *out, char reason[BUNDLE_REASON_MAX])
{
    struct bundle_parser p = {.fdt = blob, .registry = registry, .reason = reason, .out = out};
    hv_err err;

    memset(out, 0, sizeof(*out));
    reason[0] = '\0';
    bundle_set_path(&p, "", "");
    err = check_blob(&p, size);
    return err == HV_OK ? read_root(&p) : err;
}
