/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Every register of GICv3 (IHI 0069, 12.8, 12.10, 12.2) without the ITS, of all CPUs: what it reads
 * at reset and after ones, zeroes and a pattern were written, and which sizes of access it takes. A
 * line for each, compared between machines; where they may differ is in the table of known
 * differences.
 */
#include "lib/con.h"
#include "lib/gic.h"
#include "lib/mmu.h"
#include "lib/smp.h"
#include "lib/sys.h"
#include "lib/tap.h"
#include "lib/trap.h"

#define PATTERN 0x5a5a5a5a5a5a5a5aUL

enum reg_kind {
    REG_WORD,  /* 32 bits */
    REG_WIDE,  /* 64 bits */
    REG_SET,   /* 32 bits, cleared by writing ones 0x80 further on */
    REG_CLEAR, /* 32 bits, the same as the one 0x80 below */
    REG_READ,  /* 32 bits; a write may start something, or is not to be tried */
};

struct reg {
    uint32_t offset;
    enum reg_kind kind;
    const char *name;
};

/* GICD_CTLR comes first, while nothing is enabled. */
static const struct reg distributor[] = {
    {0x0000, REG_WORD, "CTLR"},         {0x0004, REG_WORD, "TYPER"},
    {0x0008, REG_WORD, "IIDR"},         {0x000c, REG_WORD, "TYPER2"},
    {0x0010, REG_WORD, "STATUSR"},      {0x0020, REG_WORD, "IMPDEF"},
    {0x0040, REG_WORD, "SETSPI_NSR"},   {0x0048, REG_WORD, "CLRSPI_NSR"},
    {0x0050, REG_WORD, "SETSPI_SR"},    {0x0058, REG_WORD, "CLRSPI_SR"},
    {0x0080, REG_WORD, "IGROUPR0"},     {0x0084, REG_WORD, "IGROUPR1"},
    {0x0088, REG_WORD, "IGROUPR2"},     {0x00a0, REG_WORD, "IGROUPR8"},
    {0x0100, REG_SET, "ISENABLER0"},    {0x0104, REG_SET, "ISENABLER1"},
    {0x0120, REG_SET, "ISENABLER8"},    {0x0180, REG_CLEAR, "ICENABLER0"},
    {0x0188, REG_CLEAR, "ICENABLER2"},  {0x0200, REG_SET, "ISPENDR0"},
    {0x0208, REG_SET, "ISPENDR2"},      {0x0220, REG_SET, "ISPENDR8"},
    {0x0280, REG_CLEAR, "ICPENDR0"},    {0x0288, REG_CLEAR, "ICPENDR2"},
    {0x0300, REG_SET, "ISACTIVER0"},    {0x0308, REG_SET, "ISACTIVER2"},
    {0x0320, REG_SET, "ISACTIVER8"},    {0x0380, REG_CLEAR, "ICACTIVER0"},
    {0x0388, REG_CLEAR, "ICACTIVER2"},  {0x0400, REG_WORD, "IPRIORITYR0"},
    {0x041c, REG_WORD, "IPRIORITYR7"},  {0x0420, REG_WORD, "IPRIORITYR8"},
    {0x0440, REG_WORD, "IPRIORITYR16"}, {0x051c, REG_WORD, "IPRIORITYR71"},
    {0x0800, REG_WORD, "ITARGETSR0"},   {0x0820, REG_WORD, "ITARGETSR8"},
    {0x0840, REG_WORD, "ITARGETSR16"},  {0x0c00, REG_WORD, "ICFGR0"},
    {0x0c04, REG_WORD, "ICFGR1"},       {0x0c08, REG_WORD, "ICFGR2"},
    {0x0c10, REG_WORD, "ICFGR4"},       {0x0c44, REG_WORD, "ICFGR17"},
    {0x0d00, REG_WORD, "IGRPMODR0"},    {0x0d04, REG_WORD, "IGRPMODR1"},
    {0x0e00, REG_WORD, "NSACR0"},       {0x0e08, REG_WORD, "NSACR2"},
    {0x0f00, REG_WORD, "SGIR"},         {0x0f10, REG_WORD, "CPENDSGIR0"},
    {0x0f20, REG_WORD, "SPENDSGIR0"},   {0x0f80, REG_WORD, "INMIR0"},
    {0x1000, REG_WORD, "IGROUPR0E"},    {0x1200, REG_WORD, "ISENABLER0E"},
    {0x2000, REG_WORD, "IPRIORITYR0E"}, {0x3000, REG_WORD, "ICFGR0E"},
    {0x6000, REG_WIDE, "IROUTER0"},     {0x60f8, REG_WIDE, "IROUTER31"},
    {0x6100, REG_WIDE, "IROUTER32"},    {0x6200, REG_WIDE, "IROUTER64"},
    {0x68f8, REG_WIDE, "IROUTER287"},   {0x8000, REG_WIDE, "IROUTER0E"},
    {0xc000, REG_WORD, "IMPDEF2"},      {0xffd0, REG_WORD, "PIDR4"},
    {0xffe0, REG_WORD, "PIDR0"},        {0xffe4, REG_WORD, "PIDR1"},
    {0xffe8, REG_WORD, "PIDR2"},        {0xffec, REG_WORD, "PIDR3"},
    {0xfff0, REG_WORD, "CIDR0"},        {0xfffc, REG_WORD, "CIDR3"},
};

/* PROPBASER, PENDBASER and CTLR.EnableLPIs are for programs that have LPIs. */
static const struct reg redistributor[] = {
    {0x00000, REG_READ, "CTLR"},         {0x00004, REG_WORD, "IIDR"},
    {0x00008, REG_WIDE, "TYPER"},        {0x00010, REG_WORD, "STATUSR"},
    {0x00014, REG_WORD, "WAKER"},        {0x00018, REG_WORD, "MPAMIDR"},
    {0x0001c, REG_WORD, "PARTIDR"},      {0x00020, REG_WORD, "IMPDEF"},
    {0x00070, REG_WIDE, "PROPBASER"},    {0x00078, REG_WIDE, "PENDBASER"},
    {0x000c0, REG_READ, "SYNCR"},        {0x0ffd0, REG_WORD, "PIDR4"},
    {0x0ffe0, REG_WORD, "PIDR0"},        {0x0ffe8, REG_WORD, "PIDR2"},
    {0x0fff0, REG_WORD, "CIDR0"},        {0x0fffc, REG_WORD, "CIDR3"},
    {0x10080, REG_WORD, "IGROUPR0"},     {0x10084, REG_WORD, "IGROUPR1E"},
    {0x10100, REG_SET, "ISENABLER0"},    {0x10180, REG_CLEAR, "ICENABLER0"},
    {0x10200, REG_SET, "ISPENDR0"},      {0x10280, REG_CLEAR, "ICPENDR0"},
    {0x10300, REG_SET, "ISACTIVER0"},    {0x10380, REG_CLEAR, "ICACTIVER0"},
    {0x10400, REG_WORD, "IPRIORITYR0"},  {0x1040c, REG_WORD, "IPRIORITYR3"},
    {0x10410, REG_WORD, "IPRIORITYR4"},  {0x1041c, REG_WORD, "IPRIORITYR7"},
    {0x10420, REG_WORD, "IPRIORITYR8E"}, {0x10c00, REG_WORD, "ICFGR0"},
    {0x10c04, REG_WORD, "ICFGR1"},       {0x10d00, REG_WORD, "IGRPMODR0"},
    {0x10e00, REG_WORD, "NSACR"},        {0x10f80, REG_WORD, "INMIR0"},
};

static void put_value(uint64_t value, bool aborted)
{
    if (aborted) {
        con_printf(" abort");
    } else {
        con_printf(" %lx", value);
    }
}

static uint64_t read_reg(uint64_t address, bool wide, bool *aborted)
{
    uint64_t value;

    trap_expect(TRAP_NEXT);
    value = wide ? mmio_read64(address) : mmio_read32(address);
    *aborted = trap_done().count != 0;
    return value;
}

static void write_reg(uint64_t address, bool wide, uint64_t value)
{
    trap_expect(TRAP_NEXT);
    if (wide) {
        mmio_write64(address, value);
    } else {
        mmio_write32(address, (uint32_t)value);
    }
    sys_dsb();
    (void)trap_done();
}

static void put_read(uint64_t address, bool wide)
{
    bool aborted;
    uint64_t value = read_reg(address, wide, &aborted);

    put_value(value, aborted);
}

/* Writes that leave it as it was at reset. */
static void restore(const struct reg *reg, uint64_t address, uint64_t reset)
{
    if (reg->kind == REG_SET || reg->kind == REG_CLEAR) {
        write_reg(reg->kind == REG_SET ? address + 0x80 : address, false, ~0UL);
    } else {
        write_reg(address, reg->kind == REG_WIDE, reset);
    }
}

static void show_values(const char *frame, const struct reg *reg, uint64_t address)
{
    bool wide = reg->kind == REG_WIDE;
    bool aborted;
    uint64_t reset = read_reg(address, wide, &aborted);

    con_printf("# %s_%s:", frame, reg->name);
    put_value(reset, aborted);
    if (reg->kind != REG_READ) {
        /* What ones set has to be there to be cleared. */
        write_reg(reg->kind == REG_CLEAR ? address - 0x80 : address, wide, ~0UL);
        put_read(address, wide);
        write_reg(address, wide, 0);
        put_read(address, wide);
        write_reg(address, wide, PATTERN);
        put_read(address, wide);
        restore(reg, address, reset);
        put_read(address, wide);
    }
    con_putc('\n');
}

static unsigned read_sizes(uint64_t address)
{
    unsigned sizes = 0;
    uint32_t value;
    uint64_t wide;

    trap_expect(TRAP_NEXT);
    (void)mmio_read8(address);
    sizes |= trap_done().count == 0 ? 1 : 0;
    trap_expect(TRAP_NEXT);
    __asm__ volatile("ldrh %w0, [%1]" : "=r"(value) : "r"(address) : "memory");
    sizes |= trap_done().count == 0 ? 2 : 0;
    trap_expect(TRAP_NEXT);
    (void)mmio_read32(address);
    sizes |= trap_done().count == 0 ? 4 : 0;
    trap_expect(TRAP_NEXT);
    __asm__ volatile("ldr %0, [%1]" : "=r"(wide) : "r"(address & ~7UL) : "memory");
    sizes |= trap_done().count == 0 ? 8 : 0;
    return sizes;
}

static void put_sizes(const char *frame, const struct reg *reg, uint64_t address)
{
    unsigned sizes = read_sizes(address);

    con_printf("# %s_%s sizes:", frame, reg->name);
    for (unsigned size = 1; size <= 8; size *= 2) {
        if ((sizes & size) != 0) {
            con_printf(" %u", 8 * size);
        } else {
            con_printf(" abort");
        }
    }
    con_putc('\n');
}

static void sweep(const char *frame, uint64_t base, const struct reg *table, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        show_values(frame, &table[i], base + table[i].offset);
        put_sizes(frame, &table[i], base + table[i].offset);
    }
}

/* --- CPU interface --- */

#define ICC_REGS(each)                                                                             \
    each("PMR", "S3_0_C4_C6_0") each("BPR0", "S3_0_C12_C8_3") each("BPR1", "S3_0_C12_C12_3")       \
        each("CTLR", "S3_0_C12_C12_4") each("SRE", "S3_0_C12_C12_5")                               \
            each("IGRPEN0", "S3_0_C12_C12_6") each("IGRPEN1", "S3_0_C12_C12_7")                    \
                each("AP0R0", "S3_0_C12_C8_4") each("AP1R0", "S3_0_C12_C9_0")                      \
                    each("AP0R1", "S3_0_C12_C8_5") each("AP1R1", "S3_0_C12_C9_1")                  \
                        each("AP0R3", "S3_0_C12_C8_7") each("AP1R3", "S3_0_C12_C9_3")

#define ICC_READS(each)                                                                            \
    each("RPR", "S3_0_C12_C11_3") each("HPPIR0", "S3_0_C12_C8_2") each("HPPIR1", "S3_0_C12_C12_2") \
        each("IAR0", "S3_0_C12_C8_0") each("IAR1", "S3_0_C12_C12_0") each("DIR", "S3_0_C12_C11_1") \
            each("SGI1R", "S3_0_C12_C11_5") each("EOIR1", "S3_0_C12_C12_1")

struct icc_result {
    uint64_t value[5]; /* reset, ones, zeroes, pattern, reset again */
    bool undefined;
};

#define COUNT_ONE(name, reg) +1
enum { ICC_COUNT = 0 ICC_REGS(COUNT_ONE), ICC_READ_COUNT = 0 ICC_READS(COUNT_ONE) };

static struct icc_result icc_results[ICC_COUNT];
static struct icc_result icc_reads[ICC_READ_COUNT];

#define NAME_ONE(name, reg) name,
static const char *const icc_names[] = {ICC_REGS(NAME_ONE)};
static const char *const icc_read_names[] = {ICC_READS(NAME_ONE)};

#define ICC_TRY(name, reg)                                                                         \
    trap_expect(TRAP_NEXT);                                                                        \
    result->value[0] = SYS_READ(reg);                                                              \
    SYS_WRITE(reg, ~0UL);                                                                          \
    sys_isb();                                                                                     \
    result->value[1] = SYS_READ(reg);                                                              \
    SYS_WRITE(reg, 0);                                                                             \
    sys_isb();                                                                                     \
    result->value[2] = SYS_READ(reg);                                                              \
    SYS_WRITE(reg, PATTERN & 0xffffffff);                                                          \
    sys_isb();                                                                                     \
    result->value[3] = SYS_READ(reg);                                                              \
    SYS_WRITE(reg, result->value[0]);                                                              \
    sys_isb();                                                                                     \
    result->value[4] = SYS_READ(reg);                                                              \
    result->undefined = trap_done().count != 0;                                                    \
    result++;

#define ICC_TRY_READ(name, reg)                                                                    \
    trap_expect(TRAP_NEXT);                                                                        \
    result->value[0] = SYS_READ(reg);                                                              \
    result->undefined = trap_done().count != 0;                                                    \
    result++;

static void try_writable(void)
{
    struct icc_result *result = icc_results;

    ICC_REGS(ICC_TRY)
}

static void try_readable(void)
{
    struct icc_result *result = icc_reads;

    ICC_READS(ICC_TRY_READ)
}

static void try_interface(unsigned cpu)
{
    (void)cpu;
    try_writable();
    try_readable();
}

static void show_interface(unsigned cpu)
{
    for (unsigned i = 0; i < ICC_COUNT; i++) {
        con_printf("# ICC%u_%s:", cpu, icc_names[i]);
        for (unsigned j = 0; j < 5 && !icc_results[i].undefined; j++) {
            con_printf(" %lx", icc_results[i].value[j]);
        }
        con_printf("%s\n", icc_results[i].undefined ? " undefined" : "");
    }
    for (unsigned i = 0; i < ICC_READ_COUNT; i++) {
        con_printf("# ICC%u_%s:", cpu, icc_read_names[i]);
        put_value(icc_reads[i].value[0], false);
        con_printf("%s\n", icc_reads[i].undefined ? " undefined" : "");
    }
}

void guest_main(void)
{
    unsigned cpus = smp_count();

    mmu_on();
    smp_start(cpus);
    for (unsigned cpu = 0; cpu < cpus; cpu++) {
        if (cpu == 0) {
            try_interface(0);
        } else {
            smp_run_on(cpu, try_interface);
        }
        show_interface(cpu);
    }
    tap_ok(true, "the CPU interface");
    sweep("GICD", GICD_BASE, distributor, sizeof(distributor) / sizeof(distributor[0]));
    tap_ok(true, "the distributor");
    for (unsigned cpu = 0; cpu < cpus; cpu++) {
        char frame[] = "GICR0";
        frame[4] = (char)('0' + cpu);
        sweep(frame, gic_redistributor(cpu), redistributor,
              sizeof(redistributor) / sizeof(redistributor[0]));
    }
    tap_ok(true, "the redistributors");
}
