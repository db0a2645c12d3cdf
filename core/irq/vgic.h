/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Virtual GICv3 of one VM (IHI 0069): one distributor and one redistributor for each vCPU, both
 * trapped and emulated; the CPU interface is the hardware's, fed through list registers. One
 * security state (GICD_CTLR.DS = 1), affinity routing always on. Group 0 and group 1 interrupts;
 * guests use group 1. How it works, and why so: docs/vgic.md.
 *
 * Who may call: any pCPU, except for the functions that say "own pCPU": these only the pCPU on
 * which the vCPU is loaded (or, if it is loaded nowhere, the one that will load it next). All take
 * vgic->lock (rank vgic) themselves and none may be called with it held.
 */
#ifndef IRQ_VGIC_H
#define IRQ_VGIC_H

#include "abi/gicv3.h"
#include "abi/machine.h"
#include "arch/mmio.h"
#include "arch/vcpu.h"
#include "base/err.h"
#include "base/list.h"
#include "base/lock.h"
#include "irq/its.h"
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define VGIC_NO_HW    UINT32_MAX
#define VGIC_NO_CPU   UINT32_MAX
#define VGIC_NO_SGI   UINT64_MAX /* no value of a register: Aff0 above 15 is out of reach */
#define VGIC_MAX_CPUS ((uint32_t)(MACHINE_GICR_SIZE / MACHINE_GICR_STRIDE))
#define VGIC_MAX_SPIS MACHINE_MAX_SPIS

/* One frame of the distributor, or the two of a redistributor, as the register index sees them. */
#define VGIC_INDEX_FRAME 72u

#define VGIC_LPI_SLOTS 32u /* priorities */
#define VGIC_LPI_LOADS ((VGIC_MAX_CPUS + 31) / 32)

/* What the guest wrote to I[SC]ACTIVER or ICC_DIR while a list register held the interrupt. */
enum vgic_override { VGIC_KEEP, VGIC_ACTIVATE, VGIC_DEACTIVATE };

/* Which register tells that a disable is on its way: GICD_CTLR.RWP, GICR_CTLR.RWP. */
enum vgic_rwp { VGIC_RWP_DIST = 1, VGIC_RWP_REDIST = 2 };

/*
 * One interrupt. Private ones (SGI, PPI) belong to a vgic_cpu, SPIs to the vgic. Guarded by
 * vgic->lock. `latched` and `active` are as of the last look at its list register, if it is in one.
 */
struct vgic_irq {
    struct list_node queue; /* in the queue of cpu[cpu], by priority and then INTID; or alone */
    uint32_t intid;
    uint32_t hw_intid; /* the physical interrupt that stands behind it, or VGIC_NO_HW */
    uint64_t router;   /* GICD_IROUTER<n>: SPIs only */
    uint32_t target;   /* the vCPU it is to be delivered to; VGIC_NO_CPU: nobody at present */
    uint32_t cpu;      /* the vCPU in whose queue it is, while it is in one */
    int8_t lr;         /* list register that holds it on `cpu`, or -1 */
    uint8_t priority;
    uint8_t override; /* enum vgic_override, until the list register is written */
    bool enabled;
    bool group1;
    bool edge;      /* GICD_ICFGR: edge-triggered; SGIs are */
    bool level;     /* the state of its line */
    bool latched;   /* pending by an edge, by software or by a hardware interrupt */
    bool relatched; /* latched anew since the last look at the list register */
    bool active;
    bool armed;     /* its list register was last written as pending: nothing forbids it */
    bool hw_active; /* the physical interrupt is active and nobody has deactivated it */
    bool any;       /* GICD_IROUTER.Interrupt_Routing_Mode: 1 of N, vgic_route.c */
};

/*
 * What each vCPU has of its own, guarded by vgic->lock, with these exceptions. `dirty` is written
 * under the lock and read without it by the own pCPU, `loaded` the other way round. lr_used, hcr
 * and the hw_active of private interrupts are written by the own pCPU under the lock, so that it
 * reads them without. hw_mapped, affinity, typer and the like are constant once the vCPU runs.
 * What one pCPU writes to them the next one sees by the lock with which the scheduler hands the
 * vCPU over.
 */
struct vgic_cpu {
    struct vgic_irq private_irq[GIC_NR_PRIVATE];
    struct list_node queue;
    struct arch_vcpu *vcpu;
    struct vgic_irq *lr[ARCH_LR_MAX]; /* what the list registers hold; NULL: nothing */
    uint64_t lr_value[ARCH_LR_MAX];   /* their values as last read or written */
    uint64_t affinity;                /* Aff3..Aff0 in MPIDR's places */
    uint64_t sgi_cluster;             /* Aff3..Aff1 in the places of ICC_SGI1R_EL1 */
    uint64_t sgi_self;     /* what ICC_SGI1R_EL1's target fields are if it alone is meant */
    uint64_t typer;        /* GICR_TYPER */
    uint64_t hcr;          /* the bits of ICH_HCR_EL2 that this module sets */
    struct vgic_irq *only; /* while dirty: all that changed, or NULL: anything may have */
    uint32_t lr_used;      /* bit n: lr[n] is not NULL */
    uint32_t hw_mapped;    /* bit n: private_irq[n] is tied by vgic_map_hw() */
    uint32_t waker;        /* GICR_WAKER */
    uint32_t ctlr;         /* GICR_CTLR.DPG* */
    uint64_t vmcr;         /* ICH_VMCR_EL2 as last seen: for the choice of a 1-of-N target */
    uint8_t rwp;           /* enum vgic_rwp: of whose writes one may still have to arrive here */
    bool overflow;         /* more interrupts want a list register than there are */
    _Atomic bool dirty;    /* list registers may have to change before the vCPU runs on */
    _Atomic bool loaded;   /* between vgic_load() and vgic_unload() */
    _Atomic bool lpis_on;  /* GICR_CTLR.EnableLPIs; once true, the next two do not change */
    uint64_t propbaser;
    uint64_t pendbaser;
    bool lpi_load;        /* lpis_on is new: its tables have not been read yet */
    bool lpi_work;        /* its next flush has to call vgic_lpi_work() */
    uint32_t lpi_waiting; /* bit n: lpi_wait[n] is not empty */
    struct list_node lpi_wait[VGIC_LPI_SLOTS]; /* irq/vgic_lpi.h */
};

struct vgic {
    struct spinlock lock; /* rank vgic */
    struct vgic_cpu *cpu;
    struct vgic_irq *spi; /* [nr_spis], INTID 32.. */
    uint32_t nr_cpus;
    uint32_t nr_spis;
    uint32_t nr_lrs;
    uint32_t typer;                        /* GICD_TYPER */
    uint32_t ctlr;                         /* GICD_CTLR's enable bits */
    uint32_t nr_any;                       /* SPIs with 1-of-N routing */
    uint32_t cursor;                       /* the vCPU that was last chosen for one of them */
    void (*kick)(void *ctx, unsigned cpu); /* see vgic_config */
    void *kick_ctx;
    struct vgic_its its;
    /* Where the search for a register's row starts, by a coarse hash of its offset. */
    uint8_t dist_index[VGIC_INDEX_FRAME];
    uint8_t redist_index[2 * VGIC_INDEX_FRAME];
};

struct vgic_config {
    struct vgic_cpu *cpu; /* [nr_cpus], zeroed; `vcpu` and `affinity` filled in */
    struct vgic_irq *spi; /* [nr_spis], zeroed */
    uint32_t nr_cpus;     /* 1..VGIC_MAX_CPUS */
    uint32_t nr_spis;     /* 0..VGIC_MAX_SPIS */
    /*
     * `cpu`'s vCPU has to look at its interrupts: make its pCPU leave the guest, or wake it from
     * WFI. Called with vgic->lock held, so it calls nothing of this module. Not called for the vCPU
     * that makes the access or generates the SGI itself, nor by vgic_raise_hw(): who calls that is
     * on the vCPU's pCPU, flushes before it runs it, and wakes it if it is in WFI.
     */
    void (*kick)(void *ctx, unsigned cpu);
    void *kick_ctx;
    /* The guest's memory, where the tables of LPIs lie, and whence and for whom their states are
     * allocated. `s2` NULL: the VM has no LPIs and no ITS. */
    struct s2 *s2;
    struct page_pool *pool;
    struct page_account *account;
};

/*
 * Reset state of IHI 0069: all interrupts in group 0, disabled, level-triggered (SGIs: edge),
 * priority 0, routed to affinity 0.0.0.0. Touches no list register; the first vgic_flush() of each
 * vCPU enables its virtual CPU interface. HV_ERR_RANGE for counts that the architecture or the
 * machine's memory map does not allow, HV_ERR_INVAL without a kick function, or with guest memory
 * but no pool and account.
 */
HV_MUST_CHECK hv_err vgic_init(struct vgic *vgic, const struct vgic_config *config);

/* Gives back what was allocated for LPIs. No vCPU is loaded. Also for one that is all zeroes. */
void vgic_destroy(struct vgic *vgic);

/*
 * Sets the line of PPI or SPI `intid`. A level-triggered interrupt is pending while its line is
 * true; for an edge-triggered one the change from false to true is the edge, so a source that only
 * makes edges sets true, then false. `cpu` matters for PPIs. For an interrupt tied by vgic_map_hw()
 * only false has an effect: the source has withdrawn, and what the guest has not acknowledged is
 * taken back.
 */
void vgic_set_level(struct vgic *vgic, unsigned cpu, uint32_t intid, bool level);

/*
 * Ties PPI `intid` of `cpu` to physical interrupt `hw_intid`, whose deactivation the guest's EOI
 * then does in hardware. Before the vCPU first runs.
 */
void vgic_map_hw(struct vgic *vgic, unsigned cpu, uint32_t intid, uint32_t hw_intid);

/*
 * The physical interrupt behind it was acknowledged and its priority dropped; it stays active until
 * the guest deactivates it, or until vgic_flush() does because the guest has taken back the pending
 * state (ICPENDR, ICACTIVER) or the source has (vgic_set_level()). Own pCPU.
 */
void vgic_raise_hw(struct vgic *vgic, unsigned cpu, uint32_t intid);

/*
 * The source behind it was looked at, and its line is low: what the guest has not acknowledged is
 * taken back at once, and the physical interrupt deactivated, so that the next one is not held
 * back. Nothing happens if there is none. Own pCPU; vgic_flush() before the vCPU runs or waits.
 */
void vgic_lower_hw(struct vgic *vgic, unsigned cpu, uint32_t intid);

/*
 * Accesses of a guest to the distributor, and to the redistributor frames (offset from the first
 * one). Reserved locations are RAZ/WI for aligned 32-bit accesses (IHI 0069, 12.1). false: a size
 * that the register does not support, a misaligned access, or a redistributor that does not exist:
 * the guest takes an external abort. Own pCPU of access->cpu.
 */
bool vgic_dist_access(struct vgic *vgic, struct mmio_access *access);
bool vgic_redist_access(struct vgic *vgic, struct mmio_access *access);

/*
 * A write of ICC_SGI1R_EL1 (group1), ICC_SGI0R_EL1 or ICC_ASGI1R_EL1 (not group1) by vCPU `cpu`
 * (12.2.16 to 12.2.18): the SGI becomes pending on each target that has it in that group. Any
 * `value` is allowed. Own pCPU.
 */
void vgic_send_sgi(struct vgic *vgic, unsigned cpu, uint64_t value, bool group1);

/*
 * A write of ICC_DIR_EL1 by vCPU `cpu` (12.2): `intid`, one of its private interrupts or any SPI,
 * whoever has acknowledged it, is no longer active. Nothing happens with EOImode = 0, and for
 * LPIs, special INTIDs and those that are not implemented. Own pCPU.
 */
void vgic_deactivate(struct vgic *vgic, unsigned cpu, uint32_t intid);

/*
 * Brackets of the time in which the vCPU is loaded. vgic_load() comes before hal_vcpu_load(): what
 * the guest has taken of hardware interrupts and not ended becomes active on this pCPU, too.
 * vgic_unload() comes after hal_vcpu_put(), when the guest's timer asks for nothing any more: takes
 * over what the guest did to its list registers, so that others read the present state, and ends
 * the active state of those hardware interrupts here, which whoever is loaded next needs. A vCPU
 * may be loaded on a different pCPU each time. Own pCPU.
 */
void vgic_load(struct vgic *vgic, unsigned cpu);
void vgic_unload(struct vgic *vgic, unsigned cpu);

/* Brings the list registers up to date; cheap if nothing changed. The vCPU is loaded on this pCPU;
 * before each hal_vcpu_run(). */
void vgic_flush(struct vgic *vgic, unsigned cpu);
/*
 * False for good only if nobody has marked the vCPU since: who does so calls `kick` afterwards,
 * with the mark visible to the pCPU that acknowledges the kick (hal_cpu_kick()) or takes the vCPU
 * over (the scheduler's lock). So a look that comes too early is followed by an exit and another.
 */
static inline bool vgic_needs_flush(const struct vgic *vgic, unsigned cpu)
{
    return atomic_load_explicit(&vgic->cpu[cpu].dirty, memory_order_relaxed);
}

/*
 * The vCPU has lost its CPU interface, because it was powered down (PSCI CPU_OFF, or CPU_SUSPEND to
 * a power-down state): its list registers become empty, and its redistributor is asleep, as
 * firmware leaves it. What the distributor and the redistributor hold survives (IHI 0069, 4.1 and
 * chapter 11): enables, groups, priorities, pending and active states. A hardware interrupt that
 * its guest has not taken is forgotten, for its timer is reset, too. 1-of-N interrupts go to
 * others. The vCPU is not loaded; own pCPU.
 */
void vgic_cpu_reset(struct vgic *vgic, unsigned cpu);

/* The maintenance interrupt arrived: looks at all list registers now, which ends its cause. The
 * vCPU is loaded on this pCPU. */
void vgic_maintenance(struct vgic *vgic, unsigned cpu);

/*
 * True if an interrupt could be signalled to the vCPU now, whatever PSTATE masks: WFI must not
 * block. Looks at the guest's priority mask and group enables (ICH_VMCR_EL2), not at the running
 * priority, so it may be true too often, which WFI allows. Own pCPU.
 */
bool vgic_has_pending(struct vgic *vgic, unsigned cpu);

/* True if the physical interrupt behind PPI `intid` has come and was not ended: it comes no more
 * until it is. Any pCPU. */
bool vgic_hw_is_active(struct vgic *vgic, unsigned cpu, uint32_t intid);

/*
 * True if the redistributor of a vCPU that is powered down asks for its power (WakeRequest): an
 * interrupt is deliverable, whatever the CPU interface, which is lost, would say of it. Any pCPU;
 * the vCPU is not loaded.
 */
bool vgic_requests_wake(struct vgic *vgic, unsigned cpu);

#endif
