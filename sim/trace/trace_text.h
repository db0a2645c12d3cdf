/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A trace record in words. */
#ifndef SIM_TRACE_TEXT_H
#define SIM_TRACE_TEXT_H

#include "abi/trace.h"
#include <stddef.h>
#include <stdint.h>

/* Longer than any text of this module. */
#define TRACE_TEXT_MAX 512u

/*
 * One line without its newline: number in the trace, time, where, class, PC, outcome, and what it
 * was about. Any record makes a line of printable characters. Returns `out`.
 */
const char *trace_text_line(const struct trace_record *record, uint64_t number,
                            char out[TRACE_TEXT_MAX]);

/* The name of an SMCCC function identifier, NULL if it is not known. */
const char *trace_function_name(uint32_t fid);
/* The name of a System register by its SYSREG() encoding, NULL if it is not known. */
const char *trace_sysreg_name(uint32_t encoding);

#endif
