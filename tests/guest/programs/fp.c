/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* FP and SIMD state across exits of every kind, 1,000 in all. */
#include "lib/con.h"
#include "lib/gic.h"
#include "lib/string.h"
#include "lib/sys.h"
#include "lib/tap.h"
#include "lib/timer.h"

/* Layout known to fp.S. */
struct fp_state {
    uint64_t v[64];
    uint64_t fpcr;
    uint64_t fpsr;
} __attribute__((aligned(16)));

void fp_load(const struct fp_state *state);
void fp_store(struct fp_state *state);

#define CPACR_FPEN   (3UL << 20)
#define FPCR_CHECKED 0x07c00000UL /* AHP, DN, FZ, RMode */
#define FPSR_CHECKED 0x0800009fUL /* QC, IDC, IXC, UFC, OFC, DZC, IOC */

static uint64_t random = 0x68616c63796f6e3aUL;

static void exit_hvc(void)
{
    sys_hvc(PSCI_VERSION, 0);
}

static void exit_unknown_hvc(void)
{
    sys_hvc(0x84ff0000, 0);
}

static void exit_mmio_read(void)
{
    mmio_read32(PL011_BASE + UART_FR);
}

static void exit_mmio_write(void)
{
    mmio_write32(PL011_BASE + UART_ICR, 0);
}

static void exit_gic(void)
{
    gic_set_priority(40, 0x80);
    mmio_read64(GICR_BASE + GICR_TYPER);
}

static void exit_id(void)
{
    (void)SYS_READ("id_aa64pfr0_el1");
}

static void exit_sgi(void)
{
    unsigned taken = gic_log.taken;

    gic_send_self(1);
    gic_wait_taken(taken + 1);
}

static void exit_timer(enum timer_kind kind)
{
    unsigned taken = gic_log.taken;

    timer_set_cval(kind, timer_count(kind) + timer_us(10));
    timer_set_ctl(kind, TIMER_ENABLE);
    gic_wait_taken(taken + 1);
}

static void exit_vtimer(void)
{
    exit_timer(TIMER_VIRTUAL);
}

static void exit_ptimer(void)
{
    exit_timer(TIMER_PHYSICAL);
}

static void exit_wfi(void)
{
    uint64_t deadline = timer_now() + timer_us(50);

    timer_set_cval(TIMER_VIRTUAL, deadline);
    timer_set_ctl(TIMER_VIRTUAL, TIMER_ENABLE);
    sys_irq_mask();
    while (timer_now() < deadline) {
        sys_wfi();
    }
    sys_irq_unmask();
    timer_delay_us(10);
}

static void exit_console(void)
{
    con_putc('.');
}

static void stop_timer(uint32_t intid)
{
    if (intid == INTID_VTIMER) {
        timer_set_ctl(TIMER_VIRTUAL, 0);
    } else if (intid == INTID_PTIMER) {
        timer_set_ctl(TIMER_PHYSICAL, 0);
    }
}

static void fill(struct fp_state *state)
{
    for (unsigned i = 0; i < 64; i++) {
        state->v[i] = sys_random(&random);
    }
    state->fpcr = sys_random(&random) & FPCR_CHECKED;
    state->fpsr = sys_random(&random) & FPSR_CHECKED;
}

/* True if the state survived `count` rounds of `cause`. */
static bool survives(void (*cause)(void), unsigned count)
{
    bool good = true;

    for (unsigned i = 0; i < count; i++) {
        struct fp_state before;
        struct fp_state after;
        fill(&before);
        fp_load(&before);
        cause();
        fp_store(&after);
        good = good && memcmp(&before, &after, sizeof(before)) == 0;
    }
    return good;
}

void guest_main(void)
{
    static const struct {
        const char *name;
        void (*cause)(void);
    } kinds[] = {
        {"100 x HVC PSCI_VERSION", exit_hvc},
        {"100 x HVC unknown function", exit_unknown_hvc},
        {"100 x UART read", exit_mmio_read},
        {"100 x UART write", exit_mmio_write},
        {"100 x GIC byte write and double word read", exit_gic},
        {"100 x ID register read", exit_id},
        {"100 x SGI to self", exit_sgi},
        {"100 x virtual timer interrupt", exit_vtimer},
        {"100 x physical timer interrupt", exit_ptimer},
        {"100 x WFI", exit_wfi},
    };

    SYS_WRITE("cpacr_el1", CPACR_FPEN);
    gic_init();
    gic_set_callback(stop_timer);
    gic_enable(1);
    gic_enable(INTID_VTIMER);
    gic_enable(INTID_PTIMER);
    sys_irq_unmask();
    tap_ok(survives(sys_isb, 1), "state loads and stores");
    for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        tap_ok(survives(kinds[i].cause, 100), kinds[i].name);
    }
    con_printf("# ");
    bool good = survives(exit_console, 50);
    con_putc('\n');
    tap_ok(good, "50 characters printed");
}
