/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "exit/exit.h"
#include "exit_fixture.h"
#include "prng.h"

/* --- Classes --- */

enum answer { UNDEF, END, OWN };

/* What each exception class comes to, by the architecture and our trap configuration. */
static enum answer class_answer(unsigned ec)
{
    switch (ec) {
    case 0x01: /* WFx */
    case 0x16: /* HVC */
    case 0x17: /* SMC */
    case 0x18: /* MSR, MRS */
    case 0x20: /* instruction abort */
    case 0x24: /* data abort */
        return OWN;
    case 0x03: /* AArch32 coprocessor accesses from EL0 */
    case 0x04:
    case 0x05:
    case 0x06:
    case 0x08:
    case 0x0c:
    case 0x07: /* FP */
    case 0x09: /* PAuth */
    case 0x0a: /* LS64 */
    case 0x14: /* MRRS, MSRR */
    case 0x19: /* SVE */
    case 0x1b: /* TSTART */
    case 0x1d: /* SME */
        return UNDEF;
    default:
        return END;
    }
}

CASE(exit, every_class_has_its_answer)
{
    for (unsigned ec = 0; ec < 64; ec++) {
        enum answer answer = class_answer(ec);
        if (answer == OWN)
            continue;
        finish();
        setup();
        sync((uint64_t)ec << 26 | 1u << 25, 0, 0);
        if (answer == UNDEF) {
            cr_assert_eq(f.vm->state, VM_RUNNING, "class %#x", ec);
            cr_assert_eq(el1_esr(), 0x02000000, "class %#x", ec);
            cr_assert_eq(fixture_sys(&f, ARCH_ELR_EL1), GUEST_ENTRY, "the instruction itself");
        } else {
            cr_assert_eq(f.vm->state, VM_CRASHED, "class %#x", ec);
            cr_assert_gt(strlen(f.vm->stop_reason), strlen("vCPU 0, PC 0x40080000: "));
            cr_assert(f.hv->pcpu[0].resched, "it does not run on");
        }
    }
}

/* SGI 0, enabled, in group 1, with the groups on and the priority mask open. */
static void send_sgi_to_self(void)
{
    struct mmio_access on = {.offset = 0, .value = 3, .size = 4, .write = true};
    struct mmio_access group = {.offset = 0x10080, .value = UINT32_MAX, .size = 4, .write = true};
    struct mmio_access enable = {.offset = 0x10100, .value = 1, .size = 4, .write = true};
    cr_assert(vgic_dist_access(&f.vm->vgic, &on));
    cr_assert(vgic_redist_access(&f.vm->vgic, &group));
    cr_assert(vgic_redist_access(&f.vm->vgic, &enable));
    fakehal_gic_enable(&f.vcpu->arch, false, 0xff);
    vgic_send_sgi(&f.vm->vgic, 0, 1, true);
}

CASE(exit, wfi_blocks_unless_an_interrupt_is_pending)
{
    sync(UINT64_C(0x01) << 26 | 1u << 25, 0, 0);
    cr_assert_eq(f.vcpu->state, VCPU_BLOCKED);
    cr_assert_eq(f.vcpu->arch.pc, GUEST_ENTRY + 4);
    cr_assert(f.hv->pcpu[0].resched);
    sched_wake(f.vcpu);
    cr_assert_eq(sched_next(&f.hv->pcpu[0]), f.vcpu);

    send_sgi_to_self();
    sync(UINT64_C(0x01) << 26 | 1u << 25, 0, 0);
    cr_assert_eq(f.vcpu->state, VCPU_RUNNING);
    cr_assert_eq(f.vcpu->arch.pc, GUEST_ENTRY + 8);
}

CASE(exit, wfe_yields)
{
    for (unsigned ti = 1; ti < 4; ti += 2) { /* WFE and WFET */
        rewind_guest();
        sync(UINT64_C(0x01) << 26 | 1u << 25 | ti, 0, 0);
        cr_assert_eq(f.vcpu->state, VCPU_RUNNING);
        cr_assert(f.hv->pcpu[0].resched);
        cr_assert_eq(f.vcpu->arch.pc, GUEST_ENTRY + 4);
        cr_assert_eq(sched_next(&f.hv->pcpu[0]), f.vcpu);
    }
    sync(UINT64_C(0x01) << 26 | 1u << 25 | 2, 0, 0);
    cr_assert_eq(f.vcpu->state, VCPU_BLOCKED, "WFIT as WFI");
}

CASE(exit, hvc_and_smc)
{
    f.vcpu->arch.x[0] = 0x84000000;
    sync(UINT64_C(0x16) << 26 | 1u << 25, 0, 0);
    cr_assert_eq(f.vcpu->arch.x[0], 0x10001);
    cr_assert_eq(f.vcpu->arch.pc, GUEST_ENTRY, "HVC: already past it");
    f.vcpu->arch.x[0] = 0x84000000;
    sync(UINT64_C(0x17) << 26 | 1u << 25, 0, 0);
    cr_assert_eq(f.vcpu->arch.x[0], 0x10001);
    cr_assert_eq(f.vcpu->arch.pc, GUEST_ENTRY + 4, "SMC: trapped at it");
    f.vcpu->arch.x[0] = 0x84000000;
    sync(UINT64_C(0x16) << 26 | 1u << 25 | 0x1234, 0, 0);
    cr_assert_eq(f.vcpu->arch.x[0], UINT64_MAX, "an immediate is no SMCCC call");
}

CASE(exit, serror_ends_the_vm)
{
    const struct arch_exit exit = {UINT64_C(0x2f) << 26 | 1u << 25, 0, 0, ARCH_EXIT_SERROR};

    exit_dispatch(f.vcpu, &exit);
    cr_assert_eq(f.vm->state, VM_CRASHED);
    cr_assert(fakehal_console_has("SError"));
}

CASE(exit, aborts_and_undefined_accesses_are_logged_on_request)
{
    data_abort(TRANS3, DEV_BASE);
    sync(UINT64_C(0x18) << 26 | 1u << 25 | 1, 0, 0);
    cr_assert(!fakehal_console_has("debug"));
    cr_assert_eq(log_set_levels(&f.hv->log, "debug"), HV_OK);
    rewind_guest();
    data_abort(TRANS3, DEV_BASE + 0x10);
    cr_assert(fakehal_console_has("debug exit: g: external abort for IPA 0xa000010, VA "));
    rewind_guest();
    /* MRS of PMCR_EL0, S3_3_C9_C12_0: op0 3, op1 3, CRn 9, CRm 12 */
    sync(UINT64_C(0x18) << 26 | 1u << 25 | 3u << 20 | 3u << 14 | 9u << 10 | 12u << 1 | 1, 0, 0);
    cr_assert(fakehal_console_has("read of S3_3_C9_C12_0 at PC 0x40080000 is undefined"));
}

/* --- Interrupts --- */

static bool ended(uint32_t intid, bool deactivated)
{
    for (uint64_t n = 0; n < fakehal()->log_len; n++) {
        const struct fakehal_record *record = fakehal_log(n);
        if (record->kind == FAKEHAL_IRQ_END && record->addr == intid)
            return record->len == deactivated;
    }
    return false;
}

static void irq(uint32_t intid)
{
    const struct arch_exit exit = {.kind = ARCH_EXIT_IRQ};

    fakehal_irq_pend(0, intid);
    exit_dispatch(f.vcpu, &exit);
    cr_assert(!fakehal_irq_deliverable(0));
}

CASE(exit, kick_asks_for_rescheduling)
{
    irq(0);
    cr_assert(f.hv->pcpu[0].resched);
    cr_assert(ended(0, true));
    cr_assert_eq(f.vcpu->state, VCPU_RUNNING);
}

static void count(struct timer *timer)
{
    timer->deadline = 0;
}

CASE(exit, hypervisor_timer_runs_the_queue)
{
    struct timer timer;

    timer_init(&timer, count);
    timer_start(&f.hv->pcpu[0].timers, &timer, 100);
    fakehal()->now = 100;
    const struct arch_exit exit = {.kind = ARCH_EXIT_IRQ};
    exit_dispatch(f.vcpu, &exit);
    cr_assert_eq(timer.deadline, 0, "expired");
    cr_assert(ended(26, true));
    cr_assert(!fakehal_irq_deliverable(0));
}

CASE(exit, virtual_timer_belongs_to_the_loaded_vcpu)
{
    irq(27);
    cr_assert(ended(27, false), "the guest deactivates it");
    cr_assert(f.vm->vgic.cpu[0].private_irq[27].latched);
    sched_unload(&f.hv->pcpu[0]);
    fakehal_log_clear();
    fakehal()->cpu[0].active[27] = false;
    irq(27);
    cr_assert(ended(27, true), "nobody would");
}

/* Group 0 of the machine is nobody's: the HAL finds nothing to acknowledge, and the guest goes on.
 */
CASE(exit, fiq_is_served_like_an_irq)
{
    const struct arch_exit exit = {0, 0, 0, ARCH_EXIT_FIQ};

    exit_dispatch(f.vcpu, &exit);
    cr_assert_eq(f.vm->state, VM_RUNNING);
    cr_assert_eq(f.vcpu->arch.pc, GUEST_ENTRY);
    fakehal_irq_pend(0, 0);
    exit_dispatch(f.vcpu, &exit);
    cr_assert(ended(0, true));
    cr_assert_eq(f.vcpu->state, VCPU_RUNNING);
}

/* --- The virtual timer's line --- */

#define CTL(enable, imask, istatus) ((enable) | (imask) << 1 | (istatus) << 2)

static uint64_t frame_read(uint64_t offset)
{
    struct mmio_access access = {.offset = 0x10000 + offset, .size = 4};

    cr_assert(vgic_redist_access(&f.vm->vgic, &access));
    return access.value;
}

static void frame_write(uint64_t offset, uint64_t value)
{
    struct mmio_access access = {
        .offset = 0x10000 + offset, .size = 4, .value = value, .write = true};

    cr_assert(vgic_redist_access(&f.vm->vgic, &access));
}

/* PPI 27 can be taken, and the timer has expired: it is pending. */
static void expire(void)
{
    struct mmio_access on = {.offset = 0, .value = 3, .size = 4, .write = true};

    cr_assert(vgic_dist_access(&f.vm->vgic, &on));
    frame_write(0x80, UINT32_MAX);
    frame_write(0x100, 1u << 27);
    fakehal_gic_enable(&f.vcpu->arch, false, 0xff);
    vgic_flush(&f.vm->vgic, 0);
    hal_vcpu_sysreg_set(&f.vcpu->arch, ARCH_CNTV_CTL_EL0, CTL(1, 0, 1));
    irq(27);
    cr_assert(fakehal_gic_signals(&f.vcpu->arch));
}

static unsigned deactivated(void)
{
    return (unsigned)fakehal()->count[FAKEHAL_IRQ_DEACTIVATE];
}

static void hvc(void)
{
    sync(UINT64_C(0x16) << 26 | 1u << 25, 0, 0);
}

CASE(exit, timer_that_stays_expired_stays_pending)
{
    expire();
    for (unsigned i = 0; i < 3; i++)
        hvc();
    cr_assert_eq(frame_read(0x200), 1u << 27);
    cr_assert_eq(fakehal_gic_ack(&f.vcpu->arch), 27);
    cr_assert_eq(deactivated(), 0);
    hvc();
    cr_assert_eq(frame_read(0x300), 1u << 27, "active");
    fakehal_gic_eoi(&f.vcpu->arch, 27);
    cr_assert_eq(deactivated(), 1, "by the guest");
}

/* Reprogrammed, disabled or masked before it was taken; whatever the exit, it is gone after it. */
CASE(exit, timer_reprogrammed_before_it_was_taken)
{
    static const uint64_t ctl[] = {CTL(1, 0, 0), CTL(0, 0, 0), CTL(0, 0, 1), CTL(1, 1, 1)};

    for (unsigned i = 0; i < 4; i++) {
        finish();
        setup();
        expire();
        hal_vcpu_sysreg_set(&f.vcpu->arch, ARCH_CNTV_CTL_EL0, ctl[i]);
        if (i % 2 == 0)
            hvc();
        else
            irq(0);
        cr_assert(!fakehal_gic_signals(&f.vcpu->arch), "before anything runs");
        cr_assert_eq(frame_read(0x200), 0);
        cr_assert_eq(deactivated(), 1);
        hvc();
        cr_assert_eq(deactivated(), 1, "once");
        hal_vcpu_sysreg_set(&f.vcpu->arch, ARCH_CNTV_CTL_EL0, CTL(1, 0, 1));
        irq(27);
        cr_assert_eq(fakehal_gic_ack(&f.vcpu->arch), 27, "the next one comes");
    }
}

CASE(exit, wfi_waits_for_a_timer_that_was_reprogrammed)
{
    expire();
    hal_vcpu_sysreg_set(&f.vcpu->arch, ARCH_CNTV_CTL_EL0, CTL(1, 0, 0));
    sync(UINT64_C(0x01) << 26 | 1u << 25, 0, 0);
    cr_assert_eq(f.vcpu->state, VCPU_BLOCKED);
    cr_assert_eq(deactivated(), 1, "or the next one could not wake it");
}

/* Taken before the exit: what is active is left alone, and what the guest itself made pending. */
CASE(exit, reprogramming_a_timer_that_was_taken)
{
    expire();
    cr_assert_eq(fakehal_gic_ack(&f.vcpu->arch), 27);
    hal_vcpu_sysreg_set(&f.vcpu->arch, ARCH_CNTV_CTL_EL0, CTL(1, 0, 0));
    frame_write(0x200, 1u << 27);
    hvc();
    cr_assert_eq(frame_read(0x300), 1u << 27);
    cr_assert_eq(frame_read(0x200), 1u << 27);
    cr_assert_eq(deactivated(), 0);
}

CASE(exit, virtual_timer_wakes_from_wfi)
{
    sched_wait(f.vcpu);
    cr_assert_null(sched_next(&f.hv->pcpu[0]));
    irq(27);
    cr_assert_eq(f.vcpu->state, VCPU_RUNNING);
}

CASE(exit, maintenance)
{
    send_sgi_to_self();
    cr_assert(!fakehal_gic_signals(&f.vcpu->arch));
    irq(25);
    cr_assert(ended(25, true));
    cr_assert(fakehal_gic_signals(&f.vcpu->arch), "the list registers are up to date");
    sched_unload(&f.hv->pcpu[0]);
    fakehal_log_clear();
    irq(25);
    cr_assert(ended(25, true));
}

CASE(exit, console_input_is_taken)
{
    fakehal_console_type("x", 1);
    irq(33);
    cr_assert(ended(33, true));
}

CASE(exit, an_interrupt_that_is_nobodys_is_disabled)
{
    fakehal()->cpu[0].enabled[77] = true;
    irq(77);
    cr_assert(ended(77, true));
    cr_assert(!fakehal()->cpu[0].enabled[77]);
    cr_assert(fakehal_console_has("warn exit: interrupt 77 is nobody's: disabled"));
    f.hv->platform.uart.size = 0; /* no UART: its number means nothing */
    irq(33);
    cr_assert(!fakehal()->cpu[0].enabled[33]);
}

/* --- Hostile guests --- */

static uint64_t random_esr(uint64_t *seed)
{
    static const uint8_t likely[] = {0x01, 0x16, 0x17, 0x18, 0x20, 0x24, 0x24, 0x18};
    uint64_t r = prng_next(seed);
    uint64_t ec = (r >> 60) < 15 ? likely[r >> 40 & 7] : (r >> 50 & 0x3f);

    return ec << 26 | (r & 0x3ffffff);
}

static uint64_t random_address(uint64_t *seed)
{
    static const uint64_t bases[] = {0x08000000, 0x080a0000, 0x080b0000, DEV_BASE,
                                     0x40000000, 0x09000000, 0,          ~UINT64_C(0)};
    uint64_t r = prng_next(seed);

    return bases[r & 7] + (r >> 8 & 0x1fff);
}

static void random_guest(uint64_t *seed)
{
    struct arch_vcpu *arch = &f.vcpu->arch;
    static const enum arch_sysreg regs[] = {ARCH_TCR_EL1, ARCH_TTBR0_EL1, ARCH_TTBR1_EL1,
                                            ARCH_VBAR_EL1, ARCH_SCTLR_EL1};

    arch->x[prng_next(seed) % 31] = prng_next(seed);
    arch->x[prng_next(seed) % 4] = prng_next(seed) & UINT64_C(0xc700001f);
    arch->pc = prng_next(seed);
    arch->pstate = prng_next(seed) & 0xf00003df;
    hal_vcpu_sysreg_set(arch, regs[prng_next(seed) % 5], prng_next(seed));
    if (prng_next(seed) % 8 == 0)
        hal_vcpu_sysreg_set(arch, ARCH_TTBR0_EL1, random_address(seed));
    if (prng_next(seed) % 8 == 0)
        hal_vcpu_sysreg_set(arch, ARCH_TCR_EL1, prng_next(seed) & 0xc03fc03f);
}

/* Whatever is reported, the hypervisor stays whole, and a VM that ends has a reason. */
CASE(exit, random_exits_hurt_nobody_else)
{
    uint64_t seed = 2026;
    unsigned ends = 0;

    for (unsigned i = 0; i < 100000; i++) {
        uint64_t r = prng_next(&seed);
        uint64_t at = random_address(&seed);
        random_guest(&seed);
        sync(random_esr(&seed), (r & 1) != 0 ? r : at, (r & 2) != 0 ? r : (at >> 12) << 4);
        if (f.vm->state != VM_RUNNING) {
            ends++;
            cr_assert_neq(f.vm->stop_reason[0], '\0');
            cr_assert_null(sched_next(&f.hv->pcpu[0]));
            cr_assert(vm_is_over(f.vm));
            f.vm->state = VM_CREATED; /* the cheapest way to a fresh one */
            f.vm->nr_on = 0;
            vm_start(f.vm, ipa(GUEST_ENTRY), 0);
        } else if (f.vcpu->state == VCPU_BLOCKED) {
            sched_wake(f.vcpu);
        }
        if (f.hv->pcpu[0].resched)
            cr_assert_eq(sched_next(&f.hv->pcpu[0]), f.vcpu);
        if (vgic_needs_flush(&f.vm->vgic, 0))
            vgic_flush(&f.vm->vgic, 0);
    }
    cr_assert_gt(ends, 100);
    cr_assert_lt(ends, 60000);
}

CASES_RUN(exit, setup, finish)
