/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "explore/script.h"
#include "abi/gicv3.h"
#include "arch/esr.h"
#include "arch/sysreg.h"
#include "explore/explore.h"
#include "hal-sim/internal.h"
#include "hal/hal.h"
#include "vm/ptimer.h"
#include <stdatomic.h>

#define PMR_ALL UINT64_C(0xf8)
#define VMCR    (ICH_VMCR_VENG1 | PMR_ALL << ICH_VMCR_VPMR_SHIFT)
/* A CPU of the simulator that has read the time so often since it idled waits a microsecond for
 * each further time. */
#define FREE_READINGS 64u

/* More vCPUs than any test has. */
#define QUEUED_MAX 16u
/* How long a guest spins, in turns. */
#define SPIN 4u

static const struct script *the_script;
static struct hv *the_hv;
/* What a CPU does that is not in the HAL, and changes nothing. */
enum pastime { BUSY, SPINS, IDLES };
static _Atomic uint32_t pastime[SIM_MAX_CPUS];

void script_begin(const struct script *script, struct hv *hv)
{
    the_script = script;
    the_hv = hv;
}

static void settle(enum pastime kind, unsigned turns);

/* --- Between core and the HAL --- */

void __wrap_hal_vcpu_run(struct arch_vcpu *vcpu, struct arch_exit *exit);
void __wrap_hal_cpu_idle(void);
size_t __wrap_hal_console_read(char *buf, size_t size);
_Noreturn void __wrap_hal_halt(enum hal_halt_reason reason);
void __real_hal_cpu_idle(void);
size_t __real_hal_console_read(char *buf, size_t size);
_Noreturn void __real_hal_halt(enum hal_halt_reason reason);

void __wrap_hal_vcpu_run(struct arch_vcpu *vcpu, struct arch_exit *exit)
{
    struct vcpu *self = list_entry(vcpu, struct vcpu, arch);

    script_irq(exit);
    if (lines_update(sim_machine(), hal_cpu_self()))
        return;
    the_script->guest(self, exit);
    vcpu->pc += 4;
}

void __wrap_hal_cpu_idle(void)
{
    if (the_script != NULL && the_script->idle != NULL && the_script->idle())
        return;
    if (the_script != NULL)
        settle(IDLES, 1);
    __real_hal_cpu_idle();
}

size_t __wrap_hal_console_read(char *buf, size_t size)
{
    if (the_script != NULL && the_script->typed != NULL)
        return the_script->typed(buf, size);
    return __real_hal_console_read(buf, size);
}

_Noreturn void __wrap_hal_halt(enum hal_halt_reason reason)
{
    if (reason == HAL_HALT_OFF && the_script != NULL && the_script->halted != NULL)
        the_script->halted();
    __real_hal_halt(reason);
}

/* --- Exits --- */

static void trap(struct arch_exit *exit, enum esr_ec ec, uint64_t iss)
{
    *exit = (struct arch_exit){.kind = ARCH_EXIT_SYNC,
                               .esr = (uint64_t)ec << ESR_EC_SHIFT | ESR_IL | iss};
}

void script_irq(struct arch_exit *exit)
{
    *exit = (struct arch_exit){.kind = ARCH_EXIT_IRQ};
}

void script_wfi(struct arch_exit *exit)
{
    trap(exit, ESR_EC_WFX, ESR_WFI);
}

void script_wfe(struct arch_exit *exit)
{
    trap(exit, ESR_EC_WFX, ESR_WFE);
}

void script_call(struct vcpu *vcpu, struct arch_exit *exit, uint32_t fid, uint64_t x1, uint64_t x2,
                 uint64_t x3)
{
    uint64_t *x = vcpu->arch.x;

    x[0] = fid;
    x[1] = x1;
    x[2] = x2;
    x[3] = x3;
    trap(exit, ESR_EC_HVC64, 0);
}

/* --- Without one --- */

void script_spend(uint64_t micros)
{
    uint64_t end = hal_time_now() + micros * (hal_time_hz() / 1000000);

    for (unsigned i = 0; i < FREE_READINGS + micros && hal_time_now() < end; i++) {
    }
}

/* GICD_IROUTER is 8 bytes, the others 4. */
static void write_dist(struct vm *vm, uint64_t offset, uint8_t size, uint64_t value)
{
    struct mmio_access access = {.offset = offset, .value = value, .size = size, .write = true};

    EXPECT(vgic_dist_access(&vm->vgic, &access));
}

static void write_redist(struct vm *vm, unsigned cpu, uint64_t offset, uint64_t value)
{
    struct mmio_access access = {.value = value, .size = 4, .write = true};

    access.offset = cpu * MACHINE_GICR_STRIDE + GICR_SGI_BASE + offset;
    EXPECT(vgic_redist_access(&vm->vgic, &access));
}

void script_open_gic(struct vm *vm, unsigned nr_spis)
{
    write_dist(vm, GICD_CTLR, 4, GICD_CTLR_ENABLE_GRP1);
    write_dist(vm, GICD_IGROUPR + 4, 4, UINT32_MAX);
    write_dist(vm, GICD_ICFGR + 8, 4, UINT32_C(0xaaaaaaaa));
    for (unsigned n = 0; n < nr_spis; n++)
        write_dist(vm, GICD_IROUTER + 8 * (GIC_FIRST_SPI + (uint64_t)n), 8, n % vm->nr_vcpus);
    write_dist(vm, GICD_ISENABLER + 4, 4, (UINT64_C(1) << nr_spis) - 1);
    for (unsigned cpu = 0; cpu < vm->nr_vcpus; cpu++) {
        write_redist(vm, cpu, GICD_IGROUPR, UINT32_MAX);
        write_redist(vm, cpu, GICD_ISENABLER, UINT32_MAX);
    }
}

/* The HAL has no name for what a guest does with ICC_PMR_EL1 and ICC_IGRPEN1_EL1: it is there when
 * the vCPU is loaded again. */
bool script_open_interface(struct vcpu *vcpu)
{
    if ((hal_gic_vmcr_get(&vcpu->arch) & ICH_VMCR_VENG1) != 0)
        return false;
    hal_vcpu_put(&vcpu->arch);
    vcpu->arch.gic.vmcr = VMCR;
    hal_vcpu_load(&vcpu->arch);
    return true;
}

/* End of interrupt, which deactivates: one of the hardware's, too. */
static void end(struct vcpu *vcpu, unsigned n, uint64_t lr)
{
    hal_gic_lr_set(&vcpu->arch, n, lr & ~ICH_LR_STATE_MASK);
    if ((lr & ICH_LR_HW) != 0)
        hal_irq_deactivate((uint32_t)(lr >> ICH_LR_PINTID_SHIFT & 0x3ff));
}

void script_take(struct vcpu *vcpu, void (*taken)(struct vcpu *vcpu, uint32_t intid))
{
    for (unsigned n = 0; n < hal_gic_lr_count(); n++) {
        uint64_t lr = hal_gic_lr_get(&vcpu->arch, n);
        if ((lr & ICH_LR_STATE_MASK) != ICH_LR_PENDING)
            continue;
        hal_gic_lr_set(&vcpu->arch, n, (lr & ~ICH_LR_STATE_MASK) | ICH_LR_ACTIVE);
        taken(vcpu, (uint32_t)(lr & ICH_LR_VINTID_MASK));
        end(vcpu, n, lr);
    }
}

void script_send_sgi(struct vcpu *vcpu, unsigned to, unsigned intid)
{
    vgic_send_sgi(&vcpu->vm->vgic, vcpu->index,
                  (uint64_t)intid << ICC_SGIR_INTID_SHIFT | UINT64_C(1) << to, true);
}

void script_pulse_spi(struct vm *vm, unsigned n)
{
    vgic_set_level(&vm->vgic, 0, GIC_FIRST_SPI + n, true);
    vgic_set_level(&vm->vgic, 0, GIC_FIRST_SPI + n, false);
}

void script_start_timer(struct vcpu *vcpu, bool virtual, uint64_t micros)
{
    uint64_t then = hal_time_now() + micros * (hal_time_hz() / 1000000);

    if (virtual) {
        hal_vcpu_sysreg_set(&vcpu->arch, ARCH_CNTV_CVAL_EL0, then - vcpu->arch.config.cntvoff_el2);
        hal_vcpu_sysreg_set(&vcpu->arch, ARCH_CNTV_CTL_EL0, CNT_CTL_ENABLE);
    } else {
        ptimer_write_cval(&vcpu->ptimer, then);
        ptimer_write_ctl(&vcpu->ptimer, CNT_CTL_ENABLE);
    }
}

void script_stop_timer(struct vcpu *vcpu, uint32_t intid)
{
    if (intid == MACHINE_INTID_VTIMER)
        hal_vcpu_sysreg_set(&vcpu->arch, ARCH_CNTV_CTL_EL0, 0);
    else if (intid == MACHINE_INTID_PTIMER)
        ptimer_write_ctl(&vcpu->ptimer, 0);
}

/* --- What must hold --- */

static void check_queued(const struct pcpu *pcpu, const struct vcpu *vcpu)
{
    EXPECT(vcpu->state == VCPU_RUNNABLE && vcpu->pcpu == pcpu && vcpu->budget > 0);
    EXPECT((vcpu->affinity >> pcpu->cpu & 1) != 0);
}

void script_check_pcpu(struct pcpu *pcpu)
{
    unsigned queued = 0;

    spinlock_lock(&pcpu->lock);
    for (struct list_node *pos = pcpu->runq.next; pos != &pcpu->runq; pos = pos->next) {
        EXPECT(++queued <= QUEUED_MAX);
        check_queued(pcpu, list_entry(pos, struct vcpu, runq));
    }
    EXPECT(pcpu->nr_queued == queued);
    const struct vcpu *running = pcpu->running;
    EXPECT(running == NULL ||
           (running->state == VCPU_RUNNING && running->pcpu == pcpu && running->loaded));
    spinlock_unlock(&pcpu->lock);
}

/* No CPU is on its way anywhere: all that is read is as its writer left it for good. */
SCRIPT_UNWATCHED static bool is_settled(struct sim_machine *machine)
{
    for (unsigned cpu = 0; cpu < machine->nr_cpus; cpu++) {
        uint32_t state = machine->cpu[cpu].state;
        if (state == SIM_CPU_OFF)
            continue;
        if ((state != SIM_CPU_IDLE && pastime[cpu] == BUSY) || lines_update(machine, cpu))
            return false;
    }
    return true;
}

SCRIPT_UNWATCHED static void check_nobody_waits(const struct sim_machine *machine)
{
    uint64_t idle = 0;

    for (unsigned cpu = 0; cpu < machine->nr_cpus; cpu++)
        if (machine->cpu[cpu].state == SIM_CPU_IDLE || pastime[cpu] == IDLES)
            idle |= the_hv->online & BIT(cpu);
    for (unsigned cpu = 0; cpu < machine->nr_cpus; cpu++) {
        const struct list_node *queue = &the_hv->pcpu[cpu].runq;
        for (struct list_node *pos = queue->next; pos != queue; pos = pos->next) {
            const struct vcpu *vcpu = list_entry(pos, struct vcpu, runq);
            EXPECT((idle & (vcpu->loaded ? BIT(cpu) : vcpu->affinity)) == 0);
        }
    }
}

static void settle(enum pastime kind, unsigned turns)
{
    struct sim_machine *machine = sim_machine();
    _Atomic uint32_t *own = &pastime[hal_cpu_self()];

    atomic_store_explicit(own, kind, memory_order_relaxed);
    while (turns-- > 0)
        hal_cpu_relax();
    if (is_settled(machine)) {
        check_nobody_waits(machine);
        if (the_script->settled != NULL)
            the_script->settled();
    }
    atomic_store_explicit(own, BUSY, memory_order_relaxed);
}

void script_spin(void)
{
    settle(SPINS, SPIN);
}

SCRIPT_UNWATCHED bool script_is_queued(const struct vm *vm)
{
    for (unsigned i = 0; i < vm->nr_vcpus; i++)
        if (vm->vcpu[i].state == VCPU_RUNNABLE)
            return true;
    return false;
}
