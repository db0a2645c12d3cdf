/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Translations that a CPU or all CPUs hold, and what the hal_tlbi_*() leave of them. */
#include "conformance/contract_smp_guests.h"
#include <stddef.h>

static struct s2_tag tag_of(const struct arch_vcpu *vcpu)
{
    return (struct s2_tag){vcpu->config.vttbr_el2, vcpu->config.vtcr_el2};
}

static void map_data(bool map)
{
    *guests_entry(&guests.pages->shared, GUEST_DATA) =
        map ? guests_leaf(offsetof(struct pages, data)) : 0;
    hal_pt_sync();
}

/* The vCPU that is loaded runs into a fault of stage 2 at this level and IPA. */
static void expect_fault(struct smp_worker *w, unsigned level, uint64_t addr)
{
    struct arch_exit exit;

    if (!smp_expect(w, guests_run(&w->vcpu, &exit) == INTID_NONE,
                    "without its translation a guest ends in a fault"))
        return;
    smp_expect(w, contract_exception_class(&exit) == CONTRACT_EC_DATA_ABORT, "a data abort");
    smp_expect(w, (exit.esr & 0x3f) == 4 + level, "a translation fault, at the right level");
    smp_expect(w, (exit.hpfar & 0xfffffffff0) == addr >> 12 << 4, "at that address");
}

/* A vCPU of a VM whose code alone is mapped. */
static void load_other(struct smp_worker *w, struct arch_vcpu *other)
{
    contract_init_vcpu(other, guests.at + offsetof(struct pages, other), VMID_OTHER);
    other->pc = OTHER_BASE + WORD_MOVE;
    hal_vcpu_load(other);
    smp_expect(w, guests_run_to_hvc(other, 0), "a vCPU of another VM runs");
}

/* --- All CPUs --- */

static void job_read(struct smp_worker *w)
{
    hal_vcpu_load(&w->vcpu);
    expect_fault(w, 3, GUEST_DATA);
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

static void by_range(const struct s2_tag *tag)
{
    hal_tlbi_range(tag, ipa(GUEST_DATA), 4096);
}

static void by_all(const struct s2_tag *tag)
{
    (void)tag;
    hal_tlbi_all();
}

static void (*invalidate)(const struct s2_tag *tag);

/* From a CPU that has a vCPU of another VM loaded, which nothing happens to. */
static void job_unmap(struct smp_worker *w)
{
    struct s2_tag tag = tag_of(&w->smp->worker[1].vcpu);

    load_other(w, &w->vcpu);
    smp_expect(w, all_read(w->smp), "the guests of all CPUs read");
    *guests_entry(&guests.pages->shared, GUEST_DATA) = 0;
    invalidate(&tag);
    smp_expect(w, guests_run_to_hvc(&w->vcpu, 0), "and it still does");
    hal_vcpu_put(&w->vcpu);
}

/* Half of the CPUs use `even` for their VMID. */
static void check_broadcast(struct smp *smp, void (*how)(const struct s2_tag *), uint64_t even,
                            const char *name)
{
    for (unsigned cpu = 1; cpu < smp->nr_cpus; cpu++) {
        guests_make_vcpu(&smp->worker[cpu], WORD_READ);
        if (cpu % 2 == 0)
            smp->worker[cpu].vcpu.config.vttbr_el2 ^= (VMID_SHARED ^ even) << 48;
    }
    invalidate = how;
    smp->worker[0].next = job_unmap;
    smp_result(smp, smp_go_all(smp, 1, job_read), name);
    map_data(true);
}

/* --- This CPU --- */

static void job_local(struct smp_worker *w)
{
    struct s2_tag tag;

    guests_make_vcpu(w, WORD_LOAD);
    tag = tag_of(&w->vcpu);
    hal_vcpu_load(&w->vcpu);
    smp_expect(w, guests_run_to_hvc(&w->vcpu, 5), "a guest reads");
    map_data(false);
    hal_tlbi_local(&tag);
    expect_fault(w, 3, GUEST_DATA);
    hal_vcpu_put(&w->vcpu);
    map_data(true);
}

/* Its vCPU is away, and one of another VM is loaded, which nothing happens to. */
static void job_local_of_another(struct smp_worker *w)
{
    struct arch_vcpu *other = &guests.mobile;
    struct s2_tag tag;

    guests_make_vcpu(w, WORD_LOAD);
    tag = tag_of(&w->vcpu);
    hal_vcpu_load(&w->vcpu);
    smp_expect(w, guests_run_to_hvc(&w->vcpu, 5), "a guest reads");
    hal_vcpu_put(&w->vcpu);
    load_other(w, other);
    map_data(false);
    hal_tlbi_local(&tag);
    smp_expect(w, guests_run_to_hvc(other, 0), "and it still does");
    hal_vcpu_put(other);
    hal_vcpu_load(&w->vcpu);
    expect_fault(w, 3, GUEST_DATA);
    hal_vcpu_put(&w->vcpu);
    map_data(true);
}

/* D8.3: level 1 block, AF, inner shareable, MAIR_EL1 attribute 0, read and write at EL1. */
static uint64_t block(uint64_t addr)
{
    return addr | 1u << 10 | 3u << 8 | 1u;
}

/* Virtual addresses: the first GiB as they are, for the code, and the second as the first. */
static void turn_mmu_on(struct arch_vcpu *vcpu)
{
    guests.pages->stage1[0] = block(0);
    guests.pages->stage1[1] = block(0);
    hal_pt_sync();
    vcpu->config.hcr_el2 &= ~HCR_DC;
    vcpu->sys[ARCH_MAIR_EL1] = 0xff; /* write-back */
    /* D17.2.139: IPS 40 bits, EPD1, inner shareable write-back walks, T0SZ 25 */
    vcpu->sys[ARCH_TCR_EL1] = UINT64_C(2) << 32 | 1u << 23 | 3u << 12 | 1u << 10 | 1u << 8 | 25u;
    vcpu->sys[ARCH_TTBR0_EL1] = GUEST_STAGE1;
    vcpu->sys[ARCH_SCTLR_EL1] |= 1u << 12 | 1u << 2 | 1u; /* I, C, M */
    vcpu->x[8] = GIB(1) + GUEST_DATA;
}

/* Two vCPUs of one VM may mean two things by one ASID: what the first has translated must go. */
static void job_local_stage1(struct smp_worker *w)
{
    struct s2_tag tag;

    guests_make_vcpu(w, WORD_LOAD);
    turn_mmu_on(&w->vcpu);
    tag = tag_of(&w->vcpu);
    hal_vcpu_load(&w->vcpu);
    smp_expect(w, guests_run_to_hvc(&w->vcpu, 5), "a guest reads with its MMU on");
    guests.pages->stage1[1] = block(GIB(1));
    hal_pt_sync();
    hal_tlbi_local(&tag);
    expect_fault(w, 1, GIB(1) + GUEST_DATA);
    hal_vcpu_put(&w->vcpu);
}

/* One CPU after the other: they change one table. */
static void check_local(struct smp *smp, smp_job *job, const char *name)
{
    const char *failure = NULL;

    for (unsigned cpu = 0; cpu < smp->nr_cpus && failure == NULL; cpu++) {
        smp->worker[cpu].next = job;
        failure = smp_go(smp);
    }
    smp_result(smp, failure, name);
}

void smp_check_tlbi(struct smp *smp)
{
    check_broadcast(smp, by_range, VMID_SHARED, "hal_tlbi_range() reaches guests that run");
    check_broadcast(smp, hal_tlbi_tag, VMID_SHARED, "hal_tlbi_tag() reaches guests that run");
    check_broadcast(smp, by_all, VMID_AGAIN, "hal_tlbi_all() reaches guests of several VMs");
    check_local(smp, job_local, "hal_tlbi_local() drops stage 2 on each CPU");
    check_local(smp, job_local_of_another, "hal_tlbi_local() of a VM that is not loaded");
    check_local(smp, job_local_stage1, "hal_tlbi_local() drops stage 1 on each CPU");
}
