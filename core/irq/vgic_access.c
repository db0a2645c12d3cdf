/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Serves a guest's access to a memory-mapped register from its row: the one function that decides
 * about sizes, alignment, locks, halves of 64-bit registers, and which interrupts are meant. */
#include "irq/vgic_regs.h"

/* --- Lookup --- */

/*
 * Buckets of 4 bytes below 0x80, of 0x80 bytes below 0x1000, of 8 KiB above: about one row in each.
 * The index holds the first row that ends behind the bucket's start.
 */
static inline uint32_t bucket_of(uint32_t offset)
{
    if (offset < 0x80)
        return offset >> 2;
    return offset < 0x1000 ? 32 + (offset >> 7) : 64 + (offset >> 13);
}

/* The offset at which the next bucket starts. */
static uint32_t bucket_end(uint32_t offset)
{
    unsigned shift = offset < 0x80 ? 2 : offset < 0x1000 ? 7 : 13;

    return ((offset >> shift) + 1) << shift;
}

static void index_frame(uint8_t *index, const struct vgic_reg_row *rows, uint32_t base)
{
    uint8_t row = 0;
    for (uint32_t offset = 0; offset < VGIC_FRAME_SIZE; offset = bucket_end(offset)) {
        while (rows[row].end <= base + offset)
            row++;
        index[bucket_of(offset)] = row;
    }
}

void vgic_regs_init(struct vgic *vgic)
{
    index_frame(vgic->dist_index, vgic_dist_rows, 0);
    index_frame(vgic->redist_index, vgic_redist_rows, 0);
    index_frame(&vgic->redist_index[VGIC_INDEX_FRAME], vgic_redist_rows, GICR_SGI_BASE);
}

/* The row at `offset`, NULL if that is a reserved location. */
static inline const struct vgic_reg_row *row_find(const struct vgic_reg_row *row, uint32_t offset)
{
    while (offset >= row->end)
        row++;
    return offset >= row->first ? row : NULL;
}

/* --- Access --- */

/*
 * The first of the interrupts that an aligned access covers; *n is how many of those it covers are
 * implemented: none, all, or, at the end of the SPIs, some.
 */
static inline struct vgic_irq *irqs_at(const struct vgic_reg_row *row,
                                       const struct vgic_reg_access *a, uint8_t size, uint32_t *n)
{
    unsigned shift = row->bits - 1u;
    uint32_t intid = (a->offset - row->first) * 8 >> shift;
    *n = size * 8u >> shift;
    if (a->redist != NULL)
        return &a->redist->private_irq[intid];
    uint32_t spi = intid - GIC_FIRST_SPI; /* huge below it */
    if (spi >= a->vgic->nr_spis)
        *n = spi = 0;
    else if (a->vgic->nr_spis - spi < *n)
        *n = a->vgic->nr_spis - spi;
    return &a->vgic->spi[spi];
}

/* What was read of it may be old: the vCPU that has it in a list register tells at its next exit.
 */
static void ask_owner(struct vgic *vgic, const struct vgic_irq *irq, unsigned by)
{
    if (irq->lr < 0 || irq->cpu == by)
        return;
    if (!vgic_needs_flush(vgic, irq->cpu) || vgic->cpu[irq->cpu].only != NULL)
        vgic_cpu_mark(vgic, irq->cpu, NULL, by);
}

static uint64_t read_irqs(const struct vgic_reg_row *row, const struct vgic_reg_access *a,
                          uint8_t size)
{
    uint32_t n;
    const struct vgic_irq *irq = irqs_at(row, a, size, &n);
    uint64_t value = 0;
    for (uint32_t i = 0; i < n; i++) {
        value |= (uint64_t)row->get(&irq[i]) << (i << (row->bits - 1u));
        if ((row->flags & VGIC_ROW_SYNC) != 0)
            ask_owner(a->vgic, &irq[i], a->by);
    }
    return value;
}

static void write_irqs(const struct vgic_reg_row *row, const struct vgic_reg_access *a,
                       uint8_t size, uint64_t value)
{
    uint32_t n;
    struct vgic_irq *irq = irqs_at(row, a, size, &n);
    if ((row->flags & VGIC_ROW_ONES) != 0) {
        for (uint32_t ones = (uint32_t)value; ones != 0; ones &= ones - 1) {
            uint32_t i = (uint32_t)__builtin_ctz(ones);
            if (i >= n)
                return;
            if (row->set(a->vgic, &irq[i], 1))
                vgic_irq_update(a->vgic, &irq[i], a->by);
        }
        return;
    }
    unsigned shift = row->bits - 1u;
    uint32_t mask = (2u << ((1u << shift) - 1)) - 1;
    for (uint32_t i = 0; i < n; i++)
        if (row->set(a->vgic, &irq[i], (uint32_t)(value >> (i << shift)) & mask))
            vgic_irq_update(a->vgic, &irq[i], a->by);
}

/* Out of line: registers that never change, which are read often, save fewer registers without. */
static __attribute__((noinline)) void access_locked(const struct vgic_reg_row *row,
                                                    const struct vgic_reg_access *a,
                                                    struct mmio_access *access)
{
    spinlock_lock(&a->vgic->lock);
    if ((row->flags & VGIC_ROW_SYNC) != 0)
        vgic_cpu_fold(&a->vgic->cpu[a->by]);
    if (access->write && row->bits == 0)
        vgic_row_write(row, a, access->size, access->value);
    else if (access->write)
        write_irqs(row, a, access->size, access->value);
    else if (row->bits == 0)
        access->value = vgic_row_read(row, a, access->size);
    else
        access->value = read_irqs(row, a, access->size);
    spinlock_unlock(&a->vgic->lock);
}

static inline __attribute__((always_inline)) bool access_row(const struct vgic_reg_row *row,
                                                             const struct vgic_reg_access *a,
                                                             struct mmio_access *access)
{
    uint8_t sizes = row != NULL ? row->sizes : 4;
    if ((sizes & access->size) == 0 || (a->offset & (access->size - 1u)) != 0)
        return false;
    if (row != NULL && (row->flags & VGIC_ROW_CONST) == 0)
        access_locked(row, a, access);
    else if (!access->write)
        access->value = row != NULL ? vgic_row_read(row, a, access->size) : 0;
    return true;
}

bool vgic_dist_access(struct vgic *vgic, struct mmio_access *access)
{
    if (access->offset >= VGIC_FRAME_SIZE)
        return false;
    uint32_t offset = (uint32_t)access->offset;
    struct vgic_reg_access a = {
        .vgic = vgic,
        .offset = offset,
        .by = access->cpu,
    };
    const struct vgic_reg_row *start = &vgic_dist_rows[vgic->dist_index[bucket_of(offset)]];
    return access_row(row_find(start, offset), &a, access);
}

bool vgic_redist_access(struct vgic *vgic, struct mmio_access *access)
{
    uint64_t cpu = access->offset / MACHINE_GICR_STRIDE;
    if (cpu >= vgic->nr_cpus)
        return false;
    uint32_t offset = (uint32_t)(access->offset % MACHINE_GICR_STRIDE);
    struct vgic_reg_access a = {
        .vgic = vgic,
        .redist = &vgic->cpu[cpu],
        .offset = offset,
        .by = access->cpu,
    };
    uint32_t bucket = bucket_of(offset & (VGIC_FRAME_SIZE - 1)) +
                      ((offset & GICR_SGI_BASE) != 0 ? VGIC_INDEX_FRAME : 0);
    const struct vgic_reg_row *start = &vgic_redist_rows[vgic->redist_index[bucket]];
    return access_row(row_find(start, offset), &a, access);
}
