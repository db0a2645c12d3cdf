/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The registers of the ITS (IHI 0069, 12.18) as a table, and the access to them. */
#include "irq/its_priv.h"

/* Identification as QEMU's, part 0x494: an ITS by Arm. */
#define IIDR_ARM UINT32_C(0x43b)
#define PART_ITS 2u /* see vgic_regs_read_id() */

#define SHAREABLE UINT64_C(1) /* inner */
#define CACHEABLE UINT64_C(7) /* read and write-allocate, write-back */

/* --- With its.lock held --- */

/* Caches are on, and coherent within the inner domain, whatever is written. */
static uint64_t with_attributes(uint64_t value)
{
    if (bits_get(value, GITS_BASER_INNER_LO + 2, GITS_BASER_INNER_LO) < 2)
        value = bits_set(value, GITS_BASER_INNER_LO + 2, GITS_BASER_INNER_LO, CACHEABLE);
    return bits_set(value, GITS_BASER_SHARE_LO + 1, GITS_BASER_SHARE_LO, SHAREABLE);
}

/* Whoever touches the queue helps it on: the vCPU that filled it may be off by now. */
static void ask_to_run(const struct vgic_reg_access *a)
{
    if (!its_has_commands(&a->vgic->its))
        return;
    spinlock_lock(&a->vgic->lock);
    vgic_lpi_ask(a->vgic, a->by);
    spinlock_unlock(&a->vgic->lock);
}

/* Between two commands nothing is in progress; one that is half done starts again. */
static uint64_t read_ctlr(const struct vgic_reg_access *a)
{
    return a->vgic->its.enabled ? GITS_CTLR_ENABLED : GITS_CTLR_QUIESCENT;
}

static void write_ctlr(const struct vgic_reg_access *a, uint64_t value)
{
    struct vgic_its *its = &a->vgic->its;
    its->enabled = (value & GITS_CTLR_ENABLED) != 0;
    if (!its->enabled)
        its->walk = 0;
    ask_to_run(a);
}

static uint64_t read_iidr(const struct vgic_reg_access *a)
{
    (void)a;
    return IIDR_ARM;
}

/* No virtual LPIs, no collections in hardware, RDbase is a processor number, no SErrors. */
static uint64_t read_typer(const struct vgic_reg_access *a)
{
    (void)a;
    return GITS_TYPER_PHYSICAL | (ITS_ENTRY_SIZE - 1) << GITS_TYPER_ITT_ENTRY_LO |
           (ITS_EVENT_BITS - 1) << GITS_TYPER_IDBITS_LO |
           (ITS_DEVICE_BITS - 1) << GITS_TYPER_DEVBITS_LO;
}

static uint64_t read_id(const struct vgic_reg_access *a)
{
    return vgic_regs_read_id(a->offset - GITS_IDREGS, PART_ITS);
}

/* --- The command queue --- */

static uint64_t read_cbaser(const struct vgic_reg_access *a)
{
    return a->vgic->its.cbaser;
}

/* Writing it, or GITS_BASER<n>, while the ITS is enabled is UNPREDICTABLE: ignored. The queue is
 * then empty, and GITS_CREADR 0. */
static void write_cbaser(const struct vgic_reg_access *a, uint64_t value)
{
    const uint64_t kept =
        GITS_BASER_VALID | GITS_BASER_CACHEABILITY | GITS_CBASER_ADDRESS | GITS_CBASER_PAGES;
    struct vgic_its *its = &a->vgic->its;
    if (its->enabled)
        return;
    its->cbaser = with_attributes(value & kept);
    its->creadr = 0;
    its->cwriter = 0;
    its->stalled = false;
}

static uint64_t read_cwriter(const struct vgic_reg_access *a)
{
    return a->vgic->its.cwriter;
}

/* An offset behind the queue's end is ignored. */
static void write_cwriter(const struct vgic_reg_access *a, uint64_t value)
{
    struct vgic_its *its = &a->vgic->its;
    uint32_t offset = (uint32_t)(value & GITS_CWRITER_OFFSET);
    if (offset >= its_queue_size(its))
        return;
    its->cwriter = offset;
    if ((value & GITS_CWRITER_RETRY) != 0)
        its->stalled = false;
    ask_to_run(a);
}

static uint64_t read_creadr(const struct vgic_reg_access *a)
{
    ask_to_run(a);
    return a->vgic->its.creadr | (a->vgic->its.stalled ? GITS_CREADR_STALLED : 0);
}

/* --- Tables --- */

static const struct {
    uint64_t type;
    uint64_t writable;
} tables[ITS_NR_TABLES] = {
    [ITS_DEVICES] = {GITS_TYPE_DEVICES, GITS_BASER_INDIRECT},
    [ITS_COLLECTIONS] = {GITS_TYPE_COLLECTIONS, 0},
};

static uint64_t read_baser(const struct vgic_reg_access *a)
{
    uint32_t n = (a->offset - GITS_BASER) / 8;
    if (n >= ITS_NR_TABLES)
        return 0;
    return a->vgic->its.baser[n] | tables[n].type << GITS_BASER_TYPE_LO |
           (uint64_t)(ITS_ENTRY_SIZE - 1) << GITS_BASER_ENTRY_SIZE_LO;
}

/* The page size 0b11 is reserved, and taken for 64 KiB. */
static void write_baser(const struct vgic_reg_access *a, uint64_t value)
{
    const uint64_t kept = GITS_BASER_VALID | GITS_BASER_CACHEABILITY | GITS_BASER_ADDRESS |
                          GITS_BASER_PAGE_SIZE | GITS_BASER_PAGES;
    uint32_t n = (a->offset - GITS_BASER) / 8;
    if (n >= ITS_NR_TABLES || a->vgic->its.enabled)
        return;
    value = with_attributes(value & (kept | tables[n].writable));
    if ((value & GITS_BASER_PAGE_SIZE) == GITS_BASER_PAGE_SIZE)
        value &= ~BIT(GITS_BASER_PAGE_SIZE_LO);
    a->vgic->its.baser[n] = value;
}

/* --- The table, by ascending offset --- */

#define RAZ_WI     .sizes = 4, .flags = VGIC_ROW_CONST
#define ONE(o)     .first = (o), .end = (o) + 4
#define WIDE(o, n) .first = (o), .end = (o) + 8 * (n), .sizes = 4 | 8

/* A CPU's write to GITS_TRANSLATER has no DeviceID, so it means nothing. */
/* clang-format off */
static const struct vgic_reg_row rows[] = {
    {ONE(GITS_CTLR), .sizes = 4, .read = read_ctlr, .write = write_ctlr},
    {ONE(GITS_IIDR), .sizes = 4, .flags = VGIC_ROW_CONST, .read = read_iidr},
    {WIDE(GITS_TYPER, 1), .flags = VGIC_ROW_CONST | VGIC_ROW_WIDE, .read = read_typer},
    {ONE(GITS_MPAMIDR), RAZ_WI},
    {ONE(GITS_STATUSR), RAZ_WI},
    {WIDE(GITS_UMSIR, 1), .flags = VGIC_ROW_CONST | VGIC_ROW_WIDE},
    {WIDE(GITS_CBASER, 1), .flags = VGIC_ROW_WIDE, .read = read_cbaser, .write = write_cbaser},
    {WIDE(GITS_CWRITER, 1), .flags = VGIC_ROW_WIDE, .read = read_cwriter, .write = write_cwriter},
    {WIDE(GITS_CREADR, 1), .flags = VGIC_ROW_WIDE, .read = read_creadr},
    {WIDE(GITS_BASER, 8), .flags = VGIC_ROW_WIDE, .read = read_baser, .write = write_baser},
    {.first = GITS_IDREGS, .end = VGIC_FRAME_SIZE, .sizes = 4, .flags = VGIC_ROW_CONST, .read = read_id},
    {ONE(GITS_TRANSLATER), .sizes = 2 | 4, .flags = VGIC_ROW_CONST},
};
/* clang-format on */

static const struct vgic_reg_row *row_at(uint32_t offset)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (offset >= rows[i].first && offset < rows[i].end)
            return &rows[i];
    return NULL;
}

bool vgic_its_access(struct vgic *vgic, struct mmio_access *access)
{
    if (vgic->its.s2 == NULL || access->offset >= MACHINE_GITS_SIZE)
        return false;
    struct vgic_reg_access a = {
        .vgic = vgic, .offset = (uint32_t)access->offset, .by = access->cpu};
    const struct vgic_reg_row *row = row_at(a.offset);
    unsigned sizes = row != NULL ? row->sizes : 4;
    if ((sizes & access->size) == 0 || (a.offset & (access->size - 1u)) != 0)
        return false;
    if (row == NULL) {
        access->value = access->write ? access->value : 0;
        return true;
    }
    spinlock_lock(&vgic->its.lock);
    if (access->write)
        vgic_row_write(row, &a, access->size, access->value);
    else
        access->value = vgic_row_read(row, &a, access->size);
    spinlock_unlock(&vgic->its.lock);
    return true;
}
