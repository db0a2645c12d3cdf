/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A hostile guest: a VM with every device, run by exit_run() over fakehal. The input is what the
 * guest does, from one exit to the next; at its end the guest powers off. Whatever it did, the VM
 * has ended with a reason, every page is back, and no check of the hypervisor's own failed.
 */
#include "abi/machine.h"
#include "abi/psci.h"
#include "arch/esr.h"
#include "dev/console.h"
#include "dev/registry.h"
#include "exit/exit.h"
#include "exit/sysreg_trap.h"
#include "fakehal/fakehal.h"
#include "fuzz.h"
#include "mem/guest_mem.h"
#include "vm/sched.h"

#define HOST_RAM_BASE UINT64_C(0x80000000)
#define HOST_RAM_SIZE MIB(8)
#define GUEST_RAM     UINT64_C(0x40000000)
#define GUEST_ENTRY   UINT64_C(0x40080000)
#define GUEST_MEMORY  MIB(1)
#define MAX_EXITS     512u

struct guest {
    struct fuzz_input in;
    struct hv *hv;
    struct vm *vm;
    unsigned exits;
};

static struct vcpu *vcpu_of(struct arch_vcpu *arch)
{
    return (struct vcpu *)(void *)((char *)arch - offsetof(struct vcpu, arch));
}

/* --- What the guest does before it traps --- */

/* Registers that the handlers of exits read: where to go for an exception, how stage 1 looks. */
static void set_sysreg(struct guest *g, struct arch_vcpu *arch)
{
    static const enum arch_sysreg regs[] = {
        ARCH_VBAR_EL1,    ARCH_SCTLR_EL1, ARCH_TTBR0_EL1,      ARCH_TTBR1_EL1,
        ARCH_TCR_EL1,     ARCH_MAIR_EL1,  ARCH_CNTV_CTL_EL0,   ARCH_CNTV_CVAL_EL0,
        ARCH_CNTKCTL_EL1, ARCH_MDSCR_EL1, ARCH_CONTEXTIDR_EL1, ARCH_CPACR_EL1,
    };
    enum arch_sysreg reg = regs[fuzz_take_below(&g->in, sizeof(regs) / sizeof(regs[0]))];
    uint64_t value = fuzz_take(&g->in, 8);

    /* Half of the time an address of its memory, which is what makes a table walk go on. */
    if ((value & 1) != 0)
        value = GUEST_RAM + (value >> 1) % GUEST_MEMORY;
    hal_vcpu_sysreg_set(arch, reg, value);
}

static void write_memory(struct guest *g)
{
    uint64_t word[2] = {fuzz_take(&g->in, 8), fuzz_take(&g->in, 8)};
    uint64_t at = GUEST_RAM + fuzz_take(&g->in, 4) % (GUEST_MEMORY - sizeof(word));

    FUZZ_ASSERT(guest_mem_write(&g->vm->s2, ipa(at), word, sizeof(word)) == HV_OK);
}

static void use_gic(struct guest *g, struct arch_vcpu *arch)
{
    uint64_t what = fuzz_take(&g->in, 2);

    switch (what & 3) {
    case 0:
        (void)fakehal_gic_ack(arch);
        break;
    case 1:
        fakehal_gic_eoi(arch, (uint32_t)(what >> 2) % 1024);
        break;
    case 2:
        (void)fakehal_gic_dir(arch, (uint32_t)(what >> 2) % 1024);
        break;
    default:
        fakehal_gic_enable(arch, (what & 4) != 0, (uint8_t)(what >> 8));
        break;
    }
}

static void set_x(struct guest *g, struct arch_vcpu *arch)
{
    unsigned n = fuzz_take_below(&g->in, 31);

    arch->x[n] = fuzz_take(&g->in, 8);
}

/* --- How it traps --- */

static void exit_raw(struct guest *g, struct arch_vcpu *arch, struct arch_exit *exit)
{
    exit->esr = fuzz_take(&g->in, 5);
    exit->far = fuzz_take(&g->in, 8);
    exit->hpfar = fuzz_take(&g->in, 8);
    arch->pc = fuzz_take(&g->in, 8);
    arch->pstate = fuzz_take(&g->in, 4);
}

/* A data abort of stage 2, with a valid syndrome most of the time. */
static void exit_access(struct guest *g, struct arch_vcpu *arch, struct arch_exit *exit)
{
    static const uint64_t bases[] = {
        MACHINE_GICD_BASE,
        MACHINE_GICR_BASE,
        MACHINE_GICR_BASE + 0x10000,
        MACHINE_UART_BASE,
        MACHINE_RTC_BASE,
        MACHINE_GPIO_BASE,
        0x0a000000,
        0x40100000,
        0x40000000,
        0,
    };
    uint64_t at =
        bases[fuzz_take_below(&g->in, sizeof(bases) / sizeof(bases[0]))] + fuzz_take(&g->in, 2);
    uint64_t iss = fuzz_take(&g->in, 4);

    if ((iss & 0x0e000000) != 0) /* ISV, translation fault at level 3, neither CM nor S1PTW */
        iss = (iss & 0x00ff8040) | 0x01000007;
    exit->esr = ((uint64_t)0x24 << 26) | (UINT64_C(1) << 25) | (iss & 0x1ffffff);
    exit->far = at & 0xfff;
    exit->hpfar = (at >> 12) << 4;
    arch->x[bits_get(iss, 20, 16) % 31] = fuzz_take(&g->in, 8);
}

/* An instruction abort of stage 2, or a data abort without a valid syndrome, at any PC. */
static void exit_fetch(struct guest *g, struct arch_vcpu *arch, struct arch_exit *exit)
{
    uint64_t iss = fuzz_take(&g->in, 2);
    uint64_t ec = (iss & 0x4000) != 0 ? 0x20 : 0x24;

    exit->esr = (ec << 26) | (UINT64_C(1) << 25) | (iss & 0x7ff);
    arch->pc = fuzz_take(&g->in, 8);
    exit->far = arch->pc;
    exit->hpfar = fuzz_take(&g->in, 6);
    arch->pstate = (iss & 0x8000) != 0 ? 0x5 : 0x0;
}

static void exit_sysreg(struct guest *g, struct arch_vcpu *arch, struct arch_exit *exit)
{
    uint64_t word = fuzz_take(&g->in, 4);
    uint64_t iss = word & 0x1ffffff;

    if ((word & 0x80000000) != 0)
        iss = sysreg_rows[(word >> 8) % sysreg_row_count].encoding | (word & 0x3e1);
    exit->esr = ((uint64_t)0x18 << 26) | (UINT64_C(1) << 25) | iss;
    arch->x[bits_get(iss, 9, 5) % 31] = fuzz_take(&g->in, 8);
}

static void exit_call(struct guest *g, struct arch_vcpu *arch, struct arch_exit *exit)
{
    uint64_t word = fuzz_take(&g->in, 4);

    arch->x[0] = (word & 1) != 0 ? fuzz_take(&g->in, 4)
                                 : 0x84000000 | (word & 0x40000000) | ((word >> 1) & 0x1f);
    arch->x[1] = (word & 0x100) != 0 ? fuzz_take(&g->in, 8) : (word >> 9) & 7;
    arch->x[2] = (word & 0x200) != 0 ? fuzz_take(&g->in, 8) : GUEST_ENTRY;
    exit->esr = ((uint64_t)((word & 2) != 0 ? 0x16 : 0x17) << 26) | (UINT64_C(1) << 25) |
                ((word & 0xf0000) != 0 ? 0 : word >> 20);
}

static void guest_interrupt(struct guest *g, struct arch_exit *exit)
{
    static const uint32_t usual[] = {HAL_INTID_KICK, 25, 26, 27, 33};
    uint64_t which = fuzz_take(&g->in, 2);

    exit->kind = (which & 0x7000) != 0 ? ARCH_EXIT_IRQ : (uint32_t)(which & 7);
    fakehal_irq_pend(0,
                     (which & 0x8000) != 0 ? (uint32_t)(which % FAKEHAL_INTIDS) : usual[which % 5]);
}

static void exit_off(struct arch_vcpu *arch, struct arch_exit *exit)
{
    arch->x[0] = PSCI_SYSTEM_OFF;
    exit->esr = ((uint64_t)0x16 << 26) | (UINT64_C(1) << 25);
}

/* Plays the guest for one hal_vcpu_run(). */
static void play(void *ctx, struct arch_vcpu *arch, struct arch_exit *exit)
{
    struct guest *g = ctx;

    FUZZ_ASSERT(vcpu_of(arch)->vm == g->vm);
    *exit = (struct arch_exit){.kind = ARCH_EXIT_SYNC};
    for (;;) {
        if (g->in.left == 0 || ++g->exits > MAX_EXITS) {
            exit_off(arch, exit);
            return;
        }
        switch (fuzz_take(&g->in, 1) % 16) {
        case 0:
            set_sysreg(g, arch);
            break;
        case 1:
            write_memory(g);
            break;
        case 2:
            use_gic(g, arch);
            break;
        case 3:
            set_x(g, arch);
            break;
        case 4:
            fakehal_advance(fuzz_take(&g->in, 4));
            break;
        case 5:
            fakehal_console_type((const char *)g->in.data, g->in.left % 40);
            break;
        case 6:
            if (fuzz_take(&g->in, 1) % 8 == 0)
                exit_raw(g, arch, exit); /* most of them end the VM */
            else
                exit_fetch(g, arch, exit);
            return;
        case 7:
            exit->esr = (UINT64_C(1) << 26) | (UINT64_C(1) << 25) | fuzz_take(&g->in, 1);
            return;
        case 8:
        case 9:
            exit_call(g, arch, exit);
            return;
        case 10:
            exit_sysreg(g, arch, exit);
            return;
        case 11:
            guest_interrupt(g, exit);
            return;
        default:
            exit_access(g, arch, exit);
            return;
        }
    }
}

/* The pCPU has nothing to run: as if an interrupt woke every vCPU that waits. */
static void wake_all(void *ctx)
{
    struct guest *g = ctx;

    fakehal_advance(fuzz_take(&g->in, 3));
    for (uint32_t i = 0; i < g->vm->nr_vcpus; i++)
        sched_wake(&g->vm->vcpu[i]);
}

/* --- The machine --- */

/* Every line is whole and printable, whatever the guest put into it. */
static void check_log_line(void *ctx, const char *text, size_t len)
{
    FUZZ_ASSERT(len > 1 && len <= LOG_LINE_MAX && text[len - 1] == '\n');
    for (size_t i = 0; i < len - 1; i++)
        FUZZ_ASSERT(text[i] >= ' ' && text[i] <= '~');
    console_log_write(ctx, text, len);
}

static uint64_t log_micros(void *ctx)
{
    (void)ctx;
    return 0;
}

static void make_machine(struct hv *hv, struct console *console)
{
    const struct log_sink sink = {check_log_line, log_micros, console};

    fakehal_reset();
    fakehal()->platform.uart = (struct platform_range){0x09000000, 0x1000};
    hv->platform = fakehal()->platform;
    fakehal_add_ram(pa(HOST_RAM_BASE), HOST_RAM_SIZE);
    FUZZ_ASSERT(hal_init(&hv->platform) == HV_OK);
    console_init(console, hv->platform.uart_intid);
    log_init(&hv->log, &sink);
    FUZZ_ASSERT(log_set_levels(&hv->log, "debug") == HV_OK);
    hv->console = console;
    hv->devices = &dev_registry;
    page_pool_init(&hv->pool);
    vmids_init(&hv->vmids, 255);
    FUZZ_ASSERT(page_pool_add(&hv->pool, pa(HOST_RAM_BASE), HOST_RAM_SIZE) == HV_OK);
    hv->account.limit = UINT64_MAX;
    hal_id_regs(&hv->idregs);
    idreg_virtualise(&hv->idregs, 40, &hv->guest_idregs);
    sched_init_pcpu(hv, 0);
    sched_online(&hv->pcpu[0]);
}

/* The guest's memory is where it was, and nothing else became reachable. */
static void check_memory(struct vm *vm)
{
    static const uint64_t outside[] = {0,
                                       MACHINE_GICD_BASE,
                                       MACHINE_UART_BASE,
                                       GUEST_RAM - 1,
                                       GUEST_RAM + GUEST_MEMORY,
                                       HOST_RAM_BASE};
    struct s2_mapping mapping;

    for (size_t i = 0; i < sizeof(outside) / sizeof(outside[0]); i++)
        FUZZ_ASSERT(s2_query(&vm->s2, ipa(outside[i]), &mapping) == HV_ERR_NOENT);
    for (uint64_t at = GUEST_RAM; at < GUEST_RAM + GUEST_MEMORY; at += mapping.size) {
        FUZZ_ASSERT(s2_query(&vm->s2, ipa(at), &mapping) == HV_OK);
        FUZZ_ASSERT(mapping.ipa.v == at && mapping.prot == S2_RWX);
        FUZZ_ASSERT(mapping.pa.v >= HOST_RAM_BASE &&
                    mapping.pa.v + mapping.size <= HOST_RAM_BASE + HOST_RAM_SIZE);
    }
}

static void run_vm(struct guest *g, const struct vm_config *config)
{
    uint64_t free_pages = page_pool_free_pages(&g->hv->pool);
    uint64_t mapped = fakehal()->maps - fakehal()->unmaps;

    FUZZ_ASSERT(vm_create(g->hv, config, 1, &g->vm) == HV_OK);
    FUZZ_ASSERT(dev_create_all(g->vm) == HV_OK);
    fakehal_set_run(play, g);
    fakehal()->idle = wake_all;
    fakehal()->idle_ctx = g;
    vm_start(g->vm, ipa(GUEST_ENTRY), 0);
    exit_run(&g->hv->pcpu[0]);
    FUZZ_ASSERT(g->vm->state == VM_OFF || g->vm->state == VM_RESET || g->vm->state == VM_CRASHED);
    FUZZ_ASSERT(g->vm->stop_reason[0] != '\0');
    FUZZ_ASSERT(strnlen(g->vm->stop_reason, VM_REASON_MAX) < VM_REASON_MAX);
    FUZZ_ASSERT(vm_is_over(g->vm) && g->hv->pcpu[0].loaded == NULL);
    check_memory(g->vm);
    vm_destroy(g->vm);
    FUZZ_ASSERT(page_pool_free_pages(&g->hv->pool) == free_pages);
    FUZZ_ASSERT(fakehal()->maps - fakehal()->unmaps == mapped);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct guest g = {.in = {data, size}};
    struct vm_config config = {.name = "fuzz", .memory = GUEST_MEMORY, .bootargs = ""};
    struct console *console = calloc(1, sizeof(*console));

    g.hv = calloc(1, sizeof(*g.hv));
    FUZZ_ASSERT(g.hv != NULL && console != NULL);
    config.vcpus = 1 + fuzz_take_below(&g.in, 3);
    make_machine(g.hv, console);
    run_vm(&g, &config);
    free(g.hv);
    free(console);
    return 0;
}
