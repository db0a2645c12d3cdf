/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The block device over a disk in memory. */
#include "blk_fixture.h"

#define SECTORS UINT64_C(2048)

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
    blk_fixture_make(&b, &(struct disk_setup){.size = SECTORS * 512, .serial = "a-serial"});
}

static unsigned char *data(uint64_t offset, uint64_t len)
{
    return driver_mem(&b.driver, DATA + offset, len);
}

CASE(virtio_blk, says_what_it_is)
{
    make();
    cr_expect_eq(blk_read(&b, 0x008, 4), 2);
    /* VERSION_1, EVENT_IDX, INDIRECT_DESC, WRITE_ZEROES, DISCARD, FLUSH, BLK_SIZE, SEG_MAX */
    cr_expect_eq(blk_features(&b), UINT64_C(0x130006244));
    cr_expect_eq(blk_read(&b, REG_CONFIG, 4), SECTORS);
    cr_expect_eq(blk_read(&b, REG_CONFIG + 4, 4), 0);
    cr_expect_eq(blk_read(&b, REG_CONFIG + 12, 4), 128, "seg_max");
    cr_expect_eq(blk_read(&b, REG_CONFIG + 20, 4), 512, "blk_size");
    cr_expect_eq(blk_read(&b, REG_CONFIG + 36, 4), 0x400000, "max_discard_sectors");
    cr_expect_eq(blk_read(&b, REG_CONFIG + 40, 4), 1, "max_discard_seg");
    cr_expect_eq(blk_read(&b, REG_CONFIG + 44, 4), 8, "discard_sector_alignment");
    cr_expect_eq(blk_read(&b, REG_CONFIG + 48, 4), 0x400000, "max_write_zeroes_sectors");
    cr_expect_eq(blk_read(&b, REG_CONFIG + 52, 4), 1, "max_write_zeroes_seg");
    cr_expect_eq(blk_read(&b, REG_CONFIG + 56, 1), 1, "write_zeroes_may_unmap");
    blk_write(&b, REG_CONFIG, 5);
    cr_expect_eq(blk_read(&b, REG_CONFIG, 4), SECTORS, "writes change nothing");
}

CASE(virtio_blk, read_only_says_so)
{
    uint32_t len;

    blk_fixture_make(&b, &(struct disk_setup){.size = 4096, .read_only = true});
    cr_expect_eq(blk_features(&b), UINT64_C(0x130000264), "RO; nothing that writes");
    cr_expect_eq(blk_request(&b, T_IN, 0, DATA, 512, false, &len), S_OK);
    cr_expect_eq(len, 513);
    cr_expect_eq(blk_request(&b, T_OUT, 0, DATA, 512, true, &len), S_IOERR);
    cr_expect_eq(len, 1);
    cr_expect_eq(blk_request(&b, T_DISCARD, 0, DATA, 16, true, NULL), S_IOERR);
    cr_expect_eq(blk_request(&b, T_WRITE_ZEROES, 0, DATA, 16, true, NULL), S_IOERR);
    cr_expect_eq(disk_used(b.disk), 0);
}

CASE(virtio_blk, writes_then_reads)
{
    uint32_t len;

    make();
    for (unsigned i = 0; i < 8192; i++)
        data(i, 1)[0] = (unsigned char)(i * 13 + i / 256);
    cr_assert_eq(blk_request(&b, T_OUT, 5, DATA, 8192, true, &len), S_OK);
    cr_expect_eq(len, 1);
    memset(data(0x4000, 0x4000), 0xaa, 0x4000);
    cr_assert_eq(blk_request(&b, T_IN, 4, DATA + 0x4001, 9216, false, &len), S_OK);
    cr_expect_eq(len, 9217);
    for (unsigned i = 0; i < 512; i++)
        cr_assert(data(0x4001 + i, 1)[0] == 0 && data(0x4001 + 8704 + i, 1)[0] == 0);
    for (unsigned i = 0; i < 8192; i++)
        cr_assert_eq(data(0x4001 + 512 + i, 1)[0], (unsigned char)(i * 13 + i / 256), "%u", i);
    cr_expect_eq(data(0x4000, 1)[0], 0xaa);
    cr_expect_eq(data(0x4001 + 9216, 1)[0], 0xaa);
    cr_expect_eq(blk_read(&b, REG_ISR, 4), 1);
    cr_expect(b.f.vm->vgic.spi[BLK_INTID - 32].level);
    blk_write(&b, REG_ACK, 1);
    cr_expect_not(b.f.vm->vgic.spi[BLK_INTID - 32].level);
}

CASE(virtio_blk, header_data_and_status_in_any_layout)
{
    /* 7 + 9 bytes of header and 3 of data in one descriptor, then 509; 100 and 412 to read, of
     * which the last has the status with it. */
    struct driver_seg out[] = {{HEADER, 7}, {HEADER + 7, 12}, {DATA + 3, 509}, {STATUS, 1}};
    struct driver_seg in[] = {{HEADER, 16}, {DATA + 0x1000, 100}, {DATA + 0x1064, 413}};
    uint16_t head;
    uint32_t len;

    make();
    driver_put32(&b.driver, HEADER, T_OUT);
    driver_put64(&b.driver, HEADER + 8, 1);
    memset(driver_mem(&b.driver, HEADER + 16, 3), 0x11, 3);
    memset(data(3, 509), 0x22, 509);
    driver_offer(&b.driver, driver_chain(&b.driver, out, 3, 1));
    (void)blk_serve_all(&b);
    cr_assert_eq(blk_status(&b, 0), S_OK);
    driver_put32(&b.driver, HEADER, T_IN);
    driver_offer(&b.driver, driver_chain(&b.driver, in, 1, 2));
    blk_write(&b, REG_NOTIFY, 0);
    (void)blk_serve_all(&b);
    cr_assert(driver_used(&b.driver, &head, &len));
    cr_assert(driver_used(&b.driver, &head, &len));
    cr_expect_eq(len, 513);
    cr_expect_eq(data(0x1064 + 412, 1)[0], S_OK);
    cr_expect_eq(data(0x1002, 1)[0], 0x11);
    cr_expect_eq(data(0x1003, 1)[0], 0x22);
    cr_expect_eq(data(0x1064 + 411, 1)[0], 0x22);
}

CASE(virtio_blk, names_itself)
{
    make();
    memset(data(0, 32), 0xaa, 32);
    cr_assert_eq(blk_request(&b, T_GET_ID, 0, DATA, 20, false, NULL), S_OK);
    cr_expect_eq(memcmp(data(0, 21), "a-serial\0\0\0\0\0\0\0\0\0\0\0\0\xaa", 21), 0);
    cr_expect_eq(blk_request(&b, T_GET_ID, 0, DATA, 3, false, NULL), S_OK);
    cr_expect_eq(blk_request(&b, T_GET_ID, 0, DATA, 21, false, NULL), S_IOERR);
}

CASE(virtio_blk, flushes_and_does_nothing)
{
    make();
    cr_expect_eq(blk_request(&b, T_FLUSH, 0, 0, 0, false, NULL), S_OK);
    cr_expect_eq(blk_request(&b, T_FLUSH, UINT64_MAX, DATA, 512, true, NULL), S_OK);
    cr_expect_eq(blk_request(&b, T_IN, SECTORS, 0, 0, false, NULL), S_OK, "no bytes");
    cr_expect_eq(blk_request(&b, T_OUT, 0, 0, 0, true, NULL), S_OK);
}

/* 2.7.8.2: so many bytes from the beginning were written, and only the status was, the last one. */
CASE(virtio_blk, room_that_is_not_used)
{
    uint32_t len;

    make();
    memset(data(0, 512), 0xaa, 512);
    cr_expect_eq(blk_request(&b, T_FLUSH, 0, DATA, 512, false, &len), S_OK);
    cr_expect_eq(len, 0);
    cr_expect_eq(blk_request(&b, T_OUT, 0, DATA, 512, false, &len), S_OK, "no data");
    cr_expect_eq(len, 0);
    cr_expect_eq(data(0, 1)[0], 0xaa);
    cr_expect_eq(blk_request(&b, T_FLUSH, 0, 0, 0, false, &len), S_OK);
    cr_expect_eq(len, 1);
    cr_expect_eq(blk_request(&b, T_GET_ID, 0, DATA, 20, false, &len), S_OK);
    cr_expect_eq(len, 21);
    cr_expect_eq(blk_request(&b, 99, 0, DATA, 20, false, &len), S_UNSUPP);
    cr_expect_eq(len, 0);
    cr_expect_eq(blk_request(&b, T_OUT, SECTORS, DATA, 512, true, &len), S_IOERR);
    cr_expect_eq(len, 1);
}

static uint8_t clear(uint32_t type, uint64_t sector, uint32_t count, uint32_t flags)
{
    driver_put64(&b.driver, DATA, sector);
    driver_put32(&b.driver, DATA + 8, count);
    driver_put32(&b.driver, DATA + 12, flags);
    return blk_request(&b, type, 0x77, DATA, 16, true, NULL);
}

CASE(virtio_blk, discards_and_zeroes)
{
    uint64_t used;

    make();
    memset(data(0x1000, 0x4000), 5, 0x4000);
    cr_assert_eq(blk_request(&b, T_OUT, 0, DATA + 0x1000, 0x4000, true, NULL), S_OK);
    used = disk_used(b.disk);
    cr_expect_eq(clear(T_WRITE_ZEROES, 0, 8, 0), S_OK);
    cr_expect_eq(disk_used(b.disk), used, "no unmap: it costs what it did");
    cr_expect_eq(clear(T_WRITE_ZEROES, 8, 8, 1), S_OK);
    cr_expect_eq(disk_used(b.disk), used - 4096);
    cr_expect_eq(clear(T_DISCARD, 16, 8, 0), S_OK);
    cr_expect_eq(disk_used(b.disk), used - 8192);
    cr_assert_eq(blk_request(&b, T_IN, 0, DATA + 0x1000, 0x4000, false, NULL), S_OK);
    for (unsigned i = 0; i < 0x4000; i++)
        cr_assert_eq(data(0x1000 + i, 1)[0], i < 0x3000 ? 0 : 5);
    cr_expect_eq(clear(T_DISCARD, 0, SECTORS, 0), S_OK);
    cr_expect_eq(disk_used(b.disk), 0);
    cr_expect_eq(clear(T_DISCARD, 0, 0, 0), S_OK);
}

CASE(virtio_blk, what_is_refused)
{
    make();
    cr_expect_eq(blk_request(&b, T_IN, SECTORS - 1, DATA, 1024, false, NULL), S_IOERR);
    cr_expect_eq(blk_request(&b, T_IN, UINT64_MAX, DATA, 512, false, NULL), S_IOERR);
    cr_expect_eq(blk_request(&b, T_IN, 0, DATA, 511, false, NULL), S_IOERR);
    cr_expect_eq(blk_request(&b, T_OUT, SECTORS, DATA, 512, true, NULL), S_IOERR);
    cr_expect_eq(blk_request(&b, T_OUT, 0, DATA, 513, true, NULL), S_IOERR);
    cr_expect_eq(blk_request(&b, 2, 0, DATA, 512, true, NULL), S_UNSUPP);
    cr_expect_eq(blk_request(&b, 14, 0, DATA, 512, true, NULL), S_UNSUPP);
    cr_expect_eq(clear(T_DISCARD, 0, 8, 1), S_UNSUPP, "a discard has no flag");
    cr_expect_eq(clear(T_WRITE_ZEROES, 0, 8, 2), S_UNSUPP);
    cr_expect_eq(clear(T_WRITE_ZEROES, SECTORS, 1, 0), S_IOERR);
    cr_expect_eq(clear(T_DISCARD, 0, 0x400001, 0), S_IOERR);
    cr_expect_eq(blk_request(&b, T_DISCARD, 0, DATA, 32, true, NULL), S_IOERR, "two ranges");
    cr_expect_eq(blk_request(&b, T_DISCARD, 0, DATA, 8, true, NULL), S_IOERR);
    cr_expect_eq(disk_used(b.disk), 0);
    cr_expect_eq(blk_read(&b, REG_STATUS, 4), 15, "and the device lives on");
}

CASE(virtio_blk, buffers_outside_of_the_guests_memory)
{
    uint32_t len;

    make();
    cr_expect_eq(blk_request(&b, T_OUT, 0, 0x1000, 512, true, NULL), S_IOERR);
    cr_expect_eq(blk_request(&b, T_IN, 0, GUEST_RAM + GUEST_SIZE - 256, 512, false, &len), S_IOERR);
    cr_expect_eq(len, 0, "nobody knows how much");
    cr_expect_eq(blk_request(&b, T_GET_ID, 0, UINT64_MAX - 8, 20, false, NULL), S_IOERR);
    cr_expect_eq(blk_request(&b, T_DISCARD, 0, 0x1000, 16, true, NULL), S_IOERR);
    struct driver_seg seg[] = {{0x1000, 16}, {STATUS, 1}};
    *(unsigned char *)driver_mem(&b.driver, STATUS, 1) = S_NONE;
    driver_offer(&b.driver, driver_chain(&b.driver, seg, 1, 1));
    blk_write(&b, REG_NOTIFY, 0);
    (void)blk_serve_all(&b);
    cr_expect_eq(blk_status(&b, 0), S_IOERR, "a header that cannot be read");
    cr_expect_eq(blk_read(&b, REG_STATUS, 4), 15);
}

/* DEVICE_NEEDS_RESET, and life after a reset. */
static void expect_broken(const struct driver_seg *seg, unsigned out, unsigned in)
{
    driver_offer(&b.driver, driver_chain(&b.driver, seg, out, in));
    blk_write(&b, REG_NOTIFY, 0);
    (void)blk_serve_all(&b);
    cr_expect_eq(blk_read(&b, REG_STATUS, 4), 15 | 64);
    cr_expect_eq(blk_read(&b, REG_ISR, 4) & 2, 2);
    blk_start(&b, UINT64_C(1) << 32, 64);
    cr_expect_eq(blk_request(&b, T_IN, 0, DATA, 512, false, NULL), S_OK);
}

CASE(virtio_blk, requests_that_cannot_be_answered_break_it)
{
    make();
    expect_broken((struct driver_seg[]){{HEADER, 15}, {STATUS, 1}}, 1, 1);
    expect_broken((struct driver_seg[]){{HEADER, 16}, {DATA, 512}}, 2, 0);
    expect_broken((struct driver_seg[]){{HEADER, 16}, {0x1000, 1}}, 1, 1);
}

CASE(virtio_blk, no_memory_is_an_error_of_the_request)
{
    make();
    page_pool_fail_nth(&b.f.hv->pool, 2);
    cr_expect_eq(blk_request(&b, T_OUT, 0, DATA, 8192, true, NULL), S_IOERR);
    cr_expect_eq(blk_request(&b, T_OUT, 0, DATA, 8192, true, NULL), S_OK);
}

CASE(virtio_blk, many_requests_in_bounded_pieces_and_one_interrupt_each)
{
    static struct driver_seg seg[128];
    uint16_t head;
    uint32_t len;
    unsigned done = 0;

    make();
    blk_start(&b, UINT64_C(1) << 32, 256);
    for (unsigned i = 0; i < 128; i++)
        seg[i] = (struct driver_seg){DATA + 4096u * i, 4096};
    (void)blk_offer(&b, 0, T_OUT, 0, seg, 128, true);
    for (uint32_t i = 1; i < 40; i++)
        (void)blk_offer(&b, i, T_IN, i, seg, 1, false);
    blk_write(&b, REG_NOTIFY, 0);
    unsigned pieces = blk_serve_all(&b);
    cr_expect_geq(pieces, 8 + 3, "512 KiB in pieces of 64");
    cr_expect_leq(pieces, 20);
    while (driver_used(&b.driver, &head, &len))
        done++;
    cr_expect_eq(done, 40);
    for (uint32_t i = 0; i < 40; i++)
        cr_expect_eq(blk_status(&b, i), S_OK);
}

CASE(virtio_blk, what_was_written_survives_the_vm)
{
    make();
    memset(data(0, 512), 0x66, 512);
    cr_assert_eq(blk_request(&b, T_OUT, 7, DATA, 512, true, NULL), S_OK);
    fixture_destroy(&b.f, b.f.vm);
    fixture_create(&b.f, 1);
    struct dev_instance instance = {.class = b.f.config.device[0].class,
                                    .config = &b.f.config.device[0],
                                    .base = BLK_BASE,
                                    .intid = BLK_INTID};
    cr_assert_eq(disk_create(b.f.vm, &instance), HV_OK);
    b.blk = b.f.vm->device[b.f.vm->nr_devices - 1].dev;
    vm_start(b.f.vm, ipa(GUEST_ENTRY), 0);
    cr_assert_eq(sched_next(&b.f.hv->pcpu[0]), b.f.vcpu);
    blk_start(&b, UINT64_C(1) << 32, 64);
    cr_assert_eq(blk_request(&b, T_IN, 7, DATA + 512, 512, false, NULL), S_OK);

    for (unsigned i = 0; i < 512; i++)
        cr_assert_eq(data(512 + i, 1)[0], 0x66);
}

CASE(virtio_blk, a_vm_without_its_disk_is_not_made)
{
    struct dev_instance instance;

    make();
    instance = (struct dev_instance){.class = b.f.config.device[0].class,
                                     .config = &b.f.config.device[0],
                                     .base = BLK_BASE + 0x200,
                                     .intid = BLK_INTID + 1};
    b.f.config.device[0].unit = 3;
    cr_expect_eq(disk_create(b.f.vm, &instance), HV_ERR_NOENT);
    b.f.config.device[0].unit = 0;
    page_pool_fail_nth(&b.f.hv->pool, 1);
    cr_expect_eq(disk_create(b.f.vm, &instance), HV_ERR_NOMEM);
    instance.base = BLK_BASE;
    cr_expect_neq(disk_create(b.f.vm, &instance), HV_OK, "there is one at this place");
    b.f.hv->disks = NULL;
    cr_expect_eq(disk_create(b.f.vm, &instance), HV_ERR_NOENT);
}

/* 512 buffers and chains in a piece: a request of no bytes in 126 more than header and status. */
CASE(virtio_blk, looks_at_so_many_buffers_in_a_piece)
{
    struct driver_seg seg[126];
    struct vm_device *device;
    uint16_t head;
    uint32_t len;

    make();
    blk_start(&b, UINT64_C(1) << 32, 256);
    device = &b.f.vm->device[b.blk->dev.index];
    for (unsigned i = 0; i < 126; i++)
        seg[i] = (struct driver_seg){DATA, 0};
    head = blk_offer(&b, 0, T_FLUSH, 0, seg, 126, true);
    /* The ring shows the same chain again and again: 129 each. */
    for (unsigned i = 1; i < 11; i++)
        driver_offer(&b.driver, head);
    blk_write(&b, REG_NOTIFY, 0);
    for (unsigned left = 11; left > 0;) {
        unsigned done = 0;
        bool more = device->work(device->dev);
        while (driver_used(&b.driver, &head, &len))
            done++;
        cr_assert_eq(done, left < 4 ? left : 4);
        cr_assert_eq(more, left >= 4);
        left -= done;
    }
}

CASES_RUN(virtio_blk, setup, finish)
