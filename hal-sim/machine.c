/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Life of a machine, and hal.h's start, end, time, interrupts and console. */
#include "hal-sim/machine.h"
#include "abi/psci.h"
#include "base/bits.h"
#include "base/check.h"
#include "hal-sim/el3.h"
#include "hal-sim/internal.h"
#include "hal-sim/race.h"
#include <execinfo.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* "HALCYSIM" */
#define MACHINE_MAGIC UINT64_C(0x4d495359434c4148)
/* Readings of the time by core in one go that cost nothing; each further one takes a microsecond:
 * it is waiting. */
#define FREE_READINGS 64u
#define READING_TICKS UINT64_C(1000)

/* --- Making and unmaking --- */

static void close_engines(void)
{
    struct sim_host *host = sim_host();

    for (unsigned cpu = 0; cpu < SIM_MAX_CPUS; cpu++) {
        if (host->engine[cpu] != NULL)
            engine_close(host->engine[cpu]);
        host->engine[cpu] = NULL;
    }
}

static bool open_engines(const struct sim_machine_config *config, char *reason)
{
    struct sim_host *host = sim_host();

    for (unsigned cpu = 0; cpu < config->nr_cpus; cpu++) {
        const struct engine_config engine = {
            .cpu = cpu,
            .max = config->cpu_model == SIM_CPU_MAX,
            .ram_base = pa(SIM_RAM_BASE),
            .ram = memory_ram(),
            .ram_size = config->ram_size,
            .ops = &guest_engine_ops,
        };
        host->engine[cpu] = engine_open(&engine, reason);
        if (host->engine[cpu] == NULL) {
            close_engines();
            return false;
        }
    }
    return true;
}

static bool check_config(const struct sim_machine_config *config, char *reason)
{
    if (config->nr_cpus < 1 || config->nr_cpus > SIM_MAX_CPUS) {
        (void)snprintf(reason, SIM_REASON_MAX, "%u CPUs: 1 to %u are possible", config->nr_cpus,
                       SIM_MAX_CPUS);
        return false;
    }
    if (config->cpu_model != SIM_CPU_CORTEX_A57 && config->cpu_model != SIM_CPU_MAX) {
        (void)snprintf(reason, SIM_REASON_MAX, "there is no CPU model %u",
                       (unsigned)config->cpu_model);
        return false;
    }
    if (!is_aligned(config->ram_size, MIB(2)) || config->ram_size < SIM_IMAGE_SIZE + MIB(2) ||
        config->ram_size > SIM_RAM_MAX) {
        (void)snprintf(reason, SIM_REASON_MAX,
                       "RAM of %llu bytes: a multiple of 2 MiB from 4 MiB to %llu GiB is possible",
                       (unsigned long long)config->ram_size,
                       (unsigned long long)(SIM_RAM_MAX >> 30));
        return false;
    }
    if (config->dtb.v < SIM_RAM_BASE || config->dtb.v - SIM_RAM_BASE >= config->ram_size) {
        (void)snprintf(reason, SIM_REASON_MAX, "a devicetree at 0x%llx, which is not in RAM",
                       (unsigned long long)config->dtb.v);
        return false;
    }
    return true;
}

/* Where the linker has put this program: what hal_boot calls its image. */
extern const char __executable_start[], end[];

static void set_up(struct sim_machine *machine, const struct sim_machine_config *config)
{
    machine->magic = MACHINE_MAGIC;
    machine->layout = sizeof(*machine);
    machine->ram_size = config->ram_size;
    machine->seed = config->seed;
    machine->dtb = config->dtb.v;
    machine->epoch = config->epoch;
    machine->nr_cpus = config->nr_cpus;
    machine->cpu_model = config->cpu_model;
    machine->explore.one_in = config->explore;
    machine->boot = (struct hal_boot){
        .dtb = config->dtb,
        .image = pa((uint64_t)(uintptr_t)__executable_start),
        .image_size = (uint64_t)(end - __executable_start),
        .arena = machine->arena,
        .arena_size = sizeof(machine->arena),
    };
    irqchip_init(&machine->irqchip);
    memory_know_boot(machine);
    turns_init(machine);
}

struct sim_machine *sim_machine_create(const struct sim_machine_config *config, char *reason)
{
    struct sim_machine *machine;

    if (!check_config(config, reason))
        return NULL;
    machine = memory_create(config, reason);
    if (machine == NULL)
        return NULL;
    sim_host()->panicking = false;
    set_up(machine, config);
    if (!open_engines(config, reason)) {
        memory_destroy();
        return NULL;
    }
    return machine;
}

void sim_machine_destroy(struct sim_machine *machine)
{
    (void)machine;
    close_engines();
    memory_destroy();
}

void sim_machine_explore(struct sim_machine *machine, uint64_t seed, uint32_t explore)
{
    HV_CHECK(!machine->started);
    machine->seed = seed;
    machine->random = seed;
    machine->entropy = ~seed;
    machine->explore.one_in = explore;
}

/* --- Driving it --- */

enum sim_stop sim_machine_run(struct sim_machine *machine, uint64_t until)
{
    enum sim_stop stop;

    HV_CHECK(machine->halted == 0 && !machine->broken);
    machine->until = until;
    if (!machine->started) {
        machine->started = true;
        turns_start(machine);
    }
    engine_catch_abort(true);
    stop = turns_run(machine);
    engine_catch_abort(false);
    return stop;
}

uint64_t sim_machine_now(const struct sim_machine *machine)
{
    return machine->now;
}

uint64_t sim_machine_next_event(const struct sim_machine *machine)
{
    uint64_t next = UINT64_MAX;

    for (unsigned cpu = 0; cpu < machine->nr_cpus; cpu++) {
        uint64_t event = lines_next_event(machine, cpu);
        if (event < next)
            next = event;
    }
    return next;
}

void sim_machine_advance(struct sim_machine *machine, uint64_t to)
{
    HV_CHECK(to >= machine->now && to <= sim_machine_next_event(machine));
    machine->stats.idle += to - machine->now;
    machine->now = to;
}

static void update_uart(struct sim_machine *machine)
{
    irqchip_set_level(&machine->irqchip, 0, SIM_UART_INTID, machine->input_count > 0);
}

size_t sim_machine_input(struct sim_machine *machine, const void *data, size_t len)
{
    const uint8_t *bytes = data;
    size_t taken = 0;

    while (taken < len && machine->input_count < SIM_INPUT_MAX) {
        machine->input[(machine->input_head + machine->input_count) % SIM_INPUT_MAX] =
            bytes[taken++];
        machine->input_count++;
    }
    update_uart(machine);
    return taken;
}

enum hal_halt_reason sim_machine_halt_reason(const struct sim_machine *machine)
{
    return (enum hal_halt_reason)(machine->halted - 1);
}

const char *sim_machine_failure(const struct sim_machine *machine)
{
    return machine->failure;
}

void sim_machine_stats(const struct sim_machine *machine, struct sim_stats *out)
{
    *out = machine->stats;
}

/* --- Freezing --- */

unsigned sim_machine_freeze(struct sim_machine *machine, struct sim_region out[SIM_REGIONS_MAX])
{
    for (unsigned cpu = 0; cpu < machine->nr_cpus; cpu++)
        vcpu_freeze(machine, cpu);
    return memory_regions(out);
}

bool sim_machine_thaw(struct sim_machine *machine, char *reason)
{
    const struct sim_machine_config *config = &sim_host()->config;

    if (machine->magic != MACHINE_MAGIC || machine->layout != sizeof(*machine) ||
        machine->ram_size != config->ram_size || machine->nr_cpus != config->nr_cpus ||
        machine->cpu_model != (uint32_t)config->cpu_model) {
        (void)snprintf(reason, SIM_REASON_MAX, "the memory is not that of such a machine");
        return false;
    }
    for (unsigned cpu = 0; cpu < machine->nr_cpus; cpu++)
        vcpu_thaw(machine, cpu);
    return true;
}

/* --- hal.h: start and end --- */

hv_err hal_init(const struct hal_platform *platform)
{
    struct sim_machine *machine = sim_machine();
    const uint32_t intids[] = {
        HAL_INTID_KICK,
        platform->timer_hyp_intid,
        platform->timer_virt_intid,
        platform->gic_maintenance_intid,
        platform->uart.size != 0 ? platform->uart_intid : HAL_INTID_KICK,
    };
    hv_err err;

    if (platform->timer_hyp_intid != SIM_INTID_HYPTIMER ||
        platform->timer_virt_intid != SIM_INTID_VTIMER ||
        platform->gic_maintenance_intid != SIM_INTID_MAINT)
        return HV_ERR_UNSUPPORTED;
    if (platform->uart.size != 0 && platform->uart_intid != SIM_UART_INTID)
        return HV_ERR_UNSUPPORTED;
    err = memory_know_platform(machine, platform);
    for (unsigned i = 0; err == HV_OK && i < ARRAY_LEN(intids); i++)
        err = irqchip_enable(&machine->irqchip, 0, intids[i], true);
    return err;
}

_Noreturn void hal_halt(enum hal_halt_reason reason)
{
    if (reason != HAL_HALT_PANIC)
        lock_held_expect_none("hal_halt()");
    turns_halt(sim_machine(), reason);
}

#define BACKTRACE_MAX 32

static void print_backtrace(void)
{
    void *frames[BACKTRACE_MAX];
    int count = backtrace(frames, BACKTRACE_MAX);
    char line[64];

    for (int i = 0; i < count; i++) {
        int len = snprintf(line, sizeof(line), "halcyon   #%d %p\r\n", i, frames[i]);
        hal_console_write(line, (size_t)len);
    }
}

/* A check of what the outside does has nobody to return to. */
_Noreturn void hv_check_failed(const char *expr, const char *file, unsigned line)
{
    char text[SIM_REASON_MAX];
    unsigned cpu = sim_host()->inside ? sim_machine()->self : 0;
    int len = snprintf(text, sizeof(text), "halcyon PANIC: check failed on CPU %u: %s (%s:%u)\r\n",
                       cpu, expr, file, line);

    if (!sim_host()->inside) {
        (void)fputs(text, stderr);
        abort();
    }
    if (!sim_host()->panicking) {
        sim_host()->panicking = true;
        hal_console_write(text, len < (int)sizeof(text) ? (size_t)len : sizeof(text) - 1);
        print_backtrace();
    }
    hal_halt(HAL_HALT_PANIC);
}

/* --- hal.h: CPU identity --- */

uint64_t hal_cpu_mpidr(void)
{
    return sim_cpu_mpidr(sim_machine()->self);
}

void hal_cpu_id_regs(unsigned cpu, struct arch_idregs *out)
{
    HV_CHECK(cpu < sim_machine()->nr_cpus);
    engine_idregs(sim_host()->engine[cpu], out);
    out->ich_vtr = vcpuif_vtr();
}

void hal_id_regs(struct arch_idregs *out)
{
    hal_cpu_id_regs(sim_machine()->self, out);
}

/* --- hal.h: interrupts --- */

uint32_t hal_irq_ack(void)
{
    struct sim_machine *machine = sim_machine();
    uint32_t intid;

    explore_point(__builtin_return_address(0));
    (void)lines_update(machine, machine->self);
    intid = irqchip_ack(&machine->irqchip, machine->self);
    if (intid == HAL_INTID_KICK)
        race_acquire(&machine->irqchip.cpu[machine->self]);
    return intid;
}

void hal_irq_end(uint32_t intid, bool deactivate)
{
    struct sim_machine *machine = sim_machine();

    explore_point(__builtin_return_address(0));
    HV_CHECK(irqchip_end(&machine->irqchip, machine->self, intid, deactivate));
}

void hal_irq_deactivate(uint32_t intid)
{
    struct sim_machine *machine = sim_machine();

    explore_point(__builtin_return_address(0));
    irqchip_deactivate(&machine->irqchip, machine->self, intid);
}

void hal_irq_activate(uint32_t intid)
{
    struct sim_machine *machine = sim_machine();

    HV_CHECK(irqchip_activate(&machine->irqchip, machine->self, intid));
}

hv_err hal_irq_enable(uint32_t intid, bool enable)
{
    struct sim_machine *machine = sim_machine();

    explore_point(__builtin_return_address(0));
    return irqchip_enable(&machine->irqchip, machine->self, intid, enable);
}

/* --- hal.h: time --- */

uint64_t hal_time_now(void)
{
    struct sim_machine *machine = sim_machine();
    struct sim_cpu *cpu = sim_cpu_self(machine);

    explore_point(__builtin_return_address(0));
    if (cpu->time_readings < FREE_READINGS)
        cpu->time_readings++;
    else
        machine->now += READING_TICKS;
    return machine->now;
}

uint64_t hal_time_hz(void)
{
    return SIM_TIMER_HZ;
}

uint64_t hal_wall_time(void)
{
    return sim_machine()->epoch != 0 ? sim_machine()->epoch + hal_time_now() / SIM_TIMER_HZ : 0;
}

void hal_timer_arm(uint64_t deadline)
{
    struct sim_machine *machine = sim_machine();

    explore_point(__builtin_return_address(0));
    sim_cpu_self(machine)->hyp_deadline = deadline;
    (void)lines_update(machine, machine->self);
}

/* --- hal.h: the world around --- */

static void el3_system_off(void *ctx, bool reset)
{
    turns_halt(ctx, reset ? HAL_HALT_RESET : HAL_HALT_OFF);
}

static const struct sim_cpu *find_cpu(const struct sim_machine *machine, uint64_t mpidr)
{
    for (unsigned cpu = 0; cpu < machine->nr_cpus; cpu++)
        if (sim_cpu_mpidr(cpu) == mpidr)
            return &machine->cpu[cpu];
    return NULL;
}

/* There is no code at a physical address that this CPU could start with: hal_cpu_start() does it.
 */
static int32_t el3_cpu_on(void *ctx, uint64_t mpidr, uint64_t entry, uint64_t arg)
{
    (void)entry;
    (void)arg;
    return find_cpu(ctx, mpidr) == NULL ? PSCI_INVALID_PARAMETERS : PSCI_INVALID_ADDRESS;
}

static int32_t el3_affinity_info(void *ctx, uint64_t mpidr, uint64_t level)
{
    const struct sim_cpu *cpu = find_cpu(ctx, mpidr);

    if (level != 0 || cpu == NULL)
        return PSCI_INVALID_PARAMETERS;
    return cpu->state == SIM_CPU_OFF ? 1 : 0;
}

static void el3_cpu_off(void *ctx)
{
    (void)ctx;
    hal_cpu_stop();
}

void hal_smc(struct smc_regs *regs)
{
    const struct el3_ops ops = {
        .ctx = sim_machine(),
        .system_off = el3_system_off,
        .cpu_on = el3_cpu_on,
        .affinity_info = el3_affinity_info,
        .cpu_off = el3_cpu_off,
    };

    el3_call(&ops, regs);
}

void hal_console_write(const char *text, size_t len)
{
    const struct sim_machine_config *config = &sim_host()->config;

    explore_point(__builtin_return_address(0));
    if (config->console_write != NULL)
        config->console_write(config->ctx, text, len);
}

size_t hal_console_read(char *buf, size_t size)
{
    struct sim_machine *machine = sim_machine();
    size_t count = 0;

    explore_point(__builtin_return_address(0));
    while (count < size && machine->input_count > 0) {
        buf[count++] = (char)machine->input[machine->input_head];
        machine->input_head = (machine->input_head + 1) % SIM_INPUT_MAX;
        machine->input_count--;
    }
    update_uart(machine);
    return count;
}

bool hal_trace_enabled(void)
{
    return sim_host()->config.trace != NULL;
}

void hal_trace(const struct trace_record *record)
{
    const struct sim_machine_config *config = &sim_host()->config;

    config->trace(config->ctx, record);
}
