/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Random wakes, waits, times, ends and pCPUs, against what must hold whatever happens; and shares
 * of time over seconds. */
#include "prng.h"
#include "vm/sched.h"
#include "vm_fixture.h"

#define HZ        62500000u /* fakehal's */
#define MS        (HZ / 1000)
#define ROUND     (8 * MS)
#define MIN_SLICE (HZ / 5000)
#define VMS       4u
#define VCPUS     3u
#define CPUS      4u

static struct fixture f;
static struct vm_config configs[VMS];
static uint64_t seed;

static uint64_t below(uint64_t n)
{
    return (prng_next(&seed) >> 16) % n;
}

static struct pcpu *pcpu(unsigned cpu)
{
    return &f.hv->pcpu[cpu];
}

static bool is_online(unsigned cpu)
{
    return (f.hv->online >> cpu & 1) != 0;
}

/* --- A pCPU's part --- */

/* What a pCPU does by itself when it leaves the guest or its idling; true if it did something. */
static bool serve(unsigned cpu)
{
    struct fakehal_cpu *hw = &fakehal()->cpu[cpu];
    bool busy = false;

    fakehal()->self = cpu;
    if (hw->pending[HAL_INTID_KICK]) {
        hw->pending[HAL_INTID_KICK] = false;
        pcpu(cpu)->resched = true;
    }
    if (fakehal()->now >= hw->deadline) {
        timer_queue_run(&pcpu(cpu)->timers);
        busy = true;
    }
    for (unsigned i = 0; pcpu(cpu)->resched; i++) {
        cr_assert_lt(i, 20, "it chooses for ever");
        (void)sched_next(pcpu(cpu));
        busy = true;
    }
    return busy;
}

static void serve_all(void)
{
    bool busy = true;

    for (unsigned i = 0; busy; i++) {
        cr_assert_lt(i, 50, "they keep each other busy for ever");
        busy = false;
        for (unsigned cpu = 0; cpu < f.hv->platform.nr_cpus; cpu++)
            busy |= is_online(cpu) && serve(cpu);
    }
}

/* The next moment at which hardware does something, at most `ticks` away. */
static void pass(uint64_t ticks)
{
    uint64_t then = fakehal()->now + ticks;

    for (unsigned cpu = 0; cpu < f.hv->platform.nr_cpus; cpu++) {
        uint64_t deadline = fakehal()->cpu[cpu].deadline;
        if (is_online(cpu) && deadline > fakehal()->now && deadline < then)
            then = deadline;
    }
    fakehal()->now = then;
    serve_all();
}

/* --- What must hold --- */

static unsigned queues_with(const struct vcpu *vcpu, const struct pcpu **where)
{
    unsigned count = 0;

    for (unsigned cpu = 0; cpu < f.hv->platform.nr_cpus; cpu++)
        for (struct list_node *pos = pcpu(cpu)->runq.next; pos != &pcpu(cpu)->runq; pos = pos->next)
            if (list_entry(pos, struct vcpu, runq) == vcpu) {
                *where = pcpu(cpu);
                count++;
            }
    return count;
}

static void check_vcpu(const struct vcpu *vcpu)
{
    const struct pcpu *home = vcpu->pcpu;
    const struct pcpu *queued = NULL;
    unsigned current = 0;

    for (unsigned cpu = 0; cpu < f.hv->platform.nr_cpus; cpu++)
        current += pcpu(cpu)->current == vcpu;
    cr_assert_eq(queues_with(vcpu, &queued), vcpu->state == VCPU_RUNNABLE);
    cr_assert_eq(current, vcpu->state == VCPU_RUNNING);
    cr_assert_eq(vcpu->state == VCPU_OFF, vcpu->power == VCPU_POWER_OFF);
    if (vcpu->state == VCPU_OFF)
        return;
    cr_assert(is_online(home->cpu), "its home is offline");
    cr_assert((vcpu->affinity >> home->cpu & 1) != 0);
    cr_assert_eq(vcpu->loaded, home->loaded == vcpu);
    if (vcpu->state == VCPU_RUNNING)
        cr_assert(home->current == vcpu && home->loaded == vcpu && home->running == vcpu);
    if (vcpu->state != VCPU_RUNNABLE)
        return;
    cr_assert_eq(queued, home);
    for (unsigned cpu = 0; cpu < f.hv->platform.nr_cpus; cpu++)
        cr_assert(!is_online(cpu) || (vcpu->affinity >> cpu & 1) == 0 || pcpu(cpu)->current != NULL,
                  "it waits, and pCPU %u idles", cpu);
}

static void check_pcpu(const struct pcpu *cpu)
{
    uint32_t queued = 0;

    for (struct list_node *pos = cpu->runq.next; pos != &cpu->runq; pos = pos->next)
        queued++;
    cr_assert_eq(cpu->nr_queued, queued);
    cr_assert_eq(fakehal()->cpu[cpu->cpu].loaded, cpu->loaded != NULL ? &cpu->loaded->arch : NULL);
    if (!is_online(cpu->cpu)) {
        cr_assert_eq(queued, 0);
        cr_assert_null(cpu->loaded);
        cr_assert_null(cpu->current);
        cr_assert(list_empty(&((struct pcpu *)(uintptr_t)cpu)->timers.head));
    }
    cr_assert_eq(f.hv->idle >> cpu->cpu & 1, is_online(cpu->cpu) && cpu->current == NULL);
    if (queued != 0)
        cr_assert(timer_active(&cpu->slice), "others wait, and nothing ends this one's slice");
}

static void check(void)
{
    for (unsigned cpu = 0; cpu < f.hv->platform.nr_cpus; cpu++)
        check_pcpu(pcpu(cpu));
    for (unsigned i = 0; i < VMS; i++) {
        const struct vm *vm = f.hv->vm[i];
        uint32_t live = 0;
        for (unsigned n = 0; vm != NULL && n < vm->nr_vcpus; n++) {
            check_vcpu(&vm->vcpu[n]);
            live += vm->vcpu[n].state != VCPU_OFF;
            /* One that waits for its turn is parked when that comes. */
            cr_assert(vm->state != VM_PAUSED || vm->vcpu[n].state != VCPU_RUNNING);
            cr_assert(vm->state != VM_RUNNING || vm->vcpu[n].state != VCPU_PARKED);
        }
        if (vm == NULL)
            continue;
        cr_assert_eq(vm->nr_live, live);
    }
}

/* --- What happens --- */

static void start_vm(unsigned slot)
{
    cr_assert_eq(vm_create(f.hv, &configs[slot], (uint16_t)(slot + 1), &f.hv->vm[slot]), HV_OK);
    vm_start(f.hv->vm[slot], ipa(GUEST_ENTRY), 0);
}

static void end_vm(unsigned slot, bool again)
{
    vm_end(f.hv->vm[slot], VM_OFF, "by chance");
    serve_all();
    /* Those in queues are let go when it would be their turn. */
    for (unsigned i = 0; !vm_is_over(f.hv->vm[slot]); i++) {
        cr_assert_lt(i, 1000);
        pass(ROUND);
    }
    vm_destroy(f.hv->vm[slot]);
    f.hv->vm[slot] = NULL;
    f.hv->work = false;
    serve_all();
    if (again)
        start_vm(slot);
}

static unsigned any_online(void)
{
    unsigned cpu;

    do
        cpu = (unsigned)below(f.hv->platform.nr_cpus);
    while (!is_online(cpu));
    return cpu;
}

static void change_pcpus(void)
{
    unsigned cpu = (unsigned)below(f.hv->platform.nr_cpus);

    fakehal()->self = cpu;
    if (!is_online(cpu)) {
        sched_online(pcpu(cpu));
        pcpu(cpu)->resched = true;
    } else if (sched_offline(pcpu(cpu)) == HV_OK) {
        pcpu(cpu)->resched = false;
        fakehal()->cpu[cpu].pending[HAL_INTID_KICK] = false;
    }
}

/* Something that the guest on a pCPU does. */
static void guest_acts(struct vcpu *vcpu, uint64_t what)
{
    switch (what) {
    case 0:
        sched_give_way(vcpu);
        break;
    case 1:
        if (below(8) == 0 && vcpu->vm->nr_on > 1)
            vm_vcpu_off(vcpu);
        break;
    case 2:
        ptimer_write_cval(&vcpu->ptimer, fakehal()->now + below(ROUND));
        ptimer_write_ctl(&vcpu->ptimer, 1);
        break;
    case 3:
        hal_vcpu_sysreg_set(&vcpu->arch, ARCH_CNTV_CVAL_EL0, fakehal()->now + below(ROUND));
        hal_vcpu_sysreg_set(&vcpu->arch, ARCH_CNTV_CTL_EL0, below(2));
        break;
    case 4:
        sched_suspend(vcpu, (enum vcpu_suspend)(VCPU_STANDBY + below(3)), ipa(GUEST_ENTRY), 0);
        break;
    default:
        sched_wait(vcpu);
        break;
    }
}

static void act(void)
{
    struct vm *vm = f.hv->vm[below(VMS)];
    struct vcpu *vcpu = &vm->vcpu[below(vm->nr_vcpus)];
    unsigned cpu = any_online();
    uint64_t r = below(100);

    fakehal()->self = cpu;
    if (r < 35)
        sched_wake(vcpu);
    else if (r < 60 && pcpu(cpu)->current != NULL)
        guest_acts(pcpu(cpu)->current, below(8));
    else if (r < 80)
        fakehal_advance(below(2 * MS));
    else if (r < 86)
        (void)!vm_vcpu_on(vcpu, ipa(GUEST_ENTRY), 0);
    else if (r < 90)
        (void)!vm_pause(vm);
    else if (r < 95)
        (void)!vm_resume(vm);
    else if (r < 97)
        change_pcpus();
    else if (r < 98)
        end_vm((unsigned)(vm->id - 1u), true);
    else
        sched_unload(pcpu(cpu)), pcpu(cpu)->resched = true;
}

static void machine(unsigned cpus)
{
    fixture_hv(&f, MIB(16), cpus);
    f.hv->nr_vms = VMS;
    for (unsigned i = 0; i < VMS; i++) {
        configs[i] = f.config;
        configs[i].memory = MIB(1);
        configs[i].vcpus = VCPUS;
        configs[i].weight = (uint32_t)(1 + below(below(2) == 0 ? 1000 : 10));
        for (unsigned n = 0; n < VCPUS; n++)
            configs[i].affinity[n] = below(2) == 0 ? 0 : 1 | below(1u << cpus);
    }
    for (unsigned i = 0; i < VMS; i++)
        start_vm(i);
    for (unsigned cpu = 0; cpu < cpus; cpu++)
        pcpu(cpu)->resched = true;
    serve_all();
    check();
}

static void end_machine(void)
{
    for (unsigned cpu = 0; cpu < f.hv->platform.nr_cpus; cpu++)
        if (!is_online(cpu)) {
            fakehal()->self = cpu;
            sched_online(pcpu(cpu));
        }
    for (unsigned i = 0; i < VMS; i++)
        if (f.hv->vm[i] != NULL)
            end_vm(i, false);
    fixture_end(&f);
}

CASE(sched_model, whatever_happens)
{
    for (unsigned round = 0; round < 24; round++) {
        seed = 1000 + round;
        machine(1 + round % CPUS);
        for (unsigned i = 0; i < 1500; i++) {
            unsigned burst = 1 + (unsigned)below(4);
            while (burst-- > 0)
                act();
            serve_all();
            check();
        }
        end_machine();
    }
}

/* --- Waiting one's turn --- */

/* No slice is longer: the whole round, or what the least weight makes of it. */
static uint64_t longest_slice(uint32_t weight, uint32_t least)
{
    uint64_t slice = (uint64_t)weight * MIN_SLICE / least;

    return slice > ROUND ? slice : ROUND;
}

struct waiter {
    struct vcpu *vcpu;
    bool waits;
    uint64_t since;
    uint64_t runtime; /* then */
    uint64_t bound;
};

static void watch(struct waiter *w)
{
    bool waits = w->vcpu->state == VCPU_RUNNABLE;

    /* It may have run and be waiting again. */
    if (waits && (!w->waits || w->runtime != w->vcpu->runtime)) {
        w->since = fakehal()->now;
        w->runtime = w->vcpu->runtime;
    }
    w->waits = waits;
    if (waits)
        cr_assert_leq(fakehal()->now - w->since, w->bound, "it waits for too long");
}

CASE(sched_model, a_turn_comes_after_one_slice_of_each_other)
{
    for (unsigned round = 0; round < 12; round++) {
        struct waiter waiter[VMS * VCPUS];
        uint32_t least = UINT32_MAX;
        uint64_t sum = 0;

        seed = 77 + round;
        machine(1);
        for (unsigned i = 0; i < VMS; i++)
            least = configs[i].weight < least ? configs[i].weight : least;
        for (unsigned i = 0; i < VMS; i++)
            for (unsigned n = 0; n < VCPUS; n++) {
                fakehal()->self = 0;
                (void)!vm_vcpu_on(&f.hv->vm[i]->vcpu[n], ipa(GUEST_ENTRY), 0);
                sum += longest_slice(configs[i].weight, least);
            }
        for (unsigned i = 0; i < VMS * VCPUS; i++)
            waiter[i] = (struct waiter){
                .vcpu = &f.hv->vm[i / VCPUS]->vcpu[i % VCPUS],
                .bound = sum - longest_slice(configs[i / VCPUS].weight, least),
            };
        for (unsigned i = 0; i < 20000; i++) {
            struct vcpu *any = &f.hv->vm[below(VMS)]->vcpu[below(VCPUS)];
            if (below(3) == 0)
                sched_wake(any);
            else if (pcpu(0)->current != NULL && below(2) == 0)
                below(3) == 0 ? sched_wait(pcpu(0)->current) : sched_give_way(pcpu(0)->current);
            serve_all();
            for (unsigned k = 0; k < VMS * VCPUS; k++)
                watch(&waiter[k]);
            pass(below(ROUND));
            for (unsigned k = 0; k < VMS * VCPUS; k++)
                watch(&waiter[k]);
        }
        end_machine();
    }
}

/* --- Shares --- */

#define MAX_HOGS 3u

/* VMs of one vCPU each with these weights, on one pCPU. */
static void hogs(const uint32_t *weights, unsigned count)
{
    fixture_hv(&f, MIB(16), 1);
    f.hv->nr_vms = count;
    for (unsigned i = 0; i < count; i++) {
        configs[i] = f.config;
        configs[i].memory = MIB(1);
        configs[i].weight = weights[i];
        start_vm(i);
    }
    serve_all();
}

static void expect_share(unsigned slot, double percent)
{
    double got = 100.0 * (double)f.hv->vm[slot]->vcpu[0].runtime / (10.0 * HZ);

    cr_expect(got > percent - 2 && got < percent + 2, "VM %u: %f %% instead of %f %%", slot, got,
              percent);
}

static void end_hogs(unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        end_vm(i, false);
    fixture_end(&f);
}

CASE(sched_model, shares_are_as_weights)
{
    static const struct {
        unsigned count;
        uint32_t weight[MAX_HOGS];
    } rows[] = {{3, {1, 2, 4}}, {3, {100, 200, 400}}, {3, {1, 1, 1}}, {2, {1, 1000}},
                {2, {1000, 1}}, {3, {7, 1000, 7}},    {1, {5}},       {2, {1000, 999}}};

    for (size_t row = 0; row < ARRAY_LEN(rows); row++) {
        uint32_t sum = 0;
        hogs(rows[row].weight, rows[row].count);
        while (fakehal()->now < UINT64_C(10) * HZ)
            pass(UINT64_C(10) * HZ - fakehal()->now);
        pcpu(0)->resched = true;
        serve_all();
        for (unsigned i = 0; i < rows[row].count; i++)
            sum += rows[row].weight[i];
        for (unsigned i = 0; i < rows[row].count; i++)
            expect_share(i, 100.0 * rows[row].weight[i] / sum);
        end_hogs(rows[row].count);
    }
}

/* One of them wants `work` more of each `period`, and sleeps when it has had that. */
static void run_sleeper(uint64_t work, uint64_t period)
{
    struct vcpu *sleeper = &f.hv->vm[0]->vcpu[0];

    while (fakehal()->now < UINT64_C(10) * HZ) {
        uint64_t wanted = work * (1 + fakehal()->now / period);
        uint64_t left = period - fakehal()->now % period;
        pcpu(0)->resched = true;
        serve_all(); /* charges who runs */
        if (sleeper->state == VCPU_RUNNING && sleeper->runtime >= wanted) {
            sched_wait(sleeper);
        } else if (sleeper->state == VCPU_BLOCKED && sleeper->runtime < wanted) {
            sched_wake(sleeper);
        }
        serve_all();
        if (sleeper->state == VCPU_RUNNING && wanted - sleeper->runtime < left)
            left = wanted - sleeper->runtime;
        pass(left);
    }
    pcpu(0)->resched = true;
    serve_all();
}

/* It gets what it asks for as long as that is less than its share; the others have the rest. */
CASE(sched_model, one_that_sleeps_has_its_share_when_it_wakes)
{
    static const uint32_t equal[] = {100, 100, 100};

    hogs(equal, 3);
    run_sleeper(2 * MS, 10 * MS);
    expect_share(0, 20);
    expect_share(1, 40);
    expect_share(2, 40);
    end_hogs(3);
    hogs(equal, 2);
    run_sleeper(MS, 4 * MS); /* half of its share */
    expect_share(0, 25);
    expect_share(1, 75);
    end_hogs(2);
}

CASES_RUN(sched_model, NULL, NULL)
