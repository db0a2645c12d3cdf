/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "boot/bundle_props.h"
#include "base/fmt.h"
#include "base/log.h"
#include <libfdt.h>
#include <stdarg.h>
#include <string.h>

hv_err bundle_refuse(struct bundle_parser *p, hv_err err, const char *format, ...)
{
    va_list args;
    int used = fmt_snprintf(p->reason, BUNDLE_REASON_MAX, "%s: ", p->path);

    va_start(args, format);
    (void)fmt_vsnprintf(p->reason + used, BUNDLE_REASON_MAX - (size_t)used, format, args);
    va_end(args);
    return err;
}

void bundle_set_path(struct bundle_parser *p, const char *parent, const char *name)
{
    char text[BUNDLE_TEXT_MAX];

    (void)fmt_snprintf(p->path, sizeof(p->path), "%s/%s", parent,
                       log_escape(text, sizeof(text), name, strlen(name)));
}

/* --- Values --- */

hv_err bundle_get_string(struct bundle_parser *p, const struct bundle_prop *prop, const char **out)
{
    if (prop->len == 0 || memchr(prop->data, '\0', prop->len) != prop->data + prop->len - 1)
        return bundle_refuse(p, HV_ERR_FORMAT, "%s: not one string", prop->text);
    *out = prop->data;
    return HV_OK;
}

hv_err bundle_get_u64(struct bundle_parser *p, const struct bundle_prop *prop, uint64_t *out)
{
    if (prop->len != 8)
        return bundle_refuse(p, HV_ERR_FORMAT, "%s: %u bytes long, must be 8: /bits/ 64 <...>",
                             prop->text, prop->len);
    *out = fdt64_ld((const fdt64_t *)(const void *)prop->data);
    return HV_OK;
}

hv_err bundle_get_count(struct bundle_parser *p, const struct bundle_prop *prop, uint32_t min,
                        uint32_t max, uint32_t *out)
{
    if (prop->len != 4)
        return bundle_refuse(p, HV_ERR_FORMAT, "%s: %u bytes long, must be 4", prop->text,
                             prop->len);
    *out = fdt32_ld((const fdt32_t *)(const void *)prop->data);
    if (*out < min || *out > max)
        return bundle_refuse(p, HV_ERR_RANGE, "%s: %u, must be %u to %u", prop->text, *out, min,
                             max);
    return HV_OK;
}

hv_err bundle_get_flag(struct bundle_parser *p, const struct bundle_prop *prop, bool *out)
{
    if (prop->len != 0)
        return bundle_refuse(p, HV_ERR_FORMAT, "%s: must have no value", prop->text);
    *out = true;
    return HV_OK;
}

hv_err bundle_get_blob(struct bundle_parser *p, const struct bundle_prop *prop, struct vm_blob *out)
{
    if (prop->len == 0)
        return bundle_refuse(p, HV_ERR_FORMAT, "%s: empty", prop->text);
    *out = (struct vm_blob){prop->data, prop->len};
    return HV_OK;
}

hv_err bundle_expect_string(struct bundle_parser *p, const struct bundle_prop *prop,
                            const char *expected)
{
    const char *value = "";
    hv_err err = bundle_get_string(p, prop, &value);

    if (err == HV_OK && strcmp(value, expected) != 0)
        return bundle_refuse(p, HV_ERR_FORMAT, "%s: must be \"%s\"", prop->text, expected);
    return err;
}

/* --- Nodes --- */

static hv_err read_prop(struct bundle_parser *p, int offset, const struct bundle_row *rows,
                        size_t nr_rows, bool seen[BUNDLE_ROWS_MAX], void *target)
{
    char text[BUNDLE_TEXT_MAX];
    const char *name = "";
    int len = 0;
    const char *data = fdt_getprop_by_offset(p->fdt, offset, &name, &len);

    if (data == NULL)
        return bundle_refuse(p, HV_ERR_FORMAT, "a property is malformed: %s", fdt_strerror(len));
    (void)log_escape(text, sizeof(text), name, strlen(name));
    for (size_t i = 0; i < nr_rows; i++) {
        struct bundle_prop prop = {text, data, (uint32_t)len};
        if (strcmp(name, rows[i].name) != 0)
            continue;
        if (seen[i])
            return bundle_refuse(p, HV_ERR_FORMAT, "%s: there twice", text);
        seen[i] = true;
        return rows[i].read(p, &prop, target);
    }
    return bundle_refuse(p, HV_ERR_FORMAT, "%s: unknown property", text);
}

/* Every property of the node must have a row, once, and every required row a property. */
hv_err bundle_read_props(struct bundle_parser *p, int node, const struct bundle_row *rows,
                         size_t nr_rows, void *target)
{
    bool seen[BUNDLE_ROWS_MAX] = {false};
    int offset;

    fdt_for_each_property_offset(offset, p->fdt, node)
    {
        hv_err err = read_prop(p, offset, rows, nr_rows, seen, target);
        if (err != HV_OK)
            return err;
    }
    for (size_t i = 0; i < nr_rows; i++)
        if (rows[i].required && !seen[i])
            return bundle_refuse(p, HV_ERR_FORMAT, "%s: missing", rows[i].name);
    return HV_OK;
}

hv_err bundle_refuse_subnodes(struct bundle_parser *p, int node)
{
    int child = fdt_first_subnode(p->fdt, node);
    char text[BUNDLE_TEXT_MAX];
    const char *name;

    if (child < 0)
        return HV_OK;
    name = fdt_get_name(p->fdt, child, NULL);
    return bundle_refuse(p, HV_ERR_FORMAT, "%s: unknown node",
                         log_escape(text, sizeof(text), name, strlen(name)));
}
