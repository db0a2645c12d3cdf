/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The ITS and the redistributors of a guest that writes anything anywhere: registers, commands,
 * tables, messages of devices, with acknowledges and EOIs between them. Whatever it does, the
 * hypervisor reads and writes nothing but the guest's memory (fakehal stops it otherwise), serves
 * at most a piece of a queue at a time, comes to rest, and gives back all memory.
 */
#include "fakehal/fakehal.h"
#include "fuzz.h"
#include "irq/vgic.h"

#define CPUS       3u
#define POOL_BASE  UINT64_C(0x80000000)
#define POOL_SIZE  UINT64_C(0x200000)
#define GUEST_BASE UINT64_C(0x90000000)
#define GUEST_SIZE UINT64_C(0x10000)
#define RAM        UINT64_C(0x40000000)
#define QUEUE      RAM /* of 4 KiB */
#define STEPS_MAX  2000u

enum { G_CTLR = 0x0, G_CBASER = 0x80, G_CWRITER = 0x88, G_CREADR = 0x90, G_BASER = 0x100 };

#define VALID (UINT64_C(1) << 63)

struct machine {
    struct vgic gic;
    struct vgic_cpu cpu[CPUS];
    struct arch_vcpu vcpu[CPUS];
    struct page_pool pool;
    struct page_account account;
    struct s2 s2;
    uint32_t taken[CPUS]; /* not ended yet; 0: nothing */
};

static struct machine m;

static void kick(void *ctx, unsigned cpu)
{
    (void)ctx;
    FUZZ_ASSERT(cpu < CPUS);
}

static void access_its(unsigned cpu, bool write, uint64_t offset, uint8_t size, uint64_t value)
{
    struct mmio_access access = {offset, value, cpu, size, write};
    fakehal()->self = cpu;
    (void)vgic_its_access(&m.gic, &access);
}

static void access_redist(unsigned cpu, bool write, uint64_t offset, uint8_t size, uint64_t value)
{
    struct mmio_access access = {offset, value, cpu, size, write};
    fakehal()->self = cpu;
    (void)vgic_redist_access(&m.gic, &access);
}

static void *guest(uint64_t offset)
{
    return fakehal_mem(pa(GUEST_BASE + offset), 8);
}

static uint64_t creadr(void)
{
    struct mmio_access access = {G_CREADR, 0, 0, 8, false};
    FUZZ_ASSERT(vgic_its_access(&m.gic, &access));
    return access.value;
}

/* A guest that is set up, or else nothing would ever get to a table. */
static void start(struct fuzz_input *in)
{
    const unsigned how = (unsigned)fuzz_take(in, 1);
    fakehal_reset();
    memset(&m, 0, sizeof(m));
    fakehal()->platform.nr_cpus = CPUS;
    fakehal()->lr_count = 1 + how % 4;
    fakehal()->lpi_active = (how & 8) != 0;
    fakehal_add_ram(pa(POOL_BASE), POOL_SIZE);
    fakehal_add_ram(pa(GUEST_BASE), GUEST_SIZE);
    page_pool_init(&m.pool);
    m.account.limit = (how & 16) != 0 ? 12 : UINT64_MAX;
    FUZZ_ASSERT(page_pool_add(&m.pool, pa(POOL_BASE), POOL_SIZE) == HV_OK);
    FUZZ_ASSERT(s2_init(&m.s2, &m.pool, &m.account, &fakehal()->idregs, 1) == HV_OK);
    FUZZ_ASSERT(s2_map(&m.s2, ipa(RAM), pa(GUEST_BASE), GUEST_SIZE, S2_RWX, S2_MEM_NORMAL) ==
                HV_OK);
    for (unsigned i = 0; i < CPUS; i++) {
        m.cpu[i].vcpu = &m.vcpu[i];
        m.cpu[i].affinity = i;
    }
    const struct vgic_config config = {.cpu = m.cpu,
                                       .nr_cpus = CPUS,
                                       .kick = kick,
                                       .s2 = &m.s2,
                                       .pool = &m.pool,
                                       .account = &m.account};
    FUZZ_ASSERT(vgic_init(&m.gic, &config) == HV_OK);
    struct mmio_access ctlr = {0, 2, 0, 4, true};
    FUZZ_ASSERT(vgic_dist_access(&m.gic, &ctlr));
    for (unsigned i = 0; i < CPUS; i++) {
        fakehal()->self = i;
        vgic_flush(&m.gic, i);
        fakehal_gic_enable(&m.vcpu[i], false, 0xf8);
        if ((how & 32) != 0)
            continue;
        access_redist(i, true, i * UINT64_C(0x20000) + 0x70, 8, (RAM + 0x4000) | 15);
        access_redist(i, true, i * UINT64_C(0x20000) + 0x78, 8, RAM);
        access_redist(i, true, i * UINT64_C(0x20000), 4, 1);
    }
    if ((how & 64) != 0)
        return;
    memset(guest(0x4000), 0x91, 0x1000);
    access_its(0, true, G_CBASER, 8, VALID | QUEUE);
    access_its(0, true, G_BASER, 8, VALID | (uint64_t)(how >> 7) << 62 | (RAM + 0x2000));
    access_its(0, true, G_BASER + 8, 8, VALID | (RAM + 0x3000));
    access_its(0, true, G_CTLR, 4, 1);
}

static void flush(unsigned cpu)
{
    uint64_t before = creadr() & ~UINT64_C(1);
    fakehal()->self = cpu;
    vgic_flush(&m.gic, cpu);
    uint64_t after = creadr() & ~UINT64_C(1);
    uint64_t size = m.gic.its.cbaser % 0x100 * 0x1000 + 0x1000;
    FUZZ_ASSERT(after < size && after % 32 == 0);
    FUZZ_ASSERT((after + size - before) % size <= 64u * 32);
}

/* Fields small enough to mean something now and then. */
static void put_command(struct fuzz_input *in, unsigned cpu)
{
    static const uint8_t numbers[] = {1, 3, 4, 5, 8, 9, 10, 11, 12, 13, 14, 15};
    uint8_t number = (uint8_t)fuzz_take(in, 1);
    uint64_t fields = fuzz_take(in, 4);
    uint64_t at = m.gic.its.cwriter % 0x1000;
    uint64_t cmd[4] = {
        (number < 0xf0 ? numbers[number % sizeof(numbers)] : number) | (fields & 7) << 32,
        (fields >> 3 & 31) | (8192 + (fields >> 8 & 0x3ff) * 3) << 32,
        (fields >> 18 & 7) | (fields >> 21 & 3) << 16 | VALID,
        (fields >> 21 & 3) << 16,
    };
    if (number % 16 == 15)
        for (unsigned i = 0; i < 4; i++)
            cmd[i] ^= fuzz_take(in, 8);
    else if ((cmd[0] & 0xff) == 8)
        cmd[2] = VALID | (RAM + 0x8000 + (fields & 7) * 0x100);
    memcpy(guest(at), cmd, sizeof(cmd));
    access_its(cpu, true, G_CWRITER, 8, (at + 32) % 0x1000);
}

static void take(unsigned cpu)
{
    fakehal()->self = cpu;
    if (m.taken[cpu] != 0) {
        fakehal_gic_eoi(&m.vcpu[cpu], m.taken[cpu]);
        m.taken[cpu] = 0;
        return;
    }
    uint32_t intid = fakehal_gic_ack(&m.vcpu[cpu]);
    FUZZ_ASSERT(intid == 1023 || (intid >= 8192 && intid < 65536));
    m.taken[cpu] = intid == 1023 ? 0 : intid;
}

static void step(struct fuzz_input *in)
{
    unsigned what = (unsigned)fuzz_take(in, 1);
    unsigned cpu = what / 16 % CPUS;
    uint8_t size = (uint8_t)(1u << (what / 64));
    hv_err err;
    switch (what % 16) {
    case 0:
        access_its(cpu, true, fuzz_take(in, 3) % 0x21000, size, fuzz_take(in, size));
        break;
    case 1:
        access_its(cpu, true, fuzz_take(in, 1) * 8 % 0x140, 8, fuzz_take(in, 8));
        break;
    case 2:
        access_its(cpu, false, fuzz_take(in, 3) % 0x21000, size, 0);
        break;
    case 3:
        access_redist(cpu, true, fuzz_take(in, 1) * 4 + cpu * UINT64_C(0x20000), size,
                      fuzz_take(in, size));
        break;
    case 4:
        *(uint64_t *)guest(fuzz_take(in, 2) & 0xfff8) = fuzz_take(in, 8);
        break;
    case 5:
        err = vgic_its_msi(&m.gic, fuzz_take_below(in, 16), fuzz_take_below(in, 64));
        FUZZ_ASSERT(err == HV_OK || err == HV_ERR_NOENT || err == HV_ERR_QUOTA ||
                    err == HV_ERR_NOMEM);
        break;
    case 6:
        access_its(cpu, true, G_CWRITER, 8, fuzz_take(in, 3));
        break;
    case 7:
    case 8:
        take(cpu);
        break;
    case 9:
    case 10:
        flush(cpu);
        break;
    case 11:
        fakehal()->self = cpu;
        (void)vgic_has_pending(&m.gic, cpu);
        break;
    default:
        put_command(in, cpu);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    unsigned rounds = 0;

    start(&in);
    for (unsigned i = 0; i < STEPS_MAX && in.left > 0; i++)
        step(&in);
    for (bool busy = true; busy; rounds++) {
        busy = false;
        /* A queue of 1 MiB, each command of which looks at all states, a piece at a time. */
        FUZZ_ASSERT(rounds < 40u * 32768);
        for (unsigned cpu = 0; cpu < CPUS; cpu++) {
            if (!vgic_needs_flush(&m.gic, cpu))
                continue;
            flush(cpu);
            busy = true;
        }
    }
    vgic_destroy(&m.gic);
    s2_destroy(&m.s2);
    FUZZ_ASSERT(m.account.used == 0);
    return 0;
}
