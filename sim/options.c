/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "sim/options.h"
#include "abi/machine.h"
#include "base/bits.h"
#include "base/log.h"
#include "vm/config.h"
#include <getopt.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define DEFAULT_MEMORY MIB(512)
#define DEFAULT_APPEND "console=ttyAMA0"

enum option_id {
    OPT_KERNEL,
    OPT_INITRD,
    OPT_APPEND,
    OPT_DISK,
    OPT_SMP,
    OPT_MEMORY,
    OPT_LOG,
    OPT_PCPUS,
    OPT_CPU,
    OPT_MACHINE_MEMORY,
    OPT_SEED,
    OPT_MAX_INSNS,
    OPT_TRACE,
    OPT_STATS,
    OPT_HASH,
    OPT_RECORD,
    OPT_REPLAY,
    OPT_SNAPSHOT,
    OPT_SNAPSHOT_AT,
    OPT_SNAPSHOT_ON,
    OPT_SNAPSHOT_QUIT,
    OPT_RESTORE,
    OPT_WRITE_BUNDLE,
    OPT_NO_INPUT,
    OPT_INPUT_ON,
    OPT_HELP,
    OPT_VERSION,
    OPT_BUNDLE, /* the argument that is no option */
    OPT_COUNT
};

struct parse {
    struct sim_options *out;
    char *message;
    bool given[OPT_COUNT];
};

__attribute__((format(printf, 2, 3))) static bool refuse(struct parse *p, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)vsnprintf(p->message, OPTIONS_MESSAGE_MAX, format, args);
    va_end(args);
    for (char *c = p->message; *c != '\0'; c++)
        if (*c < 0x20 || *c > 0x7e)
            *c = '?';
    return false;
}

/* --- Values --- */

static int lower(char c)
{
    return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c;
}

/* Decimal, or hexadecimal with 0x; the whole of `text` up to `end`. */
static bool parse_number(const char *text, const char *end, uint64_t *out)
{
    bool hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
    const char *digits = hex ? "0123456789abcdef" : "0123456789";
    uint64_t base = hex ? 16 : 10;
    uint64_t value = 0;

    text += hex ? 2 : 0;
    if (text >= end)
        return false;
    for (; text < end; text++) {
        const char *digit = memchr(digits, lower(*text), base);
        if (digit == NULL || value > (UINT64_MAX - (uint64_t)(digit - digits)) / base)
            return false;
        value = value * base + (uint64_t)(digit - digits);
    }
    *out = value;
    return true;
}

static bool take_number(struct parse *p, const char *name, const char *text, uint64_t *out)
{
    if (parse_number(text, text + strlen(text), out))
        return true;
    return refuse(p, "--%s %s: not a number below 2^64; write digits, or 0x and hex digits", name,
                  text);
}

static bool take_count(struct parse *p, const char *name, const char *text, unsigned max,
                       unsigned *out)
{
    uint64_t value;

    if (!parse_number(text, text + strlen(text), &value) || value < 1 || value > max)
        return refuse(p, "--%s %s: must be a number from 1 to %u", name, text, max);
    *out = (unsigned)value;
    return true;
}

/* As QEMU's -m: a number without a unit is in MiB. */
static bool take_size(struct parse *p, const char *name, const char *text, uint64_t *out)
{
    static const char units[] = "bkmgt";
    const char *end = text + strlen(text);
    unsigned shift = 20;
    uint64_t value;

    if (end > text) {
        const char *unit = memchr(units, lower(end[-1]), sizeof(units) - 1);
        if (unit != NULL) {
            shift = 10 * (unsigned)(unit - units);
            end--;
        }
    }
    if (!parse_number(text, end, &value) || memchr(text, 'x', (size_t)(end - text)) != NULL ||
        value == 0 || value > UINT64_MAX >> shift)
        return refuse(p, "--%s %s: not a size; write a number with K, M, G or T, such as 512M",
                      name, text);
    *out = value << shift;
    return true;
}

static bool set_memory(struct parse *p, const char *text)
{
    uint64_t *memory = &p->out->memory;

    if (!take_size(p, "memory", text, memory))
        return false;
    if (*memory < VM_MIN_MEMORY || *memory > SIM_RAM_MAX || *memory % KIB(4) != 0)
        return refuse(p, "--memory %s: must be from 1M to %lluG, in steps of 4K", text,
                      (unsigned long long)(SIM_RAM_MAX >> 30));
    return true;
}

static bool set_machine_memory(struct parse *p, const char *text)
{
    uint64_t *memory = &p->out->machine_memory;

    if (!take_size(p, "machine-memory", text, memory))
        return false;
    if (*memory < SIM_IMAGE_SIZE + MIB(2) || *memory > SIM_RAM_MAX || *memory % MIB(2) != 0)
        return refuse(p, "--machine-memory %s: must be from %lluM to %lluG, in steps of 2M", text,
                      (unsigned long long)((SIM_IMAGE_SIZE + MIB(2)) >> 20),
                      (unsigned long long)(SIM_RAM_MAX >> 30));
    return true;
}

static bool set_smp(struct parse *p, const char *text)
{
    return take_count(p, "smp", text, MACHINE_MAX_VCPUS, &p->out->smp);
}

static bool set_pcpus(struct parse *p, const char *text)
{
    return take_count(p, "pcpus", text, SIM_MAX_CPUS, &p->out->pcpus);
}

static bool set_cpu(struct parse *p, const char *text)
{
    static const struct {
        const char *name;
        enum sim_cpu_model model;
    } models[] = {{"cortex-a57", SIM_CPU_CORTEX_A57}, {"max", SIM_CPU_MAX}};

    for (size_t i = 0; i < ARRAY_LEN(models); i++) {
        if (strcmp(text, models[i].name) == 0) {
            p->out->cpu = models[i].model;
            return true;
        }
    }
    return refuse(p, "--cpu %s: must be cortex-a57 or max", text);
}

static bool set_seed(struct parse *p, const char *text)
{
    return take_number(p, "seed", text, &p->out->seed);
}

static bool set_max_insns(struct parse *p, const char *text)
{
    if (!take_number(p, "max-insns", text, &p->out->max_insns))
        return false;
    return p->out->max_insns > 0 || refuse(p, "--max-insns 0: must be at least 1");
}

static bool set_snapshot_at(struct parse *p, const char *text)
{
    return take_number(p, "snapshot-at", text, &p->out->snapshot_at);
}

static bool take_text(struct parse *p, const char *name, const char *text, const char **out)
{
    if (text[0] == '\0' || strlen(text) >= OPTIONS_TEXT_MAX)
        return refuse(p, "--%s: the text must have 1 to %u bytes", name, OPTIONS_TEXT_MAX - 1);
    *out = text;
    return true;
}

static bool set_snapshot_on(struct parse *p, const char *text)
{
    return take_text(p, "snapshot-on", text, &p->out->snapshot_on);
}

static bool set_input_on(struct parse *p, const char *text)
{
    return take_text(p, "input-on", text, &p->out->input_on);
}

/* What core would refuse in the bundle is refused here, where the user sees whose mistake it is. */
static bool set_log(struct parse *p, const char *text)
{
    const struct log_sink sink = {NULL, NULL, NULL};
    struct log scratch;

    log_init(&scratch, &sink);
    if (log_set_levels(&scratch, text) != HV_OK)
        return refuse(p,
                      "--log %s: must be LEVEL or LEVEL,MODULE=LEVEL,... with the levels error, "
                      "warn, notice, info, debug",
                      text);
    p->out->log = text;
    return true;
}

static bool refuse_disk(struct parse *p, const char *text)
{
    (void)text;
    return refuse(p, "--disk: there is no disk device yet (no virtio-blk); leave it out, and put "
                     "what the guest needs into --initrd");
}

/* --- The table --- */

#define NO_FIELD SIZE_MAX
#define TEXT(field)                                                                                \
    {                                                                                              \
        NULL, offsetof(struct sim_options, field), NO_FIELD                                        \
    }
#define FLAG(field)                                                                                \
    {                                                                                              \
        NULL, NO_FIELD, offsetof(struct sim_options, field)                                        \
    }
#define CALL(function)                                                                             \
    {                                                                                              \
        function, NO_FIELD, NO_FIELD                                                               \
    }

/* One of: a function that takes the value, a string member, a bool member; none: an action. */
static const struct option_row {
    const char *name;
    struct {
        bool (*set)(struct parse *p, const char *text);
        size_t text;
        size_t flag;
    } take;
} option_rows[OPT_BUNDLE] = {
    [OPT_KERNEL] = {"kernel", TEXT(kernel)},
    [OPT_INITRD] = {"initrd", TEXT(initrd)},
    [OPT_APPEND] = {"append", TEXT(append)},
    [OPT_DISK] = {"disk", CALL(refuse_disk)},
    [OPT_SMP] = {"smp", CALL(set_smp)},
    [OPT_MEMORY] = {"memory", CALL(set_memory)},
    [OPT_LOG] = {"log", CALL(set_log)},
    [OPT_PCPUS] = {"pcpus", CALL(set_pcpus)},
    [OPT_CPU] = {"cpu", CALL(set_cpu)},
    [OPT_MACHINE_MEMORY] = {"machine-memory", CALL(set_machine_memory)},
    [OPT_SEED] = {"seed", CALL(set_seed)},
    [OPT_MAX_INSNS] = {"max-insns", CALL(set_max_insns)},
    [OPT_TRACE] = {"trace", TEXT(trace)},
    [OPT_STATS] = {"stats", FLAG(stats)},
    [OPT_HASH] = {"hash", FLAG(hash)},
    [OPT_RECORD] = {"record", TEXT(record)},
    [OPT_REPLAY] = {"replay", TEXT(replay)},
    [OPT_SNAPSHOT] = {"snapshot", TEXT(snapshot)},
    [OPT_SNAPSHOT_AT] = {"snapshot-at", CALL(set_snapshot_at)},
    [OPT_SNAPSHOT_ON] = {"snapshot-on", CALL(set_snapshot_on)},
    [OPT_SNAPSHOT_QUIT] = {"snapshot-quit", FLAG(snapshot_quit)},
    [OPT_RESTORE] = {"restore", TEXT(restore)},
    [OPT_WRITE_BUNDLE] = {"write-bundle", TEXT(write_bundle)},
    [OPT_NO_INPUT] = {"no-input", FLAG(no_input)},
    [OPT_INPUT_ON] = {"input-on", CALL(set_input_on)},
    [OPT_HELP] = {"help", CALL(NULL)},
    [OPT_VERSION] = {"version", CALL(NULL)},
};

static bool is_action(int id)
{
    return id == OPT_HELP || id == OPT_VERSION;
}

static int argument_kind(int id)
{
    return is_action(id) || option_rows[id].take.flag != NO_FIELD ? no_argument : required_argument;
}

static bool take_option(struct parse *p, int id, const char *value)
{
    const struct option_row *row = &option_rows[id];
    char *out = (char *)p->out;

    p->given[id] = true;
    if (row->take.set != NULL)
        return row->take.set(p, value);
    if (row->take.flag != NO_FIELD)
        *(bool *)(void *)(out + row->take.flag) = true;
    if (row->take.text == NO_FIELD)
        return true;
    if (value[0] == '\0' && id != OPT_APPEND)
        return refuse(p, "--%s: the file's name is empty", row->name);
    *(const char **)(void *)(out + row->take.text) = value;
    return true;
}

/* --- What goes with what --- */

enum relation { NEEDS, EXCLUDES };

/* The first broken row is told, with its own words for the fix. */
static const struct relation_row {
    uint8_t option;
    uint8_t relation;
    uint8_t other;
    const char *words;
} relation_rows[] = {
    {OPT_KERNEL, EXCLUDES, OPT_BUNDLE, "a bundle has its own kernel: give one of the two"},
    {OPT_KERNEL, EXCLUDES, OPT_RESTORE, "a snapshot holds everything: leave --kernel out"},
    {OPT_BUNDLE, EXCLUDES, OPT_RESTORE, "a snapshot holds everything: leave the bundle out"},
    {OPT_INITRD, NEEDS, OPT_KERNEL, "it goes with --kernel F"},
    {OPT_APPEND, NEEDS, OPT_KERNEL, "it goes with --kernel F; in a bundle it is `bootargs`"},
    {OPT_SMP, NEEDS, OPT_KERNEL, "it goes with --kernel F; in a bundle it is `vcpus`"},
    {OPT_MEMORY, NEEDS, OPT_KERNEL,
     "it goes with --kernel F; in a bundle it is `memory-size` (and --machine-memory is the host "
     "machine's)"},
    {OPT_LOG, NEEDS, OPT_KERNEL, "it goes with --kernel F; in a bundle it is /halcyon `log`"},
    {OPT_PCPUS, EXCLUDES, OPT_RESTORE, "the snapshot says how many CPUs there are: leave it out"},
    {OPT_CPU, EXCLUDES, OPT_RESTORE, "the snapshot says which CPU it is: leave it out"},
    {OPT_MACHINE_MEMORY, EXCLUDES, OPT_RESTORE,
     "the snapshot says how much there is: leave it out"},
    {OPT_SEED, EXCLUDES, OPT_RESTORE, "the snapshot goes on with its own seed: leave it out"},
    {OPT_RECORD, EXCLUDES, OPT_REPLAY, "a replay has no new input to record: leave one out"},
    {OPT_INPUT_ON, EXCLUDES, OPT_NO_INPUT, "there is no input to wait with: leave one out"},
    {OPT_INPUT_ON, EXCLUDES, OPT_REPLAY, "the recording says when input comes: leave one out"},
    {OPT_SNAPSHOT_AT, NEEDS, OPT_SNAPSHOT, "say where the snapshot goes: --snapshot F"},
    {OPT_SNAPSHOT_ON, NEEDS, OPT_SNAPSHOT, "say where the snapshot goes: --snapshot F"},
    {OPT_SNAPSHOT_QUIT, NEEDS, OPT_SNAPSHOT, "say where the snapshot goes: --snapshot F"},
    {OPT_SNAPSHOT_AT, EXCLUDES, OPT_SNAPSHOT_ON, "there is one snapshot: give one of the two"},
    {OPT_WRITE_BUNDLE, NEEDS, OPT_KERNEL, "it writes what --kernel F and its like describe"},
    {OPT_WRITE_BUNDLE, EXCLUDES, OPT_TRACE, "nothing runs: leave one out"},
    {OPT_WRITE_BUNDLE, EXCLUDES, OPT_RECORD, "nothing runs: leave one out"},
    {OPT_WRITE_BUNDLE, EXCLUDES, OPT_REPLAY, "nothing runs: leave one out"},
    {OPT_WRITE_BUNDLE, EXCLUDES, OPT_SNAPSHOT, "nothing runs: leave one out"},
};

/* Each name of a file: those that are written come first. */
static const struct file_row {
    const char *word;
    size_t offset;
} file_rows[] = {
    {"--trace", offsetof(struct sim_options, trace)},
    {"--record", offsetof(struct sim_options, record)},
    {"--write-bundle", offsetof(struct sim_options, write_bundle)},
    {"--snapshot", offsetof(struct sim_options, snapshot)},
    {"--replay", offsetof(struct sim_options, replay)},
    {"--kernel", offsetof(struct sim_options, kernel)},
    {"--initrd", offsetof(struct sim_options, initrd)},
    {"BUNDLE", offsetof(struct sim_options, bundle)},
    {"--restore", offsetof(struct sim_options, restore)},
};
#define FILES_WRITTEN 4u

static const char *file_name(const struct sim_options *options, size_t row)
{
    const void *member = (const char *)options + file_rows[row].offset;

    return *(const char *const *)member;
}

/* Two outputs of one name would overwrite each other, and an input should survive. A snapshot may
 * take the place of the one that it began with: that one is read first. */
static bool files_clash(const struct sim_options *options, size_t written, size_t other)
{
    const char *a = file_name(options, written);
    const char *b = file_name(options, other);

    if (a == NULL || b == NULL || strcmp(a, b) != 0 || strncmp(a, "/dev/", 5) == 0)
        return false;
    return a != options->snapshot || b != options->restore;
}

static bool check_files(struct parse *p)
{
    for (size_t i = 0; i < FILES_WRITTEN; i++)
        for (size_t j = i + 1; j < ARRAY_LEN(file_rows); j++)
            if (files_clash(p->out, i, j))
                return refuse(p, "%s and %s name the same file: give them two names",
                              file_rows[i].word, file_rows[j].word);
    return true;
}

static bool check_relations(struct parse *p)
{
    if (!p->given[OPT_KERNEL] && !p->given[OPT_BUNDLE] && !p->given[OPT_RESTORE])
        return refuse(p, "nothing to run: give --kernel F, a BUNDLE or --restore F; see --help");
    for (size_t i = 0; i < ARRAY_LEN(relation_rows); i++) {
        const struct relation_row *row = &relation_rows[i];
        if (!p->given[row->option] || p->given[row->other] == (row->relation == NEEDS))
            continue;
        if (row->option == OPT_BUNDLE)
            return refuse(p, "BUNDLE with --%s: %s", option_rows[row->other].name, row->words);
        if (row->relation == NEEDS)
            return refuse(p, "--%s: %s", option_rows[row->option].name, row->words);
        return refuse(p, "--%s with %s%s: %s", option_rows[row->option].name,
                      row->other == OPT_BUNDLE ? "" : "--",
                      row->other == OPT_BUNDLE ? "a BUNDLE" : option_rows[row->other].name,
                      row->words);
    }
    return check_files(p);
}

/* --- The whole --- */

static bool refuse_unknown(struct parse *p, int result, const struct option *table,
                           const char *word)
{
    if (result == ':')
        return refuse(p, "%s needs a value; see --help", word);
    if (optopt > 0 && optopt <= OPT_BUNDLE && strchr(word, '=') != NULL)
        return refuse(p, "--%s takes no value", table[optopt - 1].name);
    if (optopt > OPT_BUNDLE)
        return refuse(p, "unknown option '-%c': options begin with two dashes; see --help", optopt);
    return refuse(p, "unknown or ambiguous option '%s'; see --help", word);
}

static bool take_words(struct parse *p, int argc, char *argv[])
{
    struct option table[OPT_BUNDLE + 1] = {{NULL, 0, NULL, 0}};

    for (int i = 0; i < OPT_BUNDLE; i++)
        table[i] = (struct option){option_rows[i].name, argument_kind(i), NULL, i + 1};
    optind = 0; /* glibc: begin anew, also when called again */
    opterr = 0;
    for (;;) {
        int result = getopt_long(argc, argv, ":h", table, NULL);
        if (result == -1)
            return true;
        if (result == ':' || result == '?')
            return refuse_unknown(p, result, table, argv[optind - 1]);
        int id = result == 'h' ? OPT_HELP : result - 1;
        if (!take_option(p, id, optarg))
            return false;
        if (is_action(id))
            return true;
    }
}

bool options_parse(int argc, char *argv[], struct sim_options *out, char *message)
{
    struct parse p = {.out = out, .message = message};

    message[0] = '\0';
    *out = (struct sim_options){.append = DEFAULT_APPEND,
                                .memory = DEFAULT_MEMORY,
                                .smp = 1,
                                .pcpus = 1,
                                .seed = 1,
                                .max_insns = UINT64_MAX,
                                .snapshot_at = UINT64_MAX};
    if (argc < 1)
        return refuse(&p, "nothing to run; see --help");
    if (!take_words(&p, argc, argv))
        return false;
    if (p.given[OPT_HELP] || p.given[OPT_VERSION]) {
        out->action = p.given[OPT_HELP] ? SIM_ACTION_HELP : SIM_ACTION_VERSION;
        return true;
    }
    if (optind + 1 < argc)
        return refuse(&p, "'%s': there is one BUNDLE at most; quote words with spaces",
                      argv[optind + 1]);
    if (optind < argc) {
        out->bundle = argv[optind];
        p.given[OPT_BUNDLE] = true;
    }
    out->action = out->write_bundle != NULL ? SIM_ACTION_WRITE_BUNDLE : SIM_ACTION_RUN;
    return check_relations(&p);
}
