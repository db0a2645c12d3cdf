/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The parts of sim/options*.c to each other. */
#ifndef SIM_OPTIONS_PARSE_H
#define SIM_OPTIONS_PARSE_H

#include "sim/options.h"
#include <stdbool.h>

enum option_id {
    OPT_KERNEL,
    OPT_FIRMWARE,
    OPT_FLASH,
    OPT_BUNDLE_NAMED,
    OPT_INITRD,
    OPT_APPEND,
    OPT_DISK,
    OPT_NET,
    OPT_SMP,
    OPT_VMS,
    OPT_WEIGHTS,
    OPT_VMIDS,
    OPT_CONSOLE,
    OPT_MEMORY,
    OPT_LOG,
    OPT_PCPUS,
    OPT_CPU,
    OPT_MACHINE_MEMORY,
    OPT_SEED,
    OPT_EPOCH,
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
    OPT_INPUT_RAW,
    OPT_CONTROL_ON,
    OPT_CONTROL,
    OPT_HELP,
    OPT_VERSION,
    OPT_BUNDLE, /* the argument that is no option; --bundle counts as it */
    OPT_COUNT
};

struct options_parse {
    struct sim_options *out;
    char *message;
    const char *control_on; /* for the next --control; NULL: none */
    bool given[OPT_COUNT];
};

/* Writes the message. False. */
__attribute__((format(printf, 2, 3))) bool options_refuse(struct options_parse *p,
                                                          const char *format, ...);
/* The name of an option, without its dashes; not of OPT_BUNDLE. */
const char *options_name(int id);
/* Whether the options that were given go with each other, and lack none. */
bool options_check_relations(struct options_parse *p);

/* The same for --disk and --flash. */
bool options_check_disks(struct options_parse *p);
/* A size as QEMU's -m takes it: a number without a unit is in MiB. Refused with `name`. */
bool options_take_size(struct options_parse *p, const char *name, const char *text, uint64_t *out);
/* The same for --net. */
bool options_check_net(struct options_parse *p);
/* How many of the disks are files. */
unsigned options_disk_files(const struct sim_options *options);
/* The name of the disk's file, terminated. */
void options_disk_path(const struct sim_disk_option *disk, char path[SIM_DISK_FILE_MAX]);

/* Take the value of one option; false: refused. */
bool options_set_smp(struct options_parse *p, const char *text);
bool options_set_vms(struct options_parse *p, const char *text);
bool options_set_weights(struct options_parse *p, const char *text);
bool options_set_vmids(struct options_parse *p, const char *text);
bool options_set_console(struct options_parse *p, const char *text);
bool options_set_memory(struct options_parse *p, const char *text);
bool options_set_log(struct options_parse *p, const char *text);
bool options_set_net(struct options_parse *p, const char *text);
bool options_set_disk(struct options_parse *p, const char *text);
bool options_set_pcpus(struct options_parse *p, const char *text);
bool options_set_cpu(struct options_parse *p, const char *text);
bool options_set_machine_memory(struct options_parse *p, const char *text);
bool options_set_seed(struct options_parse *p, const char *text);
bool options_set_epoch(struct options_parse *p, const char *text);
bool options_set_max_insns(struct options_parse *p, const char *text);
bool options_set_snapshot_at(struct options_parse *p, const char *text);
bool options_set_snapshot_on(struct options_parse *p, const char *text);
bool options_set_input_on(struct options_parse *p, const char *text);
bool options_set_control_on(struct options_parse *p, const char *text);
bool options_set_control(struct options_parse *p, const char *text);

#endif
