/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* GICv3 (IHI 0069) with system registers, everything in Group 1. Private interrupts, where nothing
 * else is said, are those of the calling CPU. */
#ifndef GUEST_GIC_H
#define GUEST_GIC_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/sys.h"

/* Distributor offsets; those from IGROUPR to ICFGR are the same in the redistributor's SGI frame.
 */
#define GICD_CTLR       0x0000u
#define GICD_TYPER      0x0004u
#define GICD_IIDR       0x0008u
#define GIC_IGROUPR     0x0080u
#define GIC_ISENABLER   0x0100u
#define GIC_ICENABLER   0x0180u
#define GIC_ISPENDR     0x0200u
#define GIC_ICPENDR     0x0280u
#define GIC_ISACTIVER   0x0300u
#define GIC_ICACTIVER   0x0380u
#define GIC_IPRIORITYR  0x0400u
#define GICD_ITARGETSR  0x0800u
#define GIC_ICFGR       0x0c00u
#define GICD_SGIR       0x0f00u
#define GICD_IROUTER    0x6000u
#define GIC_PIDR2       0xffe8u
#define GIC_CIDR0       0xfff0u
#define GICR_CTLR       0x0000u
#define GICR_IIDR       0x0004u
#define GICR_TYPER      0x0008u
#define GICR_WAKER      0x0014u
#define GICR_TYPER_LAST (1u << 4)
#define GICR_SGI_FRAME  0x10000u
#define GICR_STRIDE     0x20000u

#define GICD_CTLR_ENABLE_GRP1 (1u << 1)
#define GICD_CTLR_ARE         (1u << 4)
#define GICD_CTLR_RWP         (1u << 31)

#define ICC_PMR     "S3_0_C4_C6_0"
#define ICC_IAR1    "S3_0_C12_C12_0"
#define ICC_EOIR1   "S3_0_C12_C12_1"
#define ICC_HPPIR1  "S3_0_C12_C12_2"
#define ICC_BPR1    "S3_0_C12_C12_3"
#define ICC_CTLR    "S3_0_C12_C12_4"
#define ICC_SRE     "S3_0_C12_C12_5"
#define ICC_IGRPEN1 "S3_0_C12_C12_7"
#define ICC_DIR     "S3_0_C12_C11_1"
#define ICC_RPR     "S3_0_C12_C11_3"
#define ICC_SGI1R   "S3_0_C12_C11_5"

#define GIC_SGIR_IRM         (1UL << 40) /* all but self */
#define GIC_SPURIOUS         1023u
#define GIC_PRIORITY_DEFAULT 0xa0u
#define GIC_LOG_SIZE         64u

/* What the default handler saw, on whatever CPU (it is for programs in which one at a time takes
 * interrupts); reset by gic_log_reset. */
struct gic_log {
    unsigned taken;               /* interrupts acknowledged */
    unsigned spurious;            /* acknowledgements that gave 1020..1023 */
    uint32_t order[GIC_LOG_SIZE]; /* their INTIDs, the first GIC_LOG_SIZE of them */
};
extern volatile struct gic_log gic_log;

/**
 * Brings the GIC from any state to: every interrupt (but the other CPUs' private ones) disabled,
 * not pending, not active, Group 1, priority GIC_PRIORITY_DEFAULT, SPIs level and routed here; CPU
 * interface open; the default handler installed with no callback. IRQs have to be masked at PSTATE.
 */
void gic_init(void);

/** The same for what another CPU has of its own: its redistributor and CPU interface. */
void gic_init_cpu(void);

/** Sets what the default handler calls between acknowledge and end of interrupt; may be NULL. */
void gic_set_callback(void (*callback)(uint32_t intid));

void gic_log_reset(void);

/** Waits until `taken` interrupts have been logged; false after about two seconds. */
bool gic_wait_taken(unsigned taken);

/** Unmasks IRQs until none has come for a while, then masks them: lets in what is pending. */
void gic_open_window(void);

/** Address of the per-interrupt registers of `intid`: this CPU's redistributor's SGI frame for
 * 0..31, else distributor. */
uint64_t gic_frame(uint32_t intid);

void gic_enable(uint32_t intid);
void gic_disable(uint32_t intid);
void gic_set_pending(uint32_t intid);
void gic_clear_pending(uint32_t intid);
bool gic_is_pending(uint32_t intid);
bool gic_is_active(uint32_t intid);
void gic_set_priority(uint32_t intid, uint8_t priority);
uint8_t gic_get_priority(uint32_t intid);

/** `edge` or level; not for SGIs. */
void gic_set_edge(uint32_t intid, bool edge);

/** Address of a CPU's redistributor. */
uint64_t gic_redistributor(unsigned cpu);

/** SGI `sgi` to one CPU, which may be this one, and to all but this one. */
void gic_send(unsigned cpu, unsigned sgi);
void gic_send_others(unsigned sgi);

/** SGI `sgi` to this CPU. */
void gic_send_self(unsigned sgi);

#endif
