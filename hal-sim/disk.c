/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The machine's disks. A request takes a fixed time of the machine's; the file behind the disk is
 * read or written when the request is taken back, so that nothing depends on how fast it is. */
#include "base/bits.h"
#include "base/check.h"
#include "hal-sim/internal.h"

uint64_t disk_next_event(const struct sim_machine *machine)
{
    uint64_t next = UINT64_MAX;

    if (machine->nr_disk_requests == 0)
        return next;
    for (unsigned disk = 0; disk < SIM_DISKS_MAX; disk++)
        for (unsigned slot = 0; slot < HAL_DISK_SLOTS; slot++) {
            const struct sim_disk_slot *s = &machine->disk[disk][slot];
            if (s->busy && s->due > machine->now && s->due < next)
                next = s->due;
        }
    return next;
}

/* The slot whose request was done first, of those that are; HAL_DISK_SLOTS: none is. */
static unsigned find_done(const struct sim_machine *machine, unsigned disk)
{
    const struct sim_disk_slot *slots = machine->disk[disk];
    unsigned found = HAL_DISK_SLOTS;

    for (unsigned slot = 0; slot < HAL_DISK_SLOTS; slot++)
        if (slots[slot].busy && slots[slot].due <= machine->now &&
            (found == HAL_DISK_SLOTS || slots[slot].due < slots[found].due))
            found = slot;
    return found;
}

void disk_update_lines(struct sim_machine *machine)
{
    for (unsigned disk = 0; disk < sim_host()->config.nr_disks; disk++)
        irqchip_set_level(&machine->irqchip, 0, SIM_DISK_INTID + disk,
                          find_done(machine, disk) != HAL_DISK_SLOTS);
}

unsigned hal_disk_count(void)
{
    HV_CHECK(sim_host()->config.nr_disks <= SIM_DISKS_MAX);
    return sim_host()->config.nr_disks;
}

static const struct sim_disk *disk_at(unsigned disk)
{
    HV_CHECK(disk < sim_host()->config.nr_disks);
    return &sim_host()->config.disk[disk];
}

void hal_disk_info(unsigned disk, struct hal_disk_info *out)
{
    const struct sim_disk *d = disk_at(disk);

    *out = (struct hal_disk_info){.sectors = d->sectors,
                                  .intid = SIM_DISK_INTID + disk,
                                  .read_only = d->read_only,
                                  .flush = true};
}

static bool is_valid(const struct sim_disk *disk, const struct hal_disk_request *request)
{
    if (request->op == HAL_DISK_FLUSH)
        return true;
    return request->len > 0 && request->len <= HAL_DISK_LEN_MAX &&
           request->len % HAL_DISK_SECTOR == 0 &&
           !range_exceeds(request->sector, request->len / HAL_DISK_SECTOR, disk->sectors) &&
           !(request->op == HAL_DISK_WRITE && disk->read_only);
}

void hal_disk_submit(unsigned disk, unsigned slot, const struct hal_disk_request *request)
{
    struct sim_machine *machine = sim_machine();
    struct sim_disk_slot *s;

    explore_point(__builtin_return_address(0));
    HV_CHECK(slot < HAL_DISK_SLOTS && is_valid(disk_at(disk), request));
    s = &machine->disk[disk][slot];
    HV_CHECK(!s->busy);
    *s = (struct sim_disk_slot){
        .busy = true, .due = machine->now + SIM_DISK_TICKS, .request = *request};
    machine->nr_disk_requests++;
}

bool hal_disk_done(unsigned disk, unsigned *slot, hv_err *result)
{
    struct sim_machine *machine = sim_machine();
    const struct sim_disk *d = disk_at(disk);
    struct sim_disk_slot *s;
    void *buf = NULL;

    explore_point(__builtin_return_address(0));
    *slot = find_done(machine, disk);
    if (*slot == HAL_DISK_SLOTS)
        return false;
    s = &machine->disk[disk][*slot];
    if (s->request.op != HAL_DISK_FLUSH) {
        buf = hal_phys_map(s->request.buf, s->request.len);
        HV_CHECK(buf != NULL);
    }
    *result = d->transfer(d->ctx, &s->request, buf) ? HV_OK : HV_ERR_IO;
    s->busy = false;
    machine->nr_disk_requests--;
    disk_update_lines(machine);
    return true;
}
