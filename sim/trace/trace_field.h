/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The fields of a trace record by name, and lists of names as bits. */
#ifndef SIM_TRACE_FIELD_H
#define SIM_TRACE_FIELD_H

#include "abi/trace.h"
#include <stdbool.h>
#include <stdint.h>

enum trace_field {
    TRACE_FIELD_TIME,
    TRACE_FIELD_PC,
    TRACE_FIELD_ADDR,
    TRACE_FIELD_ARG,
    TRACE_FIELD_VALUE,
    TRACE_FIELD_ESR,
    TRACE_FIELD_PSTATE,
    TRACE_FIELD_VM,
    TRACE_FIELD_VCPU,
    TRACE_FIELD_PCPU,
    TRACE_FIELD_CLASS,
    TRACE_FIELD_OUTCOME,
    TRACE_FIELDS
};

uint64_t trace_field_get(const struct trace_record *record, enum trace_field field);
/* Sets to 0 the fields whose bits are set. */
void trace_field_clear(struct trace_record *record, uint32_t fields);
/* The bits of the fields that differ. */
uint32_t trace_field_differ(const struct trace_record *a, const struct trace_record *b);

/* Names, as options have them and reports print them; NULL for what is none. */
const char *trace_field_name(unsigned field);
const char *trace_class_name(unsigned class);
const char *trace_outcome_name(unsigned outcome);

/* "a,b,c" -> the bits of these names. False if one is no name. name_of: one of the three. */
bool trace_parse_names(const char *list, const char *(*name_of)(unsigned), uint32_t *bits);

#endif
