/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What of a command line goes with what. */
#include "base/bits.h"
#include "sim/options_parse.h"
#include <stddef.h>
#include <string.h>

enum relation { NEEDS, EXCLUDES };

/* The first broken row is told, with its own words for the fix. */
static const struct relation_row {
    uint8_t option;
    uint8_t relation;
    uint8_t other;
    const char *words;
} relation_rows[] = {
    {OPT_FIRMWARE, EXCLUDES, OPT_KERNEL, "firmware finds its own kernel: give one of the two"},
    {OPT_FIRMWARE, EXCLUDES, OPT_INITRD, "firmware finds its own initrd: leave it out"},
    {OPT_FIRMWARE, EXCLUDES, OPT_BUNDLE, "in a bundle it is `firmware`: give one of the two"},
    {OPT_FIRMWARE, EXCLUDES, OPT_RESTORE, "a snapshot holds everything: leave --firmware out"},
    {OPT_FLASH, EXCLUDES, OPT_BUNDLE,
     "in a bundle it is `flash { machine = <N>; }`, of a --disk F: give one of the two"},
    {OPT_FLASH, EXCLUDES, OPT_RESTORE, "a snapshot has no such file: leave --flash out"},
    {OPT_FLASH, EXCLUDES, OPT_SNAPSHOT, "the file would not be in it: leave one out"},
    {OPT_FLASH, NEEDS, OPT_KERNEL, "it goes with --firmware F or --kernel F"},
    {OPT_KERNEL, EXCLUDES, OPT_BUNDLE, "a bundle has its own kernel: give one of the two"},
    {OPT_KERNEL, EXCLUDES, OPT_RESTORE, "a snapshot holds everything: leave --kernel out"},
    {OPT_BUNDLE, EXCLUDES, OPT_RESTORE, "a snapshot holds everything: leave the bundle out"},
    {OPT_INITRD, NEEDS, OPT_KERNEL, "it goes with --kernel F"},
    {OPT_APPEND, NEEDS, OPT_KERNEL, "it goes with --kernel F; in a bundle it is `bootargs`"},
    {OPT_SMP, NEEDS, OPT_KERNEL, "it goes with --kernel F; in a bundle it is `vcpus`"},
    {OPT_MEMORY, NEEDS, OPT_KERNEL,
     "it goes with --kernel F; in a bundle it is `memory-size` (and --machine-memory is the host "
     "machine's)"},
    {OPT_VMS, NEEDS, OPT_KERNEL, "it goes with --kernel F; a bundle has a node for each VM"},
    {OPT_WEIGHTS, NEEDS, OPT_KERNEL, "it goes with --kernel F; in a bundle it is `weight`"},
    {OPT_VMIDS, NEEDS, OPT_KERNEL, "it goes with --kernel F; in a bundle it is /halcyon `vmids`"},
    {OPT_CONSOLE, NEEDS, OPT_KERNEL,
     "it goes with --kernel F; in a bundle it is /halcyon `console`"},
    {OPT_LOG, NEEDS, OPT_KERNEL, "it goes with --kernel F; in a bundle it is /halcyon `log`"},
    {OPT_PCPUS, EXCLUDES, OPT_RESTORE, "the snapshot says how many CPUs there are: leave it out"},
    {OPT_CPU, EXCLUDES, OPT_RESTORE, "the snapshot says which CPU it is: leave it out"},
    {OPT_MACHINE_MEMORY, EXCLUDES, OPT_RESTORE,
     "the snapshot says how much there is: leave it out"},
    {OPT_SEED, EXCLUDES, OPT_RESTORE, "the snapshot goes on with its own seed: leave it out"},
    {OPT_EPOCH, EXCLUDES, OPT_RESTORE, "the snapshot goes on with its own time: leave it out"},
    {OPT_RECORD, EXCLUDES, OPT_REPLAY, "a replay has no new input to record: leave one out"},
    {OPT_INPUT_ON, EXCLUDES, OPT_NO_INPUT, "there is no input to wait with: leave one out"},
    {OPT_INPUT_ON, EXCLUDES, OPT_REPLAY, "the recording says when input comes: leave one out"},
    {OPT_INPUT_RAW, EXCLUDES, OPT_NO_INPUT, "there is no input: leave one out"},
    {OPT_INPUT_RAW, EXCLUDES, OPT_REPLAY, "a recording holds what the machine got: leave it out"},
    {OPT_CONTROL, EXCLUDES, OPT_REPLAY, "the recording has the commands in it: leave it out"},
    {OPT_CONTROL_ON, NEEDS, OPT_CONTROL, "say what comes then: --control COMMAND"},
    {OPT_SNAPSHOT_AT, NEEDS, OPT_SNAPSHOT, "say where the snapshot goes: --snapshot F"},
    {OPT_SNAPSHOT_ON, NEEDS, OPT_SNAPSHOT, "say where the snapshot goes: --snapshot F"},
    {OPT_SNAPSHOT_QUIT, NEEDS, OPT_SNAPSHOT, "say where the snapshot goes: --snapshot F"},
    {OPT_SNAPSHOT_AT, EXCLUDES, OPT_SNAPSHOT_ON, "there is one snapshot: give one of the two"},
    {OPT_NET, EXCLUDES, OPT_RESTORE, "a snapshot has no network: leave --net out"},
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
    {"--flash", offsetof(struct sim_options, flash)},
    {"--replay", offsetof(struct sim_options, replay)},
    {"--kernel", offsetof(struct sim_options, kernel)},
    {"--initrd", offsetof(struct sim_options, initrd)},
    {"BUNDLE", offsetof(struct sim_options, bundle)},
    {"--restore", offsetof(struct sim_options, restore)},
};
#define FILES_WRITTEN 5u

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

static bool check_files(struct options_parse *p)
{
    for (size_t i = 0; i < FILES_WRITTEN; i++)
        for (size_t j = i + 1; j < ARRAY_LEN(file_rows); j++)
            if (files_clash(p->out, i, j))
                return options_refuse(p, "%s and %s name the same file: give them two names",
                                      file_rows[i].word, file_rows[j].word);
    return true;
}

static bool check_counts(struct options_parse *p)
{
    if (p->control_on != NULL)
        return options_refuse(p, "--control-on: after it comes its --control COMMAND");
    if (p->out->nr_weights != 0 && p->out->nr_weights != p->out->vms)
        return options_refuse(p, "--weights: %u of them for %u VMs: give one for each",
                              p->out->nr_weights, p->out->vms);
    return true;
}

/* The first row that is broken, of those that are about --firmware or about anything else. */
static bool check_rows(struct options_parse *p, bool firmware)
{
    for (size_t i = 0; i < ARRAY_LEN(relation_rows); i++) {
        const struct relation_row *row = &relation_rows[i];
        if ((row->option == OPT_FIRMWARE) != firmware || !p->given[row->option] ||
            p->given[row->other] == (row->relation == NEEDS))
            continue;
        if (row->option == OPT_BUNDLE)
            return options_refuse(p, "BUNDLE with --%s: %s", options_name(row->other), row->words);
        if (row->relation == NEEDS)
            return options_refuse(p, "--%s: %s", options_name(row->option), row->words);
        return options_refuse(p, "--%s with %s%s: %s", options_name(row->option),
                              row->other == OPT_BUNDLE ? "" : "--",
                              row->other == OPT_BUNDLE ? "a BUNDLE" : options_name(row->other),
                              row->words);
    }
    return true;
}

bool options_check_relations(struct options_parse *p)
{
    if (!check_rows(p, true))
        return false;
    /* To all else it is what is to run. */
    if (p->given[OPT_FIRMWARE]) {
        p->given[OPT_KERNEL] = true;
        p->out->kernel = p->out->firmware;
    }
    if (!p->given[OPT_KERNEL] && !p->given[OPT_BUNDLE] && !p->given[OPT_RESTORE])
        return options_refuse(
            p, "nothing to run: give --kernel F, a BUNDLE or --restore F; see --help");
    return check_rows(p, false) && check_counts(p) && options_check_disks(p) &&
           options_check_net(p) && check_files(p);
}
