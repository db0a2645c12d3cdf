/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Commands of the ITS (IHI 0069, 5.3), and messages of devices. */
#include "irq/its_priv.h"
#include "mem/guest_mem.h"

/* Commands, and chunks that INVALL and MOVALL look at, that one flush serves: a fraction of a
 * millisecond. */
#define RUN_MAX 64u

/* A command whose fields are valid has been carried out; or something in it is wrong, and it is
 * ignored; or it has a part left to do. */
enum its_result { ITS_DONE, ITS_ERROR, ITS_MORE };

struct its_command {
    uint64_t dw[4];
    unsigned by;
    unsigned *left; /* of RUN_MAX */
};

/* --- Fields --- */

static uint32_t cmd_device(const struct its_command *cmd)
{
    return (uint32_t)(cmd->dw[0] >> 32);
}

static uint32_t cmd_event(const struct its_command *cmd)
{
    return (uint32_t)cmd->dw[1];
}

static uint16_t cmd_collection(const struct its_command *cmd)
{
    return (uint16_t)cmd->dw[2];
}

/* RDbase, a processor number since GITS_TYPER.PTA is 0. */
static uint64_t cmd_redist(uint64_t dw)
{
    return bits_get(dw, 51, 16);
}

static bool cmd_is_map(const struct its_command *cmd)
{
    return (cmd->dw[2] & BIT(63)) != 0;
}

/* --- Mapping --- */

static enum its_result result(bool ok)
{
    return ok ? ITS_DONE : ITS_ERROR;
}

static enum its_result run_mapd(struct vgic *vgic, const struct its_command *cmd)
{
    uint32_t event_bits = (uint32_t)bits_get(cmd->dw[1], 4, 0) + 1;
    uint64_t entry = 0;
    if (cmd_device(cmd) >> ITS_DEVICE_BITS != 0)
        return ITS_ERROR;
    if (cmd_is_map(cmd)) {
        if (event_bits > ITS_EVENT_BITS)
            return ITS_ERROR;
        entry = its_device_entry(cmd->dw[2], event_bits);
    }
    return result(its_entry_write(&vgic->its, ITS_DEVICES, cmd_device(cmd), entry));
}

static enum its_result run_mapc(struct vgic *vgic, const struct its_command *cmd)
{
    uint64_t redist = cmd_redist(cmd->dw[2]);
    uint64_t entry = 0;
    if (cmd_is_map(cmd)) {
        if (redist >= vgic->nr_cpus)
            return ITS_ERROR;
        entry = its_collection_entry((uint32_t)redist);
    }
    return result(its_entry_write(&vgic->its, ITS_COLLECTIONS, cmd_collection(cmd), entry));
}

/* Last, so that what cannot have a state is not mapped. */
static enum its_result map_event(struct vgic *vgic, const struct its_command *cmd, uint32_t intid)
{
    struct its_event event = {.intid = intid, .collection = cmd_collection(cmd)};
    struct vgic_lpi *lpi;
    uint32_t cpu;
    if (!vgic_lpi_intid_valid(intid) ||
        !its_event_find(&vgic->its, cmd_device(cmd), cmd_event(cmd), &event.at) ||
        vgic_lpi_get(vgic, intid, &lpi) != HV_OK || !its_event_write(&vgic->its, &event))
        return ITS_ERROR;
    /* The collection may be mapped later: then its first interrupt finds it. */
    if (its_collection_cpu(vgic, event.collection, &cpu) && vgic_lpi_enabled_on(vgic, cpu)) {
        vgic_lpi_configure(vgic, lpi, cpu, cmd->by);
        vgic_lpi_move(vgic, lpi, cpu, cmd->by);
    }
    return ITS_DONE;
}

static enum its_result run_mapti(struct vgic *vgic, const struct its_command *cmd)
{
    return map_event(vgic, cmd, (uint32_t)(cmd->dw[1] >> 32));
}

static enum its_result run_mapi(struct vgic *vgic, const struct its_command *cmd)
{
    return map_event(vgic, cmd, cmd_event(cmd));
}

/* --- One interrupt --- */

/* Its translation, its state, and the vCPU of its collection, whose LPIs are enabled. */
struct its_target {
    struct its_event event;
    struct vgic_lpi *lpi;
    uint32_t cpu;
};

static hv_err translate(struct vgic *vgic, uint32_t device, uint32_t event, struct its_target *out)
{
    if (!its_event_read(&vgic->its, device, event, &out->event) ||
        !its_collection_cpu(vgic, out->event.collection, &out->cpu) ||
        !vgic_lpi_enabled_on(vgic, out->cpu))
        return HV_ERR_NOENT;
    return vgic_lpi_get(vgic, out->event.intid, &out->lpi);
}

static bool cmd_translate(struct vgic *vgic, const struct its_command *cmd, struct its_target *out)
{
    return translate(vgic, cmd_device(cmd), cmd_event(cmd), out) == HV_OK;
}

static void target_pend(struct vgic *vgic, const struct its_target *target, unsigned by)
{
    if (!target->lpi->known)
        vgic_lpi_configure(vgic, target->lpi, target->cpu, by);
    vgic_lpi_pend(vgic, target->lpi, target->cpu, by);
}

static enum its_result run_int(struct vgic *vgic, const struct its_command *cmd)
{
    struct its_target target;
    if (!cmd_translate(vgic, cmd, &target))
        return ITS_ERROR;
    target_pend(vgic, &target, cmd->by);
    return ITS_DONE;
}

static enum its_result run_clear(struct vgic *vgic, const struct its_command *cmd)
{
    struct its_target target;
    if (!cmd_translate(vgic, cmd, &target))
        return ITS_ERROR;
    vgic_lpi_clear(vgic, target.lpi, cmd->by);
    return ITS_DONE;
}

static enum its_result run_inv(struct vgic *vgic, const struct its_command *cmd)
{
    struct its_target target;
    if (!cmd_translate(vgic, cmd, &target))
        return ITS_ERROR;
    vgic_lpi_configure(vgic, target.lpi, target.cpu, cmd->by);
    return ITS_DONE;
}

/* The translation goes whatever its collection is; the pending state goes with it. */
static enum its_result run_discard(struct vgic *vgic, const struct its_command *cmd)
{
    struct its_event event;
    struct vgic_lpi *lpi;
    if (!its_event_read(&vgic->its, cmd_device(cmd), cmd_event(cmd), &event) ||
        !its_event_erase(&vgic->its, event.at) || vgic_lpi_get(vgic, event.intid, &lpi) != HV_OK)
        return ITS_ERROR;
    vgic_lpi_clear(vgic, lpi, cmd->by);
    return ITS_DONE;
}

static enum its_result run_movi(struct vgic *vgic, const struct its_command *cmd)
{
    struct its_target target;
    uint32_t cpu;
    if (!its_collection_cpu(vgic, cmd_collection(cmd), &cpu) || !vgic_lpi_enabled_on(vgic, cpu) ||
        !cmd_translate(vgic, cmd, &target))
        return ITS_ERROR;
    target.event.collection = cmd_collection(cmd);
    if (!its_event_write(&vgic->its, &target.event))
        return ITS_ERROR;
    vgic_lpi_move(vgic, target.lpi, cpu, cmd->by);
    return ITS_DONE;
}

/* --- All of them --- */

/*
 * The next chunk that exists, from its->walk on, which is then behind it; VGIC_LPI_CHUNKS at the
 * end. ITS_MORE if it has to wait for the next flush.
 */
static enum its_result walk_next(struct vgic_its *its, const struct its_command *cmd, uint32_t *n)
{
    while (its->chunk != NULL && its->walk < VGIC_LPI_CHUNKS) {
        if (its->chunk[its->walk] != NULL) {
            if (*cmd->left == 0)
                return ITS_MORE;
            (*cmd->left)--;
            *n = its->walk++;
            return ITS_DONE;
        }
        its->walk++;
    }
    *n = VGIC_LPI_CHUNKS;
    return ITS_DONE;
}

/* Those of other collections too: the redistributors share one table (GICR_TYPER.CommonLPIAff = 0),
 * and to read more of it anew than was asked for is always allowed. */
static enum its_result run_invall(struct vgic *vgic, const struct its_command *cmd)
{
    uint32_t cpu;
    uint32_t n;
    if (!its_collection_cpu(vgic, cmd_collection(cmd), &cpu) || !vgic_lpi_enabled_on(vgic, cpu))
        return ITS_ERROR;
    for (;;) {
        if (walk_next(&vgic->its, cmd, &n) == ITS_MORE)
            return ITS_MORE;
        if (n == VGIC_LPI_CHUNKS)
            return ITS_DONE;
        vgic_lpi_configure_chunk(vgic, n, cpu, cmd->by);
    }
}

static enum its_result run_movall(struct vgic *vgic, const struct its_command *cmd)
{
    uint64_t from = cmd_redist(cmd->dw[2]);
    uint64_t to = cmd_redist(cmd->dw[3]);
    uint32_t n;
    if (from >= vgic->nr_cpus || to >= vgic->nr_cpus || !vgic_lpi_enabled_on(vgic, (uint32_t)to))
        return ITS_ERROR;
    for (;;) {
        if (walk_next(&vgic->its, cmd, &n) == ITS_MORE)
            return ITS_MORE;
        if (n == VGIC_LPI_CHUNKS)
            return ITS_DONE;
        vgic_lpi_move_chunk(vgic, n, (uint32_t)from, (uint32_t)to, cmd->by);
    }
}

/* Each command has its effect before GITS_CREADR moves on: there is nothing to wait for. */
static enum its_result run_sync(struct vgic *vgic, const struct its_command *cmd)
{
    return result(cmd_redist(cmd->dw[2]) < vgic->nr_cpus);
}

/* --- The queue --- */

static const struct {
    uint8_t number;
    enum its_result (*run)(struct vgic *vgic, const struct its_command *cmd);
} commands[] = {
    {GITS_CMD_MOVI, run_movi},     {GITS_CMD_INT, run_int},       {GITS_CMD_CLEAR, run_clear},
    {GITS_CMD_SYNC, run_sync},     {GITS_CMD_MAPD, run_mapd},     {GITS_CMD_MAPC, run_mapc},
    {GITS_CMD_MAPTI, run_mapti},   {GITS_CMD_MAPI, run_mapi},     {GITS_CMD_INV, run_inv},
    {GITS_CMD_INVALL, run_invall}, {GITS_CMD_MOVALL, run_movall}, {GITS_CMD_DISCARD, run_discard},
};

static enum its_result run_command(struct vgic *vgic, const struct its_command *cmd)
{
    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        if (commands[i].number == (uint8_t)cmd->dw[0])
            return commands[i].run(vgic, cmd);
    return ITS_ERROR;
}

uint32_t its_queue_size(const struct vgic_its *its)
{
    return (uint32_t)((its->cbaser & GITS_CBASER_PAGES) + 1) * 0x1000;
}

bool its_has_commands(const struct vgic_its *its)
{
    return its->enabled && (its->cbaser & GITS_BASER_VALID) != 0 && !its->stalled &&
           its->creadr != its->cwriter;
}

bool vgic_its_run(struct vgic *vgic, unsigned by)
{
    struct vgic_its *its = &vgic->its;
    unsigned left = RUN_MAX;
    struct its_command cmd = {.by = by, .left = &left};
    while (its_has_commands(its)) {
        if (left == 0)
            return true;
        left--;
        ipa_t at = ipa((its->cbaser & GITS_CBASER_ADDRESS) + its->creadr);
        if (guest_mem_read(its->s2, at, cmd.dw, sizeof(cmd.dw)) != HV_OK) {
            its->stalled = true;
            return false;
        }
        enum its_result res = run_command(vgic, &cmd);
        if (res == ITS_MORE)
            return true;
        its->errors += res == ITS_ERROR;
        its->walk = 0;
        its->creadr = (its->creadr + GITS_CMD_SIZE) % its_queue_size(its);
    }
    return false;
}

/* --- Messages --- */

hv_err vgic_its_msi(struct vgic *vgic, uint32_t device, uint32_t event)
{
    struct vgic_its *its = &vgic->its;
    struct its_target target;
    if (its->s2 == NULL)
        return HV_ERR_NOENT;
    spinlock_lock(&its->lock);
    hv_err err = its->enabled ? translate(vgic, device, event, &target) : HV_ERR_NOENT;
    if (err == HV_OK)
        target_pend(vgic, &target, VGIC_NO_CPU);
    spinlock_unlock(&its->lock);
    return err;
}
