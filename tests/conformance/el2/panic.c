/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What a bug in the hypervisor would do, one kind at a time, for tests/integration/panic.py: the
 * machine's command line (-append) names it. Each function is a frame that has to be found in the
 * report's backtrace. With "cpu1-" before the name CPU 1 does it, with "both-" CPU 0 as well; with
 * "loud-" CPU 2 does it while CPU 0 and CPU 1 write to the console.
 */
#include "base/check.h"
#include "boot/platform.h"
#include "hal/hal.h"
#include <libfdt.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

/* Nothing is there on QEMU's virt machine, and nothing is mapped at EL2. */
#define UNMAPPED_ADDRESS UINT64_C(0x7f00001000)
#define INSN_RET         UINT32_C(0xd65f03c0)
#define DTB_HEADER_SIZE  40u
#define STACK_STEP       256u

/* The compiler must neither drop a crime, nor inline it, nor make its call a jump. */
#define CRIME        __attribute__((noinline, noclone))
#define KEEP_FRAME() __asm__ volatile("" ::: "memory")

static const uint32_t constant = 1;
static uint32_t code_in_data[4] = {INSN_RET, INSN_RET, INSN_RET, INSN_RET};

void crime_read_unmapped(void);
void crime_write_text(void);
void crime_write_rodata(void);
void crime_execute_data(void);
void crime_jump_null(void);
unsigned crime_overflow_stack(unsigned depth);
void crime_fail_check(unsigned value);
void crime_undefined(void);
void commit(const char *name);

static const char prefix_cpu1[] = "cpu1-";
static const char prefix_both[] = "both-";
static const char prefix_loud[] = "loud-"; /* all are as long */
static struct hal_platform platform;

CRIME void crime_read_unmapped(void)
{
    (void)*(volatile uint64_t *)UNMAPPED_ADDRESS;
    KEEP_FRAME();
}

CRIME void crime_write_text(void)
{
    *(volatile uint32_t *)(uintptr_t)&crime_read_unmapped = INSN_RET;
    KEEP_FRAME();
}

CRIME void crime_write_rodata(void)
{
    uintptr_t address = (uintptr_t)&constant;

    __asm__(""
            : "+r"(address)); /* a write that the compiler sees to be to a constant, it may drop */
    *(volatile uint32_t *)address = 2;
    KEEP_FRAME();
}

CRIME void crime_execute_data(void)
{
    void (*volatile code)(void) = (void (*)(void))(uintptr_t)code_in_data;

    code();
    KEEP_FRAME();
}

CRIME void crime_jump_null(void)
{
    void (*volatile code)(void) = NULL;

    code();
    KEEP_FRAME();
}

CRIME unsigned crime_overflow_stack(unsigned depth)
{
    volatile unsigned char block[STACK_STEP];

    block[0] = (unsigned char)depth;
    if (depth == UINT32_MAX)
        return 0;
    return crime_overflow_stack(depth + 1) + block[0];
}

CRIME void crime_fail_check(unsigned value)
{
    HV_CHECK(value == 42);
    KEEP_FRAME();
}

CRIME void crime_undefined(void)
{
    __asm__ volatile("udf #0");
    KEEP_FRAME();
}

CRIME void commit(const char *name)
{
    if (strcmp(name, "read-unmapped") == 0)
        crime_read_unmapped();
    else if (strcmp(name, "write-text") == 0)
        crime_write_text();
    else if (strcmp(name, "write-rodata") == 0)
        crime_write_rodata();
    else if (strcmp(name, "execute-data") == 0)
        crime_execute_data();
    else if (strcmp(name, "jump-null") == 0)
        crime_jump_null();
    else if (strcmp(name, "overflow-stack") == 0)
        (void)crime_overflow_stack(0);
    else if (strcmp(name, "fail-check") == 0)
        crime_fail_check(41);
    else if (strcmp(name, "undefined") == 0)
        crime_undefined();
    KEEP_FRAME();
}

static void print(const char *text)
{
    hal_console_write(text, strlen(text));
}

/* The command line, "" if there is none. */
static const char *read_bootargs(const struct hal_boot *boot)
{
    const void *fdt = hal_phys_map(boot->dtb, DTB_HEADER_SIZE);
    const char *bootargs = NULL;

    if (fdt != NULL && fdt_check_header(fdt) == 0)
        bootargs = fdt_getprop(fdt, fdt_path_offset(fdt, "/chosen"), "bootargs", NULL);
    return bootargs != NULL ? bootargs : "";
}

static _Noreturn void commit_and_end(const char *name)
{
    commit(name);
    print("survived\r\n");
    hal_halt(HAL_HALT_OFF);
}

static void commit_entry(void *name)
{
    commit_and_end(name);
}

#define LOUD_WRITERS 2
#define LOUD_LINES   10u
static atomic_uint lines[LOUD_WRITERS];

/* Until the machine ends. */
static void write_entry(void *arg)
{
    atomic_uint *mine = &lines[hal_cpu_self()];

    (void)arg;
    for (;;) {
        print("noise\r\n");
        atomic_fetch_add(mine, 1);
    }
}

static void commit_when_loud(void *name)
{
    for (unsigned i = 0; i < LOUD_WRITERS; i++)
        while (atomic_load(&lines[i]) < LOUD_LINES)
            hal_cpu_relax();
    commit_and_end(name);
}

static bool init(const struct hal_boot *boot)
{
    char reason[PLATFORM_REASON_MAX];
    const void *fdt = hal_phys_map(boot->dtb, DTB_HEADER_SIZE);

    return fdt != NULL &&
           platform_discover(fdt, fdt_totalsize(fdt), hal_cpu_mpidr(), &platform, reason) ==
               HV_OK &&
           hal_init(&platform) == HV_OK;
}

static bool start(unsigned cpu, void (*entry)(void *), const char *name)
{
    return hal_cpu_start(cpu, entry, (void *)(uintptr_t)name) == HV_OK;
}

static bool has_prefix(const char *name, const char *prefix)
{
    return strncmp(name, prefix, strlen(prefix)) == 0;
}

_Noreturn void core_main(const struct hal_boot *boot)
{
    const char *name = read_bootargs(boot);
    bool cpu1 = has_prefix(name, prefix_cpu1);
    bool both = has_prefix(name, prefix_both);
    bool loud = has_prefix(name, prefix_loud);

    print("about to ");
    print(name);
    print("\r\n");
    if (!cpu1 && !both && !loud)
        commit_and_end(name);
    name += sizeof(prefix_cpu1) - 1;
    if (!init(boot) || (loud && !start(2, commit_when_loud, name)) ||
        !start(1, loud ? write_entry : commit_entry, name))
        print("a CPU does not start\r\n");
    else if (loud)
        write_entry(NULL);
    else if (both)
        commit_and_end(name);
    else
        for (;;)
            hal_cpu_idle();
    hal_halt(HAL_HALT_OFF);
}
