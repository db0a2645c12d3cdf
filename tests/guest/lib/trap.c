/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "lib/trap.h"

#include "lib/con.h"
#include "lib/smp.h"
#include "lib/sys.h"
#include "lib/tap.h"

extern const char trap_el0_return[];

/* Of each CPU by itself, but for the handler of IRQs, which is everybody's. */
static volatile struct {
    enum trap_resume resume;
    struct trap_record last;
} trap_cpu[SMP_MAX];
static void (*trap_irq_handler)(void);

void trap_expect(enum trap_resume resume)
{
    trap_cpu[smp_self()].last = (struct trap_record){0};
    trap_cpu[smp_self()].resume = resume;
}

struct trap_record trap_done(void)
{
    trap_cpu[smp_self()].resume = TRAP_NONE;
    return trap_cpu[smp_self()].last;
}

unsigned trap_count(void)
{
    return trap_cpu[smp_self()].last.count;
}

void trap_set_irq(void (*handler)(void))
{
    trap_irq_handler = handler;
}

static _Noreturn void trap_report(const struct trap_frame *frame, unsigned vector)
{
    con_init();
    con_putc('\n');
    tap_fail("unexpected exception", "vector %u, esr 0x%lx, elr 0x%lx, far 0x%lx, spsr 0x%lx",
             vector, SYS_READ("esr_el1"), frame->elr, SYS_READ("far_el1"), frame->spsr);
    for (unsigned i = 0; i < 31; i++) {
        con_printf("# x%u 0x%lx\n", i, frame->x[i]);
    }
    tap_end();
    sys_power_off();
}

static void trap_record_sync(struct trap_frame *frame, unsigned vector)
{
    volatile struct trap_record *last = &trap_cpu[smp_self()].last;

    last->esr = SYS_READ("esr_el1");
    last->far = SYS_READ("far_el1");
    last->elr = frame->elr;
    last->spsr = frame->spsr;
    last->vector = vector;
    last->count++;

    /* An illegal return leaves PSTATE.IL in SPSR; keeping it would fault again at once. */
    frame->spsr &= ~(1UL << 20);
    if (vector == TRAP_VECTOR_SYNC_LOWER) {
        frame->elr = (uint64_t)trap_el0_return;
        frame->spsr = 0x3c5; /* EL1h, DAIF masked */
        return;
    }
    switch (trap_cpu[smp_self()].resume) {
    case TRAP_NEXT:
        frame->elr += 4;
        break;
    case TRAP_LINK:
        frame->elr = frame->x[30];
        break;
    case TRAP_HERE:
    case TRAP_NONE:
        break;
    }
}

void trap_enter(struct trap_frame *frame, unsigned vector)
{
    bool is_sync = vector == TRAP_VECTOR_SYNC_SPX || vector == TRAP_VECTOR_SYNC_LOWER;

    if (is_sync && trap_cpu[smp_self()].resume != TRAP_NONE) {
        trap_record_sync(frame, vector);
    } else if (vector == TRAP_VECTOR_IRQ_SPX && trap_irq_handler != NULL) {
        trap_irq_handler();
    } else {
        trap_report(frame, vector);
    }
}
