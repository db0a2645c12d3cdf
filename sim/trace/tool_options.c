/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "sim/trace/tool.h"
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define DEFAULT_CONTEXT 5u

static const char help[] =
    "usage: halcyon-trace print [FILTER]... FILE   the records, one a line\n"
    "       halcyon-trace diff [OPTION]... A B     the first difference of two traces\n"
    "       halcyon-trace hash [FILTER]... FILE    one number for all, and how many\n"
    "       halcyon-trace stats [FILTER]... FILE   how many of each class and outcome\n"
    "\n"
    "FILE is what halcyon-sim --trace wrote, or a dump of the trace buffer of a\n"
    "machine; - is standard input. Filters, of which a record has to pass all:\n"
    "  --class LIST     sync, wfx, hvc, smc, sysreg, mmio, fetch, irq, serror\n"
    "  --outcome LIST   resumed, retried, injected, blocked, stopped\n"
    "  --vm, --vcpu, --pcpu, --pc, --addr   a number, or LOW-HIGH with both ends\n"
    "  --from T, --to T                     by time, in ticks\n"
    "  --limit N        only the first N that pass\n"
    "Further options:\n"
    "  --ignore LIST    hash, diff: fields taken for 0: time, pc, addr, arg, value,\n"
    "                   esr, pstate, vm, vcpu, pcpu, class, outcome\n"
    "  --context N      diff: records shown before and after the difference (5)\n"
    "Names in a LIST have commas between them. Numbers are decimal, or hexadecimal\n"
    "after 0x.\n"
    "\n"
    "Status: 0 done, for diff: no difference; 1 a difference, or the output cannot be\n"
    "written; 2 usage or bad input (and, for diff, output that cannot be written).\n";

enum option_number {
    OPT_HELP = 1,
    OPT_CLASS,
    OPT_OUTCOME,
    OPT_VM,
    OPT_VCPU,
    OPT_PCPU,
    OPT_PC,
    OPT_ADDR,
    OPT_FROM,
    OPT_TO,
    OPT_LIMIT,
    OPT_CONTEXT,
    OPT_IGNORE,
    OPT_COUNT
};

/* In the order of enum option_number. */
static const struct option long_options[] = {
    {"help", no_argument, NULL, OPT_HELP},
    {"class", required_argument, NULL, OPT_CLASS},
    {"outcome", required_argument, NULL, OPT_OUTCOME},
    {"vm", required_argument, NULL, OPT_VM},
    {"vcpu", required_argument, NULL, OPT_VCPU},
    {"pcpu", required_argument, NULL, OPT_PCPU},
    {"pc", required_argument, NULL, OPT_PC},
    {"addr", required_argument, NULL, OPT_ADDR},
    {"from", required_argument, NULL, OPT_FROM},
    {"to", required_argument, NULL, OPT_TO},
    {"limit", required_argument, NULL, OPT_LIMIT},
    {"context", required_argument, NULL, OPT_CONTEXT},
    {"ignore", required_argument, NULL, OPT_IGNORE},
    {NULL, 0, NULL, 0},
};

/* Options that give a field's range. */
static const int range_fields[OPT_COUNT] = {
    [OPT_PC] = TRACE_FIELD_PC,     [OPT_ADDR] = TRACE_FIELD_ADDR, [OPT_VM] = TRACE_FIELD_VM,
    [OPT_VCPU] = TRACE_FIELD_VCPU, [OPT_PCPU] = TRACE_FIELD_PCPU,
};

void tool_complain(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    fputs("halcyon-trace: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
}

/* What is expected of an option's argument, if it is not that. */
static const char *take(struct tool_options *out, int option, const char *argument)
{
    struct trace_range *time = &out->filter.range[TRACE_FIELD_TIME];

    switch (option) {
    case OPT_CLASS:
        return trace_parse_names(argument, trace_class_name, &out->filter.classes)
                   ? NULL
                   : "classes, such as hvc,mmio";
    case OPT_OUTCOME:
        return trace_parse_names(argument, trace_outcome_name, &out->filter.outcomes)
                   ? NULL
                   : "outcomes, such as injected,stopped";
    case OPT_IGNORE:
        return trace_parse_names(argument, trace_field_name, &out->ignore)
                   ? NULL
                   : "fields, such as time,pcpu";
    case OPT_FROM:
        return trace_parse_number(argument, &time->low) ? NULL : "a number of ticks";
    case OPT_TO:
        return trace_parse_number(argument, &time->high) ? NULL : "a number of ticks";
    case OPT_LIMIT:
        return trace_parse_number(argument, &out->limit) ? NULL : "a number of records";
    case OPT_CONTEXT:
        return trace_parse_number(argument, &out->context) && out->context <= TOOL_CONTEXT_MAX
                   ? NULL
                   : "a number of records, at most 1000";
    default:
        return trace_parse_range(argument, &out->filter.range[range_fields[option]])
                   ? NULL
                   : "a number, or LOW-HIGH";
    }
}

static bool fail(int *status)
{
    fputs("halcyon-trace: see halcyon-trace --help\n", stderr);
    *status = TOOL_TROUBLE;
    return false;
}

static bool print_help(int *status)
{
    fputs(help, stdout);
    *status = TOOL_GOOD;
    return false;
}

/* What is left when the options are gone: the command and its files. */
static bool take_operands(struct tool_options *out, int n, char **operands, int *status)
{
    if (n == 0) {
        tool_complain("no command: give print, diff, hash or stats");
        return fail(status);
    }
    for (unsigned i = 0; i < tool_nr_commands; i++)
        if (strcmp(operands[0], tool_commands[i].name) == 0)
            out->command = &tool_commands[i];
    if (out->command == NULL) {
        tool_complain("%s: no such command: give print, diff, hash or stats", operands[0]);
        return fail(status);
    }
    if ((unsigned)n - 1 != out->command->nr_paths) {
        tool_complain("%s takes %s", out->command->name,
                      out->command->nr_paths == 1 ? "one file" : "two files");
        return fail(status);
    }
    for (unsigned i = 0; i < out->command->nr_paths; i++)
        out->paths[i] = operands[i + 1];
    if (n == 3 && strcmp(operands[1], "-") == 0 && strcmp(operands[2], "-") == 0) {
        tool_complain("standard input can only be one of the two");
        return fail(status);
    }
    return true;
}

bool tool_options_parse(int argc, char **argv, struct tool_options *out, int *status)
{
    int option;

    *out = (struct tool_options){.limit = UINT64_MAX, .context = DEFAULT_CONTEXT};
    trace_filter_init(&out->filter);
    while ((option = getopt_long(argc, argv, "h", long_options, NULL)) != -1) {
        if (option == '?')
            return fail(status);
        if (option == OPT_HELP || option == 'h')
            return print_help(status);
        const char *expected = take(out, option, optarg);
        if (expected != NULL) {
            tool_complain("--%s %s: not %s", long_options[option - 1].name, optarg, expected);
            return fail(status);
        }
    }
    return take_operands(out, argc - optind, argv + optind, status);
}
