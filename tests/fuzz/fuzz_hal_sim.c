/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The simulator against its guests: words of A64 from the input, at EL0 and EL1 behind stage 2,
 * with interrupts, with and without an MMU, on both CPU models. No word may break the machine, let
 * a run go on without time passing, or write outside of what stage 2 maps.
 */
#include "arch/el2.h"
#include "arch/esr.h"
#include "arch/pstate.h"
#include "fuzz.h"
#include "guest.h"

#define TICKS     3000u
#define EXITS_MAX (2u * TICKS)
#define WORDS_MAX 512u
/* The longest block that is begun before the deadline is a page of instructions. */
#define TICKS_OVER 1024u

static const uint8_t *input_data;
static size_t input_size;
static struct sim_machine *machine;
static enum sim_cpu_model machine_model;
static bool registered;

/* --- What is executed --- */

/* Words of a kind: bits that are the input's, and those that make it of the kind. */
static const struct {
    uint32_t random;
    uint32_t fixed;
} kinds[] = {
    {0xffffffff, 0x00000000}, /* anything */
    {0x002fffff, 0xd5100000}, /* MRS, MSR */
    {0x002fffff, 0xd5100000}, /* again: most of the state is there */
    {0x0027ffff, 0xd5080000}, /* SYS, SYSL */
    {0x00000fff, 0xd503401f}, /* MSR (immediate), hints, barriers */
    {0x00e0001f, 0xd4000000}, /* exception generation */
    {0x0000001f, 0xd69f03e0}, /* ERET and what is near */
    {0x00600000, 0xd61f03c0}, /* BR, BLR, RET of X30 */
    {0x000003e0, 0xd61f0000}, /* BR */
    {0x81ffffff, 0x38000000}, /* loads and stores of a register */
    {0xc0ffffff, 0x08000000}, /* exclusives, ordered */
    {0xffffffff, 0x1e000000}, /* FP and SIMD by some bits more */
    {0x1bffffff, 0x04000000}, /* SVE */
    {0x0000001f, 0x14000000}, /* B, a little forward */
    {0x001fffff, 0xd2800000}, /* MOVZ */
    {0x001fffff, 0xf2a00000}, /* MOVK */
};

static uint32_t take_word(struct fuzz_input *in)
{
    unsigned kind = fuzz_take_below(in, sizeof(kinds) / sizeof(kinds[0]));
    uint32_t word = (uint32_t)fuzz_take(in, 4);

    return kinds[kind].fixed | (word & kinds[kind].random);
}

/* Values that mean something to System registers and addresses. */
static uint64_t take_value(struct fuzz_input *in)
{
    static const uint64_t values[] = {
        0,
        1,
        ~UINT64_C(0),
        DATA,
        DATA + ALIAS,
        CODE + 64,
        CODE + 66,
        HOLE,
        VECTORS,
        GUEST_AT + 0x8000,
        GUEST_AT + GUEST_SIZE - 4,
        UINT64_C(0x30d01805),
        UINT64_C(0x30d00800),
        UINT64_C(0x300000),
        UINT64_C(0xff00000000000000) | DATA,
        0x3c5,
        0x3c4,
        0x3c0,
        0x10,
        0x1d0,
        SIM_UART_BASE,
        0xffff000000000000,
        0x80000000,
        40,
    };
    unsigned which = fuzz_take_below(in, sizeof(values) / sizeof(values[0]) + 8);

    return which < sizeof(values) / sizeof(values[0]) ? values[which] : fuzz_take(in, 8);
}

/* Each vector goes on behind what faulted. */
static void write_vectors(void)
{
    static const uint32_t handler[] = {
        0xd538403e, /* mrs x30, elr_el1 */
        0x910013de, /* add x30, x30, #4 */
        0xd518403e, /* msr elr_el1, x30 */
        0xd69f03e0, /* eret */
    };

    for (unsigned slot = 0; slot < 16; slot++)
        memcpy(guest_at(VECTORS + UINT64_C(0x80) * slot), handler, sizeof(handler));
}

static void make_guest(struct guest *guest, struct fuzz_input *in)
{
    unsigned flags = (unsigned)fuzz_take(in, 1);
    static const uint64_t modes[] = {MODE_EL0T, MODE_EL1T, MODE_EL1H, MODE_EL1H};
    uint32_t code[WORDS_MAX];
    size_t count = 0;
    struct arch_vcpu *vcpu = &guest->vcpu;

    while (count < WORDS_MAX - 1 && in->left > 0)
        code[count++] = take_word(in);
    code[count] = 0x14000000u | (0x03ffffffu & (0u - (uint32_t)count)); /* b to the start */
    guest_init(guest, code, count + 1);
    write_vectors();
    if ((flags & 4) != 0)
        guest_enable_mmu(guest);
    vcpu->pstate = modes[flags & 3] | ((flags & 8) != 0 ? MASKED : 0);
    vcpu->sys[ARCH_CPACR_EL1] = (uint64_t)(flags >> 4 & 3) << 20;
    vcpu->config.hcr_el2 |= HCR_SWIO | HCR_FB | HCR_BSU_IS | HCR_TID3 | HCR_TIDCP | HCR_TACR;
    vcpu->config.cptr_el2 = CPTR_RES1 | CPTR_TZ | CPTR_TSM | CPTR_TTA | CPTR_TAM;
    vcpu->config.mdcr_el2 = MDCR_TPM | MDCR_TPMCR | MDCR_TDRA | MDCR_TDOSA | MDCR_TPMS | MDCR_TTRF;
    vcpu->gic.vmcr = UINT64_C(0xf8000003);
    vcpu->gic.lr[0] = UINT64_C(0x5000000000000028); /* pending, group 1, INTID 40 */
}

static void fill_registers(struct guest *guest, const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};

    for (unsigned n = 0; n < 31; n++)
        guest->vcpu.x[n] = take_value(&in);
    guest->vcpu.sys[ARCH_SP_EL0] = DATA + 0x800;
    guest->vcpu.sys[ARCH_SP_EL1] = DATA + 0xc00;
}

/* --- Core --- */

static void check_exit(const struct guest *guest)
{
    static const uint8_t classes[] = {ESR_EC_WFX,      ESR_EC_HVC64,      ESR_EC_SMC64,
                                      ESR_EC_SYSREG,   ESR_EC_IABT_LOWER, ESR_EC_DABT_LOWER,
                                      0x07 /* FP */,   0x09 /* PAuth */,  0x19 /* SVE */,
                                      0x0c /* MRRC */, 0x05 /* CP14 */,   0x08};
    unsigned class = (unsigned)(guest->exit.esr >> 26);
    uint64_t mode = guest->vcpu.pstate & PSTATE_M_MASK;

    FUZZ_ASSERT(guest->exit.kind == ARCH_EXIT_SYNC || guest->exit.kind == ARCH_EXIT_IRQ);
    FUZZ_ASSERT(mode == MODE_EL0T || mode == MODE_EL1T || mode == MODE_EL1H);
    if (guest->exit.kind == ARCH_EXIT_SYNC)
        FUZZ_ASSERT(memchr(classes, (int)class, sizeof(classes)) != NULL);
}

static void handle(struct guest *guest)
{
    unsigned class = (unsigned)(guest->exit.esr >> 26);

    if (guest->exit.kind == ARCH_EXIT_IRQ) {
        uint32_t intid = hal_irq_ack();
        if (intid != HAL_INTID_NONE)
            hal_irq_end(intid, intid != SIM_INTID_VTIMER);
    } else if (class == ESR_EC_IABT_LOWER) {
        guest->vcpu.pc = CODE;
        guest->vcpu.pstate = MASKED | MODE_EL1H;
        hal_vcpu_sysreg_set(&guest->vcpu, ARCH_SCTLR_EL1, 0x30d00800);
    } else if (class != ESR_EC_HVC64) {
        guest->vcpu.pc += 4;
    }
}

static uint64_t sum_of_tables(void)
{
    const uint64_t *words = guest_at(SIM_RAM_BASE + MIB(4));
    uint64_t sum = 0;

    for (unsigned n = 0; n < 3 * 512 + 8; n++)
        sum = sum * 31 + words[n];
    return sum;
}

static void run_input(void)
{
    static struct guest guest;
    struct fuzz_input in = {input_data, input_size};
    uint64_t start = hal_time_now();
    uint64_t sum;
    unsigned exits = 0;

    make_guest(&guest, &in);
    fill_registers(&guest, input_data, input_size);
    sum = sum_of_tables();
    hal_vcpu_load(&guest.vcpu);
    hal_timer_arm(start + TICKS);
    while (hal_time_now() < start + TICKS && exits++ < EXITS_MAX) {
        hal_vcpu_run(&guest.vcpu, &guest.exit);
        check_exit(&guest);
        handle(&guest);
    }
    FUZZ_ASSERT(exits <= EXITS_MAX);
    FUZZ_ASSERT(hal_time_now() < start + TICKS + TICKS_OVER);
    hal_timer_arm(HAL_TIMER_NEVER);
    hal_vcpu_put(&guest.vcpu);
    hal_irq_deactivate(SIM_INTID_VTIMER);
    FUZZ_ASSERT(sum == sum_of_tables());
}

/* Woken for each input by a byte on the console. */
_Noreturn void core_main(const struct hal_boot *boot)
{
    struct hal_platform platform = rig_platform(1);
    char byte;

    (void)boot;
    FUZZ_ASSERT(hal_init(&platform) == HV_OK);
    for (;;) {
        hal_cpu_idle();
        uint32_t intid = hal_irq_ack();
        if (intid != HAL_INTID_NONE)
            hal_irq_end(intid, true);
        if (hal_console_read(&byte, 1) == 1)
            run_input();
    }
}

/* Only a panic writes. */
static void print(void *ctx, const char *text, size_t len)
{
    (void)ctx;
    (void)fwrite(text, 1, len, stderr);
}

/* --- The machine, kept for as long as the inputs are for its CPU model --- */

static void close_machine(void)
{
    if (machine != NULL)
        sim_machine_destroy(machine);
    machine = NULL;
}

static void need_machine(enum sim_cpu_model model)
{
    struct sim_machine_config config = {
        .ram_size = RIG_RAM,
        .nr_cpus = 1,
        .cpu_model = model,
        .dtb = pa(SIM_RAM_BASE + SIM_IMAGE_SIZE),
        .console_write = print,
    };
    char reason[SIM_REASON_MAX] = "";

    if (machine != NULL && machine_model == model)
        return;
    if (!registered)
        registered = atexit(close_machine) == 0;
    FUZZ_ASSERT(registered);
    close_machine();
    machine = sim_machine_create(&config, reason);
    machine_model = model;
    FUZZ_ASSERT(machine != NULL);
    FUZZ_ASSERT(sim_machine_run(machine, UINT64_MAX) == SIM_STOP_IDLE);
}

/* Unicorn 2.1.1's own mistakes with CPU model max, of which the machine tells and ends. */
static bool is_known(const char *failure)
{
    return machine_model == SIM_CPU_MAX && strstr(failure, "failed assertion") != NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum sim_stop stop;

    if (size == 0)
        return 0;
    need_machine(data[size - 1] % 32 == 9 ? SIM_CPU_MAX : SIM_CPU_CORTEX_A57);
    input_data = data;
    input_size = size;
    FUZZ_ASSERT(sim_machine_input(machine, "", 1) == 1);
    stop = sim_machine_run(machine, UINT64_MAX);
    if (stop == SIM_STOP_IDLE)
        return 0;
    fprintf(stderr, "broken: %s\n", sim_machine_failure(machine));
    FUZZ_ASSERT(stop == SIM_STOP_BROKEN && is_known(sim_machine_failure(machine)));
    close_machine();
    return 0;
}
