/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What the tests of LPIs and the ITS share: a guest with memory, its tables, and a driver that puts
 * commands into its queue. Offsets, bits and commands restate IHI 0069; the format of what the ITS
 * writes into its tables is nobody's business here.
 */
#ifndef ITS_FIXTURE_H
#define ITS_FIXTURE_H

#include "mem/guest_mem.h"
#include "vgic_fixture.h"

enum {
    R_CTLR = 0x0,
    R_TYPER = 0x8,
    R_PROPBASER = 0x70,
    R_PENDBASER = 0x78,
    G_CTLR = 0x0,
    G_IIDR = 0x4,
    G_TYPER = 0x8,
    G_CBASER = 0x80,
    G_CWRITER = 0x88,
    G_CREADR = 0x90,
    G_BASER = 0x100,
    G_TRANSLATER = 0x10040,
    FIRST_LPI = 8192,
};

#define VALID    (UINT64_C(1) << 63)
#define INDIRECT (UINT64_C(1) << 62)
#define PTZ      (UINT64_C(1) << 62)

/* --- The guest's memory --- */

#define POOL_BASE  UINT64_C(0x80000000)
#define POOL_SIZE  UINT64_C(0x1000000)
#define GUEST_BASE UINT64_C(0x90000000)
#define GUEST_SIZE UINT64_C(0x400000)
#define RAM        UINT64_C(0x40000000)
#define QUEUE      RAM
#define QUEUE_SIZE 0x10000u
#define CONFIGS    (RAM + 0x40000)
#define PENDING(c) (RAM + 0x60000 + 0x10000 * (uint64_t)(c))
#define CTABLE     (RAM + 0xc0000)                           /* 64 KiB: 8192 collections */
#define DTABLE     (RAM + 0x100000)                          /* 512 KiB: all 65536 devices */
#define ITT(n)     (RAM + 0x200000 + 0x1000 * (uint64_t)(n)) /* 512 events each */
#define HOLE       (RAM + GUEST_SIZE)

static struct page_pool its_pool;
static struct page_account its_account;
static struct s2 its_s2;

static inline void *guest(uint64_t at)
{
    return fakehal_mem(pa(at - RAM + GUEST_BASE), 1);
}

static inline void configure(uint32_t intid, unsigned priority, bool enabled)
{
    *((uint8_t *)guest(CONFIGS) + (intid - FIRST_LPI)) = (uint8_t)(priority | (enabled ? 1 : 0));
}

/* --- Registers --- */

static inline bool its_access(unsigned cpu, bool write, uint64_t offset, unsigned size,
                              uint64_t *value)
{
    struct mmio_access access = {
        .offset = offset, .value = *value, .cpu = cpu, .size = (uint8_t)size, .write = write};
    be(cpu);
    bool ok = vgic_its_access(&gic, &access);
    *value = access.value;
    return ok;
}

static inline uint64_t its_read(uint64_t offset, unsigned size)
{
    uint64_t value = 0xa5a5a5a5a5a5a5a5;
    cr_assert(its_access(0, false, offset, size, &value), "GITS + %#lx", offset);
    return value;
}

static inline void its_write(uint64_t offset, unsigned size, uint64_t value)
{
    cr_assert(its_access(0, true, offset, size, &value), "GITS + %#lx", offset);
}

static inline void redist_of(unsigned cpu, uint64_t offset, unsigned size, uint64_t value)
{
    redist_write(cpu * (uint64_t)REDIST + offset, size, value);
}

/* --- Set-up and end --- */

static inline void setup_memory(void)
{
    fakehal_reset();
    fakehal()->platform.nr_cpus = FAKEHAL_CPUS;
    fakehal_add_ram(pa(POOL_BASE), POOL_SIZE);
    fakehal_add_ram(pa(GUEST_BASE), GUEST_SIZE);
    page_pool_init(&its_pool);
    its_account = (struct page_account){.limit = UINT64_MAX};
    cr_assert_eq(page_pool_add(&its_pool, pa(POOL_BASE), POOL_SIZE), HV_OK);
    cr_assert_eq(s2_init(&its_s2, &its_pool, &its_account, &fakehal()->idregs, 1), HV_OK);
    cr_assert_eq(s2_map(&its_s2, ipa(RAM), pa(GUEST_BASE), GUEST_SIZE, S2_RWX, S2_MEM_NORMAL),
                 HV_OK);
    gic_s2 = &its_s2;
    gic_pool = &its_pool;
    gic_account = &its_account;
}

/* Group 1 on, and nothing else. */
static inline void setup_lpis(unsigned cpus, unsigned lrs)
{
    setup_memory();
    setup_gic_here(cpus, 64, lrs);
    dist_write(D_CTLR, 4, 2);
    settle();
}

static inline void enable_lpis(unsigned cpu)
{
    redist_of(cpu, R_PROPBASER, 8, CONFIGS | 15);
    redist_of(cpu, R_PENDBASER, 8, PENDING(cpu) | PTZ);
    redist_of(cpu, R_CTLR, 4, 1);
    settle();
}

static inline void enable_its(void)
{
    its_write(G_BASER, 8, VALID | DTABLE | 127);
    its_write(G_BASER + 8, 8, VALID | CTABLE | 15);
    its_write(G_CBASER, 8, VALID | QUEUE | (QUEUE_SIZE / 0x1000 - 1));
    its_write(G_CTLR, 4, 1);
}

/* A guest that has brought up all of it: collection n is vCPU n. */
static inline void setup_its(unsigned cpus, unsigned lrs)
{
    setup_lpis(cpus, lrs);
    for (unsigned cpu = 0; cpu < cpus; cpu++)
        enable_lpis(cpu);
    enable_its();
}

static inline void teardown_its(void)
{
    vgic_destroy(&gic);
    vgic_destroy(&gic); /* harmless */
    s2_destroy(&its_s2);
    cr_expect_eq(its_account.used, 0, "%lu pages leaked", its_account.used);
    cr_expect_eq(fakehal()->maps, fakehal()->unmaps + its_pool.nr_regions);
    gic_s2 = NULL;
    gic_pool = NULL;
    gic_account = NULL;
}

/* Takes and ends all that comes; how many that were. */
static inline unsigned guest_drains(unsigned cpu)
{
    unsigned count = 0;
    for (uint32_t intid = guest_ack(cpu); intid != 1023; intid = guest_ack(cpu), count++)
        guest_eoi(cpu, intid);
    return count;
}

/* --- Commands --- */

static inline void queue_cmd(uint64_t dw0, uint64_t dw1, uint64_t dw2, uint64_t dw3)
{
    uint64_t at = its_read(G_CWRITER, 8);
    uint64_t cmd[4] = {dw0, dw1, dw2, dw3};
    memcpy((char *)guest(QUEUE) + at, cmd, sizeof(cmd));
    its_write(G_CWRITER, 8, (at + sizeof(cmd)) % QUEUE_SIZE);
}

/* All vCPUs that are loaded run until nothing is left to do. */
static inline void pump(void)
{
    for (unsigned rounds = 0; rounds < 20000; rounds++) {
        bool busy = false;
        for (unsigned cpu = 0; cpu < gic.nr_cpus; cpu++) {
            if (pcpu_of[cpu] == NOWHERE || !vgic_needs_flush(&gic, cpu))
                continue;
            be(cpu);
            vgic_flush(&gic, cpu);
            busy = true;
        }
        if (!busy) {
            settle();
            return;
        }
    }
    cr_assert_fail("the ITS never comes to rest");
}

/* One command, which is then done; whether it was one that could be. */
static inline bool cmd_ok(uint64_t dw0, uint64_t dw1, uint64_t dw2, uint64_t dw3)
{
    uint64_t errors = gic.its.errors;
    queue_cmd(dw0, dw1, dw2, dw3);
    pump();
    cr_assert_eq(its_read(G_CREADR, 8), its_read(G_CWRITER, 8), "the command was not served");
    cr_assert_leq(gic.its.errors - errors, 1);
    return gic.its.errors == errors;
}

static inline bool cmd_mapd(uint32_t device, uint64_t itt, unsigned bits, bool valid)
{
    return cmd_ok((uint64_t)device << 32 | 0x08, bits - 1, itt | (valid ? VALID : 0), 0);
}

static inline bool cmd_mapc(uint32_t collection, uint64_t cpu, bool valid)
{
    return cmd_ok(0x09, 0, collection | cpu << 16 | (valid ? VALID : 0), 0);
}

static inline bool cmd_mapti(uint32_t device, uint32_t event, uint32_t intid, uint32_t collection)
{
    return cmd_ok((uint64_t)device << 32 | 0x0a, (uint64_t)intid << 32 | event, collection, 0);
}

static inline bool cmd_mapi(uint32_t device, uint32_t event, uint32_t collection)
{
    return cmd_ok((uint64_t)device << 32 | 0x0b, event, collection, 0);
}

static inline bool cmd_movi(uint32_t device, uint32_t event, uint32_t collection)
{
    return cmd_ok((uint64_t)device << 32 | 0x01, event, collection, 0);
}

static inline bool cmd_event(unsigned number, uint32_t device, uint32_t event)
{
    return cmd_ok((uint64_t)device << 32 | number, event, 0, 0);
}

static inline bool cmd_int(uint32_t device, uint32_t event)
{
    return cmd_event(0x03, device, event);
}

static inline bool cmd_clear(uint32_t device, uint32_t event)
{
    return cmd_event(0x04, device, event);
}

static inline bool cmd_inv(uint32_t device, uint32_t event)
{
    return cmd_event(0x0c, device, event);
}

static inline bool cmd_discard(uint32_t device, uint32_t event)
{
    return cmd_event(0x0f, device, event);
}

static inline bool cmd_sync(uint64_t cpu)
{
    return cmd_ok(0x05, 0, cpu << 16, 0);
}

static inline bool cmd_invall(uint32_t collection)
{
    return cmd_ok(0x0d, 0, collection, 0);
}

static inline bool cmd_movall(uint64_t from, uint64_t to)
{
    return cmd_ok(0x0e, 0, from << 16, to << 16);
}

#endif
