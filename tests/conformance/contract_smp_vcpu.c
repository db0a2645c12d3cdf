/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* vCPUs on several CPUs: they move, are kicked out of the guest, share memory and translations. */
#include "conformance/contract_smp_guests.h"
#include <string.h>

#define LR_PENDING UINT64_C(0x50a0000000000021) /* IHI 0069, 12.4.6: pending, group 1, INTID 33 */
#define VISITS     3u

/* --- A vCPU that moves --- */

static void job_host(struct smp_worker *w)
{
    struct arch_vcpu *v = &guests.mobile;
    struct arch_vcpu *before = &guests.before;
    uint64_t x0 = v->x[0];

    *before = *v;
    hal_vcpu_load(v);
    for (unsigned i = 1; i <= VISITS; i++) {
        smp_expect(w, guests_run_to_hvc(v, 0), "a vCPU runs where it has come to");
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

    guests_init_vcpu(v, WORD_MOVE + 4);
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

    guests_init_vcpu(&guests.mobile, WORD_SPIN);
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

    guests_make_vcpu(w, WORD_SPIN);
    hal_vcpu_load(&w->vcpu);
    atomic_store(&w->waiting, true);
    smp_expect(w, guests_run(&w->vcpu, &exit) == INTID_KICK, "a kick ends hal_vcpu_run()");
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

/* --- Exclusive accesses --- */

static void job_increment(struct smp_worker *w)
{
    guests_make_vcpu(w, WORD_COUNT);
    hal_vcpu_load(&w->vcpu);
    smp_expect(w, guests_run_to_hvc(&w->vcpu, 2), "a guest counts to its end");
    hal_vcpu_put(&w->vcpu);
}

static void job_monitor(struct smp_worker *w)
{
    guests_make_vcpu(w, WORD_MONITOR);
    hal_vcpu_load(&w->vcpu);
    smp_expect(w, guests_run_to_hvc(&w->vcpu, 3), "a guest loads exclusively, and traps");
    smp_expect(w, guests_run_to_hvc(&w->vcpu, 4), "and stores");
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
    if (!contract_ok(smp->ct, guests_build(&smp->ct->platform.ram[0]),
                     "pages for the guests of several CPUs"))
        return;
    check_move(smp);
    check_virtual_timer(smp);
    check_kicks(smp);
    smp_check_active(smp);
    smp_check_tlbi(smp);
    check_exclusives(smp);
}
