/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "sim/trace/trace_filter.h"
#include <ctype.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

void trace_filter_init(struct trace_filter *filter)
{
    for (unsigned i = 0; i < TRACE_FIELDS; i++)
        filter->range[i] = (struct trace_range){0, UINT64_MAX};
    filter->classes = UINT32_MAX;
    filter->outcomes = UINT32_MAX;
}

bool trace_filter_passes(const struct trace_filter *filter, const struct trace_record *record)
{
    for (unsigned i = 0; i < TRACE_FIELDS; i++) {
        uint64_t value = trace_field_get(record, (enum trace_field)i);
        if (value < filter->range[i].low || value > filter->range[i].high)
            return false;
    }
    return (filter->classes >> record->class & 1) != 0 &&
           (filter->outcomes >> record->outcome & 1) != 0;
}

/* A number that ends at `stop`. strtoull() by itself also takes spaces, signs and octal. */
static bool parse_until(const char *text, char stop, uint64_t *out, const char **end)
{
    int base = text[0] == '0' && (text[1] == 'x' || text[1] == 'X') ? 16 : 10;
    char *after;

    if (!isdigit((unsigned char)text[0]))
        return false;
    errno = 0;
    *out = strtoull(text, &after, base);
    *end = after;
    return errno == 0 && after != text && *after == stop;
}

bool trace_parse_number(const char *text, uint64_t *out)
{
    const char *end;

    return parse_until(text, '\0', out, &end);
}

bool trace_parse_range(const char *text, struct trace_range *out)
{
    const char *end;

    if (trace_parse_number(text, &out->low)) {
        out->high = out->low;
        return true;
    }
    return parse_until(text, '-', &out->low, &end) && trace_parse_number(end + 1, &out->high) &&
           out->low <= out->high;
}
