/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "cases.h"
#include "fakehal/fakehal.h"
#include "mem/guest_mem.h"
#include <string.h>

#define K4    UINT64_C(0x1000)
#define M2    UINT64_C(0x200000)
#define POOL  UINT64_C(0x80000000)
#define GUEST UINT64_C(0x90000000) /* what the guest's IPAs map to */
#define IPA   UINT64_C(0x40000000)

static struct page_pool pool;
static struct page_account account;
static struct s2 s2;

static void map(uint64_t at, uint64_t to, uint64_t len, unsigned prot, enum s2_memtype type)
{
    cr_assert_eq(s2_map(&s2, ipa(at), pa(to), len, prot, type), HV_OK);
}

static void setup(void)
{
    fakehal_reset();
    fakehal_add_ram(pa(POOL), 0x100000);
    fakehal_add_ram(pa(GUEST), 2 * M2);
    page_pool_init(&pool);
    account = (struct page_account){.limit = UINT64_MAX};
    cr_assert_eq(page_pool_add(&pool, pa(POOL), 0x100000), HV_OK);
    cr_assert_eq(s2_init(&s2, &pool, &account, &fakehal()->idregs, 1), HV_OK);
    /* Two pages whose order in physical memory is the other way round, then a read-only and a
     * write-only one. */
    map(IPA, GUEST + 5 * K4, K4, S2_RWX, S2_MEM_NORMAL);
    map(IPA + K4, GUEST + 2 * K4, K4, S2_RW, S2_MEM_NORMAL);
    map(IPA + 2 * K4, GUEST + 3 * K4, K4, S2_READ | S2_EXEC, S2_MEM_NORMAL);
    map(IPA + 4 * K4, GUEST + 7 * K4, K4, S2_WRITE, S2_MEM_NORMAL);
    map(IPA + 5 * K4, GUEST + 8 * K4, K4, S2_RW, S2_MEM_DEVICE);
    map(IPA + M2, GUEST + M2, M2, S2_RWX, S2_MEM_NORMAL);
    /* Mapped to physical memory that nobody made known. */
    map(IPA + 2 * M2, UINT64_C(0x1000000000), K4, S2_RW, S2_MEM_NORMAL);
    map((UINT64_C(1) << 44) - K4, GUEST + 9 * K4, K4, S2_RW, S2_MEM_NORMAL);
    fakehal_log_clear();
}

static void finish(void)
{
    cr_expect_eq(fakehal()->maps, fakehal()->unmaps + 1,
                 "all but the pool's bookkeeping is unmapped");
}

static const unsigned char *host(uint64_t at)
{
    return fakehal_mem(pa(at), 1);
}

CASE(guest_mem, write_across_pages_is_cleaned)
{
    cr_assert_eq(guest_mem_write(&s2, ipa(IPA + K4 - 3), "abcdefg", 7), HV_OK);
    cr_expect_eq(memcmp(host(GUEST + 6 * K4 - 3), "abc", 3), 0);
    cr_expect_eq(memcmp(host(GUEST + 2 * K4), "defg\0", 5), 0);
    cr_expect_eq(*host(GUEST + 6 * K4), 0, "not past the page in physical memory");
    cr_assert_eq(fakehal()->count[FAKEHAL_CACHE_OP], 2);
    for (uint64_t n = 0; n < 2; n++)
        cr_expect_eq(fakehal_log(n)->op, HAL_CACHE_CLEAN);
    cr_expect(fakehal_log(0)->addr == GUEST + 6 * K4 - 3 && fakehal_log(0)->len == 3);
    cr_expect(fakehal_log(1)->addr == GUEST + 2 * K4 && fakehal_log(1)->len == 4);
}

CASE(guest_mem, read_across_pages)
{
    memcpy(fakehal_mem(pa(GUEST + 6 * K4 - 2), 2), "12", 2);
    memcpy(fakehal_mem(pa(GUEST + 2 * K4), K4), "345", 3);
    char got[6] = "xxxxx";
    cr_assert_eq(guest_mem_read(&s2, ipa(IPA + K4 - 2), got, 5), HV_OK);
    cr_expect_eq(memcmp(got, "12345", 6), 0);
    cr_expect_eq(fakehal()->count[FAKEHAL_CACHE_OP], 0);
}

CASE(guest_mem, within_a_large_block)
{
    static unsigned char big[0x180000];
    memset(big, 0x5a, sizeof(big));
    cr_assert_eq(guest_mem_write(&s2, ipa(IPA + M2 + 0x80000), big, sizeof(big)), HV_OK);
    cr_expect_eq(*host(GUEST + M2 + 0x7ffff), 0);
    cr_expect_eq(*host(GUEST + M2 + 0x80000), 0x5a);
    cr_expect_eq(*host(GUEST + 2 * M2 - 1), 0x5a);
    cr_expect_eq(fakehal()->count[FAKEHAL_CACHE_OP], 1, "one entry, one stretch");
}

CASE(guest_mem, nothing)
{
    cr_expect_eq(guest_mem_write(&s2, ipa(UINT64_MAX), "x", 0), HV_OK);
    cr_expect_eq(guest_mem_read(&s2, ipa(0), NULL, 0), HV_OK);
}

CASE(guest_mem, permissions)
{
    char c[2] = "?";
    cr_expect_eq(guest_mem_write(&s2, ipa(IPA + 2 * K4), "x", 1), HV_ERR_PERM);
    cr_expect_eq(guest_mem_read(&s2, ipa(IPA + 2 * K4), c, 1), HV_OK);
    cr_expect_eq(guest_mem_write(&s2, ipa(IPA + 4 * K4), "x", 1), HV_OK);
    cr_expect_eq(guest_mem_read(&s2, ipa(IPA + 4 * K4), c, 1), HV_ERR_PERM);
    cr_expect_eq(guest_mem_write(&s2, ipa(IPA + 5 * K4), "x", 1), HV_ERR_PERM);
    cr_expect_eq(guest_mem_read(&s2, ipa(IPA + 5 * K4), c, 1), HV_ERR_PERM);
    cr_expect_eq(*host(GUEST + 3 * K4), 0);
    cr_expect_eq(*host(GUEST + 7 * K4), 'x');
}

CASE(guest_mem, stops_at_what_is_not_mapped)
{
    char got[8] = "";
    cr_expect_eq(guest_mem_write(&s2, ipa(IPA + 3 * K4), "x", 1), HV_ERR_NOENT);
    cr_expect_eq(guest_mem_read(&s2, ipa(IPA + 3 * K4), got, 1), HV_ERR_NOENT);
    /* What came before the read-only page stays written. */
    cr_expect_eq(guest_mem_write(&s2, ipa(IPA + 2 * K4 - 2), "hello", 5), HV_ERR_PERM);
    cr_expect_eq(memcmp(host(GUEST + 3 * K4 - 2), "he\0", 3), 0);
    cr_expect_eq(guest_mem_read(&s2, ipa(IPA + 3 * K4 - 2), got, 5), HV_ERR_NOENT);
    cr_expect_eq(got[2], 0);
}

CASE(guest_mem, address_space_ends)
{
    char got[8];
    uint64_t end = UINT64_C(1) << 44;
    cr_expect_eq(guest_mem_write(&s2, ipa(end - 1), "x", 1), HV_OK);
    cr_expect_eq(guest_mem_write(&s2, ipa(end - 1), "xy", 2), HV_ERR_RANGE);
    cr_expect_eq(guest_mem_read(&s2, ipa(end), got, 1), HV_ERR_RANGE);
    cr_expect_eq(guest_mem_read(&s2, ipa(UINT64_MAX), got, 8), HV_ERR_RANGE);
    cr_expect_eq(guest_mem_write(&s2, ipa(IPA + 2 * M2), "x", 1), HV_ERR_RANGE,
                 "not known to the HAL");
    cr_expect_eq(guest_mem_read(&s2, ipa(IPA + 2 * M2), got, 1), HV_ERR_RANGE);
}

CASES_RUN(guest_mem, setup, finish)
