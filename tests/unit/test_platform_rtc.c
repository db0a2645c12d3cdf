/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The machine's clock, if it has one. */
#include "platform_fixture.h"

#define RTC "/pl031@9010000"

CASE(platform_rtc, none)
{
    tree_virt();
    EXPECT_OK();
    cr_expect_eq(out.rtc.size, 0);
}

CASE(platform_rtc, found)
{
    tree_virt();
    tree_bytes(RTC, "compatible", "arm,pl031\0arm,primecell", 24);
    tree_cells(RTC, "reg", 0, 0x9010000, 0, 0x1000);
    EXPECT_OK();
    cr_expect_eq(out.rtc.base, 0x9010000);
    cr_expect_eq(out.rtc.size, 0x1000);
}

CASE(platform_rtc, one_that_cannot_be_used)
{
    tree_virt();
    tree_string(RTC, "compatible", "arm,pl031");
    EXPECT_OK();
    cr_expect_eq(out.rtc.size, 0, "no reg");
    tree_cells(RTC, "reg", 0, 0x9010000, 0, 0xfff);
    EXPECT_OK();
    cr_expect_eq(out.rtc.size, 0, "less than a page");
    tree_cells(RTC, "reg", 0, 0x9010800, 0, 0x1000);
    EXPECT_OK();
    cr_expect_eq(out.rtc.size, 0, "between two pages");
    tree_cells(RTC, "reg", 0, 0x9010000, 0, 0x1000);
    tree_string(RTC, "status", "disabled");
    EXPECT_OK();
    cr_expect_eq(out.rtc.size, 0, "disabled");
    /* Subnodes are added in front. */
    tree_string("/pl031@a000000", "compatible", "arm,pl031");
    tree_drop(RTC, "status");
    EXPECT_OK();
    cr_expect_eq(out.rtc.base, 0x9010000, "the first that can");
}

CASES_RUN(platform_rtc, NULL, NULL)
