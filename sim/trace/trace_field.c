/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "sim/trace/trace_field.h"
#include "base/bits.h"
#include <stddef.h>
#include <string.h>

static const struct row {
    const char *name;
    uint8_t offset;
    uint8_t size;
} rows[TRACE_FIELDS] = {
#define ROW(number, member)                                                                        \
    [number] = {#member, (uint8_t)offsetof(struct trace_record, member),                           \
                (uint8_t)sizeof(((struct trace_record *)NULL)->member)}
    ROW(TRACE_FIELD_TIME, time),     ROW(TRACE_FIELD_PC, pc),
    ROW(TRACE_FIELD_ADDR, addr),     ROW(TRACE_FIELD_ARG, arg),
    ROW(TRACE_FIELD_VALUE, value),   ROW(TRACE_FIELD_ESR, esr),
    ROW(TRACE_FIELD_PSTATE, pstate), ROW(TRACE_FIELD_VM, vm),
    ROW(TRACE_FIELD_VCPU, vcpu),     ROW(TRACE_FIELD_PCPU, pcpu),
    ROW(TRACE_FIELD_CLASS, class),   ROW(TRACE_FIELD_OUTCOME, outcome),
#undef ROW
};

static const char *const class_names[TRACE_CLASSES] = {
    [TRACE_SYNC] = "sync",   [TRACE_WFX] = "wfx",       [TRACE_HVC] = "hvc",
    [TRACE_SMC] = "smc",     [TRACE_SYSREG] = "sysreg", [TRACE_MMIO] = "mmio",
    [TRACE_FETCH] = "fetch", [TRACE_IRQ] = "irq",       [TRACE_SERROR] = "serror",
};

static const char *const outcome_names[TRACE_OUTCOMES] = {
    [TRACE_RESUMED] = "resumed", [TRACE_RETRIED] = "retried", [TRACE_INJECTED] = "injected",
    [TRACE_BLOCKED] = "blocked", [TRACE_STOPPED] = "stopped",
};

uint64_t trace_field_get(const struct trace_record *record, enum trace_field field)
{
    uint64_t value = 0;

    /* The host is little-endian: trace_reader.c. */
    memcpy(&value, (const char *)record + rows[field].offset, rows[field].size);
    return value;
}

void trace_field_clear(struct trace_record *record, uint32_t fields)
{
    for (unsigned i = 0; i < TRACE_FIELDS; i++)
        if ((fields & BIT(i)) != 0)
            memset((char *)record + rows[i].offset, 0, rows[i].size);
}

uint32_t trace_field_differ(const struct trace_record *a, const struct trace_record *b)
{
    uint32_t bits = 0;

    for (unsigned i = 0; i < TRACE_FIELDS; i++)
        if (trace_field_get(a, (enum trace_field)i) != trace_field_get(b, (enum trace_field)i))
            bits |= UINT32_C(1) << i;
    return bits;
}

const char *trace_field_name(unsigned field)
{
    return field < TRACE_FIELDS ? rows[field].name : NULL;
}

const char *trace_class_name(unsigned class)
{
    return class < TRACE_CLASSES ? class_names[class] : NULL;
}

const char *trace_outcome_name(unsigned outcome)
{
    return outcome < TRACE_OUTCOMES ? outcome_names[outcome] : NULL;
}

bool trace_parse_names(const char *list, const char *(*name_of)(unsigned), uint32_t *bits)
{
    *bits = 0;
    for (;;) {
        size_t len = strcspn(list, ",");
        unsigned i = 0;
        const char *name;

        while ((name = name_of(i)) != NULL && (strlen(name) != len || memcmp(name, list, len) != 0))
            i++;
        if (name == NULL)
            return false;
        *bits |= UINT32_C(1) << i;
        if (list[len] == '\0')
            return true;
        list += len + 1;
    }
}
