/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The scheduler under core's own loop: vCPUs of two VMs send each other interrupts, wait for them
 * and for timers, suspend themselves, give way and use up their slices, on CPUs that go offline and
 * come back, while one of the VMs is paused and resumed. Each interrupt arrives once, and devices
 * get their work done, so that a wake that is lost leaves all CPUs asleep. `sched-idle`: fewer
 * vCPUs than CPUs. Who sends spins until it has arrived, and no slice ends: whoever was woken has
 * to run at once, not some day.
 */
#include "abi/psci.h"
#include "base/bits.h"
#include "exit/exit.h"
#include "explore/explore.h"
#include "explore/script.h"
#include "explore/tests.h"
#include "hal/hal.h"
#include "unit/prng.h"
#include "vm/sched.h"
#include <stdatomic.h>

#define CPUS      EXPLORE_MAX_CPUS
#define VMS       2u
#define VCPUS     3u
#define SPIS      6u
#define ROUNDS    14u
#define POKE      15u /* the SGI that ends a sleep */
#define MICROS    300u
#define OFF_MAX   200u
#define SPINS_MAX 20000u
#define NOBODY    UINT32_MAX
#define ENTRY     MACHINE_RAM_BASE

/* Its own pCPU's. */
static struct guest {
    uint64_t random;
    uint32_t rounds;
    uint32_t spins;
    bool asleep; /* in a sleep that no timer ends */
    bool done;
    _Atomic bool *awaits; /* spins until it is false; NULL: nothing */
} guests[VMS][VCPUS];

static struct vm_config configs[VMS];
static struct hv *hv;
static bool crowded;                        /* not sched-idle */
static _Atomic uint32_t place[VMS][VCPUS];  /* the pCPU that it executes on, or NOBODY */
static _Atomic bool sgi[VMS][VCPUS][VCPUS]; /* to, from */
static _Atomic bool poke[VMS][VCPUS];
static _Atomic bool spi[VMS][SPIS];
static _Atomic bool spi_pulsed[VMS][SPIS];
static _Atomic bool device_posted[VMS]; /* its work() is to come */
static uint32_t device_index[VMS];
static _Atomic bool pausing;
static _Atomic bool ended;
static _Atomic bool over; /* all VMs have ended: the pCPUs stop */
static _Atomic uint32_t nr_raised;
static _Atomic uint32_t nr_busy;  /* vCPUs with rounds left */
static _Atomic uint32_t nr_awake; /* of those, all that nobody has to wake */
static uint64_t free_pages;

static unsigned vm_of(const struct vcpu *vcpu)
{
    return vcpu->vm->id - 1u;
}

static struct guest *guest_of(const struct vcpu *vcpu)
{
    return &guests[vm_of(vcpu)][vcpu->index];
}

static unsigned nr_vms(void)
{
    return crowded ? VMS : 1;
}

/* --- What must hold --- */

static void check_running(const struct vcpu *vcpu)
{
    const struct pcpu *pcpu = &hv->pcpu[hal_cpu_self()];

    EXPECT(vcpu->state == VCPU_RUNNING && vcpu->pcpu == pcpu);
    EXPECT(pcpu->current == vcpu && pcpu->loaded == vcpu && vcpu->loaded && vcpu->budget > 0);
    EXPECT((vcpu->affinity >> pcpu->cpu & 1) != 0);
    EXPECT((atomic_load(&hv->online) >> pcpu->cpu & 1) != 0);
    EXPECT((atomic_load(&hv->idle) >> pcpu->cpu & 1) == 0);
}

/* Nobody sleeps over an interrupt, or work for a device. */
SCRIPT_UNWATCHED static void settled(void)
{
    for (unsigned slot = 0; slot < nr_vms(); slot++) {
        const struct vm *vm = hv->vm[slot];
        EXPECT(vm->state != VM_RUNNING || !device_posted[slot] || script_is_queued(vm));
        for (unsigned i = 0; i < VCPUS; i++) {
            if (hv->vm[slot]->state != VM_RUNNING || hv->vm[slot]->vcpu[i].state != VCPU_BLOCKED)
                continue;
            EXPECT(!poke[slot][i]);
            for (unsigned from = 0; from < VCPUS; from++)
                EXPECT(!sgi[slot][i][from]);
            for (unsigned n = i; n < SPIS; n += VCPUS)
                EXPECT(!spi[slot][n]);
        }
    }
}

/* --- Interrupts --- */

static void raise_to(_Atomic bool *raised, struct vcpu *from, unsigned to, unsigned intid)
{
    if (atomic_exchange(raised, true))
        return;
    atomic_fetch_add(&nr_raised, 1);
    script_send_sgi(from, to, intid);
}

static void raise_spi(unsigned slot, unsigned n)
{
    if (atomic_exchange(&spi_pulsed[slot][n], true))
        return;
    if (!atomic_exchange(&spi[slot][n], true)) {
        atomic_fetch_add(&nr_raised, 1);
        script_pulse_spi(hv->vm[slot], n);
    }
    atomic_store(&spi_pulsed[slot][n], false);
}

/* From any pCPU: neither VM goes meanwhile. */
static void post_device(unsigned slot)
{
    if (!atomic_exchange(&device_posted[slot], true))
        atomic_fetch_add(&nr_raised, 1);
    vm_post_device(hv->vm[slot], device_index[slot]);
}

/* Says that there is more when it has found something to do. */
static bool device_work(void *dev)
{
    bool found = atomic_exchange((_Atomic bool *)dev, false);

    if (found)
        atomic_fetch_sub(&nr_raised, 1);
    return found;
}

static void device_destroy(struct vm *vm, void *dev)
{
    (void)vm;
    EXPECT(!atomic_load((_Atomic bool *)dev));
}

static void end_if_done(void)
{
    if (atomic_load(&nr_busy) != 0 || atomic_load(&nr_raised) != 0 || atomic_exchange(&ended, true))
        return;
    for (unsigned slot = 0; slot < nr_vms(); slot++)
        vm_end(hv->vm[slot], VM_OFF, "the test is over");
}

static void taken(struct vcpu *vcpu, uint32_t intid)
{
    unsigned slot = vm_of(vcpu);
    _Atomic bool *raised = NULL;

    if (intid == POKE)
        raised = &poke[slot][vcpu->index];
    else if (intid < VCPUS)
        raised = &sgi[slot][vcpu->index][intid];
    else if (intid >= GIC_FIRST_SPI)
        raised = &spi[slot][intid - GIC_FIRST_SPI];
    else
        script_stop_timer(vcpu, intid);
    if (raised == NULL)
        return;
    EXPECT(intid < GIC_FIRST_SPI || (intid - GIC_FIRST_SPI) % VCPUS == vcpu->index);
    EXPECT(atomic_exchange(raised, false)); /* else it has come twice */
    atomic_fetch_sub(&nr_raised, 1);
}

/* --- What a guest does --- */

static void poke_all(struct vcpu *vcpu)
{
    for (unsigned to = 0; to < VCPUS; to++)
        raise_to(&poke[vm_of(vcpu)][to], vcpu, to, POKE);
    if (nr_vms() > 1)
        for (unsigned n = 0; n < VCPUS; n++)
            raise_spi(1 - vm_of(vcpu), n);
}

/* Sleeps until somebody sends it something: not the last that could. */
static void sleep(struct guest *g, struct arch_exit *exit)
{
    g->asleep = atomic_fetch_sub(&nr_awake, 1) != 1;
    if (g->asleep)
        script_wfi(exit);
    else
        atomic_fetch_add(&nr_awake, 1);
}

static void suspend(struct vcpu *vcpu, struct arch_exit *exit, bool power_down)
{
    script_call(vcpu, exit, PSCI_CPU_SUSPEND_64,
                power_down ? PSCI_STATE_POWER_DOWN : PSCI_STATE_STANDBY, ENTRY, 0);
}

static void send(struct vcpu *vcpu, struct guest *g)
{
    unsigned to = (unsigned)explore_pick(&g->random, VCPUS);
    _Atomic bool *raised = &sgi[vm_of(vcpu)][to][vcpu->index];

    raise_to(raised, vcpu, to, vcpu->index);
    g->awaits = raised;
    g->spins = 0;
}

/* Of the second VM, by the first. */
static void pause_and_resume(struct guest *g)
{
    if (!crowded || atomic_exchange(&pausing, true))
        return;
    EXPECT(vm_pause(hv->vm[1]) == HV_OK);
    script_spend(explore_pick(&g->random, MICROS));
    EXPECT(vm_resume(hv->vm[1]) == HV_OK);
    atomic_store(&pausing, false);
}

static void send_off(unsigned cpu)
{
    atomic_store(&hv->pcpu[cpu].leave, true);
    hal_cpu_kick(cpu);
}

static void do_one(struct vcpu *vcpu, struct guest *g, struct arch_exit *exit)
{
    uint64_t *random = &g->random;

    switch (explore_pick(random, 13)) {
    case 0:
        script_wfe(exit);
        break;
    case 1:
        script_spend(explore_pick(random, MICROS));
        break;
    case 2:
    case 3:
        script_start_timer(vcpu, explore_pick(random, 2) == 0, explore_pick(random, MICROS));
        script_wfi(exit);
        break;
    case 4:
        script_start_timer(vcpu, explore_pick(random, 2) == 0, explore_pick(random, MICROS));
        suspend(vcpu, exit, explore_pick(random, 2) == 0);
        break;
    case 5:
    case 6:
        sleep(g, exit);
        break;
    case 7:
        if (vm_of(vcpu) == 0)
            pause_and_resume(g);
        break;
    case 8:
        send_off((unsigned)explore_pick(random, CPUS));
        break;
    case 9:
        post_device((unsigned)explore_pick(random, nr_vms()));
        break;
    case 10:
        raise_spi((unsigned)explore_pick(random, nr_vms()), (unsigned)explore_pick(random, SPIS));
        break;
    default:
        send(vcpu, g);
        break;
    }
}

/* With fewer vCPUs than pCPUs nothing is allowed to take time, but for what ends a sleep. */
static void do_one_alone(struct vcpu *vcpu, struct guest *g, struct arch_exit *exit)
{
    switch (explore_pick(&g->random, 5)) {
    case 0:
        sleep(g, exit);
        break;
    case 2:
        post_device(0);
        break;
    case 1:
        script_wfi(exit);
        script_start_timer(vcpu, explore_pick(&g->random, 2) == 0, 1);
        break;
    default:
        send(vcpu, g);
        break;
    }
}

static bool spins(struct guest *g)
{
    if (g->awaits == NULL || !atomic_load(g->awaits)) {
        g->awaits = NULL;
        return false;
    }
    EXPECT(crowded || ++g->spins < SPINS_MAX); /* else it was woken, and does not run */
    script_spin();
    return true;
}

static void go_on(struct vcpu *vcpu, struct guest *g, struct arch_exit *exit)
{
    if (g->asleep) {
        g->asleep = false;
        atomic_fetch_add(&nr_awake, 1);
    }
    if (g->rounds > 0) {
        g->rounds--;
        (crowded ? do_one : do_one_alone)(vcpu, g, exit);
        return;
    }
    if (!g->done) {
        g->done = true;
        if (atomic_fetch_sub(&nr_awake, 1) == 1)
            poke_all(vcpu);
        atomic_fetch_sub(&nr_busy, 1);
    }
    end_if_done();
    script_wfi(exit);
}

static void run_guest(struct vcpu *vcpu, struct arch_exit *exit)
{
    struct guest *g = guest_of(vcpu);
    _Atomic uint32_t *here = &place[vm_of(vcpu)][vcpu->index];

    EXPECT(atomic_exchange(here, hal_cpu_self()) == NOBODY);
    check_running(vcpu);
    script_check_pcpu(&hv->pcpu[explore_pick(&g->random, CPUS)]);
    (void)script_open_interface(vcpu);
    script_take(vcpu, taken);
    if (!spins(g))
        go_on(vcpu, g, exit);
    else if (crowded && explore_pick(&g->random, 4) == 0)
        script_wfe(exit);
    EXPECT(atomic_exchange(here, NOBODY) == hal_cpu_self());
}

/* --- The manager's part --- */

static void call_leavers(void)
{
    for (unsigned cpu = 0; cpu < CPUS; cpu++)
        if (atomic_load(&hv->pcpu[cpu].leave))
            hal_cpu_kick(cpu);
}

/* Goes offline, and comes back after a while. */
static void go_away(struct pcpu *pcpu, uint64_t *random)
{
    if (sched_offline(pcpu) != HV_OK)
        return;
    EXPECT(pcpu->nr_queued == 0 && pcpu->loaded == NULL && pcpu->running == NULL);
    hv_post_work(hv);
    atomic_store(&hv->managing, false);
    hal_cpu_kick((unsigned)__builtin_ctzll(atomic_load(&hv->online)));
    for (uint64_t ticks = explore_pick(random, OFF_MAX); ticks > 0; ticks--)
        hal_cpu_relax();
    atomic_store(&pcpu->leave, true);
    while (!hv_start_managing(pcpu))
        hal_cpu_relax();
    sched_online(pcpu);
}

static bool all_quiet(void)
{
    for (unsigned slot = 0; slot < nr_vms(); slot++)
        if (!vm_is_over(hv->vm[slot]))
            return false;
    return true;
}

/* True if this pCPU is to stop. */
static bool manage(struct pcpu *pcpu, uint64_t *random)
{
    do {
        if (!atomic_load(&over) && atomic_load(&pcpu->leave))
            go_away(pcpu, random);
        if (!atomic_load(&over) && all_quiet()) {
            for (unsigned cpu = 0; cpu < CPUS; cpu++)
                atomic_store(&hv->pcpu[cpu].leave, true);
            atomic_store(&over, true);
        }
        if (atomic_load(&over)) {
            atomic_store(&pcpu->leave, false);
            atomic_store(&hv->managing, false);
            call_leavers();
            return true;
        }
    } while (!hv_stop_managing(pcpu));
    call_leavers();
    return false;
}

static void work(struct world *w, unsigned cpu, uint64_t *random)
{
    struct pcpu *pcpu = &w->hv.pcpu[cpu];

    do
        exit_run(pcpu);
    while (!manage(pcpu, random));
}

/* --- Before and after --- */

static const struct script script = {.guest = run_guest, .settled = settled};

/* By the seed, all run anywhere, or some on one or two pCPUs only. */
static void choose_affinity(uint64_t *random)
{
    if (!crowded || explore_pick(random, 2) == 0)
        return;
    for (unsigned i = 0; i < VCPUS; i++)
        if (explore_pick(random, 2) == 0)
            configs[1].affinity[i] =
                BIT(explore_pick(random, CPUS)) | BIT(explore_pick(random, CPUS));
}

static void make_vm(unsigned slot, uint64_t *random)
{
    struct vm *vm;

    configs[slot].memory = VM_MIN_MEMORY;
    configs[slot].vcpus = VCPUS;
    configs[slot].spis = 32;
    configs[slot].weight = 1 + (uint32_t)explore_pick(random, VM_WEIGHT_MAX);
    EXPECT(vm_create(hv, &configs[slot], (uint16_t)(slot + 1), &vm) == HV_OK);
    hv->vm[slot] = vm;
    EXPECT(vm_add_worker(vm, &device_posted[slot], device_destroy, device_work,
                         &device_index[slot]) == HV_OK);
    script_open_gic(vm, SPIS);
    for (unsigned i = 0; i < VCPUS; i++) {
        guests[slot][i].random = prng_next(random);
        guests[slot][i].rounds = ROUNDS;
        atomic_init(&place[slot][i], NOBODY);
    }
}

static void begin(struct world *w)
{
    uint64_t random = explore_plan.seed * UINT64_C(0x9e3779b97f4a7c15) | 1;

    hv = &w->hv;
    free_pages = page_pool_free_pages(&hv->pool);
    for (unsigned cpu = 0; cpu < CPUS; cpu++) {
        sched_init_pcpu(hv, cpu);
        sched_online(&hv->pcpu[cpu]);
    }
    choose_affinity(&random);
    hv->nr_vms = nr_vms();
    for (unsigned slot = 0; slot < nr_vms(); slot++)
        make_vm(slot, &random);
    atomic_store(&nr_busy, nr_vms() * VCPUS);
    atomic_store(&nr_awake, nr_vms() * VCPUS);
    for (unsigned slot = 0; slot < nr_vms(); slot++) {
        vm_start(hv->vm[slot], ipa(ENTRY), 0);
        for (unsigned i = 1; i < VCPUS; i++)
            EXPECT(vm_vcpu_on(&hv->vm[slot]->vcpu[i], ipa(ENTRY), 0) == HV_OK);
    }
    script_begin(&script, hv);
}

static void prepare(struct world *w)
{
    crowded = true;
    begin(w);
}

static void finish(struct world *w)
{
    (void)w;
    for (unsigned cpu = 0; cpu < CPUS; cpu++) {
        script_check_pcpu(&hv->pcpu[cpu]);
        EXPECT(hv->pcpu[cpu].nr_queued == 0 && hv->pcpu[cpu].loaded == NULL);
    }
    atomic_store(&hv->online, 1); /* the others do not come by any more */
    for (unsigned slot = 0; slot < nr_vms(); slot++) {
        for (unsigned i = 0; i < VCPUS; i++) {
            const struct vcpu *vcpu = &hv->vm[slot]->vcpu[i];
            EXPECT(vcpu->state == VCPU_OFF && vcpu->power == VCPU_POWER_OFF && !vcpu->loaded);
        }
        vm_destroy(hv->vm[slot]);
    }
    EXPECT(page_pool_free_pages(&hv->pool) == free_pages && nr_raised == 0);
}

const struct explore_test explore_sched = {
    .name = "sched", .nr_cpus = CPUS, .prepare = prepare, .work = work, .finish = finish};

/* No more vCPUs than pCPUs. */
const struct explore_test explore_sched_idle = {
    .name = "sched-idle", .nr_cpus = CPUS, .prepare = begin, .work = work, .finish = finish};
