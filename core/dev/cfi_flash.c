/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "dev/cfi_flash.h"
#include "base/bits.h"
#include "base/check.h"
#include "dev/cfi_table.h"
#include "mem/s2.h"
#include "vm/hv.h"
#include <string.h>

/* Commands that begin a sequence (28F256P30, table 5; QEMU has some more that only end one). */
#define CMD_PROGRAM_ALT  0x10u
#define CMD_ERASE        0x20u
#define CMD_PROGRAM      0x40u
#define CMD_CLEAR_STATUS 0x50u
#define CMD_LOCK         0x60u
#define CMD_READ_STATUS  0x70u
#define CMD_READ_ID      0x90u
#define CMD_QUERY        0x98u
#define CMD_BUFFER       0xe8u
/* And those that go on with one. */
#define CMD_LOCK_BLOCK 0x01u
#define CMD_CONFIRM    0xd0u

#define SR_PROTECTED 0x02u
#define SR_PROGRAM   0x10u
#define SR_ERASE     0x20u
#define SR_READY     0x80u
#define SR_SEQUENCE  (SR_PROGRAM | SR_ERASE)

/* What both chips say side by side. */
#define BOTH(value) ((value) | (value) << 16)

#define WORD_OF_LOCK 2u /* of a block's, in ID mode */

/* --- Between memory and device --- */

static void chips_unmap(struct cfi_chips *chips)
{
    if (!chips->mapped)
        return;
    /* Its pages are mapped one by one: there is no block to cut, for which a table could lack. */
    hv_err err = s2_unmap(&chips->vm->s2, ipa(chips->base), FLASH_BANK_SIZE);
    HV_CHECK(err == HV_OK);
    chips->mapped = false;
}

/* False if there is nothing to map, or no memory for tables. */
static bool chips_map(struct cfi_chips *chips, uint64_t offset)
{
    uint64_t len;

    if (chips->mode != CFI_ARRAY || chips->contents == NULL)
        return false;
    pa_t pages = flash_bank_pages(chips->contents, offset, &len);
    chips->mapped = true;
    hv_err err = s2_map(&chips->vm->s2, ipa(chips->base + align_down(offset, len)), pages, len,
                        S2_READ | S2_EXEC, S2_MEM_NORMAL);
    /* Another vCPU may have been here first. */
    return err == HV_OK || err == HV_ERR_EXIST;
}

static void chips_enter(struct cfi_chips *chips, enum cfi_mode mode)
{
    if (mode != CFI_ARRAY)
        chips_unmap(chips);
    chips->mode = mode;
}

/* --- What the sequences do --- */

/* The end of a sequence: `errors` are bits of the status. */
static void chips_finish(struct cfi_chips *chips, uint32_t errors)
{
    chips->status |= (uint8_t)errors;
    chips_enter(chips, CFI_STATUS);
}

/* What is done in memory, and maybe under way to the disk: `failed` if it does not get there. */
static void chips_begin(struct cfi_chips *chips, uint32_t failed)
{
    chips->failed = (uint8_t)failed;
    chips_finish(chips, 0);
}

static bool chips_are_busy(struct cfi_chips *chips)
{
    hv_err err;

    if (chips->failed == 0)
        return false;
    if (flash_bank_is_busy(chips->contents, &err))
        return true;
    if (err != HV_OK)
        chips->status |= chips->failed;
    chips->failed = 0;
    return false;
}

static uint32_t chips_status(struct cfi_chips *chips)
{
    bool busy = chips_are_busy(chips);

    return busy ? chips->status & ~SR_READY : chips->status;
}

static uint64_t lock_bit(uint64_t offset)
{
    return BIT(offset / FLASH_SECTOR_SIZE % 64);
}

static uint64_t *lock_word(struct cfi_chips *chips, uint64_t offset)
{
    return &chips->locked[offset / FLASH_SECTOR_SIZE / 64];
}

static bool is_protected(struct cfi_chips *chips, uint64_t offset)
{
    return chips->contents == NULL || offset / FLASH_SECTOR_SIZE >= chips->contents->writable ||
           (*lock_word(chips, offset) & lock_bit(offset)) != 0;
}

/* Once in the VM's life: its guest may try again and again. */
static void say_full(struct cfi_chips *chips, hv_err err)
{
    struct vm *vm = chips->vm;

    if (!chips->full)
        log_write(&vm->hv->log, LOG_MOD_DEV, LOG_WARN,
                  "%s: flash: no memory for what is programmed: %s", vm->config->name,
                  err == HV_ERR_QUOTA ? "its quota is used up" : hv_err_str(err));
    chips->full = true;
}

static void program(struct cfi_chips *chips, uint64_t offset, const void *from, uint64_t len)
{
    if (is_protected(chips, offset)) {
        chips_finish(chips, SR_PROGRAM | SR_PROTECTED);
        return;
    }
    hv_err err = flash_bank_program(chips->contents, offset, from, len);
    if (err == HV_OK) {
        chips_begin(chips, SR_PROGRAM);
        return;
    }
    say_full(chips, err);
    chips_finish(chips, SR_PROGRAM);
}

static void erase(struct cfi_chips *chips, uint64_t offset)
{
    if (is_protected(chips, offset)) {
        chips_finish(chips, SR_ERASE | SR_PROTECTED);
        return;
    }
    flash_bank_erase(chips->contents, offset);
    chips_begin(chips, SR_ERASE);
}

/* --- Writes: one function a mode --- */

struct cfi_write {
    uint64_t offset;
    uint32_t value;
    uint32_t size; /* 1, 2 or 4 */
};

/* Modes that a first command may lead to; what is not here leads to read array mode. */
static const struct {
    uint8_t command;
    uint8_t mode; /* enum cfi_mode */
} first_commands[] = {
    {CMD_PROGRAM, CFI_PROGRAM}, {CMD_PROGRAM_ALT, CFI_PROGRAM}, {CMD_ERASE, CFI_ERASE},
    {CMD_LOCK, CFI_LOCK},       {CMD_READ_STATUS, CFI_STATUS},  {CMD_READ_ID, CFI_ID},
    {CMD_QUERY, CFI_QUERY},     {CMD_BUFFER, CFI_COUNT},
};

static void write_command(struct cfi_chips *chips, const struct cfi_write *write)
{
    uint8_t command = (uint8_t)write->value;

    if (command == CMD_CLEAR_STATUS)
        chips->status = SR_READY;
    for (size_t i = 0; i < ARRAY_LEN(first_commands); i++) {
        if (first_commands[i].command == command) {
            chips_enter(chips, (enum cfi_mode)first_commands[i].mode);
            return;
        }
    }
    chips_enter(chips, CFI_ARRAY);
}

static void write_program(struct cfi_chips *chips, const struct cfi_write *write)
{
    program(chips, write->offset, &write->value, write->size);
}

static void write_erase(struct cfi_chips *chips, const struct cfi_write *write)
{
    if ((uint8_t)write->value == CMD_CONFIRM)
        erase(chips, write->offset);
    else
        chips_finish(chips, SR_SEQUENCE);
}

static void write_lock(struct cfi_chips *chips, const struct cfi_write *write)
{
    uint64_t *word = lock_word(chips, write->offset);

    switch ((uint8_t)write->value) {
    case CMD_LOCK_BLOCK:
        *word |= lock_bit(write->offset);
        chips_finish(chips, 0);
        break;
    case CMD_CONFIRM:
        *word &= ~lock_bit(write->offset);
        chips_finish(chips, 0);
        break;
    default:
        chips_finish(chips, SR_SEQUENCE);
    }
}

/* Each chip has its own count on its half of the bus; they are the same. */
static void write_count(struct cfi_chips *chips, const struct cfi_write *write)
{
    uint32_t count = write->value & 0xffff;

    if (count >= CFI_BUFFER_SIZE) {
        chips_finish(chips, SR_SEQUENCE);
        return;
    }
    memset(chips->buffer, 0xff, sizeof(chips->buffer));
    chips->left = count;
    chips->buffer_placed = false;
    chips_enter(chips, CFI_DATA);
}

static void write_data(struct cfi_chips *chips, const struct cfi_write *write)
{
    uint64_t at = align_down(write->offset, CFI_BUFFER_SIZE);

    if (!chips->buffer_placed) {
        chips->buffer_at = at;
        chips->buffer_placed = true;
    }
    if (at != chips->buffer_at) {
        chips_finish(chips, SR_SEQUENCE);
        return;
    }
    memcpy(&chips->buffer[write->offset - at], &write->value, write->size);
    if (chips->left == 0)
        chips_enter(chips, CFI_CONFIRM);
    else
        chips->left--;
}

static void write_confirm(struct cfi_chips *chips, const struct cfi_write *write)
{
    if ((uint8_t)write->value == CMD_CONFIRM)
        program(chips, chips->buffer_at, chips->buffer, sizeof(chips->buffer));
    else
        chips_finish(chips, SR_SEQUENCE);
}

static void (*const writes[CFI_MODES])(struct cfi_chips *chips, const struct cfi_write *write) = {
    [CFI_ARRAY] = write_command,   [CFI_STATUS] = write_command,  [CFI_ID] = write_command,
    [CFI_QUERY] = write_command,   [CFI_PROGRAM] = write_program, [CFI_ERASE] = write_erase,
    [CFI_LOCK] = write_lock,       [CFI_COUNT] = write_count,     [CFI_DATA] = write_data,
    [CFI_CONFIRM] = write_confirm,
};

/* --- Reads --- */

/* The 32 bits of the bus at `offset`, in a mode other than read array mode. */
static uint32_t read_word(struct cfi_chips *chips, uint64_t offset)
{
    uint64_t word = offset / 4;

    if (chips->mode == CFI_QUERY)
        return BOTH((uint32_t)cfi_table_query(word));
    if (chips->mode != CFI_ID)
        return BOTH(chips_status(chips));
    if ((word & 0xff) == WORD_OF_LOCK)
        return (*lock_word(chips, offset) & lock_bit(offset)) != 0 ? BOTH(UINT32_C(1)) : 0;
    return BOTH((uint32_t)cfi_table_id(word & 0xff));
}

static uint64_t read_array(struct cfi_chips *chips, uint64_t offset, unsigned size)
{
    uint64_t value = UINT64_MAX;

    if (chips->contents == NULL)
        return value;
    flash_bank_read(chips->contents, offset, &value, size);
    (void)chips_map(chips, offset);
    return value;
}

static uint64_t read(struct cfi_chips *chips, uint64_t offset, unsigned size)
{
    if (chips->mode == CFI_ARRAY)
        return read_array(chips, offset, size);
    uint64_t value = read_word(chips, offset);
    if (size == 8)
        value |= (uint64_t)read_word(chips, offset + 4) << 32;
    return value >> (offset % 4 * 8);
}

/* --- The device --- */

static struct cfi_chips *chips_at(struct cfi_flash *flash, uint64_t offset)
{
    return &flash->chips[offset / FLASH_BANK_SIZE];
}

/* Two cycles of the bus for 8 bytes. */
static void write(struct cfi_chips *chips, uint64_t offset, uint64_t value, unsigned size)
{
    for (unsigned done = 0; done < size; done += 4) {
        const struct cfi_write part = {offset + done, (uint32_t)(value >> (done * 8)),
                                       size < 4 ? size : 4};
        if (!chips_are_busy(chips))
            writes[chips->mode](chips, &part);
    }
}

bool cfi_flash_access(void *dev, struct mmio_access *access)
{
    struct cfi_chips *chips = chips_at(dev, access->offset);
    uint64_t offset = access->offset % FLASH_BANK_SIZE;
    bool aligned = is_aligned(offset, access->size);

    if (!aligned && (access->write || offset + access->size > FLASH_BANK_SIZE))
        return false;
    spinlock_lock(&chips->lock);
    bool taken = aligned || chips->mode == CFI_ARRAY;
    if (taken && access->write)
        write(chips, offset, access->value, access->size);
    else if (taken)
        access->value = read(chips, offset, access->size) & (UINT64_MAX >> (64 - 8 * access->size));
    spinlock_unlock(&chips->lock);
    return taken;
}

bool cfi_flash_map(void *dev, uint64_t offset)
{
    struct cfi_chips *chips = chips_at(dev, offset);

    spinlock_lock(&chips->lock);
    bool mapped = chips_map(chips, offset % FLASH_BANK_SIZE);
    spinlock_unlock(&chips->lock);
    return mapped;
}

hv_err cfi_flash_init(struct cfi_flash *flash, struct vm *vm, uint64_t base,
                      struct flash_store *store)
{
    const struct mmio_region region = {base, MACHINE_FLASH_SIZE, cfi_flash_access, flash, "flash"};

    memset(flash, 0, sizeof(*flash));
    for (uint32_t i = 0; i < FLASH_BANKS; i++) {
        struct cfi_chips *chips = &flash->chips[i];
        spinlock_init(&chips->lock, LOCK_RANK_FLASH);
        chips->vm = vm;
        chips->contents = store != NULL ? &store->bank[i] : NULL;
        chips->base = base + i * FLASH_BANK_SIZE;
        chips->status = SR_READY;
    }
    vm->rom = (struct vm_rom){base, MACHINE_FLASH_SIZE, cfi_flash_map, flash};
    return mmio_bus_add(&vm->bus, &region);
}
