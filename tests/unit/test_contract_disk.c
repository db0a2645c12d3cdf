/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What tests/conformance asks of the disks of a HAL, of the double: what core's tests find in it is
 * what it finds elsewhere. */
#include "cases.h"
#include "conformance/contract.h"
#include "fakehal/fakehal.h"
#include <string.h>

#define RAM  UINT64_C(0x40000000)
#define SIZE UINT64_C(0x200000)

static hv_err outcome;

/* --- What contract.h wants of its host --- */

bool contract_ok(struct contract *ct, bool condition, const char *name)
{
    ct->count++;
    cr_expect(condition, "%s", name);
    return condition;
}

bool contract_eq(struct contract *ct, uint64_t got, uint64_t want, const char *name)
{
    ct->count++;
    cr_expect_eq(got, want, "%s: %llx", name, (unsigned long long)got);
    return got == want;
}

/* Requests are done while somebody waits, the last ones first. */
uint32_t contract_wait_irq(void)
{
    for (unsigned disk = 0; disk < fakehal()->nr_disks; disk++)
        for (unsigned slot = HAL_DISK_SLOTS; slot-- > 0;)
            if (fakehal()->disk[disk].slot[slot].state == FAKEHAL_DISK_BUSY)
                fakehal_disk_finish(disk, slot, outcome);
    return hal_irq_ack();
}

bool contract_is_quiet(void)
{
    return contract_wait_irq() == HAL_INTID_NONE;
}

/* --- */

static struct contract ct;

static void setup(void)
{
    fakehal_reset();
    fakehal_add_ram(pa(RAM), SIZE);
    memset(&ct, 0, sizeof(ct));
    ct.platform.ram[0] = (struct platform_range){RAM, SIZE};
    ct.platform.nr_ram = 1;
    outcome = HV_OK;
    (void)fakehal_add_disk(CONTRACT_DISK_SECTORS, false);
    (void)fakehal_add_disk(CONTRACT_DISK_RO_SECTORS, true);
    for (uint64_t i = 0; i < CONTRACT_DISK_RO_SECTORS * 512; i++)
        fakehal()->disk[1].data[i] = contract_disk_byte(1, i);
}

CASE(contract_disk, when_somebody_waits)
{
    contract_check_disk(&ct);
    cr_expect_gt(ct.count, 30);
    cr_expect_eq(fakehal()->disk[0].flushes, 1);
    for (uint64_t i = 0; i < CONTRACT_DISK_WRITTEN * 512; i++)
        cr_assert_eq(fakehal()->disk[0].data[i], contract_disk_byte(0, i));
    cr_expect_eq(fakehal()->maps, fakehal()->unmaps);
}

CASE(contract_disk, at_once)
{
    fakehal()->disk[0].at_once = true;
    fakehal()->disk[1].at_once = true;
    contract_check_disk(&ct);
}

/* What the first does at once needs no interrupt, and leaves none to who waits for the second. */
CASE(contract_disk, one_at_once_and_one_when_somebody_waits)
{
    fakehal()->disk[0].at_once = true;
    contract_check_disk(&ct);
}

CASE(contract_disk, without_a_flush)
{
    fakehal()->disk[0].info.flush = false;
    contract_check_disk(&ct);
    cr_expect_eq(fakehal()->disk[0].flushes, 0);
}

CASES_RUN(contract_disk, setup, NULL)
