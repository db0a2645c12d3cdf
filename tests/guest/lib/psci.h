/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* PSCI 1.1 (DEN 0022): functions, results, calls over HVC. What single-CPU programs use of it is in
 * sys.h. */
#ifndef GUEST_PSCI_H
#define GUEST_PSCI_H

#include <stdint.h>

#include "lib/sys.h"

#define PSCI_64(function) ((function) | SMCCC_FN64)

#define PSCI_CPU_OFF             0x84000002u
#define PSCI_CPU_ON              0xc4000003u
#define PSCI_AFFINITY_INFO       0xc4000004u
#define PSCI_MIGRATE             0x84000005u
#define PSCI_MIGRATE_INFO_TYPE   0x84000006u
#define PSCI_MIGRATE_INFO_UP_CPU 0x84000007u
#define PSCI_CPU_FREEZE          0x8400000bu
#define PSCI_CPU_DEFAULT_SUSPEND 0x8400000cu
#define PSCI_NODE_HW_STATE       0x8400000du
#define PSCI_SYSTEM_SUSPEND      0x8400000eu
#define PSCI_SET_SUSPEND_MODE    0x8400000fu
#define PSCI_STAT_RESIDENCY      0x84000010u
#define PSCI_STAT_COUNT          0x84000011u
#define PSCI_SYSTEM_RESET2       0x84000012u
#define PSCI_MEM_PROTECT         0x84000013u
#define PSCI_MEM_PROTECT_RANGE   0x84000014u

#define PSCI_SUCCESS            0
#define PSCI_NOT_SUPPORTED      (-1)
#define PSCI_INVALID_PARAMETERS (-2)
#define PSCI_DENIED             (-3)
#define PSCI_ALREADY_ON         (-4)
#define PSCI_ON_PENDING         (-5)
#define PSCI_INVALID_ADDRESS    (-9)

/* Of AFFINITY_INFO. */
#define PSCI_AFF_ON         0
#define PSCI_AFF_OFF        1
#define PSCI_AFF_ON_PENDING 2

/** HVC #0 with x0 = function and x1 to x3; returns x0. */
int64_t psci_call(uint64_t function, uint64_t a1, uint64_t a2, uint64_t a3);

#endif
