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

static void index_frame(uint8_t *index, const struct vgic_reg_row *rows, uint32_t base)
{
    uint8_t row = 0;
    for (uint32_t offset = 0; offset < VGIC_FRAME_SIZE; offset += 4) {
        while (rows[row].end <= base + offset)
            row++;
        if (offset == 0 || bucket_of(offset) != bucket_of(offset - 4))
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

/* The interrupts from `intid` on that an aligned access covers; NULL if they are not implemented
 * here: the counts are multiples of 32, so it is all of them or none. */
static struct vgic_irq *irqs_at(const struct vgic_reg_access *a, uint32_t intid)
{
    if (a->redist != NULL)
        return &a->redist->private_irq[intid];
    return intid < GIC_NR_PRIVATE ? NULL : vgic_irq_find(a->vgic, VGIC_NO_CPU, intid);
}

/* What was read of it may be old: the vCPU that has it in a list register tells at its next exit.
 * One that is not loaded has told. */
static void ask_owner(struct vgic *vgic, const struct vgic_irq *irq, unsigned by)
{
    if (irq->lr < 0 || irq->cpu == by)
        return;
    if (!atomic_load_explicit(&vgic->cpu[irq->cpu].loaded, memory_order_relaxed))
        return;
    if (!vgic_needs_flush(vgic, irq->cpu) || vgic->cpu[irq->cpu].only != NULL)
        vgic_cpu_mark(vgic, irq->cpu, NULL, by);
}

static uint64_t read_irqs(const struct vgic_reg_row *row, const struct vgic_reg_access *a,
                          uint8_t size)
{
    unsigned shift = row->bits - 1u;
    const struct vgic_irq *irq = irqs_at(a, (a->offset - row->first) * 8 >> shift);
    uint64_t value = 0;
    if (irq == NULL)
        return 0;
    for (unsigned bit = 0; bit < size * 8u; bit += 1u << shift, irq++) {
        value |= (uint64_t)row->get(irq) << bit;
        if ((row->flags & VGIC_ROW_SYNC) != 0)
            ask_owner(a->vgic, irq, a->by);
    }
    return value;
}

static void write_irqs(const struct vgic_reg_row *row, const struct vgic_reg_access *a,
                       uint8_t size, uint64_t value)
{
    unsigned shift = row->bits - 1u;
    struct vgic_irq *irq = irqs_at(a, (a->offset - row->first) * 8 >> shift);
    uint32_t mask = (2u << ((1u << shift) - 1)) - 1;
    if (irq == NULL)
        return;
    if ((row->flags & VGIC_ROW_ONES) != 0) {
        for (uint32_t ones = (uint32_t)value; ones != 0; ones &= ones - 1) {
            struct vgic_irq *one = &irq[__builtin_ctz(ones)];
            if (row->set(a->vgic, one, 1))
                vgic_irq_update(a->vgic, one, a->by);
        }
        return;
    }
    for (unsigned bit = 0; bit < size * 8u; bit += 1u << shift, irq++)
        if (row->set(a->vgic, irq, (uint32_t)(value >> bit) & mask))
            vgic_irq_update(a->vgic, irq, a->by);
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
