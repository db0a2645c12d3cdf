/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A bank of flash that a disk of the machine's keeps. */
#include "dev/disk.h"
#include "dev/flash.h"
#include "dev/registry.h"
#include "flash_fixture.h"

#define DISK_SECTORS (2 * 512u) /* two of the flash's sectors */

static struct disks disks;

/* The disk is at work until somebody waits, and then it is done. */
static hv_err outcome;

#define EXPECT_LOG(text) cr_assert(fakehal_console_has(text), "%s", fakehal()->out)

static void finish_disks(void *ctx)
{
    (void)ctx;
    for (unsigned disk = 0; disk < fakehal()->nr_disks; disk++)
        (void)fakehal_disk_finish_all(disk, outcome);
    fakehal()->now++;
    fixture_serve_kicks(&f);
}

static unsigned char *disk_bytes(uint64_t at)
{
    return fakehal()->disk[0].data + at;
}

static void setup(void)
{
    flash_setup(&(struct flash_setup){.quota = 0});
    outcome = HV_OK;
    fakehal()->relax = finish_disks;
    (void)fakehal_add_disk(DISK_SECTORS + 1, false);
    memset(disk_bytes(0), 0xff, (DISK_SECTORS + 1) * 512);
    memcpy(disk_bytes(SECTOR), "KEPT", 4);
}

static void use(void)
{
    cr_assert_eq(flash_bank_use_disk(&store->bank[1], 0), HV_OK);
}

/* All that the disk is at work on, and what that leads to. */
static void settle(void)
{
    cr_assert(flash_disk_wait(&store->bank[1].disk, f.hv));
}

CASE(flash_disk, is_what_the_bank_holds)
{
    use();
    cr_expect_eq(r32(BANK1 + SECTOR), 0x5450454b);
    cr_expect_eq(r32(BANK1), 0xffffffff);
    cr_expect_eq(store->bank[1].sector[0].v, 0, "ones cost nothing");
    cr_expect_eq(store->account.used, 64);
    cr_expect_eq(store->bank[1].writable, 2);
}

CASE(flash_disk, programs_are_on_it_when_the_status_says_ready)
{
    const uint64_t at = BANK1 + SECTOR + 0x1204;

    use();
    w32(at, 0x40);
    w32(at, 0x12345678);
    cr_expect_eq(r32(BANK1), 0, "SR.7: not yet");
    w32(BANK1, 0xff);
    cr_expect_eq(r32(at), 0, "and no command is taken");
    cr_expect_eq(fakehal_disk_finish_all(0, HV_OK), 1);
    cr_expect_eq(r32(BANK1), 0, "not flushed");
    cr_expect_eq(fakehal_disk_finish_all(0, HV_OK), 1);
    cr_expect_eq(fakehal()->disk[0].flushes, 1);
    cr_expect_eq(r32(BANK1), 0x00800080);
    w32(BANK1, 0xff);
    cr_expect_eq(r32(at), 0x12345678);
    cr_expect_arr_eq(disk_bytes(SECTOR + 0x1204), "\x78\x56\x34\x12", 4);
    cr_expect_arr_eq(disk_bytes(SECTOR), "KEPT", 4);
}

CASE(flash_disk, erases_in_pieces_that_the_disk_takes)
{
    use();
    w32(BANK1 + SECTOR, 0x20);
    w32(BANK1 + SECTOR, 0xd0);
    cr_expect_eq(r32(BANK1), 0);
    cr_expect_eq(fakehal_disk_finish_all(0, HV_OK), 4);
    settle();
    cr_expect_eq(r32(BANK1), 0x00800080);
    cr_expect_arr_eq(disk_bytes(SECTOR), "\xff\xff\xff\xff", 4);
    w32(BANK1, 0x20);
    w32(BANK1, 0xd0);
    cr_expect_eq(r32(BANK1), 0x00800080, "what is erased is so on the disk");
}

CASE(flash_disk, without_a_flush)
{
    fakehal()->disk[0].info.flush = false;
    use();
    w32(BANK1, 0x40);
    w32(BANK1, 0);
    cr_expect_eq(fakehal_disk_finish_all(0, HV_OK), 1);
    cr_expect_eq(r32(BANK1), 0x00800080);
}

CASE(flash_disk, errors_are_told)
{
    use();
    w32(BANK1 + SECTOR, 0x40);
    w32(BANK1 + SECTOR, 0);
    outcome = HV_ERR_IO;
    settle();
    cr_expect_eq(r32(BANK1), 0x00900090, "SR.4: program error");
    w32(BANK1, 0x50);
    w32(BANK1 + SECTOR, 0x20);
    w32(BANK1 + SECTOR, 0xd0);
    settle();
    cr_expect_eq(r32(BANK1), 0x00a000a0, "SR.5: erase error");
    w32(BANK1, 0x50);
    outcome = HV_OK;
    w32(BANK1, 0x20);
    w32(BANK1, 0xd0);
    cr_expect_eq(r32(BANK1), 0x00800080, "the next one has nothing to do with it");
}

CASE(flash_disk, behind_its_end_is_protected)
{
    use();
    w32(BANK1 + 2 * SECTOR, 0x40);
    w32(BANK1 + 2 * SECTOR, 0);
    cr_expect_eq(r32(BANK1), 0x00920092);
    w32(BANK1, 0x50);
    w32(BANK1 + 2 * SECTOR, 0x20);
    w32(BANK1 + 2 * SECTOR, 0xd0);
    cr_expect_eq(r32(BANK1), 0x00a200a2);
}

CASE(flash_disk, read_only)
{
    fakehal()->disk[0].info.read_only = true;
    use();
    cr_expect_eq(r32(BANK1 + SECTOR), 0x5450454b);
    w32(BANK1 + SECTOR, 0x40);
    w32(BANK1 + SECTOR, 0);
    cr_expect_eq(r32(BANK1), 0x00920092);
}

/* A bank is no larger than 64 MiB, whatever the disk is. */
CASE(flash_disk, a_disk_that_is_larger)
{
    const uint64_t size = (UINT64_C(64) << 20) + SECTOR;
    unsigned large = fakehal_add_disk(size / 512, false);

    memset(fakehal()->disk[large].data, 0xff, size);
    fakehal()->disk[large].data[size - SECTOR - 1] = 7;
    cr_assert_eq(flash_bank_use_disk(&store->bank[1], large), HV_OK);
    cr_expect_eq(store->bank[1].writable, 256);
    cr_expect_eq(store->account.used, 64);
    cr_expect_eq(flash_read(2 * BANK1 - 1, 1), 7);
}

CASE(flash_disk, disks_that_will_not_do)
{
    unsigned small = fakehal_add_disk(511, false);

    cr_expect_eq(flash_bank_use_disk(&store->bank[1], small + 1), HV_ERR_NOENT);
    cr_expect_eq(flash_bank_use_disk(&store->bank[1], small), HV_ERR_RANGE);
    outcome = HV_ERR_IO;
    cr_expect_eq(flash_bank_use_disk(&store->bank[1], 0), HV_ERR_IO);
}

CASE(flash_disk, may_take_what_the_disk_has)
{
    memset(disk_bytes(0), 0, (DISK_SECTORS + 1) * 512);
    use();
    cr_expect_eq(store->account.used, 2 * 64);
    cr_expect_eq(store->account.limit, (2 + 4) * 64);
}

CASE(flash_disk, or_what_somebody_says)
{
    memset(disk_bytes(0), 0, (DISK_SECTORS + 1) * 512);
    store->has_quota = true;
    store->account.limit = 2 * 64 - 1;
    cr_expect_eq(flash_bank_use_disk(&store->bank[1], 0), HV_ERR_QUOTA);
}

CASE(flash_disk, no_memory_for_its_sectors)
{
    page_pool_fail_nth(&f.hv->pool, 2);
    cr_expect_eq(flash_bank_use_disk(&store->bank[1], 0), HV_ERR_NOMEM);
}

static void only_time_stands(void *ctx)
{
    (void)ctx;
}

static void only_time_goes_on(void *ctx)
{
    (void)ctx;
    fakehal()->now += fakehal()->hz / 8;
}

CASE(flash_disk, a_disk_that_never_answers)
{
    fakehal()->relax = only_time_goes_on;
    cr_expect_eq(flash_bank_use_disk(&store->bank[1], 0), HV_ERR_IO);
    cr_expect_not(flash_disk_wait(&store->bank[1].disk, f.hv));
    fakehal()->relax = finish_disks;
    settle();
}

/* --- Through the constructor --- */

static const struct dev_class *flash_class(void)
{
    size_t i = 0;

    while (strcmp(dev_registry.class[i].name, "flash") != 0)
        i++;
    return &dev_registry.class[i];
}

static uint64_t quota;

static hv_err create_as(struct dev_config config)
{
    const struct dev_class *class = flash_class();
    const struct dev_instance instance = {class, &f.config.device[0], class->base, class->size, 0};

    config.class = class;
    config.quota = quota;
    f.config.device[0] = config;
    f.vm->bus.count = 0; /* for another one */
    return class->create(f.vm, &instance);
}

static hv_err create(uint32_t machine)
{
    return create_as((struct dev_config){.given = 2, .number = {machine}});
}

static hv_err create_plain(void)
{
    return create_as((struct dev_config){.given = 0});
}

static struct flash_store *create_on_disk(void)
{
    disks_init(&disks, f.hv);
    f.hv->disks = &disks;
    cr_assert_eq(create(0), HV_OK);
    return f.hv->flash[0];
}

CASE(flash_disk, belongs_to_the_flash)
{
    struct flash_store *made = create_on_disk();

    cr_expect_eq(disks.machine, 1);
    cr_expect(made->bank[1].on_disk);
    flash_disk_write(&made->bank[1].disk, 0, made->bank[1].sector[1], 512);
    cr_assert_eq(create(0), HV_OK);
    cr_expect_eq(f.hv->flash[0], made);
    cr_expect_not(flash_disk_is_busy(&made->bank[1].disk), "the next life begins after that");
    flash_disk_write(&made->bank[1].disk, 0, made->bank[1].sector[1], 512);
    fakehal()->relax = only_time_goes_on;
    cr_expect_eq(create(0), HV_ERR_IO);
    fakehal()->relax = finish_disks;
    cr_expect(flash_disk_wait(&made->bank[1].disk, f.hv));
    f.hv->flash[0] = NULL;
    cr_expect_eq(create(0), HV_ERR_EXIST, "it is somebody's");
    cr_expect_eq(create(7), HV_ERR_NOENT);
    cr_expect_eq(f.hv->flash[0], NULL);
    fixture_destroy(&f, f.vm);
    flash_store_destroy(made);
    fixture_create(&f, 1);
}

/* `start` again, and again, of a VM whose flash's disk does not answer, or answers late. */
CASE(flash_disk, late_answers_are_waited_for)
{
    disks_init(&disks, f.hv);
    f.hv->disks = &disks;
    fakehal()->relax = only_time_goes_on;
    cr_expect_eq(create(0), HV_ERR_IO);
    EXPECT_LOG("error dev: g: flash: the machine's disk 0: does not answer\r\n");
    cr_expect_eq(disks.machine, 1, "it may still write to our memory");
    cr_expect_eq(create(0), HV_ERR_IO);
    EXPECT_LOG("the machine's disk 0: is still busy with what it was asked for before\r\n");
    cr_expect_eq(fakehal()->disk[0].submits, 4, "nothing new is asked of it");
    fakehal()->relax = finish_disks;
    cr_assert_eq(create(0), HV_OK);
    cr_expect(f.hv->flash[0]->bank[1].on_disk);
    cr_expect_eq(disks.machine, 1);
    fixture_destroy(&f, f.vm);
    flash_store_destroy(f.hv->flash[0]);
    fixture_create(&f, 1);
}

CASE(flash_disk, a_disk_that_fails_is_nobodys_again)
{
    uint64_t used = f.hv->account.used;

    disks_init(&disks, f.hv);
    f.hv->disks = &disks;
    outcome = HV_ERR_IO;
    cr_expect_eq(create(0), HV_ERR_IO);
    cr_expect_eq(disks.machine, 0);
    cr_expect_null(f.hv->flash[0]);
    outcome = HV_OK;
    quota = 4096;
    cr_expect_eq(create(0), HV_ERR_QUOTA);
    quota = 0;
    EXPECT_LOG("g: flash: the machine's disk 0: what it holds does not fit into its quota\r\n");
    cr_expect_eq(disks.machine, 0);
    disks.machine = 2;
    cr_expect_eq(create(5), HV_ERR_NOENT);
    cr_expect_eq(disks.machine, 2, "and no other one");
    cr_expect_eq(f.hv->account.used, used, "all is given back");
}

/* Others run while it is slow. */
static unsigned turns;

static void slow_turn(struct pcpu *pcpu)
{
    (void)pcpu;
    fakehal()->now += fakehal()->hz / 500;
    if (++turns % 8 == 0)
        (void)fakehal_disk_finish_all(0, HV_OK);
}

CASE(flash_disk, others_have_their_turn_while_it_is_slow)
{
    fakehal()->relax = only_time_stands;
    f.hv->turn = slow_turn;
    f.hv->pcpu[0].passes = 1;
    turns = 0;
    use();
    cr_expect_eq(turns, 16, "eight for each sector");
    f.hv->turn = NULL;
}

/* Nobody says anything of the flash but that there is firmware, or not even that. */
CASE(flash_disk, without_a_node)
{
    static const unsigned char byte = 0x12;
    const struct dev_class *class = flash_class();
    const struct dev_instance instance = {class, NULL, class->base, class->size, 0};

    f.vm->bus.count = 0;
    cr_assert_eq(class->create(f.vm, &instance), HV_OK);
    cr_expect_null(f.hv->flash[0], "nothing, and nothing is kept");
    f.config.firmware = (struct vm_blob){&byte, 1};
    f.vm->bus.count = 0;
    cr_assert_eq(class->create(f.vm, &instance), HV_OK);
    cr_assert_not_null(f.hv->flash[0]);
    cr_expect_eq(f.hv->flash[0]->account.used, 64);
    cr_expect_eq(f.hv->flash[0]->account.limit, 5 * 64);
    f.vm->bus.count = 0;
    cr_assert_eq(class->create(f.vm, &instance), HV_OK, "the next life");
    fixture_destroy(&f, f.vm);
    flash_store_destroy(f.hv->flash[0]);
    fixture_create(&f, 1);
}

CASE(flash_disk, a_vm_with_no_room_for_it)
{
    uint32_t devices = f.vm->nr_devices;

    f.vm->nr_devices = VM_MAX_DEVICES;
    cr_expect_eq(create_plain(), HV_ERR_NOMEM);
    f.vm->nr_devices = devices;
    cr_assert_not_null(f.hv->flash[0], "what it holds is for the next life");
    uint64_t used = f.hv->account.used;
    f.vm->nr_devices = VM_MAX_DEVICES;
    cr_expect_eq(create_plain(), HV_ERR_NOMEM);
    f.vm->nr_devices = devices;
    cr_expect_eq(f.hv->account.used, used);
    page_pool_fail_nth(&f.hv->pool, 1);
    cr_expect_eq(create_plain(), HV_ERR_NOMEM);
    page_pool_fail_nth(&f.hv->pool, 0);
    flash_store_destroy(f.hv->flash[0]);
}

/* What the flash of a VM that does not come back held. */
CASE(flash_disk, goes_with_its_vm)
{
    static const unsigned char byte = 0x12;
    uint64_t before = page_pool_free_pages(&f.hv->pool);

    f.config.firmware = (struct vm_blob){&byte, 1};
    cr_assert_eq(create_plain(), HV_OK);
    fixture_destroy(&f, f.vm);
    flash_forget(f.hv, 0);
    cr_expect_null(f.hv->flash[0]);
    flash_forget(f.hv, 0);
    fixture_create(&f, 1);
    cr_expect_eq(page_pool_free_pages(&f.hv->pool), before);
}

/* What was asked of its disk is done first; and until then nobody else has that. */
CASE(flash_disk, goes_with_its_vm_when_the_disk_is_done)
{
    struct flash_store *made = create_on_disk();

    flash_disk_write(&made->bank[1].disk, 0, made->bank[1].sector[1], 512);
    fixture_destroy(&f, f.vm);
    fakehal()->relax = only_time_goes_on;
    flash_forget(f.hv, 0);
    cr_expect_eq(f.hv->flash[0], made);
    cr_expect_eq(disks.machine, 1);
    fakehal()->relax = finish_disks;
    flash_forget(f.hv, 0);
    cr_expect_null(f.hv->flash[0]);
    cr_expect_eq(disks.machine, 0);
    cr_expect_eq(fakehal()->disk[0].flushes, 1);
    fixture_create(&f, 1);
}

/* As in tests of others: no disks at all, whose it could be. */
CASE(flash_disk, of_a_machine_without_disks)
{
    f.hv->disks = NULL;
    cr_assert_eq(create(0), HV_OK);
    fixture_destroy(&f, f.vm);
    flash_store_destroy(f.hv->flash[0]);
    f.hv->flash[0] = NULL;
    fixture_create(&f, 1);
    outcome = HV_ERR_IO;
    cr_expect_eq(create(0), HV_ERR_IO);
}

CASE(flash_disk, images_that_do_not_fit)
{
    static const unsigned char zeroes[0x40001];

    f.config.firmware = (struct vm_blob){zeroes, sizeof(zeroes)};
    quota = 2 * SECTOR - 1;
    cr_expect_eq(create_plain(), HV_ERR_QUOTA);
    EXPECT_LOG("error dev: g: flash: what it holds does not fit into its quota\r\n");
    cr_expect_null(f.hv->flash[0]);
    quota = 2 * SECTOR;
    cr_assert_eq(create_plain(), HV_OK);
    quota = 0;
    cr_expect_eq(f.hv->flash[0]->account.used, 2 * 64);
    fixture_destroy(&f, f.vm);
    flash_store_destroy(f.hv->flash[0]);
    fixture_create(&f, 1);
}

CASE(flash_disk, what_the_bundle_may_say)
{
    const struct dev_class *class = flash_class();
    struct dev_config config = {.class = class, .given = 1, .image = {"", 0x4000000}};

    cr_expect_eq(class->check(&config), NULL);
    config.image.size++;
    cr_expect_str_eq(class->check(&config), "variables: more than a bank of flash holds, 64 MiB");
    config.given = 3;
    config.image.size = 1;
    cr_expect_str_eq(class->check(&config), "machine: there are variables, too");
    config = (struct dev_config){.class = class, .given = 2, .number = {3}};
    cr_expect_eq(class->check(&config), NULL);
    cr_expect_str_eq(class->props[0].name, "variables");
    cr_expect_str_eq(class->props[1].name, "machine");
    cr_expect_str_eq(class->props[2].name, "quota");
    cr_expect_eq(class->props[2].min, 4096);
}

CASES_RUN(flash_disk, setup, flash_finish)
