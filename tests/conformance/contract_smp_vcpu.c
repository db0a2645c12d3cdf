/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* vCPUs on several CPUs: they move, are kicked out of the guest, share memory and translations. */
#include "conformance/contract_smp.h"
#include <stddef.h>
#include <string.h>

#define GUEST_BASE   CONTRACT_GUEST_BASE
#define GUEST_DATA   (GUEST_BASE + 0x1000) /* what is taken away from the guests */
#define GUEST_COUNTS (GUEST_BASE + 0x2000) /* what they count in */
#define OTHER_BASE   (GUEST_BASE + 0x3000) /* another VM's code: the same page at its own IPA */
#define ENTRIES      512u
#define INTID_NONE   1023u
#define INTID_KICK   0u
#define HCR_DC       (UINT64_C(1) << 12) /* memory is cacheable though the MMU is off: D17.2.48 */
#define VMID_SHARED  3u
#define VMID_OTHER   4u
#define LR_PENDING   UINT64_C(0x50a0000000000021) /* IHI 0069, 12.4.6: pending, group 1, INTID 33 */
#define VISITS       3u
#define INCREMENTS   20000u

#define WORD_MOVE    0x00u
#define WORD_READ    0x14u
#define WORD_COUNT   0x24u
#define WORD_MONITOR 0x44u
#define WORD_SPIN    0x54u

static const uint32_t program[] = {
    0xd4000002, /* 00 hvc  #0 */
    0x91000400, /* 04 add  x0, x0, #1 */
    0xd538d081, /* 08 mrs  x1, tpidr_el1 */
    0x9e660002, /* 0c fmov x2, d0 */
    0x17fffffc, /* 10 b    00 */
    0xf9400107, /* 14 ldr  x7, [x8] */
    0x91000463, /* 18 add  x3, x3, #1 */
    0xf9000143, /* 1c str  x3, [x10] */
    0x17fffffd, /* 20 b    14 */
    0xc85f7d01, /* 24 ldxr x1, [x8] */
    0x91000421, /* 28 add  x1, x1, #1 */
    0x14000001, /* 2c b    30: a place where a simulator may change CPUs */
    0xc8027d01, /* 30 stxr w2, x1, [x8] */
    0x35ffff82, /* 34 cbnz w2, 24 */
    0xf1000529, /* 38 subs x9, x9, #1 */
    0x54ffff41, /* 3c b.ne 24 */
    0xd4000042, /* 40 hvc  #2 */
    0xc85f7d01, /* 44 ldxr x1, [x8] */
    0xd4000062, /* 48 hvc  #3 */
    0xc8027d01, /* 4c stxr w2, x1, [x8] */
    0xd4000082, /* 50 hvc  #4 */
    0x14000000, /* 54 b    54 */
};

/* D8.3: level 1 covers 1 GiB an entry, level 2 2 MiB, level 3 4 KiB. */
struct tables {
    uint64_t level1[ENTRIES];
    uint64_t level2[ENTRIES];
    uint64_t level3[ENTRIES];
};

/* At the end of RAM, a page each. */
struct pages {
    struct tables shared;
    struct tables other;
    uint32_t code[2 * ENTRIES];
    uint64_t data[ENTRIES];
    uint64_t counts[ENTRIES];
};

struct guests {
    struct pages *pages;
    uint64_t at;             /* their physical address */
    struct arch_vcpu mobile; /* it visits all CPUs */
    struct arch_vcpu before;
};
static struct guests guests;

/* D8.3: AF, inner shareable, S2AP read and write, MemAttr normal write-back, page. */
static uint64_t leaf(uint64_t offset)
{
    return (guests.at + offset) | 1u << 10 | 3u << 8 | 3u << 6 | 0xfu << 2 | 3u;
}

static uint64_t *entry_of(struct tables *tables, uint64_t addr)
{
    return &tables->level3[addr >> 12 & 511];
}

static void link_tables(struct tables *tables, uint64_t offset)
{
    uint64_t at = guests.at + offset;

    tables->level1[GUEST_BASE >> 30] = (at + offsetof(struct tables, level2)) | 3;
    tables->level2[GUEST_BASE >> 21 & 511] = (at + offsetof(struct tables, level3)) | 3;
}

static void build(void)
{
    struct pages *g = guests.pages;

    memset(g, 0, sizeof(*g));
    memcpy(g->code, program, sizeof(program));
    hal_cache_op(g->code, sizeof(g->code), HAL_CACHE_SYNC_ICACHE);
    hal_cache_op(g, sizeof(*g), HAL_CACHE_CLEAN);
    link_tables(&g->shared, offsetof(struct pages, shared));
    *entry_of(&g->shared, GUEST_BASE) = leaf(offsetof(struct pages, code));
    *entry_of(&g->shared, GUEST_DATA) = leaf(offsetof(struct pages, data));
    *entry_of(&g->shared, GUEST_COUNTS) = leaf(offsetof(struct pages, counts));
    link_tables(&g->other, offsetof(struct pages, other));
    *entry_of(&g->other, OTHER_BASE) = leaf(offsetof(struct pages, code));
    hal_pt_sync();
}

static void init_vcpu(struct arch_vcpu *vcpu, uint64_t word)
{
    contract_init_vcpu(vcpu, guests.at + offsetof(struct pages, shared), VMID_SHARED);
    vcpu->config.hcr_el2 |= HCR_DC;
    vcpu->pc = GUEST_BASE + word;
}

static void make_vcpu(struct smp_worker *w, uint64_t word)
{
    init_vcpu(&w->vcpu, word);
    w->vcpu.x[8] = GUEST_DATA;
    w->vcpu.x[9] = INCREMENTS;
    w->vcpu.x[10] = GUEST_COUNTS + UINT64_C(8) * w->cpu;
}

/*
 * Runs a loaded vCPU until it traps, or an interrupt comes, which is ended. Returns the interrupt,
 * INTID_NONE for a trap. Not for ever: the timer is armed.
 */
static uint32_t run(struct arch_vcpu *vcpu, struct arch_exit *exit)
{
    uint32_t intid = INTID_NONE;

    hal_timer_arm(hal_time_now() + smp_patience() / 2);
    do {
        hal_vcpu_run(vcpu, exit);
        if (exit->kind == ARCH_EXIT_IRQ)
            intid = hal_irq_ack();
    } while (exit->kind == ARCH_EXIT_IRQ && intid == INTID_NONE);
    hal_timer_arm(HAL_TIMER_NEVER);
    if (intid != INTID_NONE)
        hal_irq_end(intid, true);
    return intid;
}

static bool runs_to_hvc(struct arch_vcpu *vcpu, unsigned number)
{
    struct arch_exit exit;

    return run(vcpu, &exit) == INTID_NONE && contract_exception_class(&exit) == CONTRACT_EC_HVC &&
           (exit.esr & 0xffff) == number;
}

/* --- A vCPU that moves --- */

static void job_host(struct smp_worker *w)
{
    struct arch_vcpu *v = &guests.mobile;
    struct arch_vcpu *before = &guests.before;
    uint64_t x0 = v->x[0];

    *before = *v;
    hal_vcpu_load(v);
    for (unsigned i = 1; i <= VISITS; i++) {
        smp_expect(w, runs_to_hvc(v, 0), "a vCPU runs where it has come to");
        smp_expect(w, v->x[0] == x0 + i, "and goes on where it was");
    }
    hal_vcpu_put(v);
    smp_expect(w, v->x[1] == before->sys[ARCH_TPIDR_EL1], "its System registers move with it");
    smp_expect(w, v->x[2] == before->fp.q[0], "its FP registers move with it");
    /* The virtual timer's registers are last, and off. */
    smp_expect(w, memcmp(v->sys, before->sys, sizeof(v->sys[0]) * ARCH_CNTV_CTL_EL0) == 0,
               "no System register changes on the way");
    smp_expect(w, memcmp(&v->fp, &before->fp, sizeof(v->fp)) == 0,
               "no FP register changes on the way");
    smp_expect(w, memcmp(v->gic.lr, before->gic.lr, sizeof(v->gic.lr)) == 0,
               "no list register changes on the way");
    for (unsigned i = 3; i < 31; i++)
        smp_expect(w, v->x[i] == before->x[i], "no general register changes on the way");
    smp_expect(w, contract_is_quiet(), "no interrupt of it stays behind");
}

static void check_move(struct smp *smp)
{
    struct arch_vcpu *v = &guests.mobile;
    const char *failure = NULL;

    init_vcpu(v, WORD_MOVE + 4);
    for (unsigned i = 0; i < 31; i++)
        v->x[i] = 0x1000 + i;
    for (unsigned i = 0; i < 64; i++)
        v->fp.q[i] = UINT64_C(0x4000000000000000) + i;
    v->sys[ARCH_TPIDR_EL0] = 0x100;
    v->sys[ARCH_TPIDR_EL1] = 0x101;
    v->sys[ARCH_TPIDRRO_EL0] = 0x102;
    v->sys[ARCH_SP_EL0] = 0x103;
    v->sys[ARCH_SP_EL1] = 0x104;
    v->sys[ARCH_ELR_EL1] = 0x105;
    v->sys[ARCH_FAR_EL1] = 0x106;
    v->sys[ARCH_MAIR_EL1] = 0x107;
    v->gic.lr[0] = LR_PENDING;
    for (unsigned round = 0; round < 2; round++)
        for (unsigned cpu = 0; cpu < smp->nr_cpus && failure == NULL; cpu++) {
            smp->worker[cpu].next = job_host;
            failure = smp_go(smp);
        }
    smp_result(smp, failure, "a vCPU that moves from CPU to CPU keeps its registers");
    contract_eq(smp->ct, v->x[0], 0x1000 + 2 * VISITS * smp->nr_cpus, "and has run on each");
}

/* Its virtual timer has gone off: here while it is loaded here, and then no more. */
static void job_host_timer(struct smp_worker *w)
{
    hal_vcpu_load(&guests.mobile);
    smp_take(w, w->smp->ct->platform.timer_virt_intid, "the virtual timer comes with the vCPU");
    hal_vcpu_put(&guests.mobile);
    smp_expect(w, contract_is_quiet(), "and goes with it");
}

static void check_virtual_timer(struct smp *smp)
{
    const char *failure = NULL;

    init_vcpu(&guests.mobile, WORD_SPIN);
    guests.mobile.sys[ARCH_CNTV_CTL_EL0] = 1; /* ENABLE */
    for (unsigned cpu = 0; cpu < smp->nr_cpus && failure == NULL; cpu++) {
        smp->worker[cpu].next = job_host_timer;
        failure = smp_go(smp);
    }
    smp_result(smp, failure, "a virtual timer interrupts the CPU that its vCPU is on");
}

/* --- Kicks --- */

static void job_spin(struct smp_worker *w)
{
    struct arch_exit exit;

    make_vcpu(w, WORD_SPIN);
    hal_vcpu_load(&w->vcpu);
    atomic_store(&w->waiting, true);
    smp_expect(w, run(&w->vcpu, &exit) == INTID_KICK, "a kick ends hal_vcpu_run()");
    smp_expect(w, w->vcpu.pc == GUEST_BASE + WORD_SPIN, "where the guest was");
    hal_vcpu_put(&w->vcpu);
    smp_expect(w, contract_is_quiet(), "one kick is one interrupt");
}

static void job_kick_all(struct smp_worker *w)
{
    for (unsigned cpu = 1; cpu < w->smp->nr_cpus; cpu++) {
        uint64_t settle = hal_time_now() + hal_time_hz() / 1000;

        smp_expect(w, smp_wait(&w->smp->worker[cpu].waiting), "a guest spins");
        while (hal_time_now() < settle)
            hal_cpu_relax();
        hal_cpu_kick(cpu);
    }
}

static void check_kicks(struct smp *smp)
{
    smp->worker[0].next = job_kick_all;
    smp_result(smp, smp_go_all(smp, 1, job_spin), "a kick gets a CPU out of its guest");
}

/* --- Translations --- */

static void job_read(struct smp_worker *w)
{
    struct arch_exit exit;
    uint32_t intid;

    hal_vcpu_load(&w->vcpu);
    intid = run(&w->vcpu, &exit);
    smp_expect(w, intid == INTID_NONE, "without its translation a guest ends in a fault");
    if (intid == INTID_NONE) {
        smp_expect(w, contract_exception_class(&exit) == CONTRACT_EC_DATA_ABORT, "a data abort");
        smp_expect(w, (exit.esr & 0x3f) == 7, "a translation fault, level 3");
        smp_expect(w, (exit.hpfar & 0xfffffffff0) == GUEST_DATA >> 12 << 4, "at that address");
    }
    hal_vcpu_put(&w->vcpu);
}

/* True once each reader's count has gone on since the call. */
static bool all_read(const struct smp *smp)
{
    const volatile uint64_t *counts = guests.pages->counts;
    uint64_t limit = hal_time_now() + smp_patience() / 4;

    for (unsigned cpu = 1; cpu < smp->nr_cpus; cpu++) {
        uint64_t before = counts[cpu];
        while (counts[cpu] == before) {
            if (hal_time_now() > limit)
                return false;
            hal_cpu_relax();
        }
    }
    return true;
}

/* From a CPU that has a vCPU of another VM loaded, which nothing happens to. */
static void job_unmap(struct smp_worker *w)
{
    struct arch_vcpu *own = &w->vcpu;
    struct s2_tag tag = {
        .vttbr = w->smp->worker[1].vcpu.config.vttbr_el2,
        .vtcr = w->smp->worker[1].vcpu.config.vtcr_el2,
    };

    contract_init_vcpu(own, guests.at + offsetof(struct pages, other), VMID_OTHER);
    own->pc = OTHER_BASE + WORD_MOVE;
    hal_vcpu_load(own);
    smp_expect(w, runs_to_hvc(own, 0), "a vCPU of another VM runs");
    smp_expect(w, all_read(w->smp), "the guests of all CPUs read");
    *entry_of(&guests.pages->shared, GUEST_DATA) = 0;
    hal_tlbi_range(&tag, ipa(GUEST_DATA), 4096);
    smp_expect(w, runs_to_hvc(own, 0), "and it still does");
    hal_vcpu_put(own);
}

static void check_tlbi(struct smp *smp)
{
    for (unsigned cpu = 1; cpu < smp->nr_cpus; cpu++)
        make_vcpu(&smp->worker[cpu], WORD_READ);
    smp->worker[0].next = job_unmap;
    smp_result(smp, smp_go_all(smp, 1, job_read), "hal_tlbi_range() reaches guests that run");
    *entry_of(&guests.pages->shared, GUEST_DATA) = leaf(offsetof(struct pages, data));
    hal_pt_sync();
}

/* --- Exclusive accesses --- */

static void job_increment(struct smp_worker *w)
{
    make_vcpu(w, WORD_COUNT);
    hal_vcpu_load(&w->vcpu);
    smp_expect(w, runs_to_hvc(&w->vcpu, 2), "a guest counts to its end");
    hal_vcpu_put(&w->vcpu);
}

static void job_monitor(struct smp_worker *w)
{
    make_vcpu(w, WORD_MONITOR);
    hal_vcpu_load(&w->vcpu);
    smp_expect(w, runs_to_hvc(&w->vcpu, 3), "a guest loads exclusively, and traps");
    smp_expect(w, runs_to_hvc(&w->vcpu, 4), "and stores");
    smp_expect(w, w->vcpu.x[2] == 1, "which must fail: the monitor is open after an exit");
    hal_vcpu_put(&w->vcpu);
}

static void check_exclusives(struct smp *smp)
{
    const volatile uint64_t *counter = guests.pages->data;

    guests.pages->data[0] = 0;
    smp_result(smp, smp_go_all(smp, 0, job_increment), "guests of all CPUs count in one word");
    contract_eq(smp->ct, *counter, (uint64_t)INCREMENTS * smp->nr_cpus, "and lose nothing");
    smp_result(smp, smp_go_all(smp, 0, job_monitor), "LDXR, exit, STXR: it fails on each CPU");
}

void smp_check_vcpus(struct smp *smp)
{
    const struct platform_range *ram = &smp->ct->platform.ram[0];

    guests.at = ram->base + ram->size - sizeof(struct pages);
    guests.pages = hal_phys_map(pa(guests.at), sizeof(struct pages));
    if (!contract_ok(smp->ct, guests.pages != NULL, "pages for the guests of several CPUs"))
        return;
    build();
    check_move(smp);
    check_virtual_timer(smp);
    check_kicks(smp);
    check_tlbi(smp);
    check_exclusives(smp);
}
