/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What a running guest reaches of the machine without a trap: counters and the virtual timer, the
 * GIC's CPU interface, maintenance of the other CPUs' TLBs and instruction caches. */
#include "arch/el2.h"
#include "arch/sysreg.h"
#include "base/bits.h"
#include "hal-sim/internal.h"

#define ENC_CNTFRQ_EL0    SYSREG(3, 3, 14, 0, 0)
#define ENC_CNTPCT_EL0    SYSREG(3, 3, 14, 0, 1)
#define ENC_CNTVCT_EL0    SYSREG(3, 3, 14, 0, 2)
#define ENC_CNTV_TVAL_EL0 SYSREG(3, 3, 14, 3, 0)
#define ENC_CNTV_CTL_EL0  SYSREG(3, 3, 14, 3, 1)
#define ENC_CNTV_CVAL_EL0 SYSREG(3, 3, 14, 3, 2)
#define ENC_RNDR          SYSREG(3, 3, 2, 4, 0)
#define ENC_RNDRRS        SYSREG(3, 3, 2, 4, 1)

/* CNTKCTL_EL1 (D17.9.14) */
#define EL0PCTEN BIT(0)
#define EL0VCTEN BIT(1)
#define EL0VTEN  BIT(8)

/* Time as of the instruction that a hook is called for. */
static struct sim_cpu *catch_up(struct sim_machine *machine, unsigned index)
{
    struct sim_cpu *cpu = &machine->cpu[index];

    machine->now = cpu->run_start + engine_executed(sim_host()->engine[index]);
    return cpu;
}

/* Lines may have changed: what is to be taken is taken at the next block, and the next event may be
 * another. */
static void look_again(struct sim_machine *machine, unsigned index)
{
    struct sim_cpu *cpu = &machine->cpu[index];
    struct engine *engine = sim_host()->engine[index];
    uint64_t horizon = turns_horizon(machine);

    if (lines_update(machine, index) || vcpuif_virq(&cpu->gic) || vcpuif_vfiq(&cpu->gic) ||
        horizon <= machine->now)
        engine_set_limit(engine, 0);
    else
        engine_set_limit(engine, horizon - cpu->run_start);
}

/* --- Counters and timer --- */

typedef uint64_t timer_read_fn(const struct sim_machine *machine, const struct sim_cpu *cpu);
typedef void timer_write_fn(const struct sim_machine *machine, struct sim_cpu *cpu, uint64_t value);

static uint64_t read_frequency(const struct sim_machine *machine, const struct sim_cpu *cpu)
{
    (void)machine;
    (void)cpu;
    return SIM_TIMER_HZ;
}

static uint64_t read_physical_count(const struct sim_machine *machine, const struct sim_cpu *cpu)
{
    (void)cpu;
    return machine->now;
}

static uint64_t read_virtual_count(const struct sim_machine *machine, const struct sim_cpu *cpu)
{
    return lines_virtual_count(cpu, machine->now);
}

/* The timer value is the low half of the difference (D11.2.4). */
static uint64_t read_tval(const struct sim_machine *machine, const struct sim_cpu *cpu)
{
    return (uint32_t)(cpu->cntv_cval - lines_virtual_count(cpu, machine->now));
}

static void write_tval(const struct sim_machine *machine, struct sim_cpu *cpu, uint64_t value)
{
    cpu->cntv_cval = lines_virtual_count(cpu, machine->now) + sign_extend(value, 31);
}

static uint64_t read_ctl(const struct sim_machine *machine, const struct sim_cpu *cpu)
{
    (void)machine;
    return hal_vcpu_sysreg_get(cpu->loaded, ARCH_CNTV_CTL_EL0);
}

static void write_ctl(const struct sim_machine *machine, struct sim_cpu *cpu, uint64_t value)
{
    (void)machine;
    cpu->cntv_ctl = value & (CNTV_ENABLE | CNTV_IMASK);
}

static uint64_t read_cval(const struct sim_machine *machine, const struct sim_cpu *cpu)
{
    (void)machine;
    return cpu->cntv_cval;
}

static void write_cval(const struct sim_machine *machine, struct sim_cpu *cpu, uint64_t value)
{
    (void)machine;
    cpu->cntv_cval = value;
}

static const struct timer_register {
    uint32_t enc;
    uint32_t el0_enable; /* any of these bits of CNTKCTL_EL1 opens it to EL0 */
    timer_read_fn *read;
    timer_write_fn *write; /* NULL: read-only */
} timer_registers[] = {
    {ENC_CNTFRQ_EL0, EL0PCTEN | EL0VCTEN, read_frequency, NULL},
    {ENC_CNTPCT_EL0, EL0PCTEN, read_physical_count, NULL},
    {ENC_CNTVCT_EL0, EL0VCTEN, read_virtual_count, NULL},
    {ENC_CNTV_TVAL_EL0, EL0VTEN, read_tval, write_tval},
    {ENC_CNTV_CTL_EL0, EL0VTEN, read_ctl, write_ctl},
    {ENC_CNTV_CVAL_EL0, EL0VTEN, read_cval, write_cval},
};

static const struct timer_register *find_register(uint32_t enc)
{
    for (unsigned i = 0; i < ARRAY_LEN(timer_registers); i++)
        if (timer_registers[i].enc == enc)
            return &timer_registers[i];
    return NULL;
}

/* What is not allowed is left to the engine, which makes the guest take the exception. */
static bool is_allowed(unsigned index, const struct arch_vcpu_config *config,
                       const struct timer_register *reg, unsigned el)
{
    if (el == 0 &&
        (engine_sysreg_get(sim_host()->engine[index], ARCH_CNTKCTL_EL1) & reg->el0_enable) == 0)
        return false;
    return reg->enc != ENC_CNTPCT_EL0 || (config->cnthctl_el2 & CNTHCTL_EL1PCTEN) != 0;
}

static bool override(unsigned index, uint32_t enc, bool write, unsigned el, uint64_t *value)
{
    struct sim_machine *machine = sim_machine();
    const struct timer_register *reg = find_register(enc);
    struct sim_cpu *cpu;

    if ((enc == ENC_RNDR || enc == ENC_RNDRRS) && !write && machine->cpu_model == SIM_CPU_MAX) {
        *value = turns_random(machine);
        return true;
    }
    if (reg == NULL || (write && reg->write == NULL))
        return false;
    cpu = catch_up(machine, index);
    if (!is_allowed(index, &cpu->loaded->config, reg, el))
        return false;
    if (!write) {
        *value = reg->read(machine, cpu);
        return true;
    }
    reg->write(machine, cpu, *value);
    look_again(machine, index);
    return true;
}

/* --- GIC CPU interface --- */

static bool is_trapped_gic(uint32_t enc, bool write)
{
    switch (enc) {
    case SYSREG_ICC_SGI1R_EL1:
    case SYSREG_ICC_ASGI1R_EL1:
    case SYSREG_ICC_SGI0R_EL1:
        return write;
    case SYSREG_ICC_SRE_EL1: /* ICC_SRE_EL2.Enable = 0 */
        return true;
    default:
        return false;
    }
}

static enum engine_sysreg unknown(unsigned index, uint32_t enc, bool write, uint64_t *value)
{
    struct sim_machine *machine = sim_machine();
    struct sim_cpu *cpu = catch_up(machine, index);
    struct vcpuif_effect effect = {.deactivate = VCPUIF_NO_INTID};
    bool known;

    if (is_trapped_gic(enc, write))
        return ENGINE_TRAPS;
    if (!vcpuif_owns(enc))
        return ENGINE_UNDEFINED;
    if (vcpuif_traps(&cpu->gic, enc, write))
        return ENGINE_TRAPS;
    machine->stats.icc_accesses++;
    known = write ? vcpuif_write(&cpu->gic, enc, *value, &effect)
                  : vcpuif_read(&cpu->gic, enc, value, &effect);
    if (!known)
        return ENGINE_UNDEFINED;
    if (effect.deactivate != VCPUIF_NO_INTID)
        irqchip_deactivate(&machine->irqchip, index, effect.deactivate);
    look_again(machine, index);
    return ENGINE_DONE;
}

/* --- Maintenance --- */

static void tlbi_broadcast(unsigned index)
{
    const struct sim_machine *machine = sim_machine();

    for (unsigned cpu = 0; cpu < machine->nr_cpus; cpu++)
        if (cpu != index)
            engine_flush_tlb(sim_host()->engine[cpu]);
}

static void icache_all(unsigned index)
{
    const struct sim_machine *machine = sim_machine();

    (void)index;
    for (unsigned cpu = 0; cpu < machine->nr_cpus; cpu++)
        engine_discard_all_code(sim_host()->engine[cpu]);
}

static void icache_line(unsigned index, pa_t line)
{
    const struct sim_machine *machine = sim_machine();

    (void)index;
    for (unsigned cpu = 0; cpu < machine->nr_cpus; cpu++)
        engine_discard_code(sim_host()->engine[cpu], line, 64);
}

const struct engine_ops guest_engine_ops = {
    .override = override,
    .unknown = unknown,
    .tlbi_broadcast = tlbi_broadcast,
    .icache_all = icache_all,
    .icache_line = icache_line,
};
