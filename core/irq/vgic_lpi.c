/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The states of LPIs, their lists, and the registers of a redistributor that concern them. */
#include "irq/vgic_lpi.h"
#include "base/check.h"
#include "hal/hal.h"
#include "mem/guest_mem.h"
#include <string.h>

/* LPIs of a vCPU that are in its queue: more than there are list registers, or those
 * that wait would not be missed. */
#define STAGE_MAX 32u
_Static_assert(STAGE_MAX > ARCH_LR_MAX, "a full stage overflows the list registers");

#define DIRECTORY_BYTES (VGIC_LPI_CHUNKS * sizeof(void *))

#define SLOT_SHIFT    3u          /* priorities have five bits */
#define SHAREABLE     UINT64_C(1) /* inner */
#define CACHEABLE     UINT64_C(7) /* read and write-allocate, write-back */
#define PENDING_BLOCK 512u

/* --- States --- */

static hv_err directory_get(struct vgic_its *its)
{
    if (its->chunk != NULL)
        return HV_OK;
    unsigned order = page_pool_order(DIRECTORY_BYTES);
    hv_err err = page_pool_alloc(its->pool, its->account, order, &its->chunk_block);
    if (err != HV_OK)
        return err;
    its->chunk = hal_phys_map(its->chunk_block, PAGE_SIZE << order);
    HV_CHECK(its->chunk != NULL);
    return HV_OK;
}

static hv_err chunk_make(struct vgic_its *its, uint32_t n)
{
    pa_t page;
    hv_err err = page_pool_alloc(its->pool, its->account, 0, &page);
    if (err != HV_OK)
        return err;
    struct vgic_lpi_chunk *chunk = hal_phys_map(page, PAGE_SIZE);
    HV_CHECK(chunk != NULL);
    chunk->self = page;
    for (uint32_t i = 0; i < VGIC_LPIS_PER_CHUNK; i++) {
        struct vgic_lpi *lpi = &chunk->lpi[i];
        vgic_irq_init(&lpi->irq, GIC_FIRST_LPI + n * VGIC_LPIS_PER_CHUNK + i, VGIC_NO_CPU);
        lpi->irq.edge = true;
        lpi->irq.group1 = true;
        list_init(&lpi->wait);
    }
    its->chunk[n] = chunk;
    return HV_OK;
}

hv_err vgic_lpi_get(struct vgic *vgic, uint32_t intid, struct vgic_lpi **out)
{
    struct vgic_its *its = &vgic->its;
    uint32_t index = intid - GIC_FIRST_LPI;
    uint32_t n = index / VGIC_LPIS_PER_CHUNK;
    HV_CHECK(vgic_lpi_intid_valid(intid));
    hv_err err = directory_get(its);
    if (err == HV_OK && its->chunk[n] == NULL)
        err = chunk_make(its, n);
    if (err != HV_OK)
        return err;
    *out = &its->chunk[n]->lpi[index % VGIC_LPIS_PER_CHUNK];
    return HV_OK;
}

void vgic_lpi_destroy(struct vgic *vgic)
{
    struct vgic_its *its = &vgic->its;
    unsigned order = page_pool_order(DIRECTORY_BYTES);
    if (its->chunk == NULL)
        return;
    for (uint32_t n = 0; n < VGIC_LPI_CHUNKS; n++) {
        struct vgic_lpi_chunk *chunk = its->chunk[n];
        if (chunk == NULL)
            continue;
        pa_t page = chunk->self;
        hal_phys_unmap(chunk, PAGE_SIZE);
        page_pool_free(its->pool, its->account, page, 0);
    }
    hal_phys_unmap(its->chunk, PAGE_SIZE << order);
    page_pool_free(its->pool, its->account, its->chunk_block, order);
    its->chunk = NULL;
}

/* --- Lists and queues: with vgic->lock held --- */

void vgic_lpi_init_cpu(struct vgic_cpu *c)
{
    for (unsigned slot = 0; slot < VGIC_LPI_SLOTS; slot++)
        list_init(&c->lpi_wait[slot]);
}

/* `first`: before the others of its priority. */
static void lpi_wait(struct vgic_cpu *c, struct vgic_lpi *lpi, bool first)
{
    lpi->slot = lpi->irq.priority >> SLOT_SHIFT;
    struct list_node *head = &c->lpi_wait[lpi->slot];
    list_insert_before(first ? head->next : head, &lpi->wait);
    c->lpi_waiting |= UINT32_C(1) << lpi->slot;
}

static void lpi_unwait(struct vgic *vgic, struct vgic_lpi *lpi)
{
    if (list_empty(&lpi->wait))
        return;
    struct vgic_cpu *c = &vgic->cpu[lpi->irq.cpu];
    list_remove(&lpi->wait);
    if (list_empty(&c->lpi_wait[lpi->slot]))
        c->lpi_waiting &= ~(UINT32_C(1) << lpi->slot);
}

/* How many are on the stage, and the least important of these. */
static unsigned stage_count(const struct vgic_cpu *c, struct vgic_irq **worst)
{
    unsigned count = 0;
    for (struct list_node *pos = c->queue.next; pos != &c->queue; pos = pos->next) {
        struct vgic_irq *irq = list_entry(pos, struct vgic_irq, queue);
        if (vgic_irq_is_lpi(irq)) {
            *worst = irq;
            count++;
        }
    }
    return count;
}

static void lpi_place(struct vgic *vgic, struct vgic_lpi *lpi, unsigned by)
{
    uint32_t cpu = lpi->irq.target;
    struct vgic_cpu *c = &vgic->cpu[cpu];
    struct vgic_irq *worst;
    if (c->lpi_waiting == 0 && stage_count(c, &worst) < STAGE_MAX) {
        vgic_irq_enqueue(vgic, &lpi->irq, cpu);
        vgic_cpu_mark(vgic, cpu, &lpi->irq, by);
        return;
    }
    lpi->irq.cpu = cpu;
    lpi_wait(c, lpi, false);
    vgic_cpu_mark(vgic, cpu, NULL, by);
}

void vgic_lpi_update(struct vgic *vgic, struct vgic_lpi *lpi, unsigned by)
{
    struct vgic_irq *irq = &lpi->irq;
    irq->enabled =
        vgic_lpi_enabled_on(vgic, irq->target) && (lpi->config & GIC_LPI_CONFIG_ENABLE) != 0;
    irq->priority = lpi->config & VGIC_PRIORITY_MASK;
    if (vgic_irq_is_queued(irq)) {
        /* What the guest may have taken is moved by the flush of the vCPU that has it. */
        if (irq->target == irq->cpu || irq->lr >= 0) {
            vgic_irq_reorder(vgic, irq);
            vgic_cpu_mark(vgic, irq->cpu, irq, by);
            return;
        }
        vgic_irq_dequeue(vgic, irq);
    }
    lpi_unwait(vgic, lpi);
    if (irq->target != VGIC_NO_CPU && vgic_irq_is_wanted(irq))
        lpi_place(vgic, lpi, by);
}

bool vgic_lpi_stage(struct vgic *vgic, uint32_t cpu)
{
    struct vgic_cpu *c = &vgic->cpu[cpu];
    bool changed = false;
    while (c->lpi_waiting != 0) {
        uint32_t slot = (uint32_t)__builtin_ctz(c->lpi_waiting);
        struct vgic_lpi *lpi = list_entry(c->lpi_wait[slot].next, struct vgic_lpi, wait);
        struct vgic_irq *worst = NULL;
        if (stage_count(c, &worst) >= STAGE_MAX) {
            if (worst->priority <= lpi->irq.priority)
                break;
            vgic_irq_release(c, worst);
            list_remove(&worst->queue);
            lpi_wait(c, vgic_lpi_of(worst), true);
        }
        lpi_unwait(vgic, lpi);
        vgic_irq_enqueue(vgic, &lpi->irq, cpu);
        changed = true;
    }
    return changed;
}

/* --- What the ITS does with them --- */

void vgic_lpi_pend(struct vgic *vgic, struct vgic_lpi *lpi, uint32_t cpu, unsigned by)
{
    spinlock_lock(&vgic->lock);
    lpi->irq.target = cpu;
    vgic_irq_latch(&lpi->irq);
    vgic_lpi_update(vgic, lpi, by);
    spinlock_unlock(&vgic->lock);
}

void vgic_lpi_clear(struct vgic *vgic, struct vgic_lpi *lpi, unsigned by)
{
    spinlock_lock(&vgic->lock);
    vgic_irq_unlatch(&lpi->irq);
    vgic_lpi_update(vgic, lpi, by);
    spinlock_unlock(&vgic->lock);
}

void vgic_lpi_move(struct vgic *vgic, struct vgic_lpi *lpi, uint32_t cpu, unsigned by)
{
    spinlock_lock(&vgic->lock);
    lpi->irq.target = cpu;
    vgic_lpi_update(vgic, lpi, by);
    spinlock_unlock(&vgic->lock);
}

void vgic_lpi_move_chunk(struct vgic *vgic, uint32_t chunk, uint32_t from, uint32_t to, unsigned by)
{
    spinlock_lock(&vgic->lock);
    for (uint32_t i = 0; i < VGIC_LPIS_PER_CHUNK; i++) {
        struct vgic_lpi *lpi = &vgic->its.chunk[chunk]->lpi[i];
        if (lpi->irq.target != from)
            continue;
        lpi->irq.target = to;
        vgic_lpi_update(vgic, lpi, by);
    }
    spinlock_unlock(&vgic->lock);
}

/* --- Tables of a redistributor, with its.lock held --- */

bool vgic_lpi_enabled_on(const struct vgic *vgic, uint32_t cpu)
{
    return cpu < vgic->nr_cpus &&
           atomic_load_explicit(&vgic->cpu[cpu].lpis_on, memory_order_acquire);
}

/* INTIDs below this one have a byte in the configuration table and a bit in the pending table. */
static uint32_t table_end(const struct vgic_cpu *c)
{
    uint64_t bits = (c->propbaser & GICR_PROPBASER_IDBITS) + 1;
    return UINT32_C(1) << (bits < VGIC_INTID_BITS ? bits : VGIC_INTID_BITS);
}

/* The bytes of `count` INTIDs; those that are not there or cannot be read are 0: disabled. */
static void config_read(struct vgic *vgic, uint32_t cpu, uint32_t intid, uint8_t *config,
                        uint32_t count)
{
    const struct vgic_cpu *c = &vgic->cpu[cpu];
    uint32_t end = table_end(c);
    ipa_t at = ipa((c->propbaser & GICR_PROPBASER_ADDRESS) + (intid - GIC_FIRST_LPI));
    memset(config, 0, count);
    if (intid >= end)
        return;
    uint32_t len = end - intid < count ? end - intid : count;
    if (guest_mem_read(vgic->its.s2, at, config, len) != HV_OK)
        memset(config, 0, count);
}

void vgic_lpi_configure(struct vgic *vgic, struct vgic_lpi *lpi, uint32_t cpu, unsigned by)
{
    uint8_t config;
    config_read(vgic, cpu, lpi->irq.intid, &config, 1);
    spinlock_lock(&vgic->lock);
    lpi->config = config;
    lpi->known = true;
    vgic_lpi_update(vgic, lpi, by);
    spinlock_unlock(&vgic->lock);
}

void vgic_lpi_configure_chunk(struct vgic *vgic, uint32_t chunk, uint32_t cpu, unsigned by)
{
    uint8_t config[VGIC_LPIS_PER_CHUNK];
    struct vgic_lpi *lpi = vgic->its.chunk[chunk]->lpi;
    config_read(vgic, cpu, lpi[0].irq.intid, config, VGIC_LPIS_PER_CHUNK);
    spinlock_lock(&vgic->lock);
    for (uint32_t i = 0; i < VGIC_LPIS_PER_CHUNK; i++) {
        lpi[i].known = true;
        if (lpi[i].config == config[i])
            continue;
        lpi[i].config = config[i];
        vgic_lpi_update(vgic, &lpi[i], by);
    }
    spinlock_unlock(&vgic->lock);
}

/* One block of the pending table: bit n is INTID `intid` + n. */
static void load_block(struct vgic *vgic, uint32_t cpu, uint32_t intid, const uint8_t *block,
                       uint32_t len)
{
    for (uint32_t i = 0; i < len * 8; i++) {
        struct vgic_lpi *lpi;
        if ((block[i / 8] >> (i % 8) & 1) == 0)
            continue;
        if (vgic_lpi_get(vgic, intid + i, &lpi) != HV_OK) {
            vgic->its.errors++;
            return;
        }
        vgic_lpi_pend(vgic, lpi, cpu, VGIC_NO_CPU);
    }
}

/* LPIs have been enabled: takes over what the pending table holds, then the configurations. */
static void load_tables(struct vgic *vgic, uint32_t cpu, unsigned by)
{
    struct vgic_cpu *c = &vgic->cpu[cpu];
    uint8_t block[PENDING_BLOCK];
    uint64_t table = c->pendbaser & GICR_PENDBASER_ADDRESS;
    uint32_t end = table_end(c);
    bool read = (c->pendbaser & GICR_PENDBASER_PTZ) == 0;
    for (uint32_t intid = GIC_FIRST_LPI; read && intid < end; intid += 8 * PENDING_BLOCK) {
        uint32_t len = end - intid < 8 * PENDING_BLOCK ? (end - intid) / 8 : PENDING_BLOCK;
        if (guest_mem_read(vgic->its.s2, ipa(table + intid / 8), block, len) == HV_OK)
            load_block(vgic, cpu, intid, block, len);
    }
    if (vgic->its.chunk == NULL)
        return;
    for (uint32_t n = 0; n < VGIC_LPI_CHUNKS; n++) {
        if (vgic->its.chunk[n] == NULL)
            continue;
        vgic_lpi_configure_chunk(vgic, n, cpu, by);
        /* What was routed here already is enabled from now on. */
        vgic_lpi_move_chunk(vgic, n, cpu, cpu, by);
    }
}

/* --- Work --- */

void vgic_lpi_ask(struct vgic *vgic, uint32_t cpu)
{
    vgic->cpu[cpu].lpi_work = true;
    vgic_cpu_mark(vgic, cpu, NULL, cpu);
}

bool vgic_lpi_work(struct vgic *vgic, uint32_t cpu)
{
    uint32_t load[VGIC_LPI_LOADS] = {0};
    vgic->cpu[cpu].lpi_work = false;
    for (uint32_t i = 0; i < vgic->nr_cpus; i++) {
        if (vgic->cpu[i].lpi_load)
            load[i / 32] |= UINT32_C(1) << (i % 32);
        vgic->cpu[i].lpi_load = false;
    }
    spinlock_unlock(&vgic->lock);
    spinlock_lock(&vgic->its.lock);
    for (uint32_t i = 0; i < vgic->nr_cpus; i++)
        if ((load[i / 32] & UINT32_C(1) << (i % 32)) != 0)
            load_tables(vgic, i, cpu);
    bool more = vgic_its_run(vgic, cpu);
    spinlock_unlock(&vgic->its.lock);
    spinlock_lock(&vgic->lock);
    if (more) {
        vgic->cpu[cpu].lpi_work = true;
        hal_cpu_kick(hal_cpu_self());
    }
    return more;
}

/* --- Registers --- */

/* Of GICR_PROPBASER and GICR_PENDBASER: caches are on, and coherent within the inner domain. */
static uint64_t with_attributes(uint64_t value)
{
    if (bits_get(value, GICR_BASER_INNER_LO + 2, GICR_BASER_INNER_LO) < 2)
        value = bits_set(value, GICR_BASER_INNER_LO + 2, GICR_BASER_INNER_LO, CACHEABLE);
    return bits_set(value, GICR_BASER_SHARE_LO + 1, GICR_BASER_SHARE_LO, SHAREABLE);
}

uint64_t vgic_lpi_read_ctlr(const struct vgic_reg_access *a)
{
    return a->redist->lpis_on ? GICR_CTLR_ENABLE_LPIS : 0;
}

/* GICR_CTLR.CES is 0: what is enabled stays enabled until the VM ends. */
void vgic_lpi_write_ctlr(const struct vgic_reg_access *a, uint64_t value)
{
    if (a->vgic->its.s2 == NULL || a->redist->lpis_on || (value & GICR_CTLR_ENABLE_LPIS) == 0)
        return;
    /* Whoever sees it sees the addresses of the tables. */
    atomic_store_explicit(&a->redist->lpis_on, true, memory_order_release);
    a->redist->lpi_load = true;
    vgic_lpi_ask(a->vgic, a->by);
}

uint64_t vgic_lpi_read_propbaser(const struct vgic_reg_access *a)
{
    return a->redist->propbaser;
}

/* Writing it, or GICR_PENDBASER, with LPIs enabled is UNPREDICTABLE: ignored. */
void vgic_lpi_write_propbaser(const struct vgic_reg_access *a, uint64_t value)
{
    const uint64_t kept = GICR_PROPBASER_ADDRESS | GICR_BASER_CACHEABILITY | GICR_PROPBASER_IDBITS;
    if (a->vgic->its.s2 != NULL && !a->redist->lpis_on)
        a->redist->propbaser = with_attributes(value & kept);
}

uint64_t vgic_lpi_read_pendbaser(const struct vgic_reg_access *a)
{
    return a->redist->pendbaser & ~GICR_PENDBASER_PTZ;
}

void vgic_lpi_write_pendbaser(const struct vgic_reg_access *a, uint64_t value)
{
    const uint64_t kept = GICR_PENDBASER_ADDRESS | GICR_BASER_CACHEABILITY | GICR_PENDBASER_PTZ;
    if (a->vgic->its.s2 != NULL && !a->redist->lpis_on)
        a->redist->pendbaser = with_attributes(value & kept);
}
