/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "sim/trace/trace_text.h"
#include "arch/esr.h"
#include "sim/trace/trace_field.h"
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

struct text {
    char *out;
    size_t len; /* < TRACE_TEXT_MAX */
};

__attribute__((format(printf, 2, 3))) static void add(struct text *text, const char *format, ...)
{
    size_t room = TRACE_TEXT_MAX - text->len;
    va_list args;

    va_start(args, format);
    int len = vsnprintf(text->out + text->len, room, format, args);
    va_end(args);
    if (len > 0)
        text->len += (size_t)len < room ? (size_t)len : room - 1;
}

/* An exception answers instead of a value. */
static bool has_result(const struct trace_record *record)
{
    return record->outcome != TRACE_INJECTED && record->outcome != TRACE_STOPPED;
}

static void add_syndrome(struct text *text, const struct trace_record *record)
{
    char words[ESR_DESCRIBE_MAX];

    add(text, "%s", esr_describe(record->esr, words, sizeof(words)));
}

static void add_call(struct text *text, const struct trace_record *record)
{
    const char *name = trace_function_name((uint32_t)record->addr);
    unsigned immediate = (unsigned)bits_get(record->esr, 15, 0);

    if (name != NULL && immediate == 0)
        add(text, "%s(0x%" PRIx64 ")", name, record->arg);
    else if (immediate == 0)
        add(text, "x0 0x%" PRIx64 " x1 0x%" PRIx64, record->addr, record->arg);
    else
        add(text, "#0x%x x0 0x%" PRIx64 " x1 0x%" PRIx64, immediate, record->addr, record->arg);
    if (has_result(record))
        add(text, " -> 0x%" PRIx64, record->value);
}

static void add_sysreg(struct text *text, const struct trace_record *record)
{
    struct esr_sysreg insn = esr_decode_sysreg(record->esr);
    uint32_t enc = insn.encoding;
    const char *name = trace_sysreg_name(enc);

    add(text, "%s ", insn.read ? "read" : "write");
    if (name != NULL)
        add(text, "%s", name);
    else
        add(text, "S%u_%u_C%u_C%u_%u", sysreg_op0(enc), sysreg_op1(enc), sysreg_crn(enc),
            sysreg_crm(enc), sysreg_op2(enc));
    if (!insn.read || has_result(record))
        add(text, " %s 0x%" PRIx64, insn.read ? "->" : "<-", record->value);
}

static void add_abort(struct text *text, const struct trace_record *record)
{
    struct esr_abort abort = esr_decode_abort(record->esr);

    if (abort.isv) {
        add(text, "%s %u at IPA 0x%" PRIx64, abort.write ? "write" : "read", abort.size,
            record->addr);
        if (abort.write || has_result(record))
            add(text, " %s 0x%" PRIx64, abort.write ? "<-" : "->", record->value);
        add(text, ", VA 0x%" PRIx64, record->arg);
    } else {
        add(text, "IPA 0x%" PRIx64 ", VA 0x%" PRIx64, record->addr, record->arg);
    }
    if (abort.isv && has_result(record))
        return;
    add(text, ": ");
    add_syndrome(text, record);
}

static void add_irq(struct text *text, const struct trace_record *record)
{
    if (record->addr == 1023)
        add(text, "none to acknowledge");
    else
        add(text, "INTID %" PRIu64, record->addr);
}

static void (*const add_details[TRACE_CLASSES])(struct text *text,
                                                const struct trace_record *record) = {
    [TRACE_SYNC] = add_syndrome, [TRACE_WFX] = add_syndrome,  [TRACE_HVC] = add_call,
    [TRACE_SMC] = add_call,      [TRACE_SYSREG] = add_sysreg, [TRACE_MMIO] = add_abort,
    [TRACE_FETCH] = add_abort,   [TRACE_IRQ] = add_irq,       [TRACE_SERROR] = add_syndrome,
};

const char *trace_text_line(const struct trace_record *record, uint64_t number,
                            char out[TRACE_TEXT_MAX])
{
    struct text text = {out, 0};
    const char *class = trace_class_name(record->class);
    const char *outcome = trace_outcome_name(record->outcome);

    add(&text, "%7" PRIu64 " %12" PRIu64 " cpu%u vm%u.%u %-6s pc 0x%016" PRIx64 " %-8s ", number,
        record->time, record->pcpu, record->vm, record->vcpu, class != NULL ? class : "?",
        record->pc, outcome != NULL ? outcome : "?");
    if (class != NULL)
        add_details[record->class](&text, record);
    return out;
}
