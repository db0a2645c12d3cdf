/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* One VM's stage-2 tables, changed from all CPUs at once: each knows what its own addresses map. */
#include "explore/explore.h"
#include "explore/tests.h"
#include "mem/s2.h"

#define ROUNDS    40u
#define SLOTS     8u
#define TABLE     MIB(2) /* what one last table maps */
#define SLOT_BASE UINT64_C(0x40000000)

struct slot {
    bool mapped;
    unsigned prot;
};

static struct s2 the_s2;
static struct page_account account;

static void prepare(struct world *w)
{
    account.limit = UINT64_MAX;
    if (s2_init(&the_s2, &w->hv.pool, &account, &w->hv.idregs, 1) != HV_OK)
        world_give_up("s2_init() failed");
}

/* The CPUs' slots lie between each other's: half of them in one table, half in tables that come
 * and go. */
static ipa_t slot_at(unsigned cpu, unsigned slot)
{
    uint64_t table = slot < SLOTS / 2 ? 0 : slot;

    return ipa(SLOT_BASE + table * TABLE + ((uint64_t)slot * EXPLORE_MAX_CPUS + cpu) * PAGE_SIZE);
}

static pa_t frame_of(unsigned cpu, unsigned slot)
{
    return pa(SLOT_BASE + MIB(16) + ((uint64_t)cpu * SLOTS + slot) * PAGE_SIZE);
}

static void check_own(unsigned cpu, unsigned slot, const struct slot *want)
{
    struct s2_mapping got;
    hv_err err = s2_query(&the_s2, slot_at(cpu, slot), &got);

    EXPECT(err == (want->mapped ? HV_OK : HV_ERR_NOENT));
    if (err != HV_OK)
        return;
    EXPECT(got.prot == want->prot && got.size == PAGE_SIZE);
    EXPECT(got.pa.v == frame_of(cpu, slot).v);
}

static void check_other(unsigned cpu, unsigned slot)
{
    struct s2_mapping got;
    hv_err err = s2_query(&the_s2, slot_at(cpu, slot), &got);

    EXPECT(err == HV_ERR_NOENT || (err == HV_OK && got.pa.v == frame_of(cpu, slot).v));
}

static void change(unsigned cpu, unsigned n, struct slot *slot, bool keep)
{
    ipa_t at = slot_at(cpu, n);
    unsigned prot = slot->prot == S2_RW ? S2_READ : S2_RW;

    if (!slot->mapped) {
        EXPECT(s2_map(&the_s2, at, frame_of(cpu, n), PAGE_SIZE, S2_RW, S2_MEM_NORMAL) == HV_OK);
        *slot = (struct slot){true, S2_RW};
    } else if (keep) {
        EXPECT(s2_protect(&the_s2, at, PAGE_SIZE, prot) == HV_OK);
        slot->prot = prot;
    } else {
        EXPECT(s2_unmap(&the_s2, at, PAGE_SIZE) == HV_OK);
        slot->mapped = false;
    }
}

static void work(struct world *w, unsigned cpu, uint64_t *random)
{
    struct slot slots[SLOTS] = {{false, 0}};

    (void)w;
    for (unsigned round = 0; round < ROUNDS; round++) {
        unsigned n = (unsigned)explore_pick(random, SLOTS);
        switch (explore_pick(random, 4)) {
        case 0:
            check_own(cpu, n, &slots[n]);
            break;
        case 1:
            check_other((unsigned)explore_pick(random, EXPLORE_MAX_CPUS), n);
            break;
        default:
            change(cpu, n, &slots[n], explore_pick(random, 2) == 0);
            break;
        }
    }
    for (unsigned n = 0; n < SLOTS; n++) {
        check_own(cpu, n, &slots[n]);
        if (slots[n].mapped)
            change(cpu, n, &slots[n], false);
    }
}

static void finish(struct world *w)
{
    (void)w;
    s2_destroy(&the_s2);
    EXPECT(account.used == 0);
}

const struct explore_test explore_stage2 = {
    .name = "stage2", .nr_cpus = 4, .prepare = prepare, .work = work, .finish = finish};
