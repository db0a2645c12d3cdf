/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Locality-specific peripheral interrupts: their states, made in chunks of a page when they are
 * first needed and kept until the VM ends, and the redistributors' part in them (IHI 0069, 5.1).
 * A vCPU's queue holds the most important of its pending LPIs; the others wait in a list for each
 * priority, so that tens of thousands cost the vGIC no more than a few.
 */
#ifndef IRQ_VGIC_LPI_H
#define IRQ_VGIC_LPI_H

#include "irq/vgic_priv.h"
#include "irq/vgic_regs.h"

#define VGIC_INTID_BITS 16u
#define VGIC_MAX_LPIS   ((UINT32_C(1) << VGIC_INTID_BITS) - GIC_FIRST_LPI)

/* Guarded by vgic->lock; `config` and `known` are written with its.lock held too, so that either
 * will do to read them. */
struct vgic_lpi {
    struct vgic_irq irq;   /* first: see vgic_lpi_of() */
    struct list_node wait; /* in cpu[irq.cpu].lpi_wait[slot], or alone */
    uint8_t slot;          /* as long as it waits */
    uint8_t config;        /* its byte of the configuration table, as last read */
    bool known;            /* `config` has been read */
};

#define VGIC_LPIS_PER_CHUNK ((uint32_t)((PAGE_SIZE - sizeof(pa_t)) / sizeof(struct vgic_lpi)))
#define VGIC_LPI_CHUNKS     ((VGIC_MAX_LPIS + VGIC_LPIS_PER_CHUNK - 1) / VGIC_LPIS_PER_CHUNK)

/* The states of consecutive INTIDs: one page. */
struct vgic_lpi_chunk {
    pa_t self;
    struct vgic_lpi lpi[VGIC_LPIS_PER_CHUNK];
};
_Static_assert(sizeof(struct vgic_lpi_chunk) <= PAGE_SIZE, "a chunk is a page");

static inline bool vgic_irq_is_lpi(const struct vgic_irq *irq)
{
    return irq->intid >= GIC_FIRST_LPI;
}

static inline struct vgic_lpi *vgic_lpi_of(struct vgic_irq *irq)
{
    return list_entry(irq, struct vgic_lpi, irq);
}

static inline bool vgic_lpi_intid_valid(uint32_t intid)
{
    return intid >= GIC_FIRST_LPI && intid - GIC_FIRST_LPI < VGIC_MAX_LPIS;
}

/* --- Called with its.lock held; they take vgic->lock --- */

/* The state of `intid`, which is valid; made if need be. HV_ERR_NOMEM or HV_ERR_QUOTA. */
HV_MUST_CHECK hv_err vgic_lpi_get(struct vgic *vgic, uint32_t intid, struct vgic_lpi **out);

/* Reads its byte of the configuration table of vCPU `cpu` anew. One that lies outside the table, or
 * where there is no RAM, reads as disabled. `by`: see vgic_priv.h. */
void vgic_lpi_configure(struct vgic *vgic, struct vgic_lpi *lpi, uint32_t cpu, unsigned by);
/* The same for all states of a chunk, which exists. */
void vgic_lpi_configure_chunk(struct vgic *vgic, uint32_t chunk, uint32_t cpu, unsigned by);
/* It becomes pending on vCPU `cpu`. */
void vgic_lpi_pend(struct vgic *vgic, struct vgic_lpi *lpi, uint32_t cpu, unsigned by);
void vgic_lpi_clear(struct vgic *vgic, struct vgic_lpi *lpi, unsigned by);
/* Its pending state, if any, goes to vCPU `cpu`. */
void vgic_lpi_move(struct vgic *vgic, struct vgic_lpi *lpi, uint32_t cpu, unsigned by);
/* The pending states of a chunk that are on `from` go to `to`. */
void vgic_lpi_move_chunk(struct vgic *vgic, uint32_t chunk, uint32_t from, uint32_t to,
                         unsigned by);

/* True if `cpu` exists and its LPIs are enabled. No lock needed: they are never disabled again. */
bool vgic_lpi_enabled_on(const struct vgic *vgic, uint32_t cpu);

/* --- Called with vgic->lock held --- */

/* Its target has changed, or its list register is free: puts it where it belongs. */
void vgic_lpi_update(struct vgic *vgic, struct vgic_lpi *lpi, unsigned by);

/* The most important of those that are in no queue because others are before them, or NULL. */
static inline const struct vgic_irq *vgic_lpi_waiting(const struct vgic_cpu *c)
{
    if (c->lpi_waiting == 0)
        return NULL;
    struct list_node *first = c->lpi_wait[__builtin_ctz(c->lpi_waiting)].next;
    return &list_entry(first, struct vgic_lpi, wait)->irq;
}

/*
 * Brings the most important of those that wait into the queue of a vCPU that is folded, in exchange
 * for less important ones if it has enough. True if the queue has changed. Own pCPU.
 */
bool vgic_lpi_stage(struct vgic *vgic, uint32_t cpu);

/*
 * Does what vCPU `cpu` has asked for by an access: commands of the ITS, tables of a redistributor.
 * Lets go of vgic->lock meanwhile. True if there is more to do, which then comes back by itself: it
 * has kicked its own pCPU. Own pCPU.
 */
bool vgic_lpi_work(struct vgic *vgic, uint32_t cpu);
/* There is such work for vCPU `cpu`: it has to look before it runs on. Own pCPU. */
void vgic_lpi_ask(struct vgic *vgic, uint32_t cpu);

/* --- Registers of a redistributor (vgic_regs.c), with vgic->lock held --- */
uint64_t vgic_lpi_read_ctlr(const struct vgic_reg_access *a);
void vgic_lpi_write_ctlr(const struct vgic_reg_access *a, uint64_t value);
uint64_t vgic_lpi_read_propbaser(const struct vgic_reg_access *a);
void vgic_lpi_write_propbaser(const struct vgic_reg_access *a, uint64_t value);
uint64_t vgic_lpi_read_pendbaser(const struct vgic_reg_access *a);
void vgic_lpi_write_pendbaser(const struct vgic_reg_access *a, uint64_t value);

/* --- its.c --- */

/* Carries out commands, up to a limit. True if there are more that could be. its.lock is held. */
bool vgic_its_run(struct vgic *vgic, unsigned by);

/* --- Set-up and end --- */

/* Of a vCPU's lists. */
void vgic_lpi_init_cpu(struct vgic_cpu *c);
/* Gives back the states. No vCPU runs. */
void vgic_lpi_destroy(struct vgic *vgic);

#endif
