/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Any words as the command line of halcyon-sim: taken with values in their ranges, or refused in
 * one printable line. */
#include "abi/machine.h"
#include "fuzz.h"
#include "mem/vmid.h"
#include "sim/options.h"

#define WORDS_MAX 24

static void check_options(const struct sim_options *options)
{
    if (options->action != SIM_ACTION_RUN && options->action != SIM_ACTION_WRITE_BUNDLE)
        return;
    FUZZ_ASSERT(
        (options->kernel != NULL) + (options->bundle != NULL) + (options->restore != NULL) == 1);
    FUZZ_ASSERT(options->append != NULL);
    FUZZ_ASSERT(options->smp >= 1 && options->smp <= MACHINE_MAX_VCPUS);
    FUZZ_ASSERT(options->pcpus >= 1 && options->pcpus <= SIM_MAX_CPUS);
    FUZZ_ASSERT(options->memory >= MIB(1) && options->memory <= SIM_RAM_MAX &&
                options->memory % KIB(4) == 0);
    FUZZ_ASSERT(options->machine_memory <= SIM_RAM_MAX && options->machine_memory % MIB(2) == 0);
    FUZZ_ASSERT(options->max_insns > 0);
    FUZZ_ASSERT(options->vms >= 1 && options->vms <= HV_MAX_VMS);
    FUZZ_ASSERT(options->nr_weights == 0 || options->nr_weights == options->vms);
    for (unsigned i = 0; i < options->nr_weights; i++)
        FUZZ_ASSERT(options->weights[i] >= 1 && options->weights[i] <= VM_WEIGHT_MAX);
    FUZZ_ASSERT(options->flash == NULL || (options->flash[0] != '\0' && options->kernel != NULL &&
                                           options->vms == 1 && options->snapshot == NULL));
    FUZZ_ASSERT(options->vmids == 0 ||
                (options->vmids >= HV_MIN_VMIDS && options->vmids <= VMID_MAX));
    FUZZ_ASSERT(options->nr_control <= SIM_CONTROL_MAX);
    for (unsigned i = 0; i < options->nr_control; i++) {
        FUZZ_ASSERT(strlen(options->control[i].command) - 1 < SIM_CONTROL_LEN);
        FUZZ_ASSERT(options->control[i].on == NULL || options->control[i].on[0] != '\0');
    }
    FUZZ_ASSERT(options->snapshot_on == NULL || options->snapshot_on[0] != '\0');
    FUZZ_ASSERT(options->input_on == NULL || options->input_on[0] != '\0');
    FUZZ_ASSERT(options->snapshot != NULL ||
                (options->snapshot_on == NULL && options->snapshot_at == UINT64_MAX &&
                 !options->snapshot_quit));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    char name[] = "halcyon-sim";
    char *argv[WORDS_MAX + 2] = {name};
    char message[OPTIONS_MESSAGE_MAX];
    struct sim_options options;
    int argc = 1;

    memcpy(text, data, size);
    text[size] = '\0';
    for (char *word = strtok(text, "\n"); word != NULL && argc <= WORDS_MAX;
         word = strtok(NULL, "\n"))
        argv[argc++] = word;
    if (options_parse(argc, argv, &options, message)) {
        check_options(&options);
    } else {
        FUZZ_ASSERT(message[0] != '\0');
        for (const char *c = message; *c != '\0'; c++)
            FUZZ_ASSERT(*c >= 0x20 && *c <= 0x7e);
    }
    free(text);
    return 0;
}
