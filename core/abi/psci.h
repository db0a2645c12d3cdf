/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Power State Coordination Interface 1.1 (DEN 0022). */
#ifndef ABI_PSCI_H
#define ABI_PSCI_H

#include <stdint.h>

#define PSCI_VERSION                    UINT32_C(0x84000000)
#define PSCI_CPU_SUSPEND_32             UINT32_C(0x84000001)
#define PSCI_CPU_OFF                    UINT32_C(0x84000002)
#define PSCI_CPU_ON_32                  UINT32_C(0x84000003)
#define PSCI_AFFINITY_INFO_32           UINT32_C(0x84000004)
#define PSCI_MIGRATE_32                 UINT32_C(0x84000005)
#define PSCI_MIGRATE_INFO_TYPE          UINT32_C(0x84000006)
#define PSCI_SYSTEM_OFF                 UINT32_C(0x84000008)
#define PSCI_SYSTEM_RESET               UINT32_C(0x84000009)
#define PSCI_FEATURES                   UINT32_C(0x8400000a)
#define PSCI_CPU_SUSPEND_64             UINT32_C(0xc4000001)
#define PSCI_CPU_ON_64                  UINT32_C(0xc4000003)
#define PSCI_AFFINITY_INFO_64           UINT32_C(0xc4000004)
#define PSCI_MIGRATE_64                 UINT32_C(0xc4000005)
#define PSCI_CPU_DEFAULT_SUSPEND_32     UINT32_C(0x8400000c)
#define PSCI_CPU_DEFAULT_SUSPEND_64     UINT32_C(0xc400000c)
#define PSCI_SYSTEM_SUSPEND_32          UINT32_C(0x8400000e)
#define PSCI_SYSTEM_SUSPEND_64          UINT32_C(0xc400000e)
#define PSCI_STAT_RESIDENCY_32          UINT32_C(0x84000010)
#define PSCI_STAT_RESIDENCY_64          UINT32_C(0xc4000010)
#define PSCI_STAT_COUNT_32              UINT32_C(0x84000011)
#define PSCI_STAT_COUNT_64              UINT32_C(0xc4000011)
#define PSCI_SYSTEM_RESET2_32           UINT32_C(0x84000012)
#define PSCI_SYSTEM_RESET2_64           UINT32_C(0xc4000012)
#define PSCI_MEM_PROTECT                UINT32_C(0x84000013)
#define PSCI_MEM_PROTECT_CHECK_RANGE_32 UINT32_C(0x84000014)
#define PSCI_MEM_PROTECT_CHECK_RANGE_64 UINT32_C(0xc4000014)

#define PSCI_VERSION_1_1 UINT32_C(0x10001)

/* power_state of CPU_SUSPEND in the original format (5.4.2): what this machine has. */
#define PSCI_STATE_STANDBY    UINT32_C(0)
#define PSCI_STATE_POWER_DOWN UINT32_C(0x10000)

#define PSCI_SUCCESS            INT32_C(0)
#define PSCI_NOT_SUPPORTED      INT32_C(-1)
#define PSCI_INVALID_PARAMETERS INT32_C(-2)
#define PSCI_DENIED             INT32_C(-3)
#define PSCI_ALREADY_ON         INT32_C(-4)
#define PSCI_ON_PENDING         INT32_C(-5)
#define PSCI_INTERNAL_FAILURE   INT32_C(-6)
#define PSCI_INVALID_ADDRESS    INT32_C(-9)

#endif
