/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * One CPU takes pages from a VM and gives them to somebody else, while others copy to the VM's
 * memory for its devices: nothing of what they copy is ever found with the new owner, and what
 * comes back is empty.
 */
#include "abi/machine.h"
#include "explore/explore.h"
#include "explore/tests.h"
#include "hal/hal.h"
#include "mem/guest_mem.h"
#include "vm/ram.h"
#include "vm/sched.h"

#define CPUS   3u
#define ROUNDS 40u
#define ORDER  1u
#define PAGES  (1u << ORDER)

static struct vm vm;
static struct vcpu vcpu[CPUS]; /* number n runs on CPU n, or waits */
static struct vm_config config;
static struct page_account other;
static struct page_account rest; /* of the memory: what is given back is found again at once */

/* Three pages stay, none beside another. */
static void use_up(struct page_pool *pool)
{
    pa_t page[6];
    pa_t block;

    rest.limit = UINT64_MAX;
    for (unsigned i = 0; i < 6; i++)
        EXPECT(page_pool_take(pool, &rest, 0, &page[i]) == HV_OK);
    for (unsigned order = PAGE_POOL_MAX_ORDER + 1; order-- > 0;)
        while (page_pool_take(pool, &rest, order, &block) == HV_OK) {
        }
    for (unsigned i = 0; i < 6; i += 2)
        page_pool_free(pool, &rest, page[i], 0);
}

static void prepare(struct world *w)
{
    struct hv *hv = &w->hv;
    pa_t block;

    vm.hv = hv;
    vm.vcpu = vcpu;
    vm.nr_vcpus = CPUS;
    config.memory = PAGES * PAGE_SIZE;
    vm.config = &config;
    vm.account.limit = other.limit = UINT64_MAX;
    for (unsigned i = 0; i < CPUS; i++) {
        if (i > 0)
            sched_init_pcpu(hv, i);
        vcpu[i].pcpu = &hv->pcpu[i];
        vcpu[i].state = i == 0 ? VCPU_RUNNING : VCPU_BLOCKED;
    }
    atomic_store(&hv->online, (1u << CPUS) - 1);
    if (s2_init(&vm.s2, &hv->pool, &vm.account, &hv->idregs, 1) != HV_OK ||
        page_pool_alloc(&hv->pool, &vm.account, ORDER, &block) != HV_OK ||
        s2_map(&vm.s2, ipa(MACHINE_RAM_BASE), block, PAGES * PAGE_SIZE, S2_RWX, S2_MEM_NORMAL) !=
            HV_OK)
        world_give_up("no VM");
    vm_ram_allow_holes(&vm);
    use_up(&hv->pool);
}

/* Somebody else's memory: zero, and what he writes there stays. */
static void use(struct hv *hv)
{
    pa_t page;

    if (page_pool_alloc(&hv->pool, &other, 0, &page) != HV_OK)
        return;
    _Atomic uint64_t *mem = hal_phys_map(page, PAGE_SIZE);
    EXPECT(mem != NULL);
    for (unsigned i = 0; i < 8; i++) {
        EXPECT(atomic_load_explicit(&mem[8], memory_order_relaxed) == 0);
        hal_cpu_relax();
    }
    hal_phys_unmap(mem, PAGE_SIZE);
    page_pool_free(&hv->pool, &other, page, 0);
}

static void inflate(struct hv *hv, uint64_t n)
{
    struct sched_grace grace;
    pa_t pa;
    uint64_t taken;

    if (vm_ram_take(&vm, ipa(MACHINE_RAM_BASE + n * PAGE_SIZE), PAGE_SIZE, &pa, &taken) != HV_OK)
        return;
    sched_grace_begin(&vm, &grace);
    while (!sched_grace_is_over(hv, &grace))
        hal_cpu_relax();
    vm_ram_release(&vm, pa, taken);
    use(hv);
}

/* As a device's work. */
static void touch(struct guest_window *window, uint64_t n)
{
    ipa_t at = ipa(MACHINE_RAM_BASE + n * PAGE_SIZE + 64);
    void *found;

    if (guest_window_map(window, &vm.s2, at, sizeof(uint64_t), S2_RW, &found) != HV_OK)
        return; /* there is no memory */
    _Atomic uint64_t *word = found;
    hal_cpu_relax();
    EXPECT(atomic_load_explicit(word, memory_order_relaxed) <= 1);
    atomic_store_explicit(word, 1, memory_order_relaxed);
    hal_phys_unmap(found, sizeof(uint64_t));
}

/* Between two passes through the scheduler, in which the vCPU goes on running, or has waited. */
static void copy(struct hv *hv, unsigned cpu, struct guest_window *window, uint64_t n)
{
    sched_pass(hv);
    vcpu[cpu].state = VCPU_RUNNING;
    touch(window, n / 2);
    if (n % 2 == 0)
        return;
    sched_pass(hv);
    vcpu[cpu].state = VCPU_BLOCKED;
}

static void work(struct world *w, unsigned cpu, uint64_t *random)
{
    struct guest_window window = {.size = 0};

    for (unsigned round = 0; round < ROUNDS; round++) {
        uint64_t n = explore_pick(random, 2 * PAGES);
        if (cpu == 0)
            inflate(&w->hv, n / 2);
        else
            copy(&w->hv, cpu, &window, n);
    }
    if (cpu != 0)
        atomic_fetch_and(&w->hv.online, ~(UINT64_C(1) << cpu));
}

static void finish(struct world *w)
{
    (void)w;
    vm_ram_empty(&vm);
    s2_destroy(&vm.s2);
    EXPECT(vm.account.used == 0 && other.used == 0);
}

const struct explore_test explore_balloon = {
    .name = "balloon", .nr_cpus = CPUS, .prepare = prepare, .work = work, .finish = finish};
