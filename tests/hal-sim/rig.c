/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "rig.h"
#include <string.h>

void (*rig_core)(void);
const struct hal_boot *rig_boot;
enum sim_cpu_model rig_model;
char rig_console[4096];

_Noreturn void core_main(const struct hal_boot *boot)
{
    rig_boot = boot;
    rig_core();
    hal_halt(HAL_HALT_OFF);
}

static void take_console(void *ctx, const char *text, size_t len)
{
    size_t used = strlen(rig_console);
    size_t room = sizeof(rig_console) - 1 - used;

    (void)ctx;
    memcpy(rig_console + used, text, len < room ? len : room);
}

struct sim_machine_config rig_config(enum sim_cpu_model model, unsigned nr_cpus)
{
    return (struct sim_machine_config){
        .ram_size = RIG_RAM,
        .nr_cpus = nr_cpus,
        .cpu_model = model,
        .seed = 1,
        .dtb = pa(SIM_RAM_BASE + SIM_IMAGE_SIZE),
        .console_write = take_console,
    };
}

hv_err rig_init(unsigned nr_cpus)
{
    struct hal_platform platform = rig_platform(nr_cpus);

    return hal_init(&platform);
}

struct sim_machine *rig_create(const struct sim_machine_config *config, void (*core)(void))
{
    char reason[SIM_REASON_MAX] = "";
    struct sim_machine *machine = sim_machine_create(config, reason);

    cr_assert_not_null(machine, "no machine: %s", reason);
    rig_core = core;
    rig_model = config->cpu_model;
    memset(rig_console, 0, sizeof(rig_console));
    return machine;
}

enum sim_stop rig_finish(struct sim_machine *machine)
{
    for (;;) {
        enum sim_stop stop = sim_machine_run(machine, UINT64_MAX);
        uint64_t next = stop == SIM_STOP_IDLE ? sim_machine_next_event(machine) : UINT64_MAX;

        if (next == UINT64_MAX)
            return stop;
        sim_machine_advance(machine, next);
    }
}

static void (*body)(void);

static void run_after_init(void)
{
    EXPECT_EQ((uint64_t)rig_init(1), HV_OK);
    body();
}

void rig_run(void (*core)(void))
{
    static const enum sim_cpu_model models[] = {SIM_CPU_CORTEX_A57, SIM_CPU_MAX};

    for (unsigned i = 0; i < 2; i++) {
        struct sim_machine_config config = rig_config(models[i], 1);
        struct sim_machine *machine = rig_create(&config, run_after_init);
        body = core;
        enum sim_stop stop = rig_finish(machine);
        cr_expect_eq(stop, SIM_STOP_HALTED, "stopped with %d: %s %s", (int)stop,
                     sim_machine_failure(machine), rig_console);
        if (stop == SIM_STOP_HALTED)
            cr_expect_eq(sim_machine_halt_reason(machine), HAL_HALT_OFF, "%s", rig_console);
        sim_machine_destroy(machine);
    }
}
