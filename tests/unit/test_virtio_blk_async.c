/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The block device over a disk of the machine's, whose requests take their time; resets meanwhile;
 * and both kinds of disk against an array. */
#include "blk_fixture.h"
#include "exit/exit.h"
#include "prng.h"

#define SECTORS    UINT64_C(1024)
#define DISK_INTID 64u

static struct blk_fixture b;

static void setup(void)
{
    fixture_hv(&b.f, MIB(16), 1);
}

static void finish(void)
{
    blk_fixture_end(&b);
}

static void make(void)
{
    (void)fakehal_add_disk(SECTORS, false);
    blk_fixture_make(&b, &(struct disk_setup){.is_machine = true});
}

static unsigned char *data(uint64_t offset, uint64_t len)
{
    return driver_mem(&b.driver, DATA + offset, len);
}

/* The machine's interrupt comes, as it does between two runs of a guest. */
static void interrupt(void)
{
    if (fakehal()->cpu[0].pending[DISK_INTID])
        exit_interrupt(&b.f.hv->pcpu[0]);
}

/* All that is under way is done, and what follows from it, until nothing is. */
static void settle(hv_err result)
{
    do {
        interrupt();
        (void)blk_serve_all(&b);
    } while (fakehal_disk_finish_all(0, result) != 0 || fakehal()->cpu[0].pending[DISK_INTID]);
}

static unsigned used(void)
{
    uint16_t head;
    uint32_t len;
    unsigned count = 0;

    while (driver_used(&b.driver, &head, &len)) {
        driver_free(&b.driver, head);
        count++;
    }
    return count;
}

CASE(virtio_blk_async, a_write_is_done_when_the_disk_says_so)
{
    const struct driver_seg seg = {DATA, 1024};

    make();
    memset(data(0, 1024), 0x31, 1024);
    (void)blk_offer(&b, 0, T_OUT, 3, &seg, 1, true);
    blk_write(&b, REG_NOTIFY, 0);
    (void)blk_serve_all(&b);
    cr_expect_eq(used(), 0);
    memset(data(0, 1024), 0xff, 1024);
    cr_assert_eq(fakehal_disk_finish_all(0, HV_OK), 1);
    interrupt();
    cr_expect_eq(used(), 0, "a vCPU's work, not the interrupt's");
    cr_expect_neq(b.f.vcpu->requests & VCPU_REQ_DEVICES, 0, "and it is asked to");
    (void)blk_serve_all(&b);
    cr_expect_eq(used(), 1);
    cr_expect_eq(blk_status(&b, 0), S_OK);
    cr_expect_eq(fakehal()->disk[0].data[4 * 512], 0x31, "as it was when it was submitted");
    cr_expect_eq(blk_features(&b), UINT64_C(0x130000244), "no discard");
    cr_expect_eq(blk_request(&b, T_DISCARD, 0, DATA, 16, true, NULL), S_UNSUPP);
    cr_expect_eq(blk_read(&b, REG_CONFIG + 36, 4), 0);
}

CASE(virtio_blk_async, long_requests_go_in_pieces)
{
    struct driver_seg seg[3] = {{DATA, 65536}, {DATA + 65536, 65536}, {DATA + 131072, 4096}};

    make();
    for (unsigned i = 0; i < 135168; i++)
        fakehal()->disk[0].data[512 + i] = (unsigned char)(i / 512 + i);
    (void)blk_offer(&b, 0, T_IN, 1, seg, 3, false);
    blk_write(&b, REG_NOTIFY, 0);
    (void)blk_serve_all(&b);
    cr_expect_eq(fakehal()->disk[0].submits, 3);
    fakehal_disk_finish(0, 2, HV_OK);
    fakehal_disk_finish(0, 0, HV_OK);
    interrupt();
    (void)blk_serve_all(&b);
    cr_expect_eq(used(), 0);
    settle(HV_OK);
    cr_expect_eq(used(), 1);
    cr_expect_eq(memcmp(data(0, 135168), fakehal()->disk[0].data + 512, 135168), 0);
}

CASE(virtio_blk_async, one_piece_that_fails_fails_the_request)
{
    struct driver_seg seg[8];

    make();
    for (unsigned i = 0; i < 8; i++)
        seg[i] = (struct driver_seg){DATA + i * 65536, 65536};
    (void)blk_offer(&b, 0, T_IN, 0, seg, 6, false);
    (void)blk_offer(&b, 1, T_IN, 0, seg, 1, false);
    blk_write(&b, REG_NOTIFY, 0);
    (void)blk_serve_all(&b);
    fakehal_disk_finish(0, 1, HV_ERR_IO);
    interrupt();
    (void)blk_serve_all(&b);
    cr_expect_eq(blk_status(&b, 0), S_NONE, "its other pieces are still under way");
    settle(HV_OK);
    cr_expect_eq(used(), 2);
    cr_expect_eq(blk_status(&b, 0), S_IOERR);
    cr_expect_eq(blk_status(&b, 1), S_OK);
    cr_expect_eq(fakehal()->disk[0].submits, 5, "four, and the other request");
}

CASE(virtio_blk_async, a_full_table_takes_no_more_and_wants_no_notification)
{
    const struct driver_seg seg = {DATA, 512};

    make();
    for (uint32_t i = 0; i < 20; i++)
        (void)blk_offer(&b, i, T_IN, i, &seg, 1, false);
    blk_write(&b, REG_NOTIFY, 0);
    (void)blk_serve_all(&b);
    cr_expect_eq(fakehal()->disk[0].submits, HAL_DISK_SLOTS);
    cr_expect(driver_is_unheard(&b.driver));
    fakehal_disk_finish(0, 0, HV_OK);
    interrupt();
    (void)blk_serve_all(&b);
    cr_expect_eq(used(), 1);
    settle(HV_OK);
    cr_expect_eq(used(), 19);
    cr_expect_not(driver_is_unheard(&b.driver), "at the end it listens again");
}

CASE(virtio_blk_async, flush)
{
    make();
    (void)blk_offer(&b, 0, T_FLUSH, 0, NULL, 0, false);
    blk_write(&b, REG_NOTIFY, 0);
    (void)blk_serve_all(&b);
    cr_expect_eq(used(), 0);
    settle(HV_OK);
    cr_expect_eq(blk_status(&b, 0), S_OK);
    cr_expect_eq(fakehal()->disk[0].flushes, 1);
    (void)blk_offer(&b, 1, T_FLUSH, 0, NULL, 0, false);
    blk_write(&b, REG_NOTIFY, 0);
    settle(HV_ERR_IO);
    cr_expect_eq(blk_status(&b, 1), S_IOERR, "no flush that did not happen");
}

CASE(virtio_blk_async, reset_in_flight)
{
    const struct driver_seg seg = {DATA, 512};

    make();
    memset(fakehal()->disk[0].data, 0x55, 512);
    (void)blk_offer(&b, 0, T_IN, 0, &seg, 1, false);
    memset(data(1024, 512), 0x66, 512);
    (void)blk_offer(&b, 1, T_OUT, 9, &(struct driver_seg){DATA + 1024, 512}, 1, true);
    blk_write(&b, REG_NOTIFY, 0);
    (void)blk_serve_all(&b);
    memset(data(0, 512), 0, 512);
    blk_start(&b, UINT64_C(1) << 32, 64);
    (void)blk_offer(&b, 2, T_OUT, 9, &(struct driver_seg){DATA + 2048, 512}, 1, true);
    blk_write(&b, REG_NOTIFY, 0);
    (void)blk_serve_all(&b);
    cr_expect_eq(fakehal()->disk[0].submits, 2, "nothing new before the old is done");
    settle(HV_OK);
    cr_expect_eq(used(), 1);
    cr_expect_eq(blk_status(&b, 2), S_OK);
    cr_expect_eq(data(0, 1)[0], 0, "nothing is written to memory that is the driver's again");
    cr_expect_eq(fakehal()->disk[0].data[9 * 512], 0, "the new write, after the old one");
}

CASE(virtio_blk_async, a_long_request_leaves_no_room_either)
{
    struct driver_seg seg[5];

    make();
    for (unsigned i = 0; i < 5; i++)
        seg[i] = (struct driver_seg){DATA + i * 65536, 65536};
    (void)blk_offer(&b, 0, T_IN, 0, seg, 5, false);
    blk_write(&b, REG_NOTIFY, 0);
    (void)blk_serve_all(&b);
    cr_expect_eq(fakehal()->disk[0].submits, HAL_DISK_SLOTS);
    cr_expect(driver_is_unheard(&b.driver));
    settle(HV_OK);
    cr_expect_eq(used(), 1);
    cr_expect_not(driver_is_unheard(&b.driver));
}

CASE(virtio_blk_async, a_queue_that_is_taken_back)
{
    const struct driver_seg seg = {DATA, 512};

    make();
    memset(fakehal()->disk[0].data, 0x55, 512);
    (void)blk_offer(&b, 0, T_IN, 0, &seg, 1, false);
    blk_write(&b, REG_NOTIFY, 0);
    (void)blk_serve_all(&b);
    blk_write(&b, REG_READY, 0);
    (void)fakehal_disk_finish_all(0, HV_OK);
    interrupt();
    (void)blk_serve_all(&b);
    cr_expect_eq(used(), 0);
    cr_expect_eq(data(0, 1)[0], 0, "nothing is written to what is the driver's again");
    cr_expect_eq(blk_status(&b, 0), S_NONE);
}

/* Nor does it come to the queue that begins anew before anybody looked. */
CASE(virtio_blk_async, a_queue_that_is_taken_back_and_begins_anew)
{
    const struct driver_seg seg = {DATA, 512};
    const struct driver_seg other = {DATA + 1024, 512};

    make();
    memset(fakehal()->disk[0].data, 0x55, 512);
    (void)blk_offer(&b, 0, T_IN, 0, &seg, 1, false);
    blk_write(&b, REG_NOTIFY, 0);
    (void)blk_serve_all(&b);
    blk_write(&b, REG_READY, 0);
    (void)fakehal_disk_finish_all(0, HV_OK);
    interrupt();
    driver_init(&b.driver, &b.f.vm->s2, RINGS, 64);
    blk_write(&b, REG_READY, 1);
    (void)blk_serve_all(&b);
    cr_expect_eq(used(), 0, "the request of before is forgotten");
    cr_expect_eq(data(0, 1)[0], 0);
    (void)blk_offer(&b, 1, T_IN, 0, &other, 1, false);
    blk_write(&b, REG_NOTIFY, 0);
    settle(HV_OK);
    cr_expect_eq(used(), 1);
    cr_expect_eq(blk_status(&b, 1), S_OK);
    cr_expect_eq(data(1024, 1)[0], 0x55);
}

CASE(virtio_blk_async, the_vm_ends_in_flight)
{
    const struct driver_seg seg = {DATA, 512};

    make();
    (void)blk_offer(&b, 0, T_IN, 0, &seg, 1, false);
    blk_write(&b, REG_NOTIFY, 0);
    (void)blk_serve_all(&b);
    fixture_destroy(&b.f, b.f.vm);
    b.f.vm = NULL;
    cr_assert_eq(fakehal_disk_finish_all(0, HV_OK), 1);
    interrupt();
    cr_expect(fakehal()->cpu[0].enabled[DISK_INTID], "it was somebody's");
}

/* --- Both kinds against an array: many requests in any order of completion, and resets --- */

#define MODEL_SECTORS 256u
#define SLOTS         8u /* requests at a time, on sectors of their own */
#define SLOT_SECTORS  (MODEL_SECTORS / SLOTS)
#define SLOT_DATA(n)  (DATA + (n)*UINT64_C(0x8000))

static unsigned char model[MODEL_SECTORS * 512];

struct model_slot {
    bool busy;
    uint32_t type;
    uint64_t sector;
    uint32_t len;
    uint16_t head;
};

static struct model_slot slots[SLOTS];
static uint64_t seed;

static void model_offer(uint32_t n)
{
    static const uint32_t types[] = {T_IN, T_OUT, T_OUT, T_FLUSH};
    struct model_slot *s = &slots[n];
    uint32_t sectors = 1 + (uint32_t)(prng_next(&seed) % SLOT_SECTORS);
    struct driver_seg seg[6];
    unsigned count = 0;

    *s = (struct model_slot){.busy = true, .type = types[prng_next(&seed) % 4]};
    s->sector = n * SLOT_SECTORS + prng_next(&seed) % (SLOT_SECTORS - sectors + 1);
    s->len = s->type == T_FLUSH ? 0 : sectors * 512;
    for (uint32_t at = 0; at < s->len && count < 5; count++) {
        uint32_t len = count == 4 ? s->len - at : 1 + (uint32_t)(prng_next(&seed) % (s->len - at));
        seg[count] = (struct driver_seg){SLOT_DATA(n) + at, len};
        at += len;
    }
    if (s->type == T_OUT)
        for (uint32_t i = 0; i < s->len; i += 8)
            driver_put64(&b.driver, SLOT_DATA(n) + i, prng_next(&seed));
    s->head = blk_offer(&b, n, s->type, s->sector, seg, count, s->type == T_OUT);
    blk_write(&b, REG_NOTIFY, 0);
}

static void model_take(void)
{
    uint16_t head;
    uint32_t len;

    while (driver_used(&b.driver, &head, &len)) {
        uint32_t n = 0;
        while (n < SLOTS && !(slots[n].busy && slots[n].head == head))
            n++;
        cr_assert_lt(n, SLOTS, "a chain that nobody offered");
        const struct model_slot *s = &slots[n];
        unsigned char *bytes = driver_mem(&b.driver, SLOT_DATA(n), 0x8000);
        cr_assert_eq(blk_status(&b, n), S_OK);
        cr_assert_eq(len, 1 + (s->type == T_IN ? s->len : 0));
        if (s->type == T_IN)
            cr_assert_eq(memcmp(bytes, model + s->sector * 512, s->len), 0);
        if (s->type == T_OUT)
            memcpy(model + s->sector * 512, bytes, s->len);
        driver_free(&b.driver, head);
        slots[n].busy = false;
    }
}

/* What was under way at a reset has happened, or not: both are read back, and one of the two it is,
 * sector by sector. */
static void model_reset(bool machine)
{
    blk_start(&b, UINT64_C(1) << 32 | (prng_next(&seed) % 2) << 29, 64);
    if (machine)
        settle(HV_OK);
    for (uint32_t n = 0; n < SLOTS; n++) {
        const struct model_slot *s = &slots[n];
        for (uint32_t i = 0; s->busy && s->type == T_OUT && i < s->len; i += 512) {
            unsigned char *now = driver_mem(&b.driver, GUEST_RAM + 0x8000, 512);
            unsigned char *new = driver_mem(&b.driver, SLOT_DATA(n) + i, 512);
            unsigned char *old = model + s->sector * 512 + i;
            const struct driver_seg seg = {GUEST_RAM + 0x8000, 512};
            uint16_t head;
            uint32_t len;
            (void)blk_offer(&b, 60, T_IN, s->sector + i / 512, &seg, 1, false);
            blk_write(&b, REG_NOTIFY, 0);
            if (machine)
                settle(HV_OK);
            else
                (void)blk_serve_all(&b);
            cr_assert(driver_used(&b.driver, &head, &len));
            driver_free(&b.driver, head);
            cr_assert(memcmp(now, new, 512) == 0 || memcmp(now, old, 512) == 0);
            memcpy(old, now, 512);
        }
        slots[n].busy = false;
    }
}

static void model_run(bool machine, unsigned steps)
{
    struct vm_device *device = &b.f.vm->device[b.blk->dev.index];

    memset(model, 0, sizeof(model));
    memset(slots, 0, sizeof(slots));
    for (unsigned step = 0; step < steps; step++) {
        uint32_t n = (uint32_t)(prng_next(&seed) % SLOTS);
        switch (prng_next(&seed) % 8) {
        case 0:
        case 1:
        case 2:
            if (!slots[n].busy)
                model_offer(n);
            break;
        case 3:
        case 4:
            (void)device->work(device->dev);
            break;
        case 5:
            if (machine && fakehal()->disk[0].slot[n % 4].state == FAKEHAL_DISK_BUSY)
                fakehal_disk_finish(0, n % 4, HV_OK);
            break;
        case 6:
            interrupt();
            break;
        default:
            if (prng_next(&seed) % 32 == 0)
                model_reset(machine);
            break;
        }
        model_take();
    }
    if (machine)
        settle(HV_OK);
    (void)blk_serve_all(&b);
    model_take();
    for (uint32_t n = 0; n < SLOTS; n++)
        cr_assert_not(slots[n].busy, "request %u was never answered", n);
}

CASE(virtio_blk_async, the_machines_disk_behaves_as_an_array)
{
    seed = 0x5eed1;
    make();
    model_run(true, 6000);
    cr_assert_eq(memcmp(fakehal()->disk[0].data, model, sizeof(model)), 0);
}

CASE(virtio_blk_async, a_disk_in_memory_behaves_as_an_array)
{
    seed = 0x5eed2;
    blk_fixture_make(&b, &(struct disk_setup){.size = MODEL_SECTORS * 512});
    model_run(false, 6000);
}

CASES_RUN(virtio_blk_async, setup, finish)
