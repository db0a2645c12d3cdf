/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "cases.h"
#include "dev/flash.h"

CASE(flash, reads_as_erased_and_ignores_writes)
{
    static const struct {
        uint8_t size;
        uint64_t ones;
    } rows[] = {{1, 0xff}, {2, 0xffff}, {4, 0xffffffff}, {8, UINT64_MAX}};

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct mmio_access write = {
            .offset = 0x4000000, .value = 0, .size = rows[i].size, .write = true};
        struct mmio_access read = {.offset = 0x4000000, .value = 5, .size = rows[i].size};
        cr_assert(flash_access(NULL, &write));
        cr_assert(flash_access(NULL, &read));
        cr_assert_eq(read.value, rows[i].ones);
    }
}

CASES_RUN(flash, NULL, NULL)
