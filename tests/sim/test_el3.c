/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Function numbers and results are written out as DEN 0022 and DEN 0028 have them. */
#include "cases.h"
#include "hal-sim/el3.h"
#include <stdio.h>

#define NOT_SUPPORTED UINT64_MAX

/* What the callbacks were called with, as text; what they return. */
static struct world {
    char calls[128];
    int32_t result;
} world;

static void note(void *ctx, const char *call)
{
    struct world *w = ctx;
    size_t used = strlen(w->calls);

    (void)snprintf(w->calls + used, sizeof(w->calls) - used, "%s;", call);
}

static void world_system_off(void *ctx, bool reset)
{
    note(ctx, reset ? "reset" : "off");
}

static int32_t world_cpu_on(void *ctx, uint64_t mpidr, uint64_t entry, uint64_t arg)
{
    char text[96];

    (void)snprintf(text, sizeof(text), "on %lx %lx %lx", (unsigned long)mpidr, (unsigned long)entry,
                   (unsigned long)arg);
    note(ctx, text);
    return world.result;
}

static int32_t world_affinity_info(void *ctx, uint64_t mpidr, uint64_t level)
{
    char text[96];

    (void)snprintf(text, sizeof(text), "info %lx %lx", (unsigned long)mpidr, (unsigned long)level);
    note(ctx, text);
    return world.result;
}

static void world_cpu_off(void *ctx)
{
    note(ctx, "cpu_off");
}

static const struct el3_ops ops = {
    .ctx = &world,
    .system_off = world_system_off,
    .cpu_on = world_cpu_on,
    .affinity_info = world_affinity_info,
    .cpu_off = world_cpu_off,
};

static void setup(void)
{
    memset(&world, 0, sizeof(world));
}

/* Calls with arguments in which all 64 bits matter, and looks at what the call left alone. */
static uint64_t call(uint64_t fid, uint64_t arg1, uint64_t arg2, uint64_t arg3)
{
    struct smc_regs regs = {{fid, arg1, arg2, arg3}};

    for (unsigned i = 4; i < 18; i++)
        regs.x[i] = 0x1111111111111111u * (i & 15);
    struct smc_regs before = regs;
    el3_call(&ops, &regs);
    for (unsigned i = 1; i < 18; i++)
        cr_expect_eq(regs.x[i], before.x[i], "%lx: x%u", (unsigned long)fid, i);
    return regs.x[0];
}

#define ARG1 UINT64_C(0x1234567800000001)
#define ARG2 UINT64_C(0x2345678940000000)
#define ARG3 UINT64_C(0x3456789abcdef012)

struct el3_case {
    const char *name;
    uint64_t fid;
    int32_t world;
    uint64_t result;
    const char *calls;
};

CASE(el3, functions)
{
    static const struct el3_case cases[] = {
        {"PSCI_VERSION", 0x84000000, 0, 0x10001, ""},
        {"CPU_OFF", 0x84000002, 0, (uint64_t)-3, "cpu_off;"},
        {"CPU_ON, 32", 0x84000003, 0, 0, "on 1 40000000 bcdef012;"},
        {"CPU_ON, 64", 0xc4000003, 0, 0, "on 1234567800000001 2345678940000000 3456789abcdef012;"},
        {"CPU_ON, ALREADY_ON", 0xc4000003, -4, (uint64_t)-4,
         "on 1234567800000001 2345678940000000 3456789abcdef012;"},
        {"AFFINITY_INFO, 32", 0x84000004, 2, 2, "info 1 40000000;"},
        {"AFFINITY_INFO, 64", 0xc4000004, 1, 1, "info 1234567800000001 40000000;"},
        {"AFFINITY_INFO, no such CPU", 0xc4000004, -2, (uint64_t)-2,
         "info 1234567800000001 40000000;"},
        {"MIGRATE_INFO_TYPE", 0x84000006, 0, 2, ""},
        {"SYSTEM_OFF", 0x84000008, 0, (uint64_t)-6, "off;"},
        {"SYSTEM_RESET", 0x84000009, 0, (uint64_t)-6, "reset;"},
        {"SMCCC_VERSION", 0x80000000, 0, 0x10001, ""},
    };

    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        setup();
        world.result = cases[i].world;
        uint64_t result = call(cases[i].fid, ARG1, ARG2, ARG3);
        cr_expect_eq(result, cases[i].result, "%s: %lx", cases[i].name, (unsigned long)result);
        cr_expect_str_eq(world.calls, cases[i].calls, "%s", cases[i].name);
    }
}

/* DEN 0028: the function is W0. */
CASE(el3, function_is_32_bits)
{
    cr_assert_eq(call(UINT64_C(0xdeadbeef84000000), 0, 0, 0), 0x10001);
}

CASE(el3, not_supported)
{
    static const uint64_t fids[] = {
        0x84000001, 0xc4000001, /* CPU_SUSPEND */
        0x84000005, 0xc4000005, /* MIGRATE */
        0x84000007, 0xc4000007, /* MIGRATE_INFO_UP_CPU */
        0x8400000b, 0x8400000e, 0x8400000f, 0x84000012, 0xc4000012, 0x8400001f, 0xc4000000,
        0xc4000002, 0xc4000006, 0xc4000008, 0xc400000a, /* no such SMC64 */
        0x04000000, 0x00000000, 0xc0000000,             /* no fast call of 32 bits */
        0x80000002, 0x80008000, 0x80003fff, 0x8000ff01, 0x86000000, 0xb2000000, 0xffffffff,
    };

    for (unsigned i = 0; i < sizeof(fids) / sizeof(fids[0]); i++)
        cr_expect_eq(call(fids[i], ARG1, ARG2, ARG3), NOT_SUPPORTED, "%lx", (unsigned long)fids[i]);
    cr_assert_str_eq(world.calls, "");
}

/* Names what a call would find, and no more; the flags of each are 0. */
CASE(el3, features)
{
    static const struct {
        uint64_t fid;
        bool psci, arch;
    } rows[] = {
        {0x84000000, true, false},  {0x84000002, true, false},  {0x84000003, true, false},
        {0xc4000003, true, false},  {0x84000004, true, false},  {0xc4000004, true, false},
        {0x84000006, true, false},  {0x84000008, true, false},  {0x84000009, true, false},
        {0x8400000a, true, false},  {0x80000000, true, true},   {0x80000001, false, true},
        {0x84000001, false, false}, {0xc4000001, false, false}, {0x84000005, false, false},
        {0x84000012, false, false}, {0xc4000008, false, false}, {0x80008000, false, false},
        {0x04000000, false, false}, {0, false, false},          {0xffffffff, false, false},
    };

    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint64_t high = UINT64_C(0x5555555500000000);
        cr_expect_eq(call(0x8400000a, high | rows[i].fid, ARG2, ARG3),
                     rows[i].psci ? 0 : NOT_SUPPORTED, "%lx", (unsigned long)rows[i].fid);
        cr_expect_eq(call(0x80000001, high | rows[i].fid, ARG2, ARG3),
                     rows[i].arch ? 0 : NOT_SUPPORTED, "%lx", (unsigned long)rows[i].fid);
    }
    cr_assert_str_eq(world.calls, "");
}

CASES_RUN(el3, setup, NULL)
