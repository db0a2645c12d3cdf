/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Random changes of stage-2 tables against a naive map, watched by a TLB that never forgets, and
 * with each allocation failing once.
 */
#include "prng.h"
#include "s2_fixture.h"

/* Every range of the test begins and ends at one of these; between two of them everything is alike.
 */
static const uint64_t boundary[] = {
    0,
    K4,
    2 * K4,
    M2 - K4,
    M2,
    M2 + K4,
    2 * M2,
    2 * M2 + 3 * K4,
    3 * M2,
    G1 - M2,
    G1 - K4,
    G1,
    G1 + K4,
    G1 + M2,
    G1 + M2 + 2 * K4,
    G1 + 2 * M2,
    2 * G1 - M2 - K4,
    2 * G1 - M2,
    2 * G1 - K4,
    2 * G1,
    2 * G1 + K4,
    2 * G1 + M2,
    3 * G1 - M2,
    3 * G1 - K4,
    3 * G1,
};
#define SEGMENTS (sizeof(boundary) / sizeof(boundary[0]) - 1)

struct segment {
    bool mapped;
    bool device;
    unsigned prot;
    uint64_t delta; /* PA - IPA */
};

/* What a TLB may hold: it does not forget by itself. */
#define TLB_SIZE 48u

static struct {
    uint64_t base; /* IPA of boundary[0] */
    struct segment segment[SEGMENTS];
    struct walk tlb[TLB_SIZE];
    uint64_t free_at_start;
} model;

static uint64_t rng_state;

static uint64_t rng(void)
{
    return prng_next(&rng_state);
}

/* A cached translation may differ from the tables in its permissions only, and only until the
 * operation ends. */
static void tlb_check(bool done)
{
    for (unsigned i = 0; i < TLB_SIZE; i++) {
        const struct walk *cached = &model.tlb[i];
        if (!cached->valid)
            continue;
        struct walk now = walk(cached->base + rng() % cached->size);
        if (!now.valid) {
            cr_assert(!done, "the TLB still maps %#lx", (unsigned long)cached->base);
            continue;
        }
        cr_assert(now.size == cached->size && now.base == cached->base && now.pa == cached->pa &&
                      now.attrs == cached->attrs,
                  "changed without break-before-make at %#lx", (unsigned long)cached->base);
        if (done)
            cr_assert_eq(now.prot, cached->prot, "stale permission at %#lx",
                         (unsigned long)cached->base);
    }
}

static void tlb_invalidate(void *ctx, const struct fakehal_record *record)
{
    (void)ctx;
    cr_assert_eq(record->kind, FAKEHAL_TLBI_RANGE);
    cr_assert_leq(page_pool_free_pages(&pool), model.free_at_start,
                  "a table was freed before the TLB was clean");
    tlb_check(false);
    for (unsigned i = 0; i < TLB_SIZE; i++) {
        struct walk *cached = &model.tlb[i];
        if (cached->valid && cached->base < record->addr + record->len &&
            record->addr < cached->base + cached->size)
            cached->valid = false;
    }
}

static void tlb_fill(uint64_t at)
{
    model.tlb[rng() % TLB_SIZE] = walk(at);
}

static void check_page(size_t segment, uint64_t at)
{
    const struct segment *want = &model.segment[segment];
    struct walk w = walk(at);
    cr_assert_eq(w.valid, want->mapped, "%#lx", (unsigned long)at);
    struct s2_mapping m;
    hv_err err = s2_query(&s2, ipa(at), &m);
    cr_assert_eq(err, want->mapped ? HV_OK : HV_ERR_NOENT);
    if (!want->mapped)
        return;
    cr_assert_eq(w.pa - w.base, want->delta, "%#lx", (unsigned long)at);
    cr_assert_eq(w.prot, want->prot);
    cr_assert_eq(w.device, want->device);
    cr_assert(m.ipa.v == w.base && m.pa.v == w.pa && m.size == w.size && m.prot == w.prot);
    cr_assert_eq(m.type, w.device ? S2_MEM_DEVICE : S2_MEM_NORMAL);
}

static void check_segment(size_t i)
{
    uint64_t from = model.base + boundary[i];
    uint64_t to = model.base + boundary[i + 1];
    check_page(i, from);
    check_page(i, to - K4);
    uint64_t at = from + rng() % (to - from);
    check_page(i, at);
    if (rng() % 4 == 0)
        tlb_fill(at);
}

static void check_tree(void)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < SEGMENTS; i++)
        if (model.segment[i].mapped)
            bytes += boundary[i + 1] - boundary[i];
    struct audit a = audit();
    cr_assert_eq(a.bytes, bytes, "maps %#lx, should map %#lx", (unsigned long)a.bytes,
                 (unsigned long)bytes);
    cr_assert_not(a.empty_table);
    cr_assert_eq(a.tables, s2.table_pages);
    cr_assert_eq(account.used, a.tables + (UINT64_C(1) << s2.root_order));
    cr_assert_eq(page_pool_free_pages(&pool) + account.used, pool.total_pages);
}

struct op {
    unsigned kind;      /* 0 map, 1 unmap, 2 protect */
    size_t first, last; /* segments, last exclusive */
    unsigned prot;
    bool device;
    uint64_t delta;
};

static struct op random_op(void)
{
    static const uint64_t unit[] = {K4, M2, G1, 0};
    struct op op = {
        .kind = (unsigned)(rng() % 3), .prot = 1 + (unsigned)(rng() % 7), .device = rng() % 8 == 0};
    op.first = rng() % SEGMENTS;
    size_t n = rng() % 3 == 0 ? 1 + rng() % SEGMENTS : 1 + rng() % 3;
    op.last = op.first + n < SEGMENTS ? op.first + n : SEGMENTS;
    uint64_t len = boundary[op.last] - boundary[op.first];
    uint64_t at = model.base + boundary[op.first];
    /* Pages for a gigabyte would be a test of patience. */
    uint64_t delta = unit[len > 4 * M2 ? 1 + rng() % 3 : rng() % 4] * (rng() % 4);
    if (at + len + delta <= UINT64_C(1) << s2.ipa_bits)
        op.delta = delta;
    return op;
}

static hv_err op_run(const struct op *op)
{
    ipa_t at = ipa(model.base + boundary[op->first]);
    uint64_t len = boundary[op->last] - boundary[op->first];
    if (op->kind == 0)
        return s2_map(&s2, at, pa(at.v + op->delta), len, op->prot,
                      op->device ? S2_MEM_DEVICE : S2_MEM_NORMAL);
    if (op->kind == 1)
        return s2_unmap(&s2, at, len);
    return s2_protect(&s2, at, len, op->prot);
}

/* What the operation must return, without failures of memory; changes the model if that is success.
 */
static hv_err op_model(const struct op *op)
{
    for (size_t i = op->first; i < op->last; i++) {
        if (op->kind == 0 && model.segment[i].mapped)
            return HV_ERR_EXIST;
        if (op->kind == 2 && !model.segment[i].mapped)
            return HV_ERR_NOENT;
    }
    for (size_t i = op->first; i < op->last; i++) {
        if (op->kind == 0)
            model.segment[i] = (struct segment){true, op->device, op->prot, op->delta};
        else if (op->kind == 1)
            model.segment[i].mapped = false;
        else
            model.segment[i].prot = op->prot;
    }
    return HV_OK;
}

static void model_start(unsigned parange, uint64_t base, uint64_t seed)
{
    setup_range(parange);
    memset(&model, 0, sizeof(model));
    model.base = base;
    rng_state = seed;
    fakehal()->tlbi = tlb_invalidate;
}

static void model_end(void)
{
    fakehal()->tlbi = NULL;
    teardown();
}

static void model_run(unsigned parange, uint64_t base, uint64_t seed, unsigned ops)
{
    model_start(parange, base, seed);
    unsigned done[3] = {0};
    for (unsigned i = 0; i < ops; i++) {
        struct op op = random_op();
        model.free_at_start = page_pool_free_pages(&pool);
        hv_err err = op_run(&op);
        cr_assert_eq(err, op_model(&op), "operation %u (%u)", i, op.kind);
        if (err == HV_OK)
            done[op.kind]++;
        tlb_check(true);
        for (size_t s = op.first; s < op.last; s++)
            check_segment(s);
        check_segment(rng() % SEGMENTS);
        if (i % 64 == 0)
            check_tree();
    }
    check_tree();
    for (unsigned kind = 0; kind < 3; kind++)
        cr_expect_gt(done[kind], ops / 50, "operation %u hardly ever succeeds", kind);
    model_end();
}

/* Start level 2, four concatenated tables. */
CASE(s2_model, agrees_with_naive_map_32_bits)
{
    model_run(0, 0, 0x1234567, 4000);
}

/* Start level 1; the middle of the window is where the second concatenated table begins. */
CASE(s2_model, agrees_with_naive_map_40_bits)
{
    model_run(2, 511 * G1, 0xabcdef01, 4000);
}

/* Start level 0; the window lies across a level 0 entry. */
CASE(s2_model, agrees_with_naive_map_48_bits)
{
    model_run(5, 1023 * G1, 0x777777777, 4000);
}

/* --- Every allocation fails once --- */

static void fail_each(unsigned parange, uint64_t base, uint64_t seed, bool by_quota)
{
    model_start(parange, base, seed);
    unsigned failures = 0;
    for (unsigned i = 0; i < 450; i++) {
        struct op op = random_op();
        hv_err err = HV_OK;
        for (uint64_t n = 1;; n++) {
            struct audit before = audit();
            uint64_t used = account.used;
            uint64_t tlbis = fakehal()->count[FAKEHAL_TLBI_RANGE];
            model.free_at_start = page_pool_free_pages(&pool);
            if (by_quota)
                account.limit = used + n - 1;
            else
                page_pool_fail_nth(&pool, n);
            err = op_run(&op);
            page_pool_fail_nth(&pool, 0);
            account.limit = UINT64_MAX;
            if (err != (by_quota ? HV_ERR_QUOTA : HV_ERR_NOMEM))
                break;
            failures++;
            cr_assert_eq(audit().hash, before.hash, "a failed operation changed the tables");
            cr_assert_eq(account.used, used);
            cr_assert_eq(page_pool_free_pages(&pool), model.free_at_start);
            cr_assert_eq(fakehal()->count[FAKEHAL_TLBI_RANGE], tlbis);
            cr_assert_eq(s2.table_pages, before.tables);
        }
        cr_assert_eq(err, op_model(&op));
        tlb_check(true);
        check_tree();
    }
    cr_expect_gt(failures, 100, "only %u failures", failures);
    model_end();
}

CASE(s2_model, each_allocation_fails)
{
    fail_each(4, 511 * G1, 0x5eed5eed, false);
}

CASE(s2_model, each_quota_fails)
{
    fail_each(2, 511 * G1, 0x900df00d, true);
}

CASES_RUN(s2_model, NULL, NULL)
