/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Disks, of hal.h: what is written is read again, every slot comes back once, the interrupt says
 * when. Any HAL: nothing here knows what is behind it. */
#include "conformance/contract.h"
#include <string.h>

#define INTID_NONE 1023u
#define SPI_FIRST  32u /* GICv3 IHI 0069, 2.2.1 */
#define SPI_LAST   1019u
#define SECTOR     512u
#define WAITS      300u /* of a tenth of a second each: a host may be busy */
#define NO_SLOT    (~0u)
/* Where the buffers are: behind nothing that anybody uses, before the last page of RAM. */
#define BUFFERS_FROM_END UINT64_C(0x100000)
#define BUFFER_SIZE      (HAL_DISK_LEN_MAX + 2u * SECTOR) /* a guard before and behind */

struct disk_check {
    struct contract *ct;
    unsigned disk;
    struct hal_disk_info info;
    unsigned char *buffer[HAL_DISK_SLOTS]; /* behind its guard */
    uint64_t address[HAL_DISK_SLOTS];
};

unsigned char contract_disk_byte(unsigned disk, uint64_t at)
{
    return (unsigned char)(disk * 77u + at * 5u + at / SECTOR * 3u);
}

static void submit(const struct disk_check *check, unsigned slot, enum hal_disk_op op,
                   uint64_t sector, uint32_t sectors)
{
    struct hal_disk_request request = {.op = op};

    if (op != HAL_DISK_FLUSH) {
        request.len = sectors * SECTOR;
        request.sector = sector;
        request.buf = pa(check->address[slot]);
    }
    hal_disk_submit(check->disk, slot, &request);
    /* The HAL keeps nothing of it. */
    memset(&request, 0xee, sizeof(request));
}

/* A request that is done, by its interrupt: which, or NO_SLOT. */
static unsigned wait_done(struct disk_check *check, hv_err *result)
{
    unsigned slot;

    for (unsigned i = 0; i < WAITS; i++) {
        if (hal_disk_done(check->disk, &slot, result))
            return slot;
        uint32_t intid = contract_wait_irq();
        if (intid != INTID_NONE)
            hal_irq_end(intid, true);
        if (intid != INTID_NONE && intid != check->info.intid)
            break;
    }
    return NO_SLOT;
}

/* Waits for the slots of `mask`, each of which must come once, and well. Then there are no more:
 * who does not ask until that is said leaves the disk's interrupt pending, for others to find. */
static bool all_done(struct disk_check *check, uint32_t mask)
{
    bool good = true;
    hv_err result;
    unsigned slot;

    while (mask != 0) {
        result = HV_ERR_IO;
        slot = wait_done(check, &result);
        if (slot >= HAL_DISK_SLOTS || (mask & (1u << slot)) == 0)
            return false;
        good = good && result == HV_OK;
        mask &= ~(1u << slot);
    }
    return !hal_disk_done(check->disk, &slot, &result) && good;
}

static bool do_one(struct disk_check *check, enum hal_disk_op op, uint64_t sector, uint32_t sectors)
{
    submit(check, 0, op, sector, sectors);
    return all_done(check, 1);
}

static void fill(const struct disk_check *check, unsigned slot, uint64_t sector, uint32_t sectors)
{
    for (uint64_t i = 0; i < (uint64_t)sectors * SECTOR; i++)
        check->buffer[slot][i] = contract_disk_byte(check->disk, sector * SECTOR + i);
}

static bool holds(const struct disk_check *check, unsigned slot, uint64_t sector, uint32_t sectors)
{
    bool same = true;

    for (uint64_t i = 0; i < (uint64_t)sectors * SECTOR; i++)
        same =
            same && check->buffer[slot][i] == contract_disk_byte(check->disk, sector * SECTOR + i);
    return same;
}

/* Nothing was read to the guards. */
static bool guarded(const struct disk_check *check, unsigned slot, uint32_t sectors)
{
    const unsigned char *before = check->buffer[slot] - SECTOR;
    const unsigned char *behind = check->buffer[slot] + (uint64_t)sectors * SECTOR;
    bool whole = true;

    for (unsigned i = 0; i < SECTOR; i++)
        whole = whole && before[i] == 0xa5 && behind[i] == 0xa5;
    return whole;
}

static void clear_buffers(const struct disk_check *check)
{
    for (unsigned slot = 0; slot < HAL_DISK_SLOTS; slot++)
        memset(check->buffer[slot] - SECTOR, 0xa5, BUFFER_SIZE);
}

static void map_buffers(struct disk_check *check)
{
    const struct platform_range *ram = &check->ct->platform.ram[0];
    uint64_t at = ram->base + ram->size - BUFFERS_FROM_END;

    for (unsigned slot = 0; slot < HAL_DISK_SLOTS; slot++, at += BUFFER_SIZE) {
        unsigned char *mapped = hal_phys_map(pa(at), BUFFER_SIZE);
        check->buffer[slot] = mapped + SECTOR;
        check->address[slot] = at + SECTOR;
    }
}

static void unmap_buffers(const struct disk_check *check)
{
    for (unsigned slot = 0; slot < HAL_DISK_SLOTS; slot++)
        hal_phys_unmap(check->buffer[slot] - SECTOR, BUFFER_SIZE);
}

/* --- What is checked --- */

static void check_info(struct contract *ct, unsigned disk, struct hal_disk_info *info)
{
    struct hal_disk_info again;

    memset(info, 0xa5, sizeof(*info));
    memset(&again, 0x5a, sizeof(again));
    hal_disk_info(disk, info);
    hal_disk_info(disk, &again);
    contract_eq(ct, info->sectors, disk == 0 ? CONTRACT_DISK_SECTORS : CONTRACT_DISK_RO_SECTORS,
                "the disk's size");
    contract_eq(ct, info->read_only, disk != 0, "whether it can be written to");
    contract_ok(ct, info->intid >= SPI_FIRST && info->intid <= SPI_LAST, "its interrupt is an SPI");
    contract_ok(ct,
                again.sectors == info->sectors && again.intid == info->intid &&
                    again.read_only == info->read_only && again.flush == info->flush,
                "it says the same again");
}

/* Before and after core enables it. */
static void check_interrupt(struct disk_check *check)
{
    struct contract *ct = check->ct;
    unsigned slot = NO_SLOT;
    hv_err result = HV_ERR_IO;

    submit(check, 3, HAL_DISK_READ, 0, 1);
    contract_eq(ct, contract_wait_irq(), INTID_NONE, "nobody has enabled its interrupt");
    contract_ok(ct, hal_irq_enable(check->info.intid, true) == HV_OK, "its interrupt is enabled");
    uint32_t intid = INTID_NONE;
    for (unsigned i = 0; i < WAITS && intid == INTID_NONE; i++)
        intid = contract_wait_irq();
    contract_eq(ct, intid, check->info.intid, "it comes for what is done");
    contract_ok(ct, hal_disk_done(check->disk, &slot, &result), "which is taken");
    contract_eq(ct, slot, 3, "by its slot");
    contract_eq(ct, (uint64_t)result, HV_OK, "and was good");
    contract_ok(ct, !hal_disk_done(check->disk, &slot, &result), "once");
    if (intid != INTID_NONE)
        hal_irq_end(intid, true);
    contract_ok(ct, contract_is_quiet(), "and then its interrupt is quiet");
}

/* Every slot at once, the largest request in each; and back, by other slots. */
static void check_slots(struct disk_check *check)
{
    const uint32_t sectors = HAL_DISK_LEN_MAX / SECTOR;
    const uint32_t all = (1u << HAL_DISK_SLOTS) - 1;
    struct contract *ct = check->ct;
    unsigned slot;
    hv_err result;
    bool same = true;

    clear_buffers(check);
    for (slot = 0; slot < HAL_DISK_SLOTS; slot++) {
        fill(check, slot, 1 + slot * sectors, sectors);
        submit(check, slot, HAL_DISK_WRITE, 1 + slot * sectors, sectors);
    }
    contract_ok(ct, all_done(check, all), "four writes of 64 KiB at a time");
    clear_buffers(check);
    for (unsigned i = 0; i < HAL_DISK_SLOTS; i++)
        submit(check, HAL_DISK_SLOTS - 1 - i, HAL_DISK_READ, 1 + i * sectors, sectors);
    contract_ok(ct, all_done(check, all), "and four reads");
    for (unsigned i = 0; i < HAL_DISK_SLOTS; i++)
        same = same && holds(check, HAL_DISK_SLOTS - 1 - i, 1 + i * sectors, sectors) &&
               guarded(check, HAL_DISK_SLOTS - 1 - i, sectors);
    contract_ok(ct, same, "which have what was written, and no byte more");
    contract_ok(ct, !hal_disk_done(check->disk, &slot, &result), "nothing is left");
    contract_ok(ct, contract_is_quiet(), "and it is quiet");
}

/* One sector, the last one; again and again, so that every counter of the HAL's goes round. */
static void check_single(struct disk_check *check)
{
    struct contract *ct = check->ct;
    uint64_t last = check->info.sectors - 1;
    bool good = true;

    for (unsigned i = 0; i < 100; i++) {
        clear_buffers(check);
        fill(check, 0, i, 1);
        good = good && do_one(check, HAL_DISK_WRITE, last, 1);
        clear_buffers(check);
        good = good && do_one(check, HAL_DISK_READ, last, 1);
        good = good && holds(check, 0, i, 1) && guarded(check, 0, 1);
    }
    contract_ok(ct, good, "the last sector is written and read, a hundred times");
    fill(check, 0, last, 1);
    contract_ok(ct, do_one(check, HAL_DISK_WRITE, last, 1), "and once more");
    fill(check, 0, 0, 1);
    contract_ok(ct, do_one(check, HAL_DISK_WRITE, 0, 1), "the first sector, too");
    if (check->info.flush)
        contract_ok(ct, do_one(check, HAL_DISK_FLUSH, 0, 0), "all of it is flushed");
}

static void check_read_only(struct disk_check *check)
{
    struct contract *ct = check->ct;

    clear_buffers(check);
    contract_ok(ct, do_one(check, HAL_DISK_READ, 0, CONTRACT_DISK_RO_SECTORS), "it is read");
    contract_ok(ct,
                holds(check, 0, 0, CONTRACT_DISK_RO_SECTORS) &&
                    guarded(check, 0, CONTRACT_DISK_RO_SECTORS),
                "and has what it was given");
}

void contract_check_disk(struct contract *ct)
{
    struct disk_check checks[CONTRACT_DISKS];

    if (!contract_eq(ct, hal_disk_count(), CONTRACT_DISKS, "the disks of the machine"))
        return;
    for (unsigned disk = 0; disk < CONTRACT_DISKS; disk++) {
        struct disk_check *check = &checks[disk];
        *check = (struct disk_check){.ct = ct, .disk = disk};
        check_info(ct, disk, &check->info);
        map_buffers(check);
        check_interrupt(check);
    }
    contract_ok(ct, checks[0].info.intid != checks[1].info.intid, "each has its own interrupt");
    check_slots(&checks[0]);
    check_single(&checks[0]);
    check_read_only(&checks[1]);
    for (unsigned disk = 0; disk < CONTRACT_DISKS; disk++) {
        contract_ok(ct, hal_irq_enable(checks[disk].info.intid, false) == HV_OK,
                    "its interrupt is disabled again");
        unmap_buffers(&checks[disk]);
    }
}
