/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The rows that describe memory-mapped registers (vgic_regs.c), for the function that serves them
 * (vgic_access.c). */
#ifndef IRQ_VGIC_REGS_H
#define IRQ_VGIC_REGS_H

#include "irq/vgic_priv.h"

#define VGIC_FRAME_SIZE 0x10000u

enum {
    VGIC_ROW_CONST = 1, /* reads the same at any time, writes change nothing: needs no lock */
    VGIC_ROW_SYNC = 2,  /* concerns what the guest may have changed in a list register */
    VGIC_ROW_ONES = 4,  /* writing 0 to a bit has no effect */
    VGIC_ROW_WIDE = 8,  /* 64 bits wide; accessible by halves too */
};

struct vgic_reg_access {
    struct vgic *vgic;
    struct vgic_cpu *redist; /* whose redistributor it is; NULL for the distributor */
    uint32_t offset;         /* in the frames */
    uint32_t by;             /* the vCPU that makes the access */
};

/*
 * The registers at [first, end). With bits = 0 it is one register or several equal ones, and `read`
 * and `write` see it whole; otherwise it is an array of 1 << (bits - 1) bits for each INTID, from
 * INTID 0 on, and `get` and `set` see one interrupt. NULL: reads as zero, ignores writes. `set`
 * returns true if the state has changed.
 */
struct vgic_reg_row {
    uint32_t first;
    uint32_t end;
    uint8_t bits;  /* 0, or 1 + log2 of the bits of each interrupt */
    uint8_t sizes; /* sum of the access sizes allowed */
    uint8_t flags;
    uint64_t (*read)(const struct vgic_reg_access *a);
    void (*write)(const struct vgic_reg_access *a, uint64_t value);
    uint32_t (*get)(const struct vgic_irq *irq);
    bool (*set)(struct vgic *vgic, struct vgic_irq *irq, uint32_t field);
};

/*
 * By ascending offset, without overlap, with a sentinel behind every offset. RD_base of a
 * redistributor is at 0, SGI_base at GICR_SGI_BASE.
 */
extern const struct vgic_reg_row vgic_dist_rows[];
extern const struct vgic_reg_row vgic_redist_rows[];

/* A register that is served whole, read or written with one of its sizes. */
static inline uint64_t vgic_row_read(const struct vgic_reg_row *row,
                                     const struct vgic_reg_access *a, uint8_t size)
{
    if (row->read == NULL)
        return 0;
    uint64_t value = row->read(a);
    if ((row->flags & VGIC_ROW_WIDE) != 0 && size == 4)
        value = (a->offset & 4) != 0 ? value >> 32 : value & UINT32_MAX;
    return value;
}

static inline void vgic_row_write(const struct vgic_reg_row *row, const struct vgic_reg_access *a,
                                  uint8_t size, uint64_t value)
{
    if (row->write == NULL)
        return;
    if ((row->flags & VGIC_ROW_WIDE) != 0 && size == 4) {
        unsigned lo = (a->offset & 4) * 8;
        value = bits_set(row->read(a), lo + 31, lo, value);
    }
    row->write(a, value);
}

/*
 * Identification registers, `offset` from the first one; `part` is added to the part number of the
 * distributor: 1 for a redistributor, 2 for an ITS.
 */
uint32_t vgic_regs_read_id(uint32_t offset, uint32_t part);

#endif
