/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The state as a whole, records, and how the machine ends. */
#include "fakehal/fakehal.h"
#include "base/check.h"
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct fakehal *current;

static _Noreturn void leave(struct fakehal *hal, enum fakehal_end end)
{
    jmp_buf *env = hal->catcher;
    longjmp(*env, (int)end);
}

_Noreturn void fakehal_leave(enum fakehal_end end, const char *what)
{
    if (current->catcher == NULL)
        fakehal_fail("%s that no test expects", what);
    leave(current, end);
}

_Noreturn void fakehal_fail(const char *format, ...)
{
    if (current != NULL && current->catcher != NULL && current->catch_fail)
        leave(current, FAKEHAL_FAILED);
    va_list args;
    va_start(args, format);
    fputs("fakehal: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    abort();
}

/* Identification of a Cortex-A57 r1p0 (TRM DDI 0488, 4.3 and 4.2) whose GIC CPU interface is
 * enabled. */
static const struct arch_idregs cortex_a57 = {
    .midr = 0x411fd070,
    .ctr = 0x8444c004,
    .reg =
        {
            [IDREG_INDEX(1u, 0u)] = 0x00000131, /* ID_PFR0 */
            [IDREG_INDEX(1u, 1u)] = 0x00011011, /* ID_PFR1 */
            [IDREG_INDEX(1u, 2u)] = 0x03010066, /* ID_DFR0 */
            [IDREG_INDEX(1u, 4u)] = 0x10101105, /* ID_MMFR0 */
            [IDREG_INDEX(1u, 5u)] = 0x40000000, [IDREG_INDEX(1u, 6u)] = 0x01260000,
            [IDREG_INDEX(1u, 7u)] = 0x02102211, [IDREG_INDEX(2u, 0u)] = 0x02101110, /* ID_ISAR0 */
            [IDREG_INDEX(2u, 1u)] = 0x13112111, [IDREG_INDEX(2u, 2u)] = 0x21232042,
            [IDREG_INDEX(2u, 3u)] = 0x01112131, [IDREG_INDEX(2u, 4u)] = 0x00011142,
            [IDREG_INDEX(2u, 5u)] = 0x00011121, [IDREG_INDEX(3u, 0u)] = 0x10110222, /* MVFR0 */
            [IDREG_INDEX(3u, 1u)] = 0x12111111, [IDREG_INDEX(3u, 2u)] = 0x00000043,
            [IDREG_PFR0] = 0x01002222,          [IDREG_DFR0] = 0x10305106,
            [IDREG_ISAR0] = 0x00011120,         [IDREG_MMFR0] = 0x00001124,
        },
};

static void *must(void *ptr)
{
    if (ptr == NULL)
        fakehal_fail("the host is out of memory");
    return ptr;
}

/* hal_init() leaves the interrupts of the platform enabled; so does the state that nobody
 * initialised. */
static void enable_platform(struct fakehal *hal)
{
    bool *enabled = hal->cpu[0].enabled;
    const uint32_t intid[] = {hal->platform.gic_maintenance_intid, hal->platform.timer_hyp_intid,
                              hal->platform.timer_virt_intid, hal->platform.uart_intid};
    for (size_t i = 0; i < sizeof(intid) / sizeof(intid[0]); i++)
        if (intid[i] < FAKEHAL_INTIDS)
            enabled[intid[i]] = true;
}

/* Clean, in memory that is `hal` already, with the buffer of its records: a fuzzer would else
 * allocate both thousands of times. */
static struct fakehal *state_make(struct fakehal *hal, struct fakehal_record *log)
{
    memset(hal, 0, sizeof(*hal));
    hal->log = log;
    hal->idregs = cortex_a57;
    hal->platform.nr_cpus = 1;
    hal->platform.gic_maintenance_intid = 25;
    hal->platform.timer_hyp_intid = 26;
    hal->platform.timer_virt_intid = 27;
    hal->platform.uart_intid = 33;
    hal->lr_count = 4;
    hal->hz = 62500000;
    hal->cpu[0].on = true;
    for (unsigned i = 0; i < FAKEHAL_CPUS; i++) {
        hal->cpu[i].running = HAL_INTID_NONE;
        hal->cpu[i].deadline = HAL_TIMER_NEVER;
        hal->cpu[i].enabled[HAL_INTID_KICK] = true;
    }
    enable_platform(hal);
    return hal;
}

static void state_end(struct fakehal *hal)
{
    fakehal_forget_ram();
    for (unsigned i = 0; i < hal->nr_disks; i++)
        free(hal->disk[i].data);
    free(hal->script);
    free(hal->trace);
    free(hal->out);
    free(hal->in);
}

struct fakehal *fakehal(void)
{
    if (current == NULL)
        current = state_make(must(malloc(sizeof(*current))),
                             must(calloc(FAKEHAL_LOG_SIZE, sizeof(struct fakehal_record))));
    return current;
}

void fakehal_reset(void)
{
    if (current == NULL)
        return;
    state_end(current);
    (void)state_make(current, current->log);
}

/* --- Records --- */

struct fakehal_record *fakehal_record_add(enum fakehal_kind kind)
{
    struct fakehal *hal = fakehal();
    struct fakehal_record *record = &hal->log[hal->log_len++ % FAKEHAL_LOG_SIZE];
    *record = (struct fakehal_record){.kind = kind, .cpu = hal->self};
    hal->count[kind]++;
    return record;
}

const struct fakehal_record *fakehal_log(uint64_t n)
{
    const struct fakehal *hal = fakehal();
    if (n >= hal->log_len || hal->log_len - n > FAKEHAL_LOG_SIZE)
        fakehal_fail("no record %" PRIu64 ": %" PRIu64 " were written", n, hal->log_len);
    return &hal->log[n % FAKEHAL_LOG_SIZE];
}

void fakehal_log_clear(void)
{
    struct fakehal *hal = fakehal();
    hal->log_len = 0;
    memset(hal->count, 0, sizeof(hal->count));
}

void fakehal_note(uint64_t a, uint64_t b)
{
    struct fakehal_record *record = fakehal_record_add(FAKEHAL_NOTE);
    record->addr = a;
    record->len = b;
}

/* --- The machine starts and ends --- */

hv_err hal_init(const struct hal_platform *platform)
{
    struct fakehal *hal = fakehal();
    if (platform->nr_cpus == 0 || platform->nr_cpus > PLATFORM_MAX_CPUS)
        fakehal_fail("hal_init() with %u CPUs", platform->nr_cpus);
    hal->inits++;
    if (hal->init_result != HV_OK)
        return hal->init_result;
    hal->platform = *platform;
    enable_platform(hal);
    return HV_OK;
}

/* A way out of the middle of core leaves its locks behind: they are not this CPU's any more. */
static void forget_locks(const struct lock_held held[FAKEHAL_CPUS])
{
    for (unsigned i = 0; i < FAKEHAL_CPUS; i++)
        fakehal()->cpu[i].held = held[i];
}

enum fakehal_end fakehal_catch(void (*fn)(void *ctx), void *ctx)
{
    jmp_buf env;
    struct lock_held held[FAKEHAL_CPUS];
    void *volatile outer = fakehal()->catcher;
    fakehal()->catcher = &env;
    enum fakehal_end end;
    for (unsigned i = 0; i < FAKEHAL_CPUS; i++)
        held[i] = fakehal()->cpu[i].held;
    switch (setjmp(env)) {
    case 0:
        fn(ctx);
        end = FAKEHAL_RETURNED;
        break;
    case FAKEHAL_HALTED:
        end = FAKEHAL_HALTED;
        break;
    case FAKEHAL_CHECK_FAILED:
        end = FAKEHAL_CHECK_FAILED;
        break;
    case FAKEHAL_STOPPED:
        end = FAKEHAL_STOPPED;
        break;
    default:
        end = FAKEHAL_FAILED;
        break;
    }
    fakehal()->catcher = outer;
    if (end != FAKEHAL_RETURNED)
        forget_locks(held);
    return end;
}

bool fakehal_expect_halt(enum hal_halt_reason reason, void (*fn)(void *ctx), void *ctx)
{
    return fakehal_catch(fn, ctx) == FAKEHAL_HALTED && fakehal()->halt_reason == reason;
}

bool fakehal_expect_check(void (*fn)(void *ctx), void *ctx)
{
    return fakehal_catch(fn, ctx) == FAKEHAL_CHECK_FAILED;
}

bool fakehal_expect_fail(void (*fn)(void *ctx), void *ctx)
{
    fakehal()->catch_fail = true;
    enum fakehal_end end = fakehal_catch(fn, ctx);
    fakehal()->catch_fail = false;
    return end == FAKEHAL_FAILED;
}

_Noreturn void hal_halt(enum hal_halt_reason reason)
{
    struct fakehal *hal = fakehal();
    if (reason != HAL_HALT_PANIC)
        lock_held_expect_none("hal_halt()");
    if (hal->catcher == NULL)
        fakehal_fail("hal_halt(%d) that no test expects; console:\n%s", (int)reason,
                     hal->out != NULL ? hal->out : "");
    hal->halt_reason = reason;
    leave(hal, FAKEHAL_HALTED);
}

_Noreturn void hv_check_failed(const char *expr, const char *file, unsigned line)
{
    struct fakehal *hal = fakehal();
    if (hal->catcher == NULL)
        fakehal_fail("%s:%u: check failed: %s", file, line, expr);
    hal->check_expr = expr;
    hal->check_file = file;
    hal->check_line = line;
    leave(hal, FAKEHAL_CHECK_FAILED);
}

/* --- Tables and caches --- */

void hal_pt_sync(void)
{
    fakehal_record_add(FAKEHAL_PT_SYNC);
}

static void tlbi(enum fakehal_kind kind, const struct s2_tag *tag, uint64_t base, uint64_t len)
{
    struct fakehal *hal = fakehal();
    struct fakehal_record *record = fakehal_record_add(kind);
    record->tag = *tag;
    record->addr = base;
    record->len = len;
    if (hal->tlbi != NULL)
        hal->tlbi(hal->tlbi_ctx, record);
}

void hal_tlbi_range(const struct s2_tag *tag, ipa_t base, uint64_t len)
{
    if (len == 0 || ((base.v | len) & 0xfff) != 0)
        fakehal_fail("hal_tlbi_range() of %#" PRIx64 "+%#" PRIx64, base.v, len);
    tlbi(FAKEHAL_TLBI_RANGE, tag, base.v, len);
}

void hal_tlbi_tag(const struct s2_tag *tag)
{
    tlbi(FAKEHAL_TLBI_TAG, tag, 0, 0);
}

void hal_tlbi_local(const struct s2_tag *tag)
{
    tlbi(FAKEHAL_TLBI_LOCAL, tag, 0, 0);
}

void hal_tlbi_all(void)
{
    tlbi(FAKEHAL_TLBI_ALL, &(struct s2_tag){0}, 0, 0);
}

void hal_cache_op(const void *ptr, uint64_t len, enum hal_cache_op op)
{
    struct fakehal_record *record = fakehal_record_add(FAKEHAL_CACHE_OP);
    const struct fakehal_arena *arena = fakehal_arena_of(ptr);
    record->addr =
        arena != NULL ? arena->base + ((uintptr_t)ptr - (uintptr_t)arena->mem) : (uintptr_t)ptr;
    record->len = len;
    record->op = op;
}
