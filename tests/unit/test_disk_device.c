/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What a bundle may say of a disk, and the disks that are made of it. */
#include "dev/disk_device.h"
#include "disk_fixture.h"

static struct disk_fixture d;
static struct hv_config config;
static const struct dev_class *class;
static unsigned char image[1024];

static void setup(void)
{
    disk_fixture_start(&d, MIB(8));
    memset(&config, 0, sizeof(config));
    config.nr_vms = 2;
    strcpy(config.vm[0].name, "a");
    strcpy(config.vm[1].name, "b");
    for (size_t i = 0; i < dev_registry.count; i++)
        if (dev_registry.class[i].create == disk_create)
            class = &dev_registry.class[i];
    cr_assert_not_null(class);
}

static void finish(void)
{
    disk_fixture_end(&d);
}

/* A disk of the VM with nothing said of it. */
static struct dev_config *add(uint32_t vm, uint32_t unit)
{
    struct dev_config *disk = &config.vm[vm].device[config.vm[vm].nr_devices++];

    *disk = (struct dev_config){.class = class, .unit = unit};
    return disk;
}

/* As the bundle's parser does, which knows the class by its rows. */
static void say(struct dev_config *disk, const char *name)
{
    size_t n = 0;

    while (strcmp(class->props[n].name, name) != 0)
        cr_assert_lt(++n, class->nr_props, "no property %s", name);
    disk->given |= 1u << n;
}

CASE(disk_device, row)
{
    cr_expect_str_eq(class->bundle, "disk");
    cr_expect(class->virtio);
    cr_expect_not(class->always);
    cr_expect_eq(class->max, 32);
}

CASE(disk_device, what_goes_together)
{
    static const struct {
        const char *names[3];
        uint64_t size;
        uint64_t image;
        const char *wrong; /* begins with this; NULL: nothing is */
    } rows[] = {
        {{"image"}, 0, 700, NULL},
        {{"size"}, 512, 0, NULL},
        {{"image", "size", "quota"}, 1024, 700, NULL},
        {{"image-of"}, 0, 0, NULL},
        {{"image-of", "size"}, 512, 0, NULL},
        {{"machine"}, 0, 0, NULL},
        {{"machine", "read-only", "serial"}, 0, 0, NULL},
        {{"machine", "image"}, 0, 700, "machine: "},
        {{"machine", "size"}, 512, 0, "machine: "},
        {{"machine", "quota"}, 0, 0, "machine: "},
        {{"machine", "image-of"}, 0, 0, "machine: "},
        {{"image", "image-of"}, 0, 700, "image-of: "},
        {{NULL}, 0, 0, "image: missing"},
        {{"quota", "read-only"}, 0, 0, "image: missing"},
        {{"size"}, 513, 0, "size: no multiple"},
        {{"image", "size"}, 512, 513, "size: smaller"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct dev_config disk = {.class = class, .size = rows[i].size};
        disk.image = (struct vm_blob){image, rows[i].image};
        for (unsigned n = 0; n < 3 && rows[i].names[n] != NULL; n++)
            say(&disk, rows[i].names[n]);
        const char *wrong = class->check(&disk);
        if (rows[i].wrong == NULL)
            cr_expect_null(wrong, "row %zu: %s", i, wrong);
        else
            cr_expect(wrong != NULL && strncmp(wrong, rows[i].wrong, strlen(rows[i].wrong)) == 0,
                      "row %zu: %s", i, wrong != NULL ? wrong : "nothing");
    }
}

CASE(disk_device, each_vm_has_its_own)
{
    struct dev_config *disk = add(0, 0);
    struct disk *made;

    say(disk, "image");
    disk->image = (struct vm_blob){image, sizeof(image)};
    disk->text[0] = "twenty-characters-1234";
    disk = add(1, 0);
    disk->text[1] = "a";
    disk->size = 8192;
    disk->flag[0] = true;
    disk = add(1, 5);
    disk->size = 512;
    disks_add_all(&d.disks, &config);
    made = disks_find(&d.disks, 0, 0);
    cr_assert_not_null(made);
    cr_expect_eq(made->backend.sectors, 2);
    cr_expect_eq(memcmp(made->backend.serial, "twenty-characters-12", 20), 0);
    made = disks_find(&d.disks, 1, 0);
    cr_assert_not_null(made);
    cr_expect_eq(made->backend.sectors, 16);
    cr_expect(made->backend.read_only);
    cr_assert_not_null(disks_find(&d.disks, 1, 5));
    cr_assert_null(disks_find(&d.disks, 0, 5));
    cr_expect_eq(fakehal()->out_len, 0, "%s", fakehal()->out);
}

/* An image of another VM is that of the disk of the same number, whatever else the VM has. */
CASE(disk_device, image_of_the_same_number)
{
    const struct dev_class *other = NULL;
    struct dev_config *disk;

    for (size_t i = 0; i < dev_registry.count; i++)
        if (dev_registry.class[i].bundle != NULL &&
            strcmp(dev_registry.class[i].bundle, "flash") == 0)
            other = &dev_registry.class[i];
    cr_assert_not_null(other);
    disk = add(0, 1);
    disk->class = other; /* its variables are no disk's image */
    disk->image = (struct vm_blob){image, sizeof(image)};
    disk = add(0, 0);
    disk->image = (struct vm_blob){image, 512};
    add(0, 1)->size = 4096; /* a blank one */
    disk = add(0, 1);
    disk->image = (struct vm_blob){image, 700};
    add(1, 1)->text[1] = "a";
    disks_add_all(&d.disks, &config);
    cr_assert_not_null(disks_find(&d.disks, 1, 1));
    cr_expect_eq(disks_find(&d.disks, 1, 1)->backend.sectors, 2);
    cr_expect_eq(fakehal()->out_len, 0, "%s", fakehal()->out);
}

static void expect_refused(const char *words)
{
    fakehal_console_clear();
    disks_add_all(&d.disks, &config);
    cr_expect(fakehal_console_has(words), "no \"%s\" in: %s", words, fakehal()->out);
    disks_destroy(&d.disks);
    config.vm[0].nr_devices = 0;
    config.vm[1].nr_devices = 0;
}

CASE(disk_device, what_cannot_be_made_is_told)
{
    struct dev_config *disk = add(1, 2);

    say(disk, "machine");
    disk->number[0] = 3;
    expect_refused("b: disk 2: machine: there is no such disk that can be used");
    (void)fakehal_add_disk(8, false);
    say(add(0, 0), "machine");
    say(add(1, 0), "machine");
    expect_refused("b: disk 0: machine: this disk is another's");
    add(1, 0)->text[1] = "c";
    expect_refused("b: disk 0: image-of: c has no such image");
    disk = add(0, 1);
    disk->image = (struct vm_blob){image, sizeof(image)};
    add(1, 0)->text[1] = "a";
    expect_refused("b: disk 0: image-of: a has no such image");
    add(0, 0)->size = 512;
    page_pool_fail_nth(&d.f.hv->pool, 1);
    expect_refused("a: disk 0: out of memory");
    disk = add(0, 1);
    disk->image = (struct vm_blob){image, sizeof(image)};
    disk = add(1, 1);
    disk->text[1] = "a";
    disk->size = 512;
    expect_refused("b: disk 1: invalid argument");
}

CASES_RUN(disk_device, setup, finish)
