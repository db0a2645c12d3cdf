/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What each trap costs, in ticks of CNTVCT_EL0: executed instructions under QEMU's `-icount
 * shift=0,sleep=off` with
 * `-cpu MODEL,cntfrq=1000000000`. One line each: `bench NAME: TOTAL/ITERATIONS`, the loop's own
 * cost taken off, or `bench NAME: -` where the machine does not have the operation.
 */
#include "lib/con.h"
#include "lib/gic.h"
#include "lib/smp.h"
#include "lib/sys.h"
#include "lib/timer.h"
#include "lib/trap.h"

#define ITERATIONS 1000UL
#define PAGE_SIZE  4096UL

/* Layout known to bench.S. */
extern volatile struct {
    uint64_t stamp; /* CNTVCT_EL0 when the last IRQ reached its vector */
    uint64_t count;
} bench_irq;
static volatile bool bench_other_ready;
extern const char bench_vectors[];
extern const char trap_vectors[];

/*
 * Ticks of ITERATIONS rounds of `op`, which may use x0-x17; x19 = `operand`. The counter is read
 * with the same barriers on both sides, and bench_loop with an empty op gives what the loop itself
 * takes.
 */
#define BENCH_LOOP(operand, op)                                                                    \
    __extension__({                                                                                \
        uint64_t start_;                                                                           \
        uint64_t end_;                                                                             \
        register uint64_t operand_ __asm__("x19") = (operand);                                     \
        register uint64_t left_ __asm__("x20") = ITERATIONS;                                       \
        __asm__ volatile("isb\n\tmrs %[start], cntvct_el0\n"                                       \
                         "1:\t" op "\n\t"                                                          \
                         "subs %[left], %[left], #1\n\t"                                           \
                         "b.ne 1b\n\t"                                                             \
                         "isb\n\tmrs %[end], cntvct_el0"                                           \
                         : [start] "=&r"(start_), [end] "=&r"(end_), [left] "+r"(left_),           \
                           "+r"(operand_)                                                          \
                         :                                                                         \
                         : "x0", "x1", "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10",      \
                           "x11", "x12", "x13", "x14", "x15", "x16", "x17", "cc", "memory");       \
        end_ - start_;                                                                             \
    })

static void print(const char *name, uint64_t ticks, uint64_t overhead)
{
    con_printf("bench %s: %lu/%lu\n", name, ticks > overhead ? ticks - overhead : 0, ITERATIONS);
}

static void bench_calls(void)
{
    uint64_t overhead = BENCH_LOOP(PSCI_VERSION, "mov x0, x19");

    print("hvc-psci-version", BENCH_LOOP(PSCI_VERSION, "mov x0, x19\n\thvc #0"), overhead);
    print("hvc-unknown", BENCH_LOOP(0x84ff0000u, "mov x0, x19\n\thvc #0"), overhead);

    trap_expect(TRAP_NEXT);
    __asm__ volatile("mov x0, %0\n\tsmc #0" ::"r"((uint64_t)PSCI_VERSION)
                     : "x0", "x1", "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11",
                       "x12", "x13", "x14", "x15", "x16", "x17", "memory");
    if (trap_done().count != 0) {
        con_printf("bench smc-psci-version: -\n");
    } else {
        print("smc-psci-version", BENCH_LOOP(PSCI_VERSION, "mov x0, x19\n\tsmc #0"), overhead);
    }
}

static void bench_registers(void)
{
    uint64_t overhead = BENCH_LOOP(0, "");

    print("id-aa64pfr0-read", BENCH_LOOP(0, "mrs x0, id_aa64pfr0_el1"), overhead);
    print("gicd-typer-read", BENCH_LOOP(GICD_BASE + GICD_TYPER, "ldr w0, [x19]"), overhead);
    print("gicd-isenabler-write", BENCH_LOOP(GICD_BASE + GIC_ISENABLER + 4, "str wzr, [x19]"),
          overhead);
    print("gicr-typer-read", BENCH_LOOP(GICR_BASE + GICR_TYPER, "ldr x0, [x19]"), overhead);
    print("pl011-fr-read", BENCH_LOOP(PL011_BASE + UART_FR, "ldr w0, [x19]"), overhead);
}

/* From writing ICC_SGI1R_EL1 until the interrupted code runs again, the interrupt ended. */
static void bench_sgi(void)
{
    uint64_t wait = (uint64_t)&bench_irq.count;
    uint64_t overhead = BENCH_LOOP(wait, "mov x1, #0x1000000\n\t"
                                         "orr x1, x1, #1\n\t"
                                         "ldr x2, [x19]\n\t"
                                         "ldr x3, [x19]\n\t"
                                         "cmp x2, x3\n\t"
                                         "b.ne .");
    uint64_t ticks = BENCH_LOOP(wait, "mov x1, #0x1000000\n\t"
                                      "orr x1, x1, #1\n\t"
                                      "ldr x2, [x19]\n\t"
                                      "msr S3_0_C12_C11_5, x1\n\t"
                                      "2:\tldr x3, [x19]\n\t"
                                      "cmp x2, x3\n\t"
                                      "b.eq 2b");

    print("sgi-self", ticks, overhead);
}

/* The other CPU: waits for the SGI as the first one does for its own, and answers in memory from
 * its handler. */
static void bench_wait_for_ever(unsigned cpu)
{
    (void)cpu;
    gic_init_cpu();
    gic_enable(1);
    SYS_WRITE("vbar_el1", (uint64_t)bench_vectors);
    sys_irq_unmask();
    bench_other_ready = true;
    for (;;) {
        smp_relax();
    }
}

/* From writing ICC_SGI1R_EL1 until the sender sees that the other CPU has ended the interrupt.
 * Instructions of both count, among them those that either spins away while the other one works. */
static void bench_ipi(void)
{
    uint64_t wait = (uint64_t)&bench_irq.count;

    if (smp_count() < 2) {
        con_printf("bench ipi: -\n");
        return;
    }
    smp_start(2);
    smp_post(1, bench_wait_for_ever);
    while (!bench_other_ready) {
        smp_relax();
    }
    uint64_t overhead = BENCH_LOOP(wait, "mov x1, #0x1000000\n\t"
                                         "orr x1, x1, #2\n\t"
                                         "ldr x2, [x19]\n\t"
                                         "ldr x3, [x19]\n\t"
                                         "cmp x2, x3\n\t"
                                         "b.ne .");
    uint64_t ticks = BENCH_LOOP(wait, "mov x1, #0x1000000\n\t"
                                      "orr x1, x1, #2\n\t"
                                      "ldr x2, [x19]\n\t"
                                      "msr S3_0_C12_C11_5, x1\n\t"
                                      "2:\twfe\n\tldr x3, [x19]\n\t"
                                      "cmp x2, x3\n\t"
                                      "b.eq 2b");
    print("ipi", ticks, overhead);
}

/* From the compare value to the first instructions of the handler. */
static void bench_timer(bool idle)
{
    uint64_t late = 0;

    for (uint64_t i = 0; i < ITERATIONS; i++) {
        uint64_t count = bench_irq.count;
        uint64_t deadline = timer_now() + 20000;
        SYS_WRITE("cntv_cval_el0", deadline);
        SYS_WRITE("cntv_ctl_el0", TIMER_ENABLE);
        sys_isb();
        while (bench_irq.count == count) {
            if (idle) {
                __asm__ volatile("wfi" ::: "memory");
            }
        }
        late += bench_irq.stamp - deadline;
    }
    print(idle ? "vtimer-wfi" : "vtimer-busy", late, 0);
}

/* The first store to each of ITERATIONS pages that nothing has touched, at three quarters of RAM.
 */
static void bench_first_touch(void)
{
    uint64_t size = sys_ram_end() - RAM_BASE;
    uint64_t pages = (RAM_BASE + size / 4 * 3) & ~0x1fffffUL;
    uint64_t again;
    uint64_t first;

    if (size < 16UL << 20) {
        con_printf("bench first-touch: -\n");
        return;
    }
    first = BENCH_LOOP(pages, "str xzr, [x19]\n\tadd x19, x19, #4096");
    again = BENCH_LOOP(0, "add x19, x19, #4096");
    print("first-touch-4k", first, again);
}

void guest_main(void)
{
    con_init();
    gic_init();
    con_printf("# counter frequency %lu Hz\n", timer_frequency());
    bench_calls();
    bench_registers();

    gic_enable(1);
    gic_enable(INTID_VTIMER);
    SYS_WRITE("vbar_el1", (uint64_t)bench_vectors);
    sys_irq_unmask();
    bench_sgi();
    bench_timer(false);
    bench_timer(true);
    bench_ipi();
    sys_irq_mask();
    SYS_WRITE("vbar_el1", (uint64_t)trap_vectors);

    bench_first_touch();
}
