/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A scripted implementation of hal/hal.h for unit tests and fuzzing: memory is the host's, a vCPU
 * "runs" by a script, time stands still until somebody moves it, and every call that has an order
 * worth asserting leaves a record.
 *
 * All state hangs off one `struct fakehal`; fakehal_reset() replaces it, cheaply enough for each
 * fuzz case. Tests may read every member of the struct, and write those that are marked "set by
 * tests". Whatever breaks the contract of hal.h (see hal/CONTRACT.md), and a run that nothing
 * scripts, ends the process through fakehal_fail(). Not thread-safe.
 */
#ifndef FAKEHAL_FAKEHAL_H
#define FAKEHAL_FAKEHAL_H

#include "base/lock_held.h"
#include "hal/hal.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FAKEHAL_CPUS       8u
#define FAKEHAL_ARENAS     32u
#define FAKEHAL_INTIDS     1020u
#define FAKEHAL_LOG_SIZE   65536u /* records; older ones are overwritten */
#define FAKEHAL_NET_FRAMES 20u
#define FAKEHAL_SMC_SIZE   64u
#define FAKEHAL_POISON_SYS UINT64_C(0xdeadc0dedeadc0de) /* vcpu->sys[] while loaded */

/* --- Records --- */

enum fakehal_kind {
    FAKEHAL_PT_SYNC,
    FAKEHAL_TLBI_RANGE, /* addr: IPA, len, tag */
    FAKEHAL_TLBI_TAG,   /* tag */
    FAKEHAL_TLBI_LOCAL, /* tag */
    FAKEHAL_TLBI_ALL,
    FAKEHAL_CACHE_OP,       /* addr: PA (or the pointer, if it is in no arena), len, op */
    FAKEHAL_IRQ_ACK,        /* addr: INTID; not recorded when nothing was pending */
    FAKEHAL_IRQ_END,        /* addr: INTID, len: deactivate */
    FAKEHAL_IRQ_DEACTIVATE, /* addr: INTID; by hal_irq_deactivate() or by fakehal_gic_eoi() of a
                               hardware LR */
    FAKEHAL_IRQ_ACTIVATE,   /* addr: INTID */
    FAKEHAL_IRQ_ENABLE,     /* addr: INTID, len: enable */
    FAKEHAL_TIMER_ARM,      /* addr: deadline */
    FAKEHAL_KICK,           /* addr: CPU */
    FAKEHAL_IDLE,
    FAKEHAL_VCPU_LOAD, /* addr: (uintptr_t) of the vCPU, as the next three */
    FAKEHAL_VCPU_PUT,
    FAKEHAL_VCPU_RUN,
    FAKEHAL_VCPU_SYNC, /* hal_vcpu_config_sync() */
    FAKEHAL_SMC,       /* addr: x0, len: x1 */
    FAKEHAL_CPU_START, /* addr: CPU; only those that succeeded */
    FAKEHAL_CPU_STOP,  /* by hal_cpu_stop(), or because entry() returned */
    FAKEHAL_NOTE,      /* by fakehal_note() */
    FAKEHAL_KIND_COUNT
};

struct fakehal_record {
    enum fakehal_kind kind;
    uint32_t cpu; /* who called */
    uint64_t addr;
    uint64_t len;
    struct s2_tag tag;
    enum hal_cache_op op;
};

/* --- Scripts --- */

/*
 * Plays the guest for one hal_vcpu_run(): may look at and change the vCPU and call fakehal_gic_*,
 * and fills `exit`, which comes in as it was pushed (or zeroed).
 */
typedef void fakehal_run_fn(void *ctx, struct arch_vcpu *vcpu, struct arch_exit *exit);

struct fakehal_step {
    struct arch_exit exit;
    fakehal_run_fn *before; /* before the "guest" runs: what the exit finds; may change `exit` */
    fakehal_run_fn *after;  /* at the beginning of the next run: what core's handling left behind */
    void *ctx;
};

/* --- The state --- */

struct fakehal_arena {
    uint64_t base;
    uint64_t size;
    unsigned char *mem;  /* what hal_phys_map() returns */
    unsigned char *own;  /* the test's view of it: the same, if the arena is not guarded */
    uint16_t *map_count; /* guarded: of each page, how often it is mapped; NULL: it is not */
    bool *touched;       /* guarded: of each page, whether it may be other than zero */
};

struct fakehal_cpu {
    struct arch_vcpu *loaded;        /* NULL: none */
    struct arch_vcpu_config config;  /* what the loaded vCPU runs with: by load or config_sync */
    uint64_t sys[ARCH_SYSREG_COUNT]; /* the loaded vCPU's */
    bool pending[FAKEHAL_INTIDS];
    bool enabled[FAKEHAL_INTIDS];
    bool active[FAKEHAL_INTIDS];
    uint32_t running; /* acknowledged and not yet ended; HAL_INTID_NONE: none */
    uint64_t deadline;
    bool on; /* the boot CPU, and those of hal_cpu_start(); tests that only set `self` need not care
              */
    void (*entry)(void *); /* what hal_cpu_start() has it call: see fakehal_cpu_enter() */
    void *entry_arg;
    uint64_t kicks;
    uint64_t idles;
    struct lock_held held; /* core's locks */
    /* Set by tests: the identification of a CPU that is not as the others; NULL: fakehal's */
    const struct arch_idregs *idregs;
};

enum fakehal_disk_state { FAKEHAL_DISK_FREE, FAKEHAL_DISK_BUSY, FAKEHAL_DISK_DONE };

struct fakehal_disk {
    struct hal_disk_info info; /* set by tests, after fakehal_add_disk() */
    unsigned char *data;       /* info.sectors sectors */
    bool at_once;              /* set by tests: requests are done when they are submitted */
    uint64_t submits;
    uint64_t flushes; /* that were done */
    struct {
        enum fakehal_disk_state state;
        struct hal_disk_request request;
        hv_err result;
    } slot[HAL_DISK_SLOTS];
};

enum fakehal_end {
    FAKEHAL_RETURNED,
    FAKEHAL_HALTED,
    FAKEHAL_CHECK_FAILED,
    FAKEHAL_FAILED,
    FAKEHAL_STOPPED
};

struct fakehal {
    /* CPUs */
    unsigned self; /* set by tests: hal_cpu_self() */
    struct fakehal_cpu cpu[FAKEHAL_CPUS];
    /* Set by tests; a Cortex-A57 with a GICv3 interface at first. ich_vtr is made of lr_count. */
    struct arch_idregs idregs;
    /*
     * Of hal_init(). Before it as if it had been called for one CPU with INTIDs 25 (maintenance),
     * 26 (hypervisor timer), 27 (virtual timer) and 33 (UART), as QEMU's virt has them.
     */
    struct hal_platform platform;
    unsigned inits;          /* calls of hal_init() */
    hv_err init_result;      /* set by tests: what hal_init() returns */
    void (*idle)(void *ctx); /* set by tests: replaces the default of hal_cpu_idle() */
    void *idle_ctx;
    hv_err start_result; /* set by tests: what hal_cpu_start() returns where it could succeed */
    void (*relax)(void *ctx); /* set by tests: called by hal_cpu_relax() */
    void *relax_ctx;
    bool locks_unwatched; /* set by tests whose threads all are CPU `self` */

    /* vCPUs */
    struct fakehal_step *script; /* FIFO */
    size_t script_head, script_len, script_cap;
    struct fakehal_step last; /* whose `after` is still to be called */
    fakehal_run_fn *run;      /* fakehal_set_run() */
    void *run_ctx;
    uint64_t runs;
    unsigned lr_count; /* set by tests: 4 at first */
    bool lpi_active;   /* set by tests: LPIs become active, as QEMU's do, which they must not */

    /* Memory */
    struct fakehal_arena arena[FAKEHAL_ARENAS];
    unsigned nr_arenas;
    uint64_t maps, unmaps; /* calls of hal_phys_map() that succeeded, and of hal_phys_unmap() */
    void (*map)(void *ctx, uint64_t base,
                uint64_t len); /* set by tests: called at each hal_phys_map() of memory */
    void *map_ctx;
    void (*tlbi)(
        void *ctx,
        const struct fakehal_record *record); /* set by tests: called at each hal_tlbi_*() */
    void *tlbi_ctx;

    /* Records: the last FAKEHAL_LOG_SIZE of log_len; see fakehal_log() */
    struct fakehal_record *log;
    uint64_t log_len;
    uint64_t count[FAKEHAL_KIND_COUNT];

    /* Time */
    uint64_t now;          /* set by tests, or fakehal_advance() */
    uint64_t hz;           /* set by tests: 62500000 at first */
    uint64_t wall;         /* set by tests: hal_wall_time() */
    hv_err entropy_result; /* set by tests: what hal_entropy() returns */
    uint8_t entropy;       /* the byte that it gives next; each is one more than the one before */
    uint64_t tick;         /* set by tests: added to `now` by each hal_time_now(); 0 at first */

    /* Trace */
    bool traced;                /* set by tests: hal_trace_enabled() */
    struct trace_record *trace; /* all that hal_trace() was given */
    size_t trace_len, trace_cap;

    /* Disks */
    struct fakehal_disk disk[HAL_DISKS_MAX];
    unsigned nr_disks;

    /* Network */
    uint32_t net_intid; /* set by tests; 0: none */
    unsigned net_count; /* frames that wait */
    struct {
        size_t len;
        unsigned char data[HAL_NET_FRAME_MAX];
    } net_frame[FAKEHAL_NET_FRAMES], net_sent; /* the last one that was sent */
    unsigned net_nr_sent;

    /* Console: output is always NUL-terminated */
    char *out;
    size_t out_len, out_cap;
    char *in;
    size_t in_head, in_len, in_cap;

    /* SMC: arguments of the first FAKEHAL_SMC_SIZE calls. Without a handler x0 becomes
     * NOT_SUPPORTED */
    struct smc_regs smc[FAKEHAL_SMC_SIZE];
    uint64_t nr_smcs;
    void (*smc_handler)(void *ctx, struct smc_regs *regs); /* set by tests */
    void *smc_ctx;

    /* How fakehal_catch()'s function ended */
    void *catcher;   /* innermost armed jmp_buf; NULL: none */
    bool catch_fail; /* fakehal_fail() is caught as well */
    enum hal_halt_reason halt_reason;
    const char *check_expr;
    const char *check_file;
    unsigned check_line;
};

/* The current state; made by the first call. */
struct fakehal *fakehal(void);

/* Throws the state away, with all memory of the arenas, and makes a new one. */
void fakehal_reset(void);

/* Prints a message on stderr and aborts: the test fails. See fakehal_expect_fail(). */
_Noreturn void fakehal_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* --- The machine ends --- */

/* Calls fn(ctx) and says how it ended: it returned, called hal_halt() or hal_cpu_stop(), or failed
 * an HV_CHECK. May be nested. */
enum fakehal_end fakehal_catch(void (*fn)(void *ctx), void *ctx);
/* True if fn(ctx) ended in hal_halt(reason). */
bool fakehal_expect_halt(enum hal_halt_reason reason, void (*fn)(void *ctx), void *ctx);
/* True if fn(ctx) ended in a failed HV_CHECK. */
bool fakehal_expect_check(void (*fn)(void *ctx), void *ctx);
/* True if fn(ctx) ended in fakehal_fail(): it broke the contract of the HAL, which is caught here
 * only. */
bool fakehal_expect_fail(void (*fn)(void *ctx), void *ctx);

/* --- CPUs --- */

/*
 * Does what a CPU that hal_cpu_start() has switched on would do by itself: becomes it, and calls
 * its entry(). Returns how that ended, with the caller's CPU in `self` again; by FAKEHAL_RETURNED
 * and FAKEHAL_STOPPED the CPU is off. Once for each start.
 */
enum fakehal_end fakehal_cpu_enter(unsigned cpu);

/* --- Memory --- */

/*
 * Adds physical memory [base, base + size), zeroed, committed on first touch: gigabytes cost
 * nothing. Both multiples of 4 KiB. Overlap is a failure of the test.
 */
void fakehal_add_ram(pa_t base, uint64_t size);
/*
 * The same, guarded: core may touch it only where and while it is mapped by hal_phys_map(), which
 * AddressSanitizer, if there is one, sees to. The test has a view of its own: fakehal_mem().
 */
void fakehal_add_guarded_ram(pa_t base, uint64_t size);
/*
 * No mapping that there is of [base, base + len), pages of a guarded arena that are zero, gives
 * access any more. For a page pool, which maps all of its memory for good, but touches only its
 * bookkeeping there.
 */
void fakehal_guard(pa_t base, uint64_t len);
/* The test's pointer to [base, base + len) of one arena; fails the test if there is none. Counts as
 * no hal_phys_map(). */
void *fakehal_mem(pa_t base, uint64_t len);

/* --- vCPUs --- */

/*
 * Appends one exit to the script of hal_vcpu_run(). `before` and `after` may be NULL. With an empty
 * script the function of fakehal_set_run() plays the guest; without one the test fails.
 */
void fakehal_push_exit(struct arch_exit exit, fakehal_run_fn *before, fakehal_run_fn *after,
                       void *ctx);
/* Shorthands: an exception with this syndrome; a physical IRQ, for which interrupts are to be
 * pended separately. */
void fakehal_push_sync(uint64_t esr, uint64_t far, uint64_t hpfar);
void fakehal_push_irq(void);
void fakehal_set_run(fakehal_run_fn *run, void *ctx);
/* Steps of the script that have not been played. */
size_t fakehal_script_left(void);

/* --- GIC virtual CPU interface: what a guest's accesses of ICC_* do to the list registers --- */

/*
 * A read of ICC_IAR1_EL1 (or IAR0): takes the most important pending LR of an enabled group that
 * passes the priority mask and the running priority, makes it active and returns its INTID; 1023 if
 * there is none.
 */
uint32_t fakehal_gic_ack(struct arch_vcpu *vcpu);
/*
 * A write of ICC_EOIR1_EL1: priority drop, and with VMCR.VEOIM = 0 deactivation: the LR loses its
 * active state; a hardware LR deactivates its physical interrupt (record); no LR with this INTID
 * active: HCR.EOIcount goes up.
 */
void fakehal_gic_eoi(struct arch_vcpu *vcpu, uint32_t intid);
/* A write of ICC_DIR_EL1: deactivation alone. False: it traps (HCR.TDIR), and nothing has happened.
 */
bool fakehal_gic_dir(struct arch_vcpu *vcpu, uint32_t intid);
/* True if the virtual IRQ line is asserted: fakehal_gic_ack() would return an interrupt. */
bool fakehal_gic_signals(struct arch_vcpu *vcpu);
/*
 * ICH_MISR_EL2: 0 EOI, 1 U, 2 LRENP, 3 NP (bits); non-zero means that the maintenance interrupt is
 * asserted. The test pends its INTID where it matters.
 */
uint32_t fakehal_gic_misr(struct arch_vcpu *vcpu);
/* Sets ICH_VMCR_EL2 as a guest does that enables group 1 (and, on request, group 0) with this
 * priority mask. */
void fakehal_gic_enable(struct arch_vcpu *vcpu, bool group0, uint8_t pmr);

/* --- Interrupts and time --- */

/*
 * Makes a physical interrupt pending on `cpu`. As on hardware it is delivered only once
 * hal_irq_enable() was called for it, but for the platform's own, which hal_init() enables.
 */
void fakehal_irq_pend(unsigned cpu, uint32_t intid);
/* True if hal_irq_ack() on `cpu` would return an interrupt. */
bool fakehal_irq_deliverable(unsigned cpu);
/* Moves the counter on. Timer interrupts whose deadline is reached are pending then
 * (level-triggered, until re-armed). */
void fakehal_advance(uint64_t ticks);

/* --- Console --- */

/* Input for hal_console_read(); pends the UART's interrupt on CPU 0. */
void fakehal_console_type(const char *text, size_t len);
/* True if the captured output contains `text`. */
bool fakehal_console_has(const char *text);
/* Forgets the captured output. */
void fakehal_console_clear(void);

/* --- Disks --- */

/* A frame comes from the network. */
void fakehal_net_arrive(const void *frame, size_t len);
/* Adds a disk of zeroes, whose interrupt is 64 + its number on CPU 0. Returns its number. */
unsigned fakehal_add_disk(uint64_t sectors, bool read_only);
/* Does what the request of the slot asks for, or not if `result` is an error, and pends the disk's
 * interrupt. */
void fakehal_disk_finish(unsigned disk, unsigned slot, hv_err result);
/* The same for all slots that have one; returns how many. */
unsigned fakehal_disk_finish_all(unsigned disk, hv_err result);

/* --- Records --- */

/* Record number n, counted from 0 since the reset or fakehal_log_clear(); fails the test if it was
 * overwritten or is none yet. */
const struct fakehal_record *fakehal_log(uint64_t n);
/* Forgets all records and counters. */
void fakehal_log_clear(void);
/* Adds a record of the test's own. */
void fakehal_note(uint64_t a, uint64_t b);

/* For the files of fakehal: ends the innermost fakehal_catch(); without one the test fails. */
_Noreturn void fakehal_leave(enum fakehal_end end, const char *what);
/* For the files of fakehal: the arena that hal_phys_map() took `ptr` from, or NULL. */
const struct fakehal_arena *fakehal_arena_of(const void *ptr);
/* For the files of fakehal: all arenas go. */
void fakehal_forget_ram(void);
/* For the files of fakehal: appends a record of `kind`. Returns it, zeroed but for kind and cpu. */
struct fakehal_record *fakehal_record_add(enum fakehal_kind kind);

#endif
