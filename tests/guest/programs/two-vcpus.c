/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Two CPUs that take turns on one physical one: what is in the registers, the list registers among
 * them, when the other comes. They hand over with an SGI and wait in WFI, IRQs masked at PSTATE, so
 * that interrupts are taken by hand, with ICC_IAR1.
 */
#include "lib/gic.h"
#include "lib/psci.h"
#include "lib/sys.h"
#include "lib/tap.h"
#include "lib/timer.h"

#define GICR_SECOND (GICR_SGI_BASE + 0x20000u) /* the SGI frame of the second redistributor */
#define GICR_WAKER2 (GICR_BASE + 0x20000u + GICR_WAKER)

#define TURN          15u /* the SGI that hands over */
#define TURN_PRIORITY 0x40u
#define PATIENCE      1000u
#define RPR_IDLE      0xffu
/* ICC_PMR: all; and only what is more important than GIC_PRIORITY_DEFAULT, which is the turn. */
#define PMR_ALL  0xffu
#define PMR_TURN 0x90u

extern char second_start[];
void second_main(void);

static uint64_t second_stack[512] __attribute__((aligned(16)));
static void (*volatile second_task)(void);
/* What the second CPU saw. */
static volatile struct {
    unsigned starts;
    uint64_t mpidr;
    uint64_t tpidr;
    uint64_t pmr;
    uint64_t rpr;
    uint64_t igrpen1;
    uint64_t intids;
} second;

static void open_interface(uint64_t pmr)
{
    SYS_WRITE(ICC_PMR, pmr);
    SYS_WRITE(ICC_IGRPEN1, 1);
    sys_isb();
}

static void end_interrupt(uint64_t intid)
{
    SYS_WRITE(ICC_EOIR1, intid);
    sys_isb();
}

/* Takes and ends all that is pending; returns the set of INTIDs below 64. */
static uint64_t drain(void)
{
    uint64_t set = 0;

    for (;;) {
        uint64_t intid = SYS_READ(ICC_IAR1);
        if (intid >= 64) {
            return set;
        }
        set |= 1UL << intid;
        end_interrupt(intid);
    }
}

/* Waits until the other CPU hands over. Anything else must be masked by ICC_PMR. WFI may return
 * without a reason, but not for ever: false. */
static bool await_turn(void)
{
    for (unsigned i = 0; i < PATIENCE; i++) {
        if (SYS_READ(ICC_IAR1) == TURN) {
            end_interrupt(TURN);
            return true;
        }
        sys_wfi();
    }
    return false;
}

/* --- The second CPU --- */

void second_main(void)
{
    second.pmr = SYS_READ(ICC_PMR);
    second.rpr = SYS_READ(ICC_RPR);
    second.igrpen1 = SYS_READ(ICC_IGRPEN1);
    second.tpidr = SYS_READ("tpidr_el1");
    second.mpidr = SYS_READ("mpidr_el1");
    second.starts++;
    open_interface(PMR_TURN);
    for (;;) {
        gic_send(0, TURN);
        if (!await_turn()) {
            /* Nobody else gets the physical CPU while this one spins. */
            psci_call(PSCI_CPU_OFF, 0, 0, 0);
        }
        second_task();
    }
}

static void second_collect(void)
{
    second.rpr = SYS_READ(ICC_RPR);
    SYS_WRITE(ICC_PMR, PMR_ALL);
    sys_isb();
    second.intids = drain();
    SYS_WRITE(ICC_PMR, PMR_TURN);
    sys_isb();
}

static void second_swap_tpidr(void)
{
    second.tpidr = SYS_READ("tpidr_el1");
    SYS_WRITE("tpidr_el1", 0x2222);
}

/* Leaves an interrupt active, which only the redistributor may remember. */
static void second_die(void)
{
    SYS_WRITE(ICC_PMR, PMR_ALL);
    sys_isb();
    second.intids = 1UL << SYS_READ(ICC_IAR1);
    psci_call(PSCI_CPU_OFF, 0, 0, 0);
    second.intids = 0;
}

/* --- The first --- */

static int64_t second_power_on(void)
{
    uint64_t stack = (uint64_t)&second_stack[sizeof(second_stack) / sizeof(second_stack[0])];

    return psci_call(PSCI_CPU_ON, 1, (uint64_t)second_start, stack);
}

static void second_run(void (*task)(void))
{
    second_task = task;
    gic_send(1, TURN);
    (void)await_turn();
}

static void init_redistributor(uint64_t frame)
{
    mmio_write32(frame + GIC_IGROUPR, ~0u);
    for (unsigned i = 0; i < 16; i++) {
        mmio_write8(frame + GIC_IPRIORITYR + i, i == TURN ? TURN_PRIORITY : GIC_PRIORITY_DEFAULT);
    }
    mmio_write32(frame + GIC_ISENABLER, 0xffff);
    sys_dsb();
}

/* The other is off: what is sent to it waits in its redistributor. */
static void test_send_to_off(void)
{
    gic_send(1, 2);
    tap_eq(drain(), 0, "an SGI for one that is off does not come here");
}

static void test_power_on(void)
{
    tap_eq((uint64_t)second_power_on(), 0, "CPU_ON");
    tap_ok(await_turn(), "and it hands over");
    tap_eq(second.starts, 1, "the second CPU runs");
    tap_eq(second.mpidr & 0xff00ffffffUL, 1, "as affinity 1");
    tap_eq(second.rpr, RPR_IDLE, "with no interrupt active");
    tap_ok(second_power_on() == PSCI_ALREADY_ON, "CPU_ON of one that is on is refused");
}

static void test_addressee(void)
{
    gic_send(1, 3);
    tap_eq(drain(), 0, "an SGI for the other does not come here");
    second_run(second_collect);
    tap_eq(second.intids, 1UL << 2 | 1UL << 3, "but there, as does the one from before");
    tap_eq(drain(), 0, "and only there");
}

/* Each has a list register in use, masked by ICC_PMR, while the other runs. */
static void test_pending_of_both(void)
{
    SYS_WRITE(ICC_PMR, PMR_TURN);
    sys_isb();
    gic_send(0, 4);
    gic_send(0, 5);
    gic_send(1, 6);
    second_run(second_collect);
    SYS_WRITE(ICC_PMR, PMR_ALL);
    sys_isb();
    tap_eq(second.intids, 1UL << 6, "what is pending here is not there");
    tap_eq(drain(), 1UL << 4 | 1UL << 5, "what was pending here still is");
}

static void test_active(void)
{
    gic_send(0, 7);
    tap_eq(SYS_READ(ICC_IAR1), 7, "acknowledged here");
    gic_send(1, 7);
    second_run(second_collect);
    tap_eq(second.rpr, RPR_IDLE, "nothing active there");
    tap_eq(second.intids, 1UL << 7, "the same number arrives there");
    tap_eq(SYS_READ(ICC_RPR), GIC_PRIORITY_DEFAULT, "still active here");
    end_interrupt(7);
    tap_eq(SYS_READ(ICC_RPR), RPR_IDLE, "until it is ended here");
}

static void test_registers(void)
{
    SYS_WRITE("tpidr_el1", 0x1111);
    second_run(second_swap_tpidr);
    tap_eq(second.tpidr, 0, "a System register of the first is not the second's");
    tap_eq(SYS_READ("tpidr_el1"), 0x1111, "nor the other way round");
    second_run(second_swap_tpidr);
    tap_eq(second.tpidr, 0x2222, "each keeps its own");
}

/* Waits for the physical timer, since one that powers off cannot hand over. */
static void let_it_die(void)
{
    gic_enable(INTID_PTIMER);
    second_task = second_die;
    gic_send(1, 8);
    gic_send(1, TURN);
    timer_set_cval(TIMER_PHYSICAL, timer_count(TIMER_PHYSICAL) + timer_us(1000));
    timer_set_ctl(TIMER_PHYSICAL, TIMER_ENABLE);
    while (SYS_READ(ICC_HPPIR1) != INTID_PTIMER) {
        sys_wfi();
    }
    timer_set_ctl(TIMER_PHYSICAL, 0);
    (void)drain();
}

static void test_power_cycle(void)
{
    let_it_die();
    tap_eq(second.intids, 1UL << 8, "acknowledged an interrupt, and CPU_OFF");
    tap_eq((uint64_t)psci_call(PSCI_AFFINITY_INFO, 1, 0, 0), PSCI_AFF_OFF, "AFFINITY_INFO: off");
    mmio_write32(GICR_SECOND + GIC_ICACTIVER, ~0u);
    tap_eq((uint64_t)second_power_on(), 0, "CPU_ON again");
    tap_ok(await_turn(), "and it hands over");
    tap_eq(second.starts, 2, "it starts anew");
    tap_eq(second.rpr, RPR_IDLE, "with no active priority");
    tap_eq(second.pmr, 0, "with the CPU interface's mask as at reset");
    tap_eq(second.igrpen1, 0, "and its group disabled");
    tap_eq(second.tpidr, 0, "and System registers of nobody's");
    gic_send(1, 8);
    second_run(second_collect);
    tap_eq(second.intids, 1UL << 8, "and takes that interrupt again");
}

void guest_main(void)
{
    gic_init();
    mmio_write32(GICR_WAKER2, 0);
    init_redistributor(GICR_SGI_BASE);
    init_redistributor(GICR_SECOND);
    open_interface(PMR_ALL);
    test_send_to_off();
    test_power_on();
    test_addressee();
    test_pending_of_both();
    test_active();
    test_registers();
    test_power_cycle();
}
