/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "hal-sim/calibrate.h"
#include "base/bits.h"
#include "hal-sim/engine_priv.h"
#include "hal-sim/machine.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unicorn/unicorn.h>

/* The scratch machine: one page, flat, at EL1. */
#define PAGE_AT   UINT64_C(0x10000)
#define DATA_AT   (PAGE_AT + 0x800)
#define X_PATTERN UINT64_C(0x5eed00d1fab1e000)
#define MINIMUM   0x020101u /* 2.1.1 */

#define INSN_NOP        UINT32_C(0xd503201f)
#define INSN_HVC_1234   UINT32_C(0xd4024682)
#define INSN_SMC_1234   UINT32_C(0xd4024683)
#define INSN_WFI        UINT32_C(0xd503207f)
#define INSN_LDXR_X0_X1 UINT32_C(0xc85f7c20)
/* SCTLR_EL1 (D17.2.118): its RES1 bits, and with M, the MMU; TCR_EL1: T0SZ = 16, EPD0. */
#define SCTLR_NONE     UINT64_C(0x30d00800)
#define SCTLR_M        (SCTLR_NONE | BIT(0))
#define TCR_EPD0       (BIT(7) | 16u)
#define EC_FETCH_ABORT 0x21u /* without a change of Exception level */
/* EC in [31:26], IL, ISS (D17.2.37): HVC and SMC with their immediate; WFI with CV and COND. */
#define ESR_HVC_1234 UINT32_C(0x5a001234)
#define ESR_SMC_1234 UINT32_C(0x5e001234)
#define ESR_WFI      UINT32_C(0x06e00000) /* EC 0x01, IL, CV 0, COND 0b1110 is not looked at */
#define EC_MASK      UINT32_C(0xfc000000)

struct probe {
    uc_engine *uc;
    uc_context *context;
    size_t size;
    uint32_t number; /* of the last exception */
    unsigned exceptions;
    uint64_t pc;
    uint64_t insns; /* by the block hook */
};

static bool fail(char *reason, const char *what)
{
    unsigned version = uc_version(NULL, NULL) >> 8;

    (void)snprintf(reason, SIM_REASON_MAX,
                   "Unicorn %u.%u.%u does not behave as this simulator needs it: %s; use Debian "
                   "13's libunicorn 2.1.1 (ci/setup brings it)",
                   version >> 16, (version >> 8) & 0xff, version & 0xff, what);
    return false;
}

static void on_interrupt(uc_engine *uc, uint32_t number, void *data)
{
    struct probe *probe = data;

    probe->number = number;
    probe->exceptions++;
    (void)uc_reg_read(uc, UC_ARM64_REG_PC, &probe->pc);
    (void)uc_context_save(uc, probe->context);
    (void)uc_emu_stop(uc);
}

static void on_block(uc_engine *uc, uint64_t address, uint32_t size, void *data)
{
    struct probe *probe = data;

    (void)uc;
    (void)address;
    probe->insns += size / 4;
}

static void write_cp(uc_engine *uc, uint32_t op1, uint32_t crn, uint32_t crm, uint32_t op2,
                     uint64_t value)
{
    uc_arm64_cp_reg reg = {.crn = crn, .crm = crm, .op0 = 3, .op1 = op1, .op2 = op2, .val = value};

    (void)uc_reg_write(uc, UC_ARM64_REG_CP_REG, &reg);
}

/* The reset state is Secure, with AArch32 below EL3. */
static bool probe_open(struct probe *probe, bool max)
{
    uc_hook hook;
    int model = max ? UC_CPU_ARM64_MAX : UC_CPU_ARM64_A57;

    memset(probe, 0, sizeof(*probe));
    if (uc_open(UC_ARCH_ARM64, UC_MODE_ARM, &probe->uc) != UC_ERR_OK)
        return false;
    if (uc_ctl_set_cpu_model(probe->uc, model) != UC_ERR_OK ||
        uc_ctl_set_tcg_buffer_size(probe->uc, 1u << 20) != UC_ERR_OK ||
        uc_mem_map(probe->uc, PAGE_AT, 0x1000, UC_PROT_ALL) != UC_ERR_OK ||
        uc_hook_add(probe->uc, &hook, UC_HOOK_INTR, (void *)on_interrupt, probe, 1, 0) !=
            UC_ERR_OK ||
        uc_hook_add(probe->uc, &hook, UC_HOOK_BLOCK, (void *)on_block, probe, 1, 0) != UC_ERR_OK ||
        uc_context_alloc(probe->uc, &probe->context) != UC_ERR_OK)
        return false;
    probe->size = uc_context_size(probe->uc);
    write_cp(probe->uc, 6, 1, 1, 0, 0x531);                       /* SCR_EL3: NS, HCE, RW */
    write_cp(probe->uc, 4, 1, 1, 0, BIT(31) | BIT(19) | BIT(13)); /* HCR_EL2: RW, TSC, TWI */
    return true;
}

static void probe_close(struct probe *probe)
{
    if (probe->context != NULL)
        (void)uc_context_free(probe->context);
    if (probe->uc != NULL)
        (void)uc_close(probe->uc);
}

/* Executes code from the start of the page to the first exception. */
static bool probe_run(struct probe *probe, const uint32_t *code, size_t words)
{
    probe->exceptions = 0;
    probe->insns = 0;
    return uc_mem_write(probe->uc, PAGE_AT, code, words * 4) == UC_ERR_OK &&
           uc_ctl_flush_tb(probe->uc) == UC_ERR_OK && uc_ctl_flush_tlb(probe->uc) == UC_ERR_OK &&
           uc_emu_start(probe->uc, PAGE_AT, ~UINT64_C(0), 0, 0) == UC_ERR_OK &&
           probe->exceptions == 1;
}

/* Where `len` bytes are in the saved context; false unless there is exactly one place. */
static bool find(const struct probe *probe, const void *want, size_t len, size_t *at)
{
    const uint8_t *blob = (const uint8_t *)probe->context;
    unsigned found = 0;

    for (size_t i = 0; i + len <= probe->size; i += 4) {
        if (memcmp(blob + i, want, len) == 0) {
            *at = i;
            found++;
        }
    }
    return found == 1;
}

static uint32_t blob32(const struct probe *probe, size_t at)
{
    uint32_t value = 0;

    if (at + sizeof(value) <= probe->size)
        memcpy(&value, (const uint8_t *)probe->context + at, sizeof(value));
    return value;
}

static bool find_registers(struct probe *probe, struct calibration *out, char *reason)
{
    static const uint32_t code[] = {INSN_NOP, INSN_HVC_1234};
    const uint32_t esr = ESR_HVC_1234;
    uint64_t x[31];

    for (unsigned i = 0; i < 31; i++) {
        x[i] = X_PATTERN + i;
        (void)uc_reg_write(probe->uc, engine_x_reg(i), &x[i]);
    }
    if (!probe_run(probe, code, ARRAY_LEN(code)) || probe->pc != PAGE_AT + 8)
        return fail(reason, "HVC does not arrive at the interrupt hook after itself");
    if (probe->insns != ARRAY_LEN(code))
        return fail(reason, "the block hook does not count instructions");
    if (!find(probe, x, sizeof(x), &out->x0))
        return fail(reason, "the general-purpose registers are not in the saved context");
    if (!find(probe, &esr, sizeof(esr), &out->syndrome))
        return fail(reason, "the syndrome is not in the saved context");
    out->vaddress = out->syndrome + 8;
    out->target_el = out->syndrome + 16;
    if (blob32(probe, out->target_el) != 2)
        return fail(reason, "the target of an exception is not beside its syndrome");
    return true;
}

static bool check_trap(struct probe *probe, const struct calibration *at, uint32_t insn,
                       uint32_t esr, uint32_t mask)
{
    const uint32_t code[] = {INSN_NOP, insn, INSN_HVC_1234};

    return probe_run(probe, code, ARRAY_LEN(code)) && probe->pc == PAGE_AT + 4 &&
           (blob32(probe, at->syndrome) & mask) == (esr & mask) &&
           blob32(probe, at->target_el) == 2;
}

/* With the MMU on and walks of its lower half disabled, the first fetch fails: its address is that
 * of the fault. */
static bool check_vaddress(struct probe *probe, const struct calibration *at)
{
    static const uint32_t code[] = {INSN_HVC_1234};
    uint64_t vaddress = 0;
    bool aborted;

    write_cp(probe->uc, 0, 2, 0, 2, TCR_EPD0);
    write_cp(probe->uc, 0, 1, 0, 0, SCTLR_M);
    aborted = probe_run(probe, code, ARRAY_LEN(code));
    write_cp(probe->uc, 0, 1, 0, 0, SCTLR_NONE);
    if (at->vaddress + sizeof(vaddress) <= probe->size)
        memcpy(&vaddress, (const uint8_t *)probe->context + at->vaddress, sizeof(vaddress));
    return aborted && blob32(probe, at->syndrome) >> 26 == EC_FETCH_ABORT && vaddress == PAGE_AT &&
           blob32(probe, at->target_el) == 1;
}

/* The exclusive monitor has the address of a load-exclusive; X1, which has it too, is known. */
static bool find_monitor(struct probe *probe, struct calibration *out, char *reason)
{
    static const uint32_t code[] = {INSN_LDXR_X0_X1, INSN_HVC_1234};
    uint64_t x1 = DATA_AT;
    unsigned found = 0;

    (void)uc_reg_write(probe->uc, UC_ARM64_REG_X1, &x1);
    if (!probe_run(probe, code, ARRAY_LEN(code)))
        return fail(reason, "LDXR does not execute");
    for (size_t i = 0; i + 8 <= probe->size; i += 4) {
        bool is_x1 = i == out->x0 + 8;
        if (!is_x1 && memcmp((const uint8_t *)probe->context + i, &x1, sizeof(x1)) == 0) {
            out->exclusive = i;
            found++;
        }
    }
    if (found != 1)
        return fail(reason, "the exclusive monitor is not in the saved context");
    return true;
}

bool calibrate(bool max, struct calibration *out, char *reason)
{
    struct probe probe;
    unsigned major = 0;
    unsigned minor = 0;
    unsigned version = uc_version(&major, &minor) >> 8;
    bool good = false;

    if (version < MINIMUM) {
        (void)snprintf(reason, SIM_REASON_MAX,
                       "Unicorn %u.%u.%u is too old: 2.1.1 or newer is needed; run ci/setup, which "
                       "brings it, and build again",
                       version >> 16, (version >> 8) & 0xff, version & 0xff);
        return false;
    }
    if (!probe_open(&probe, max))
        (void)fail(reason, "an engine with a CPU of this model cannot be opened");
    else if (!find_registers(&probe, out, reason) || !find_monitor(&probe, out, reason))
        ; /* the reason is told */
    else if (!check_vaddress(&probe, out))
        (void)fail(reason, "the address of a fault is not beside its syndrome");
    else if (!check_trap(&probe, out, INSN_SMC_1234, ESR_SMC_1234, UINT32_MAX))
        (void)fail(reason, "HCR_EL2.TSC does not trap SMC");
    else if (!check_trap(&probe, out, INSN_WFI, ESR_WFI, EC_MASK))
        (void)fail(reason, "HCR_EL2.TWI does not trap WFI");
    else
        good = true;
    probe_close(&probe);
    return good;
}
