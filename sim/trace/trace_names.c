/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Names of what guests call and access: PSCI DEN 0022, SMCCC DEN 0028, TRNG DEN 0098; Arm ARM DDI
 * 0487, D17 and GICv3 IHI 0069, 12.2. */
#include "abi/psci.h"
#include "abi/smccc.h"
#include "arch/idreg.h"
#include "arch/sysreg.h"
#include "sim/trace/trace_text.h"

static const struct name {
    uint32_t number;
    const char *text;
} functions[] = {
#define ROW(fid)                                                                                   \
    {                                                                                              \
        fid, #fid                                                                                  \
    }
    ROW(SMCCC_VERSION),
    ROW(SMCCC_ARCH_FEATURES),
    {UINT32_C(0x80000002), "SMCCC_ARCH_SOC_ID"},
    {UINT32_C(0x80003fff), "SMCCC_ARCH_WORKAROUND_3"},
    {UINT32_C(0x80007fff), "SMCCC_ARCH_WORKAROUND_2"},
    {UINT32_C(0x80008000), "SMCCC_ARCH_WORKAROUND_1"},
    ROW(PSCI_VERSION),
    ROW(PSCI_CPU_SUSPEND_32),
    ROW(PSCI_CPU_SUSPEND_64),
    ROW(PSCI_CPU_OFF),
    ROW(PSCI_CPU_ON_32),
    ROW(PSCI_CPU_ON_64),
    ROW(PSCI_AFFINITY_INFO_32),
    ROW(PSCI_AFFINITY_INFO_64),
    ROW(PSCI_MIGRATE_32),
    ROW(PSCI_MIGRATE_64),
    ROW(PSCI_MIGRATE_INFO_TYPE),
    {UINT32_C(0x84000007), "PSCI_MIGRATE_INFO_UP_CPU_32"},
    {UINT32_C(0xc4000007), "PSCI_MIGRATE_INFO_UP_CPU_64"},
    ROW(PSCI_SYSTEM_OFF),
    ROW(PSCI_SYSTEM_RESET),
    ROW(PSCI_FEATURES),
    {UINT32_C(0x8400000b), "PSCI_CPU_FREEZE"},
    {UINT32_C(0x8400000e), "PSCI_SYSTEM_SUSPEND_32"},
    {UINT32_C(0xc400000e), "PSCI_SYSTEM_SUSPEND_64"},
    {UINT32_C(0x8400000f), "PSCI_SET_SUSPEND_MODE"},
    ROW(PSCI_SYSTEM_RESET2_32),
    ROW(PSCI_SYSTEM_RESET2_64),
    {UINT32_C(0x84000050), "TRNG_VERSION"},
    {UINT32_C(0x84000051), "TRNG_FEATURES"},
    {UINT32_C(0x84000052), "TRNG_GET_UUID"},
    {UINT32_C(0x84000053), "TRNG_RND_32"},
    {UINT32_C(0xc4000053), "TRNG_RND_64"},
    {UINT32_C(0x8600ff01), "VENDOR_HYP_CALL_UID"},
#undef ROW
};

/* In the order of struct arch_idregs.reg; NULL is a reserved encoding. */
static const char *const idregs[IDREG_COUNT] = {
    "ID_PFR0_EL1",
    "ID_PFR1_EL1",
    "ID_DFR0_EL1",
    "ID_AFR0_EL1",
    "ID_MMFR0_EL1",
    "ID_MMFR1_EL1",
    "ID_MMFR2_EL1",
    "ID_MMFR3_EL1",
    "ID_ISAR0_EL1",
    "ID_ISAR1_EL1",
    "ID_ISAR2_EL1",
    "ID_ISAR3_EL1",
    "ID_ISAR4_EL1",
    "ID_ISAR5_EL1",
    "ID_MMFR4_EL1",
    "ID_ISAR6_EL1",
    "MVFR0_EL1",
    "MVFR1_EL1",
    "MVFR2_EL1",
    NULL,
    "ID_PFR2_EL1",
    "ID_DFR1_EL1",
    "ID_MMFR5_EL1",
    NULL,
    "ID_AA64PFR0_EL1",
    "ID_AA64PFR1_EL1",
    "ID_AA64PFR2_EL1",
    NULL,
    "ID_AA64ZFR0_EL1",
    "ID_AA64SMFR0_EL1",
    NULL,
    "ID_AA64FPFR0_EL1",
    "ID_AA64DFR0_EL1",
    "ID_AA64DFR1_EL1",
    "ID_AA64DFR2_EL1",
    NULL,
    "ID_AA64AFR0_EL1",
    "ID_AA64AFR1_EL1",
    NULL,
    NULL,
    "ID_AA64ISAR0_EL1",
    "ID_AA64ISAR1_EL1",
    "ID_AA64ISAR2_EL1",
    "ID_AA64ISAR3_EL1",
    NULL,
    NULL,
    NULL,
    NULL,
    "ID_AA64MMFR0_EL1",
    "ID_AA64MMFR1_EL1",
    "ID_AA64MMFR2_EL1",
    "ID_AA64MMFR3_EL1",
    "ID_AA64MMFR4_EL1",
    NULL,
    NULL,
    NULL,
};

static const struct name sysregs[] = {
    {SYSREG(2, 0, 1, 0, 0), "MDRAR_EL1"},        {SYSREG(2, 0, 1, 0, 4), "OSLAR_EL1"},
    {SYSREG(2, 0, 1, 1, 4), "OSLSR_EL1"},        {SYSREG(2, 0, 1, 3, 4), "OSDLR_EL1"},
    {SYSREG(2, 0, 1, 4, 4), "DBGPRCR_EL1"},      {SYSREG(3, 0, 1, 0, 1), "ACTLR_EL1"},
    {SYSREG(3, 0, 4, 6, 0), "ICC_PMR_EL1"},      {SYSREG(3, 0, 9, 14, 1), "PMINTENSET_EL1"},
    {SYSREG(3, 0, 9, 14, 2), "PMINTENCLR_EL1"},  {SYSREG(3, 0, 12, 11, 5), "ICC_SGI1R_EL1"},
    {SYSREG(3, 0, 12, 11, 6), "ICC_ASGI1R_EL1"}, {SYSREG(3, 0, 12, 11, 7), "ICC_SGI0R_EL1"},
    {SYSREG(3, 0, 12, 12, 5), "ICC_SRE_EL1"},    {SYSREG(3, 3, 9, 12, 0), "PMCR_EL0"},
    {SYSREG(3, 3, 9, 12, 3), "PMOVSCLR_EL0"},    {SYSREG(3, 3, 9, 13, 0), "PMCCNTR_EL0"},
    {SYSREG(3, 3, 9, 14, 0), "PMUSERENR_EL0"},   {SYSREG(3, 3, 13, 2, 3), "AMUSERENR_EL0"},
    {SYSREG(3, 3, 14, 0, 1), "CNTPCT_EL0"},      {SYSREG(3, 3, 14, 2, 0), "CNTP_TVAL_EL0"},
    {SYSREG(3, 3, 14, 2, 1), "CNTP_CTL_EL0"},    {SYSREG(3, 3, 14, 2, 2), "CNTP_CVAL_EL0"},
};

static const char *find(const struct name *names, size_t n, uint32_t number)
{
    for (size_t i = 0; i < n; i++)
        if (names[i].number == number)
            return names[i].text;
    return NULL;
}

const char *trace_function_name(uint32_t fid)
{
    return find(functions, ARRAY_LEN(functions), fid);
}

const char *trace_sysreg_name(uint32_t encoding)
{
    unsigned index;

    if (idreg_index(encoding, &index))
        return idregs[index];
    return find(sysregs, ARRAY_LEN(sysregs), encoding);
}
