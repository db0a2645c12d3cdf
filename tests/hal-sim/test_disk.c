/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Disks of the machine's: time, interrupt, errors. hal/CONTRACT.md. */
#include "rig.h"
#include <string.h>

#define SECTORS 16u

static unsigned char content[2][SECTORS * HAL_DISK_SECTOR];
static unsigned flushes;
static bool fails;

static bool transfer(void *ctx, const struct hal_disk_request *request, void *buf)
{
    unsigned char *at = (unsigned char *)ctx + request->sector * HAL_DISK_SECTOR;

    if (request->op == HAL_DISK_FLUSH)
        flushes++;
    else if (request->op == HAL_DISK_READ)
        memcpy(buf, at, request->len);
    else
        memcpy(at, buf, request->len);
    return !fails;
}

static void run(void (*core)(void))
{
    struct sim_machine_config config = rig_config(SIM_CPU_CORTEX_A57, 1);
    struct sim_machine *machine;

    flushes = 0;
    fails = false;
    config.nr_disks = 2;
    for (unsigned i = 0; i < 2; i++)
        config.disk[i] = (struct sim_disk){
            .sectors = SECTORS, .read_only = i == 1, .transfer = transfer, .ctx = content[i]};
    machine = rig_create(&config, core);
    cr_expect_eq(rig_finish(machine), SIM_STOP_HALTED, "%s", rig_console);
    cr_expect_eq(sim_machine_halt_reason(machine), HAL_HALT_OFF, "%s", rig_console);
    sim_machine_destroy(machine);
}

static pa_t buffer(void)
{
    return pa(SIM_RAM_BASE + MIB(8));
}

static void wait_for_disk(void)
{
    hal_cpu_idle();
    EXPECT_EQ(hal_irq_ack(), SIM_DISK_INTID);
    hal_irq_end(SIM_DISK_INTID, true);
}

static void use_it(void)
{
    struct hal_disk_request request = {.op = HAL_DISK_WRITE, .len = 1024, .sector = 3};
    struct hal_disk_info info;
    unsigned char *bytes;
    unsigned slot = 9;
    hv_err result = HV_ERR_STATE;
    uint64_t start;

    EXPECT_EQ((uint64_t)rig_init(1), HV_OK);
    EXPECT_EQ(hal_disk_count(), 2);
    hal_disk_info(0, &info);
    EXPECT_EQ(info.sectors, SECTORS);
    cr_expect(!info.read_only && info.flush);
    hal_disk_info(1, &info);
    cr_expect(info.read_only);
    EXPECT_EQ(info.intid, SIM_DISK_INTID + 1);
    EXPECT_EQ((uint64_t)hal_irq_enable(SIM_DISK_INTID, true), HV_OK);
    bytes = hal_phys_map(buffer(), 1024);
    memset(bytes, 0x42, 1024);
    request.buf = buffer();
    start = hal_time_now();
    hal_disk_submit(0, 2, &request);
    cr_expect_not(hal_disk_done(0, &slot, &result), "it takes time");
    wait_for_disk();
    EXPECT_EQ(hal_time_now() - start, SIM_DISK_TICKS);
    EXPECT_EQ(content[0][4 * HAL_DISK_SECTOR], 0);
    cr_expect(hal_disk_done(0, &slot, &result));
    EXPECT_EQ(slot, 2);
    EXPECT_EQ((uint64_t)result, HV_OK);
    EXPECT_EQ(content[0][4 * HAL_DISK_SECTOR], 0x42);
    cr_expect_not(hal_disk_done(0, &slot, &result));
    EXPECT_EQ(hal_irq_ack(), HAL_INTID_NONE);
    request = (struct hal_disk_request){.op = HAL_DISK_FLUSH};
    hal_disk_submit(0, 0, &request);
    fails = true;
    wait_for_disk();
    cr_expect(hal_disk_done(0, &slot, &result));
    EXPECT_EQ((uint64_t)-result, (uint64_t)-HV_ERR_IO);
    EXPECT_EQ(flushes, 1);
}

CASE(disk, a_request_from_end_to_end)
{
    memset(content, 0, sizeof(content));
    run(use_it);
}

static void several(void)
{
    struct hal_disk_request request = {.op = HAL_DISK_READ, .len = 512, .buf = buffer()};
    unsigned slot;
    hv_err result;

    EXPECT_EQ((uint64_t)rig_init(1), HV_OK);
    EXPECT_EQ((uint64_t)hal_irq_enable(SIM_DISK_INTID, true), HV_OK);
    hal_disk_submit(0, 3, &request);
    request.sector = 1;
    request.buf = pa_add(buffer(), 512);
    hal_cpu_relax();
    hal_disk_submit(0, 1, &request);
    wait_for_disk();
    cr_expect(hal_disk_done(0, &slot, &result));
    EXPECT_EQ(slot, 3);
    cr_expect_not(hal_disk_done(0, &slot, &result), "a tick later");
    wait_for_disk();
    cr_expect(hal_disk_done(0, &slot, &result));
    EXPECT_EQ(slot, 1);
    EXPECT_EQ(*(unsigned char *)hal_phys_map(request.buf, 1), 0x77);
}

CASE(disk, slots_are_done_in_their_order_of_time)
{
    memset(content, 0, sizeof(content));
    content[0][512] = 0x77;
    run(several);
}

static struct hal_disk_request wrong;
static unsigned wrong_disk;

static void misuse(void)
{
    if (rig_init(1) == HV_OK)
        hal_disk_submit(wrong_disk, 0, &wrong);
}

CASE(disk, broken_preconditions_are_failed_checks)
{
    const struct {
        unsigned disk;
        struct hal_disk_request request;
    } rows[] = {
        {0, {.op = HAL_DISK_READ, .len = 0}},
        {0, {.op = HAL_DISK_READ, .len = 513}},
        {0, {.op = HAL_DISK_READ, .len = 1024, .sector = SECTORS - 1}},
        {0, {.op = HAL_DISK_READ, .len = HAL_DISK_LEN_MAX + 512}},
        {1, {.op = HAL_DISK_WRITE, .len = 512}},
        {2, {.op = HAL_DISK_FLUSH}},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct sim_machine_config config = rig_config(SIM_CPU_CORTEX_A57, 1);
        struct sim_machine *machine;
        config.nr_disks = 2;
        config.disk[0] = (struct sim_disk){.sectors = SECTORS, .transfer = transfer};
        config.disk[1] = (struct sim_disk){.sectors = SECTORS, .read_only = true};
        wrong_disk = rows[i].disk;
        wrong = rows[i].request;
        machine = rig_create(&config, misuse);
        cr_expect_eq(rig_finish(machine), SIM_STOP_HALTED);
        cr_expect_eq(sim_machine_halt_reason(machine), HAL_HALT_PANIC, "row %zu", i);
        sim_machine_destroy(machine);
    }
}

CASES_RUN(disk, NULL, NULL)
