/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "sim/options.h"
#include "sim/options_parse.h"
#include <getopt.h>
#include <stddef.h>
#include <string.h>

#define DEFAULT_MEMORY MIB(512)
#define DEFAULT_APPEND "console=ttyAMA0"

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
        bool (*set)(struct options_parse *p, const char *text);
        size_t text;
        size_t flag;
    } take;
} option_rows[OPT_BUNDLE] = {
    [OPT_KERNEL] = {"kernel", TEXT(kernel)},
    [OPT_FIRMWARE] = {"firmware", TEXT(firmware)},
    [OPT_FLASH] = {"flash", TEXT(flash)},
    [OPT_BUNDLE_NAMED] = {"bundle", TEXT(bundle)},
    [OPT_INITRD] = {"initrd", TEXT(initrd)},
    [OPT_APPEND] = {"append", TEXT(append)},
    [OPT_DISK] = {"disk", CALL(options_set_disk)},
    [OPT_NET] = {"net", CALL(options_set_net)},
    [OPT_SMP] = {"smp", CALL(options_set_smp)},
    [OPT_VMS] = {"vms", CALL(options_set_vms)},
    [OPT_WEIGHTS] = {"weights", CALL(options_set_weights)},
    [OPT_VMIDS] = {"vmids", CALL(options_set_vmids)},
    [OPT_CONSOLE] = {"console", CALL(options_set_console)},
    [OPT_MEMORY] = {"memory", CALL(options_set_memory)},
    [OPT_LOG] = {"log", CALL(options_set_log)},
    [OPT_PCPUS] = {"pcpus", CALL(options_set_pcpus)},
    [OPT_CPU] = {"cpu", CALL(options_set_cpu)},
    [OPT_MACHINE_MEMORY] = {"machine-memory", CALL(options_set_machine_memory)},
    [OPT_SEED] = {"seed", CALL(options_set_seed)},
    [OPT_EPOCH] = {"epoch", CALL(options_set_epoch)},
    [OPT_MAX_INSNS] = {"max-insns", CALL(options_set_max_insns)},
    [OPT_TRACE] = {"trace", TEXT(trace)},
    [OPT_STATS] = {"stats", FLAG(stats)},
    [OPT_HASH] = {"hash", FLAG(hash)},
    [OPT_RECORD] = {"record", TEXT(record)},
    [OPT_REPLAY] = {"replay", TEXT(replay)},
    [OPT_SNAPSHOT] = {"snapshot", TEXT(snapshot)},
    [OPT_SNAPSHOT_AT] = {"snapshot-at", CALL(options_set_snapshot_at)},
    [OPT_SNAPSHOT_ON] = {"snapshot-on", CALL(options_set_snapshot_on)},
    [OPT_SNAPSHOT_QUIT] = {"snapshot-quit", FLAG(snapshot_quit)},
    [OPT_RESTORE] = {"restore", TEXT(restore)},
    [OPT_WRITE_BUNDLE] = {"write-bundle", TEXT(write_bundle)},
    [OPT_NO_INPUT] = {"no-input", FLAG(no_input)},
    [OPT_INPUT_ON] = {"input-on", CALL(options_set_input_on)},
    [OPT_INPUT_RAW] = {"input-raw", FLAG(input_raw)},
    [OPT_CONTROL_ON] = {"control-on", CALL(options_set_control_on)},
    [OPT_CONTROL] = {"control", CALL(options_set_control)},
    [OPT_HELP] = {"help", CALL(NULL)},
    [OPT_VERSION] = {"version", CALL(NULL)},
};

const char *options_name(int id)
{
    return option_rows[id].name;
}

static bool is_action(int id)
{
    return id == OPT_HELP || id == OPT_VERSION;
}

static int argument_kind(int id)
{
    return is_action(id) || option_rows[id].take.flag != NO_FIELD ? no_argument : required_argument;
}

static bool take_option(struct options_parse *p, int id, const char *value)
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
        return options_refuse(p, "--%s: the file's name is empty", row->name);
    *(const char **)(void *)(out + row->take.text) = value;
    return true;
}

/* --- The whole --- */

static bool refuse_unknown(struct options_parse *p, int result, const struct option *table,
                           const char *word)
{
    if (result == ':')
        return options_refuse(p, "%s needs a value; see --help", word);
    if (optopt > 0 && optopt <= OPT_BUNDLE && strchr(word, '=') != NULL)
        return options_refuse(p, "--%s takes no value", table[optopt - 1].name);
    if (optopt > OPT_BUNDLE)
        return options_refuse(p, "unknown option '-%c': options begin with two dashes; see --help",
                              optopt);
    return options_refuse(p, "unknown or ambiguous option '%s'; see --help", word);
}

static bool take_words(struct options_parse *p, int argc, char *argv[])
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
    struct options_parse p = {.out = out, .message = message};

    message[0] = '\0';
    *out = (struct sim_options){.append = DEFAULT_APPEND,
                                .memory = DEFAULT_MEMORY,
                                .smp = 1,
                                .vms = 1,
                                .pcpus = 1,
                                .seed = 1,
                                .epoch = SIM_EPOCH,
                                .max_insns = UINT64_MAX,
                                .snapshot_at = UINT64_MAX};
    if (argc < 1)
        return options_refuse(&p, "nothing to run; see --help");
    if (!take_words(&p, argc, argv))
        return false;
    if (p.given[OPT_HELP] || p.given[OPT_VERSION]) {
        out->action = p.given[OPT_HELP] ? SIM_ACTION_HELP : SIM_ACTION_VERSION;
        return true;
    }
    p.given[OPT_BUNDLE] = p.given[OPT_BUNDLE_NAMED];
    if (optind + 1 < argc || (optind < argc && p.given[OPT_BUNDLE]))
        return options_refuse(&p, "'%s': there is one BUNDLE at most; quote words with spaces",
                              argv[p.given[OPT_BUNDLE] ? optind : optind + 1]);
    if (optind < argc) {
        out->bundle = argv[optind];
        p.given[OPT_BUNDLE] = true;
    }
    out->action = out->write_bundle != NULL ? SIM_ACTION_WRITE_BUNDLE : SIM_ACTION_RUN;
    return options_check_relations(&p);
}
