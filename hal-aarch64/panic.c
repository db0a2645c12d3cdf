/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The panic report: what happened, the registers, a backtrace as offsets into the image, and the
 * end of the machine. */
#include "arch/esr.h"
#include "base/bits.h"
#include "base/check.h"
#include "base/fmt.h"
#include "hal/hal.h"
#include "internal.h"
#include <stdatomic.h>

#define BACKTRACE_MAX 32
#define SCTLR_M       BIT(0)

static const char *const vector_names[] = {
    "synchronous (SP_EL0)", "IRQ (SP_EL0)", "FIQ (SP_EL0)", "SError (SP_EL0)",
    "synchronous",          "IRQ",          "FIQ",          "SError",
};

static void print(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void print(const char *format, ...)
{
    char line[160];
    va_list args;

    va_start(args, format);
    (void)fmt_vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    for (const char *c = line; *c != '\0'; c++) {
        if (*c == '\n')
            hal_console_write("\r", 1);
        hal_console_write(c, 1);
    }
}

static void print_address(const char *what, uint64_t addr)
{
    uint64_t base = (uint64_t)__image_start;

    if (addr >= base && addr < (uint64_t)__text_end)
        print("  %s halcyon.elf+0x%llx\n", what, (unsigned long long)(addr - base));
    else
        print("  %s 0x%016llx\n", what, (unsigned long long)addr);
}

/* Frame records: x29 points to { the caller's x29, its x30 }. Any broken link ends the walk. */
static void backtrace(uint64_t pc, uint64_t lr, uint64_t fp)
{
    print("backtrace (aarch64-linux-gnu-addr2line -pfie halcyon.elf OFFSET...):\n");
    print_address("at", pc);
    if (lr != 0)
        print_address("lr", lr - 4); /* the caller, if the function has no frame of its own */
    for (int i = 0;
         i < BACKTRACE_MAX && mmu_is_stack(fp) && mmu_is_stack(fp + 8) && is_aligned(fp, 8); i++) {
        const uint64_t *record = (const uint64_t *)fp;
        if (record[1] == 0)
            break;
        print_address("by", record[1] - 4);
        if (record[0] <= fp)
            break;
        fp = record[0];
    }
}

static _Noreturn void finish(void)
{
    print("halcyon PANIC: end of report, powering off\n");
    hal_halt(HAL_HALT_PANIC);
}

/* 1 + the index of the CPU whose report it is; 0: there is none. */
static atomic_uint reporter;

bool panic_is_elsewhere(void)
{
    unsigned cpu = atomic_load(&reporter);

    return cpu != 0 && cpu != hal_cpu_self() + 1;
}

/*
 * A CPU says that it is about to write, and then looks for a report; a report's CPU says that there
 * is one, and then looks for writers. All of it is sequentially consistent: one of the two sees the
 * other. Plain loads and stores, since exclusive accesses need the MMU.
 */
void panic_hold_off(void)
{
    atomic_store(&percpu_self()->at_console, true);
    if (panic_is_elsewhere())
        panic_await_end();
}

/* A release: the write to the console is before it. */
void panic_release(void)
{
    atomic_store_explicit(&percpu_self()->at_console, false, memory_order_release);
}

/* Until no other CPU has a character under way, which would end up in the report; a second at most,
 * as a CPU may hang there. */
static void await_writers(const struct percpu *self)
{
    uint64_t end = hal_time_now() + hal_time_hz();

    for (unsigned i = 0; i < PLATFORM_MAX_CPUS; i++)
        while (&percpu[i] != self && atomic_load(&percpu[i].at_console) && hal_time_now() < end)
            hal_cpu_relax();
}

_Noreturn void panic_await_end(void)
{
    panic_release();
    for (;;)
        __asm__ volatile("wfi");
}

/*
 * A failure while a report is being printed, by whatever, goes straight to the end; one of another
 * CPU waits for the end that the first report leads to. With the MMU off this CPU is alone, and
 * exclusive accesses need not work (Arm ARM DDI 0487, B2.9).
 */
static void begin(void)
{
    struct percpu *cpu = percpu_self();
    unsigned nobody = 0;

    if (cpu->panicking)
        hal_halt(HAL_HALT_PANIC);
    cpu->panicking = true;
    if ((sysreg_read(sctlr_el2) & SCTLR_M) == 0)
        return;
    if (!atomic_compare_exchange_strong(&reporter, &nobody, cpu->index + 1))
        panic_await_end();
    await_writers(cpu);
}

_Noreturn void panic_exception(const struct panic_frame *frame)
{
    char words[120];

    begin();

    print("\nhalcyon PANIC: %s exception at EL2 on CPU %u\n", vector_names[frame->vector & 7],
          hal_cpu_self());
    print("  %s\n", esr_describe(frame->esr, words, sizeof(words)));
    print("  ESR 0x%08llx  ELR 0x%016llx  SPSR 0x%08llx\n", (unsigned long long)frame->esr,
          (unsigned long long)frame->elr, (unsigned long long)frame->spsr);
    print("  FAR 0x%016llx  HPFAR 0x%016llx\n", (unsigned long long)frame->far,
          (unsigned long long)frame->hpfar);
    if (align_down(frame->far, PAGE_SIZE) == mmu_stack_guard())
        print("  the address is the guard page of this CPU's stack: stack overflow\n");
    for (unsigned i = 0; i < 30; i += 2)
        print("  x%-2u 0x%016llx  x%-2u 0x%016llx\n", i, (unsigned long long)frame->x[i], i + 1,
              (unsigned long long)frame->x[i + 1]);
    print("  x30 0x%016llx  sp  0x%016llx\n", (unsigned long long)frame->x[30],
          (unsigned long long)frame->sp);
    print("  image at 0x%016llx\n", (unsigned long long)(uint64_t)__image_start);
    backtrace(frame->elr, frame->x[30], frame->x[29]);
    finish();
}

_Noreturn void hv_check_failed(const char *expr, const char *file, unsigned line)
{
    begin();
    print("\nhalcyon PANIC: check failed on CPU %u: %s (%s:%u)\n", hal_cpu_self(), expr, file,
          line);
    print("  image at 0x%016llx\n", (unsigned long long)(uint64_t)__image_start);
    backtrace((uint64_t)__builtin_return_address(0) - 4, 0, (uint64_t)__builtin_frame_address(0));
    finish();
}
