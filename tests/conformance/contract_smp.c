/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* hal.h on several CPUs: start and stop, shared memory, kicks, timers. */
#include "conformance/contract_smp.h"
#include <string.h>

#define INTID_NONE 1023u
#define INTID_KICK 0u
#define ROUNDS     500u
#define MAIL       UINT64_C(0x6d61696c00000000)

static struct smp the_smp = {.lock = ATOMIC_FLAG_INIT};

/* --- Workers and their jobs --- */

uint64_t smp_patience(void)
{
    return 10 * hal_time_hz();
}

bool smp_expect(struct smp_worker *w, bool condition, const char *what)
{
    if (!condition && w->failure == NULL)
        w->failure = what;
    return condition;
}

void smp_take(struct smp_worker *w, uint32_t intid, const char *what)
{
    uint32_t got = contract_wait_irq();

    smp_expect(w, got == intid, what);
    if (got == w->smp->ct->platform.timer_hyp_intid)
        hal_timer_arm(HAL_TIMER_NEVER);
    if (got != INTID_NONE)
        hal_irq_end(got, true);
}

bool smp_wait(atomic_bool *flag)
{
    uint64_t limit = hal_time_now() + smp_patience();

    while (!atomic_exchange(flag, false)) {
        if (hal_time_now() > limit)
            return false;
        hal_cpu_relax();
    }
    return true;
}

/* What hal_cpu_start() calls. It runs until a job has it leave, or stops the CPU. */
static void worker_entry(void *arg)
{
    struct smp_worker *w = arg;

    w->leave = false;
    w->seen = w->mail;
    atomic_fetch_add(&w->entries, 1);
    while (!w->leave) {
        smp_job *job = atomic_load(&w->job);
        if (job != NULL) {
            job(w);
            atomic_store(&w->job, NULL);
        }
        (void)hal_time_now(); /* a simulated CPU that looks at the clock waits with longer steps */
        hal_cpu_relax();
    }
}

static bool wait_done(struct smp_worker *w)
{
    uint64_t limit = hal_time_now() + smp_patience();

    while (atomic_load(&w->job) != NULL) {
        if (hal_time_now() > limit)
            return false;
        hal_cpu_relax();
    }
    return true;
}

const char *smp_go(struct smp *smp)
{
    const char *failure = NULL;

    for (unsigned cpu = 0; cpu < smp->nr_cpus && !smp->lost; cpu++) {
        struct smp_worker *w = &smp->worker[cpu];
        w->failure = NULL;
        if (cpu > 0)
            atomic_store(&w->job, w->next);
    }
    if (smp->worker[0].next != NULL && !smp->lost)
        smp->worker[0].next(&smp->worker[0]);
    for (unsigned cpu = 0; cpu < smp->nr_cpus; cpu++) {
        struct smp_worker *w = &smp->worker[cpu];
        smp->lost = smp->lost || !wait_done(w);
        w->next = NULL;
        if (smp->lost)
            failure = "a CPU does not answer";
        else if (failure == NULL)
            failure = w->failure;
    }
    return failure;
}

const char *smp_go_all(struct smp *smp, unsigned first, smp_job *job)
{
    for (unsigned cpu = first; cpu < smp->nr_cpus; cpu++)
        smp->worker[cpu].next = job;
    return smp_go(smp);
}

void smp_result(struct smp *smp, const char *failure, const char *name)
{
    contract_ok(smp->ct, failure == NULL, failure != NULL ? failure : name);
}

/* --- Start --- */

/* HV_ERR_BUSY may mean that the CPU is still on its way out. */
static hv_err start(struct smp_worker *w, void (*entry)(void *), void *arg)
{
    uint64_t limit = hal_time_now() + smp_patience();
    hv_err err;

    do {
        err = hal_cpu_start(w->cpu, entry, arg);
        hal_cpu_relax();
    } while (err == HV_ERR_BUSY && hal_time_now() < limit);
    return err;
}

static bool has_entered(struct smp_worker *w, unsigned times)
{
    uint64_t limit = hal_time_now() + smp_patience();

    while (atomic_load(&w->entries) != times) {
        if (hal_time_now() > limit)
            return false;
        hal_cpu_relax();
    }
    return true;
}

/* `times`: the how manieth start it is. Interrupts are pending on no CPU when it returns. */
static const char *start_worker(struct smp_worker *w, unsigned times)
{
    w->mail = MAIL + w->cpu + times;
    if (start(w, worker_entry, w) != HV_OK)
        return "hal_cpu_start() of a CPU that is off";
    if (!has_entered(w, times))
        return "a started CPU calls entry() with its argument";
    if (w->seen != MAIL + w->cpu + times)
        return "entry() sees what was written before the start";
    return NULL;
}

/* What hal_init() gives the boot CPU, and hal_cpu_start() the others. */
static void job_look_around(struct smp_worker *w)
{
    const struct hal_platform *platform = &w->smp->ct->platform;
    struct arch_idregs own, by_number;

    hal_id_regs(&own);
    hal_cpu_id_regs(w->cpu, &by_number);
    smp_expect(w, memcmp(&own, &by_number, sizeof(own)) == 0, "a CPU has one identification");
    smp_expect(w, (own.ich_vtr & 0x1f) + 1 == hal_gic_lr_count(), "ICH_VTR_EL2.ListRegs");
    smp_expect(w, hal_cpu_self() == w->cpu, "hal_cpu_self() is the CPU that was started");
    smp_expect(w, hal_cpu_mpidr() == platform->cpu_mpidr[w->cpu],
               "hal_cpu_mpidr() is the platform's");
    smp_expect(w, hal_gic_lr_count() == w->smp->counter, "hal_gic_lr_count() is the same on all");
    smp_expect(w, contract_is_quiet(), "nothing is pending on a CPU that was started");
    hal_timer_arm(0);
    smp_take(w, platform->timer_hyp_intid, "the timer of a started CPU works");
    hal_cpu_kick(w->cpu);
    smp_take(w, INTID_KICK, "a started CPU can kick itself");
    smp_expect(w, contract_is_quiet(), "and nothing else comes");
}

/* All CPUs of the machines that this runs on are. */
static void check_likeness(struct contract *ct, unsigned cpu)
{
    struct arch_idregs own, other;

    hal_id_regs(&own);
    memset(&other, 0xa5, sizeof(other));
    hal_cpu_id_regs(cpu, &other);
    contract_ok(ct, memcmp(&own, &other, sizeof(own)) == 0, "the CPUs are alike");
}

static void check_start(struct smp *smp)
{
    unsigned none = smp->nr_cpus;
    const char *failure = NULL;

    contract_ok(smp->ct, hal_cpu_start(none, worker_entry, smp) == HV_ERR_RANGE,
                "hal_cpu_start() of a CPU that is not there");
    contract_ok(smp->ct, hal_cpu_start(~0u, worker_entry, smp) == HV_ERR_RANGE,
                "hal_cpu_start() of a CPU that cannot be");
    contract_ok(smp->ct, hal_cpu_start(0, worker_entry, smp) == HV_ERR_BUSY,
                "hal_cpu_start() of the CPU itself");
    for (unsigned cpu = 1; cpu < none && failure == NULL; cpu++)
        failure = start_worker(&smp->worker[cpu], 1);
    smp->lost = failure != NULL;
    smp_result(smp, failure, "all CPUs start");
    for (unsigned cpu = 1; cpu < none && failure == NULL; cpu++)
        check_likeness(smp->ct, cpu);
    contract_ok(smp->ct, hal_cpu_start(1, worker_entry, smp) == HV_ERR_BUSY,
                "hal_cpu_start() of a CPU that is on");
    smp->counter = hal_gic_lr_count();
    smp_result(smp, smp_go_all(smp, 0, job_look_around), "each is itself, and as hal_init() says");
}

/* --- Shared memory --- */

static void job_count(struct smp_worker *w)
{
    struct smp *smp = w->smp;

    for (unsigned i = 0; i < ROUNDS; i++) {
        while (atomic_flag_test_and_set_explicit(&smp->lock, memory_order_acquire))
            hal_cpu_relax();
        uint64_t before = smp->counter;
        if (i % 4 == 0)
            hal_cpu_relax();
        smp->counter = before + 1;
        atomic_flag_clear_explicit(&smp->lock, memory_order_release);
    }
}

static void check_exclusion(struct smp *smp)
{
    smp->counter = 0;
    smp_result(smp, smp_go_all(smp, 0, job_count), "a lock that all CPUs fight for");
    contract_eq(smp->ct, smp->counter, (uint64_t)ROUNDS * smp->nr_cpus, "keeps them apart");
}

/* --- Kicks and timers --- */

static void job_idle(struct smp_worker *w)
{
    uint32_t intid;

    hal_timer_arm(hal_time_now() + smp_patience() / 2);
    atomic_store(&w->waiting, true);
    do {
        hal_cpu_idle();
        intid = hal_irq_ack();
    } while (intid == INTID_NONE);
    smp_expect(w, intid == INTID_KICK, "a kick of another CPU ends hal_cpu_idle()");
    smp_expect(w, w->mail == MAIL + w->peer, "what was written before the kick is there");
    hal_timer_arm(HAL_TIMER_NEVER);
    hal_irq_end(intid, true);
    smp_expect(w, contract_is_quiet(), "one kick is one interrupt");
}

static void job_kick_peer(struct smp_worker *w)
{
    struct smp_worker *peer = &w->smp->worker[w->peer];
    uint64_t settle = hal_time_now() + hal_time_hz() / 10000;

    smp_expect(w, smp_wait(&peer->waiting), "the other CPU idles");
    while (w->cpu % 2 == 1 && hal_time_now() < settle) /* some find it asleep, some not yet */
        hal_cpu_relax();
    peer->mail = MAIL + w->cpu;
    hal_cpu_kick(w->peer);
}

static void check_kicks(struct smp *smp)
{
    const char *failure = NULL;

    for (unsigned from = 0; from < smp->nr_cpus; from++)
        for (unsigned to = 0; to < smp->nr_cpus && failure == NULL; to++) {
            if (from == to)
                continue;
            smp->worker[from].peer = to;
            smp->worker[from].next = job_kick_peer;
            smp->worker[to].peer = from;
            smp->worker[to].next = job_idle;
            failure = smp_go(smp);
        }
    smp_result(smp, failure, "each CPU kicks each other one awake");
}

/* The later a CPU is, the earlier is its deadline. */
static void job_sleep(struct smp_worker *w)
{
    uint64_t step = hal_time_hz() / 1000;
    uint64_t deadline = hal_time_now() + (w->smp->nr_cpus - w->cpu) * step;
    uint32_t intid;

    hal_timer_arm(deadline);
    do {
        hal_cpu_idle();
        intid = hal_irq_ack();
    } while (intid == INTID_NONE);
    smp_expect(w, intid == w->smp->ct->platform.timer_hyp_intid, "each CPU's timer wakes it");
    smp_expect(w, hal_time_now() >= deadline, "not before its own deadline");
    hal_timer_arm(HAL_TIMER_NEVER);
    hal_irq_end(intid, true);
    smp_expect(w, contract_is_quiet(), "and no other CPU's");
}

/* --- Stop --- */

static void job_leave(struct smp_worker *w)
{
    w->leave = true;
}

/* What it leaves behind is nothing that the next start may find. */
static void job_stop_in_disorder(struct smp_worker *w)
{
    uint32_t timer = w->smp->ct->platform.timer_hyp_intid;
    hv_err err = hal_irq_enable(timer, false);

    smp_expect(w, err == HV_OK, "the timer's interrupt can be disabled");
    hal_timer_arm(0);
    hal_cpu_kick(w->cpu);
    if (smp_expect(w, contract_wait_irq() == INTID_KICK, "a kick to leave active"))
        hal_irq_end(INTID_KICK, false);
    atomic_store(&w->job, NULL);
    hal_cpu_stop();
}

static const char *restart_all(struct smp *smp, smp_job *last, unsigned times)
{
    const char *failure = smp_go_all(smp, 1, last);

    for (unsigned cpu = 1; cpu < smp->nr_cpus && failure == NULL; cpu++)
        failure = start_worker(&smp->worker[cpu], times);
    smp->lost = smp->lost || failure != NULL;
    smp->counter = hal_gic_lr_count();
    return failure != NULL ? failure : smp_go_all(smp, 1, job_look_around);
}

static void job_start_peer(struct smp_worker *w)
{
    struct smp_worker *peer = &w->smp->worker[w->peer];

    w->err = start(peer, worker_entry, peer);
}

static void job_race(struct smp_worker *w)
{
    struct smp_worker *peer = &w->smp->worker[w->peer];

    do {
        w->err = hal_cpu_start(w->peer, worker_entry, peer);
        hal_cpu_relax();
    } while (w->err == HV_ERR_BUSY && atomic_load(&peer->entries) == w->mail);
}

/* CPU 2 is stopped, and started by CPU 1; then again, by two CPUs at once. */
static void check_start_by_others(struct smp *smp, unsigned times)
{
    struct smp_worker *w = smp->worker;
    const char *failure;

    w[2].next = job_leave;
    failure = smp_go(smp);
    w[1].next = job_start_peer;
    w[1].peer = 2;
    failure = failure != NULL ? failure : smp_go(smp);
    smp_result(smp, failure, "a CPU that is not the boot CPU starts one");
    contract_ok(smp->ct, w[1].err == HV_OK && has_entered(&w[2], times), "and it runs");

    w[2].next = job_leave;
    failure = smp_go(smp);
    for (unsigned cpu = 0; cpu < 2; cpu++) {
        w[cpu].next = job_race;
        w[cpu].peer = 2;
        w[cpu].mail = times;
    }
    failure = failure != NULL ? failure : smp_go(smp);
    smp_result(smp, failure, "two CPUs start a third at once");
    contract_ok(smp->ct, (w[0].err == HV_OK) != (w[1].err == HV_OK), "and one of them does");
    contract_ok(smp->ct, has_entered(&w[2], times + 1), "so that it runs once");
}

static void check_stop(struct smp *smp)
{
    smp_result(smp, restart_all(smp, job_leave, 2), "entry() returns, and the CPU starts again");
    smp_result(smp, restart_all(smp, job_stop_in_disorder, 3),
               "hal_cpu_stop() in disorder, and the CPU starts in order");
    smp_result(smp, restart_all(smp, job_leave, 4), "once more");
    if (smp->nr_cpus > 2 && !smp->lost)
        check_start_by_others(smp, 5);
}

/* --- The boot CPU is one like the others --- */

static void boot_entry(void *arg)
{
    struct smp *smp = arg;

    contract_eq(smp->ct, hal_cpu_self(), 0, "the boot CPU stops, and starts again");
    contract_eq(smp->ct, smp->counter, MAIL, "and sees what was written before");
    contract_ok(smp->ct, memcmp(smp->ct->boot, &smp->boot, sizeof(smp->boot)) == 0,
                "hal_boot lives as long as the machine");
    contract_ok(smp->ct, wait_done(&smp->worker[1]) && smp->worker[1].err == HV_OK,
                "who has started it knows");
    smp->counter = hal_gic_lr_count();
    smp_result(smp, smp_go_all(smp, 0, job_look_around), "all CPUs are as at first");
    contract_finish(smp->ct);
}

static void job_restart_boot(struct smp_worker *w)
{
    w->smp->counter = MAIL;
    w->err = start(&w->smp->worker[0], boot_entry, w->smp);
}

void contract_check_smp(struct contract *ct)
{
    struct smp *smp = &the_smp;

    smp->ct = ct;
    smp->boot = *ct->boot;
    smp->nr_cpus = ct->platform.nr_cpus;
    for (unsigned cpu = 0; cpu < smp->nr_cpus; cpu++) {
        smp->worker[cpu].smp = smp;
        smp->worker[cpu].cpu = cpu;
    }
    check_start(smp);
    if (smp->lost)
        contract_finish(ct);
    check_exclusion(smp);
    check_kicks(smp);
    smp_result(smp, smp_go_all(smp, 0, job_sleep), "all CPUs sleep until deadlines of their own");
    smp_check_spi(smp);
    smp_check_vcpus(smp);
    check_stop(smp);
    if (smp->lost)
        contract_finish(ct);
    atomic_store(&smp->worker[1].job, job_restart_boot);
    hal_cpu_stop();
}
