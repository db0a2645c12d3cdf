/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "guest.h"
#include <string.h>

#define TABLES_AT (SIM_RAM_BASE + MIB(4)) /* of stage 2: levels 1, 2, 3 */
#define S1_AT     (GUEST_AT + 0x8000u)    /* of stage 1: levels 1, 2, 3 */
#define VMID      UINT64_C(5)

/* Descriptors (D8.3): valid, a table or a page. */
#define VALID      UINT64_C(1)
#define TABLE      UINT64_C(3)
#define AF         (UINT64_C(1) << 10)
#define SHAREABLE  (UINT64_C(3) << 8)
#define S2_NORMAL  (UINT64_C(0xf) << 2) /* MemAttr */
#define S2_RW      (UINT64_C(3) << 6)   /* S2AP */
#define S1_RO_BOTH (UINT64_C(3) << 6)   /* AP: EL1 executes nothing that EL0 can write */
#define S1_RW_BOTH (UINT64_C(1) << 6)
#define S1_XN      (UINT64_C(3) << 53)

struct hal_platform rig_platform(unsigned nr_cpus)
{
    struct hal_platform platform = {
        .ram = {{SIM_RAM_BASE, RIG_RAM}},
        .nr_ram = 1,
        .nr_cpus = nr_cpus,
        .gicd = {SIM_GICD_BASE, 0x10000},
        .gicr = {{SIM_GICR_BASE, 0x20000}},
        .nr_gicr = 1,
        .gic_maintenance_intid = SIM_INTID_MAINT,
        .timer_hyp_intid = SIM_INTID_HYPTIMER,
        .timer_virt_intid = SIM_INTID_VTIMER,
        .uart = {SIM_UART_BASE, 0x1000},
        .uart_intid = SIM_UART_INTID,
    };

    for (unsigned cpu = 0; cpu < nr_cpus; cpu++)
        platform.cpu_mpidr[cpu] = sim_cpu_mpidr(cpu);
    return platform;
}

void *guest_at(uint64_t ipa)
{
    return hal_phys_map(pa(ipa), 1);
}

uint64_t *guest_stage2(uint64_t ipa)
{
    uint64_t *level3 = guest_at(TABLES_AT + 2 * PAGE_SIZE);

    return &level3[(ipa - GUEST_AT) / PAGE_SIZE];
}

uint64_t *guest_stage1(uint64_t va)
{
    uint64_t *level3 = guest_at(S1_AT + 2 * PAGE_SIZE);

    return &level3[(va - GUEST_AT) / PAGE_SIZE];
}

/* Levels 1 and 2 of either stage, with 39 bits of input (D8.2): a gibibyte and 2 MiB an entry. */
static void link_tables(uint64_t at)
{
    uint64_t *level1 = guest_at(at);
    uint64_t *level2 = guest_at(at + PAGE_SIZE);

    memset(level1, 0, 3 * PAGE_SIZE);
    level1[GUEST_AT >> 30] = (at + PAGE_SIZE) | TABLE;
    level2[GUEST_AT >> 21 & 511] = (at + 2 * PAGE_SIZE) | TABLE;
}

void guest_map_device(uint64_t ipa)
{
    uint64_t *level1 = guest_at(TABLES_AT);

    level1[ipa >> 30] = (ipa & ~(GIB(1) - 1)) | AF | S2_RW | VALID;
}

static void build_tables(void)
{
    link_tables(TABLES_AT);
    link_tables(S1_AT);
    for (uint64_t at = GUEST_AT; at < GUEST_AT + GUEST_SIZE; at += PAGE_SIZE)
        *guest_stage2(at) = at | AF | SHAREABLE | S2_RW | S2_NORMAL | TABLE;
    for (uint64_t at = GUEST_AT; at < GUEST_AT + ALIAS; at += PAGE_SIZE) {
        *guest_stage1(at) = at | AF | SHAREABLE | S1_RO_BOTH | TABLE;
        *guest_stage1(at + ALIAS) = at | AF | SHAREABLE | S1_RW_BOTH | S1_XN | TABLE;
    }
    *guest_stage1(DATA) = *guest_stage1(DATA + ALIAS);
}

static void write_vectors(void)
{
    for (uint32_t slot = 0; slot < 16; slot++) {
        uint32_t *at = guest_at(VECTORS + UINT64_C(0x80) * slot);

        at[0] = 0xd4000002u | (0x100u + slot) << 5; /* hvc */
        at[1] = 0xd69f03e0u;                        /* eret */
    }
}

struct s2_tag guest_tag(void)
{
    return (struct s2_tag){
        .vttbr = TABLES_AT | VMID << 48,
        /* RES1, PS 40 bits, write-back inner shareable walks, start at level 1, T0SZ 25: D17.2.157
         */
        .vtcr = UINT64_C(1) << 31 | 2u << 16 | 3u << 12 | 1u << 10 | 1u << 8 | 1u << 6 | 25u,
    };
}

void guest_init_vcpu(struct guest *guest)
{
    struct arch_idregs idregs;

    hal_id_regs(&idregs);
    memset(guest, 0, sizeof(*guest));
    guest->vcpu.pc = CODE;
    guest->vcpu.pstate = MASKED | MODE_EL1H;
    guest->vcpu.config = (struct arch_vcpu_config){
        /* RW, TSC, TWI, AMO, IMO, FMO, VM (D17.2.48), and not to trap PAuth */
        .hcr_el2 = UINT64_C(3) << 40 | UINT64_C(1) << 31 | 1u << 19 | 1u << 13 | 7u << 3 | 1u,
        .cptr_el2 = 0x33ff, /* RES1, TZ: no trap of FP */
        .cnthctl_el2 = 1,   /* EL1PCTEN: the physical timer traps */
        .vtcr_el2 = guest_tag().vtcr,
        .vttbr_el2 = guest_tag().vttbr,
        .vmpidr_el2 = UINT64_C(1) << 31,
        .vpidr_el2 = idregs.midr,
    };
    guest->vcpu.sys[ARCH_SCTLR_EL1] = 0x30d00800; /* RES1, MMU and caches off */
    guest->vcpu.sys[ARCH_CPACR_EL1] = 3u << 20;   /* FP and SIMD do not trap */
    guest->vcpu.sys[ARCH_VBAR_EL1] = VECTORS;
    guest->vcpu.gic.hcr = 1; /* En */
}

void guest_init(struct guest *guest, const uint32_t *code, size_t words)
{
    struct s2_tag tag = guest_tag();

    memset(guest_at(GUEST_AT), 0, GUEST_SIZE);
    memcpy(guest_at(CODE), code, words * sizeof(*code));
    write_vectors();
    build_tables();
    hal_cache_op(guest_at(GUEST_AT), GUEST_SIZE, HAL_CACHE_SYNC_ICACHE);
    hal_pt_sync();
    hal_tlbi_tag(&tag);
    guest_init_vcpu(guest);
}

void guest_enable_mmu(struct guest *guest)
{
    /* T0SZ 25, 4 KiB, write-back inner shareable walks, EPD1, IPS 40 bits (D17.2.131) */
    guest->vcpu.sys[ARCH_TCR_EL1] =
        UINT64_C(2) << 32 | 1u << 23 | 3u << 12 | 1u << 10 | 1u << 8 | 25u;
    guest->vcpu.sys[ARCH_MAIR_EL1] = 0xff;
    guest->vcpu.sys[ARCH_TTBR0_EL1] = S1_AT;
    guest->vcpu.sys[ARCH_SCTLR_EL1] = 0x30d01805; /* RES1, I, C, M */
}

unsigned guest_run(struct guest *guest)
{
    hal_vcpu_run(&guest->vcpu, &guest->exit);
    if (guest->exit.kind != ARCH_EXIT_SYNC)
        return EC_IRQ;
    return (unsigned)(guest->exit.esr >> 26) & 0x3f;
}

uint64_t guest_time_run(struct guest *guest)
{
    uint64_t start = hal_time_now();

    (void)guest_run(guest);
    return hal_time_now() - start;
}
