/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* CPUs, vCPUs that play a script, and a model of the GIC virtual CPU interface over their list
 * registers. */
#include "abi/gicv3.h"
#include "fakehal/fakehal.h"
#include <stdlib.h>
#include <string.h>

static struct fakehal_cpu *self(void)
{
    struct fakehal *hal = fakehal();
    if (hal->self >= FAKEHAL_CPUS)
        fakehal_fail("CPU %u: there are %u", hal->self, FAKEHAL_CPUS);
    return &hal->cpu[hal->self];
}

/* The CPU that has `vcpu` loaded, or NULL. */
static struct fakehal_cpu *loaded_on(const struct arch_vcpu *vcpu)
{
    for (unsigned i = 0; i < FAKEHAL_CPUS; i++)
        if (fakehal()->cpu[i].loaded == vcpu)
            return &fakehal()->cpu[i];
    return NULL;
}

/* As loaded_on(), for calls that are allowed only on that CPU or on an unloaded vCPU. */
static struct fakehal_cpu *accessible(const struct arch_vcpu *vcpu, const char *what)
{
    struct fakehal_cpu *cpu = loaded_on(vcpu);
    if (cpu != NULL && cpu != self())
        fakehal_fail("%s of a vCPU that another CPU has loaded", what);
    return cpu;
}

/* --- CPUs --- */

unsigned hal_cpu_self(void)
{
    return fakehal()->self;
}

void hal_cpu_relax(void)
{
    struct fakehal *hal = fakehal();
    if (hal->relax != NULL)
        hal->relax(hal->relax_ctx);
}

void hal_cpu_kick(unsigned cpu)
{
    if (cpu >= fakehal()->platform.nr_cpus || cpu >= FAKEHAL_CPUS)
        fakehal_fail("hal_cpu_kick(%u): no such CPU", cpu);
    fakehal_record_add(FAKEHAL_KICK)->addr = cpu;
    fakehal()->cpu[cpu].kicks++;
    fakehal()->cpu[cpu].pending[HAL_INTID_KICK] = true;
}

uint64_t hal_cpu_mpidr(void)
{
    const struct hal_platform *platform = &fakehal()->platform;
    return fakehal()->self < platform->nr_cpus ? platform->cpu_mpidr[fakehal()->self] : 0;
}

/* With 5 bits of priority and preemption, and INTIDs of 24. */
static struct arch_idregs common_idregs(const struct fakehal *hal)
{
    struct arch_idregs idregs = hal->idregs;
    idregs.ich_vtr =
        UINT64_C(4) << 29 | UINT64_C(4) << 26 | UINT64_C(1) << 23 | (hal->lr_count - 1);
    return idregs;
}

void hal_cpu_id_regs(unsigned cpu, struct arch_idregs *out)
{
    struct fakehal *hal = fakehal();
    if (cpu >= FAKEHAL_CPUS || (cpu != hal->self && !hal->cpu[cpu].on))
        fakehal_fail("hal_cpu_id_regs() of CPU %u, which is off", cpu);
    *out = hal->cpu[cpu].idregs != NULL ? *hal->cpu[cpu].idregs : common_idregs(hal);
}

void hal_id_regs(struct arch_idregs *out)
{
    hal_cpu_id_regs(fakehal()->self, out);
}

/* --- vCPUs --- */

void hal_vcpu_load(struct arch_vcpu *vcpu)
{
    struct fakehal_cpu *cpu = self();
    if (cpu->loaded != NULL)
        fakehal_fail("hal_vcpu_load(): CPU %u has a vCPU loaded", fakehal()->self);
    if (loaded_on(vcpu) != NULL)
        fakehal_fail("hal_vcpu_load() of a vCPU that is loaded elsewhere");
    cpu->loaded = vcpu;
    cpu->config = vcpu->config;
    memcpy(cpu->sys, vcpu->sys, sizeof(cpu->sys));
    for (unsigned i = 0; i < ARCH_SYSREG_COUNT; i++)
        vcpu->sys[i] = FAKEHAL_POISON_SYS;
    fakehal_record_add(FAKEHAL_VCPU_LOAD)->addr = (uintptr_t)vcpu;
}

void hal_vcpu_put(struct arch_vcpu *vcpu)
{
    struct fakehal_cpu *cpu = self();
    if (cpu->loaded != vcpu)
        fakehal_fail("hal_vcpu_put() of a vCPU that is not loaded on CPU %u", fakehal()->self);
    memcpy(vcpu->sys, cpu->sys, sizeof(cpu->sys));
    cpu->loaded = NULL;
    fakehal_record_add(FAKEHAL_VCPU_PUT)->addr = (uintptr_t)vcpu;
}

uint64_t hal_vcpu_sysreg_get(struct arch_vcpu *vcpu, enum arch_sysreg reg)
{
    const struct fakehal_cpu *cpu = accessible(vcpu, "hal_vcpu_sysreg_get()");
    if ((unsigned)reg >= ARCH_SYSREG_COUNT)
        fakehal_fail("hal_vcpu_sysreg_get(): no register %d", (int)reg);
    return cpu != NULL ? cpu->sys[reg] : vcpu->sys[reg];
}

void hal_vcpu_sysreg_set(struct arch_vcpu *vcpu, enum arch_sysreg reg, uint64_t value)
{
    struct fakehal_cpu *cpu = accessible(vcpu, "hal_vcpu_sysreg_set()");
    if ((unsigned)reg >= ARCH_SYSREG_COUNT)
        fakehal_fail("hal_vcpu_sysreg_set(): no register %d", (int)reg);
    if (cpu != NULL)
        cpu->sys[reg] = value;
    else
        vcpu->sys[reg] = value;
}

void hal_vcpu_config_sync(struct arch_vcpu *vcpu)
{
    if (self()->loaded != vcpu)
        fakehal_fail("hal_vcpu_config_sync() of a vCPU that is not loaded here");
    self()->config = vcpu->config;
    fakehal_record_add(FAKEHAL_VCPU_SYNC)->addr = (uintptr_t)vcpu;
}

/* --- Scripts --- */

void fakehal_push_exit(struct arch_exit exit, fakehal_run_fn *before, fakehal_run_fn *after,
                       void *ctx)
{
    struct fakehal *hal = fakehal();
    if (hal->script_len == hal->script_cap) {
        hal->script_cap = hal->script_cap == 0 ? 16 : 2 * hal->script_cap;
        hal->script = realloc(hal->script, hal->script_cap * sizeof(*hal->script));
        if (hal->script == NULL)
            fakehal_fail("the host is out of memory");
    }
    hal->script[hal->script_len++] = (struct fakehal_step){exit, before, after, ctx};
}

void fakehal_push_sync(uint64_t esr, uint64_t far, uint64_t hpfar)
{
    struct arch_exit exit = {.esr = esr, .far = far, .hpfar = hpfar, .kind = ARCH_EXIT_SYNC};
    fakehal_push_exit(exit, NULL, NULL, NULL);
}

void fakehal_push_irq(void)
{
    fakehal_push_exit((struct arch_exit){.kind = ARCH_EXIT_IRQ}, NULL, NULL, NULL);
}

void fakehal_set_run(fakehal_run_fn *run, void *ctx)
{
    fakehal()->run = run;
    fakehal()->run_ctx = ctx;
}

size_t fakehal_script_left(void)
{
    return fakehal()->script_len - fakehal()->script_head;
}

void hal_vcpu_run(struct arch_vcpu *vcpu, struct arch_exit *exit)
{
    struct fakehal *hal = fakehal();
    if (self()->loaded != vcpu)
        fakehal_fail("hal_vcpu_run() of a vCPU that is not loaded on CPU %u", hal->self);
    if (memcmp(&self()->config, &vcpu->config, sizeof(vcpu->config)) != 0)
        fakehal_fail("hal_vcpu_run(): vcpu->config changed without hal_vcpu_config_sync()");
    lock_held_expect_none("hal_vcpu_run()");
    fakehal_record_add(FAKEHAL_VCPU_RUN)->addr = (uintptr_t)vcpu;
    hal->runs++;

    struct fakehal_step last = hal->last;
    hal->last = (struct fakehal_step){0};
    if (last.after != NULL)
        last.after(last.ctx, vcpu, &last.exit);

    memset(exit, 0, sizeof(*exit));
    if (fakehal_script_left() > 0) {
        struct fakehal_step step = hal->script[hal->script_head++];
        *exit = step.exit;
        hal->last = step;
        if (step.before != NULL)
            step.before(step.ctx, vcpu, exit);
    } else if (hal->run != NULL) {
        hal->run(hal->run_ctx, vcpu, exit);
    } else {
        fakehal_fail("hal_vcpu_run() number %llu: the script has ended",
                     (unsigned long long)hal->runs);
    }
}

/* --- List registers --- */

unsigned hal_gic_lr_count(void)
{
    return fakehal()->lr_count;
}

static uint64_t *lr_at(struct arch_vcpu *vcpu, unsigned n, const char *what)
{
    accessible(vcpu, what);
    if (n >= fakehal()->lr_count || n >= ARCH_LR_MAX)
        fakehal_fail("%s: no list register %u", what, n);
    return &vcpu->gic.lr[n];
}

uint64_t hal_gic_lr_get(struct arch_vcpu *vcpu, unsigned n)
{
    return *lr_at(vcpu, n, "hal_gic_lr_get()");
}

void hal_gic_lr_set(struct arch_vcpu *vcpu, unsigned n, uint64_t lr)
{
    *lr_at(vcpu, n, "hal_gic_lr_set()") = lr;
}

/* ICH_LR<n>_EL2 bit fields (IHI 0069, 12.4.6), restated. */
enum { LR_EOI = 41, LR_GROUP = 60, LR_HW = 61, LR_PENDING = 62, LR_ACTIVE = 63 };

static bool bit(uint64_t v, unsigned n)
{
    return (v >> n & 1) != 0;
}

static bool lr_valid(uint64_t lr)
{
    return bit(lr, LR_PENDING) || bit(lr, LR_ACTIVE);
}

uint32_t hal_gic_lr_empty(struct arch_vcpu *vcpu)
{
    accessible(vcpu, "hal_gic_lr_empty()");
    uint32_t empty = 0;
    for (unsigned n = 0; n < fakehal()->lr_count; n++) {
        uint64_t lr = vcpu->gic.lr[n];
        if (!lr_valid(lr) && (bit(lr, LR_HW) || !bit(lr, LR_EOI)))
            empty |= 1u << n;
    }
    return empty;
}

uint64_t hal_gic_hcr_get(struct arch_vcpu *vcpu)
{
    accessible(vcpu, "hal_gic_hcr_get()");
    return vcpu->gic.hcr;
}

void hal_gic_hcr_set(struct arch_vcpu *vcpu, uint64_t hcr)
{
    accessible(vcpu, "hal_gic_hcr_set()");
    vcpu->gic.hcr = hcr;
}

uint64_t hal_gic_vmcr_get(struct arch_vcpu *vcpu)
{
    accessible(vcpu, "hal_gic_vmcr_get()");
    return vcpu->gic.vmcr;
}

/* --- What the guest does --- */

/* Five bits of priority, as GICv3 implementations with 32 levels have: bit p >> 3 of
 * ICH_AP<g>R0_EL2. */
static unsigned running_priority(const struct arch_vcpu *vcpu)
{
    uint32_t active = vcpu->gic.ap0r[0] | vcpu->gic.ap1r[0];
    return active == 0 ? 0x100 : (unsigned)__builtin_ctz(active) << 3;
}

/* The list register that an acknowledge would take now, or -1. */
static int lr_candidate(struct arch_vcpu *vcpu)
{
    int best = -1;
    unsigned mask = (unsigned)(vcpu->gic.vmcr >> 24) & 0xff;
    unsigned limit = running_priority(vcpu) < mask ? running_priority(vcpu) : mask;
    if (!bit(vcpu->gic.hcr, 0))
        return -1;
    for (unsigned n = 0; n < fakehal()->lr_count; n++) {
        uint64_t lr = vcpu->gic.lr[n];
        unsigned priority = (unsigned)(lr >> 48) & 0xff;
        bool enabled = bit(vcpu->gic.vmcr, bit(lr, LR_GROUP) ? 1 : 0);
        /* An interrupt that is active and pending waits for its deactivation. */
        if (bit(lr, LR_PENDING) && !bit(lr, LR_ACTIVE) && enabled && priority < limit) {
            best = (int)n;
            limit = priority;
        }
    }
    return best;
}

static bool is_lpi(uint32_t intid)
{
    return intid >= 8192;
}

uint32_t fakehal_gic_ack(struct arch_vcpu *vcpu)
{
    int n = lr_candidate(vcpu);
    if (n < 0)
        return 1023;
    uint64_t lr = vcpu->gic.lr[n];
    uint32_t level = 1u << ((lr >> 51) & 0x1f);
    if (bit(lr, LR_GROUP))
        vcpu->gic.ap1r[0] |= level;
    else
        vcpu->gic.ap0r[0] |= level;
    vcpu->gic.lr[n] = lr & ~(UINT64_C(1) << LR_PENDING);
    if (!is_lpi((uint32_t)lr) || fakehal()->lpi_active)
        vcpu->gic.lr[n] |= UINT64_C(1) << LR_ACTIVE;
    return (uint32_t)lr;
}

bool fakehal_gic_signals(struct arch_vcpu *vcpu)
{
    return lr_candidate(vcpu) >= 0;
}

static void drop_priority(struct arch_vcpu *vcpu)
{
    uint32_t *ap0 = &vcpu->gic.ap0r[0];
    uint32_t *ap1 = &vcpu->gic.ap1r[0];
    uint32_t highest = (*ap0 | *ap1) & (~(*ap0 | *ap1) + 1);
    *ap0 &= ~highest;
    *ap1 &= ~highest;
}

static void deactivate(struct arch_vcpu *vcpu, uint32_t intid)
{
    for (unsigned n = 0; n < fakehal()->lr_count; n++) {
        uint64_t lr = vcpu->gic.lr[n];
        if (!bit(lr, LR_ACTIVE) || (uint32_t)lr != intid)
            continue;
        vcpu->gic.lr[n] = lr & ~(UINT64_C(1) << LR_ACTIVE);
        if (bit(lr, LR_HW))
            hal_irq_deactivate((uint32_t)(lr >> 32) & 0x1fff);
        return;
    }
    uint64_t eoi_count = (vcpu->gic.hcr >> 27) & 0x1f;
    vcpu->gic.hcr &= ~(UINT64_C(0x1f) << 27);
    vcpu->gic.hcr |= ((eoi_count + 1) & 0x1f) << 27;
}

void fakehal_gic_eoi(struct arch_vcpu *vcpu, uint32_t intid)
{
    if (intid >= 1020 && !is_lpi(intid))
        return;
    drop_priority(vcpu);
    if (is_lpi(intid) ? fakehal()->lpi_active : !bit(vcpu->gic.vmcr, 9))
        deactivate(vcpu, intid);
}

bool fakehal_gic_dir(struct arch_vcpu *vcpu, uint32_t intid)
{
    if (bit(vcpu->gic.hcr, 14))
        return false;
    if (intid < 1020 && bit(vcpu->gic.vmcr, 9))
        deactivate(vcpu, intid);
    return true;
}

uint32_t fakehal_gic_misr(struct arch_vcpu *vcpu)
{
    uint64_t hcr = vcpu->gic.hcr;
    unsigned valid = 0;
    unsigned pending = 0;
    bool eoi = false;
    if (!bit(hcr, 0))
        return 0;
    for (unsigned n = 0; n < fakehal()->lr_count; n++) {
        uint64_t lr = vcpu->gic.lr[n];
        valid += lr_valid(lr);
        pending += bit(lr, LR_PENDING) && !bit(lr, LR_ACTIVE);
        eoi |= !lr_valid(lr) && !bit(lr, LR_HW) && bit(lr, LR_EOI);
    }
    uint32_t misr = eoi ? 1u : 0u;
    if (bit(hcr, 1) && valid <= 1)
        misr |= 1u << 1;
    if (bit(hcr, 2) && (hcr >> 27 & 0x1f) != 0)
        misr |= 1u << 2;
    if (bit(hcr, 3) && pending == 0)
        misr |= 1u << 3;
    return misr;
}

void fakehal_gic_enable(struct arch_vcpu *vcpu, bool group0, uint8_t pmr)
{
    vcpu->gic.vmcr &= ~(UINT64_C(0xff) << 24 | 3);
    vcpu->gic.vmcr |= (uint64_t)pmr << 24 | 2 | (group0 ? 1 : 0);
}
