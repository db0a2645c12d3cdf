/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Which PL011 becomes the console, and by which way it is found. */
#include "platform_fixture.h"

CASE(platform_uart, uart_by_stdout_path)
{
    tree_virt();
    tree_string("/pl011@9040000", "compatible", "arm,pl011");
    tree_cells("/pl011@9040000", "reg", 0, 0x9040000, 0, 0x1000);
    tree_cells("/pl011@9040000", "interrupts", 0, 8, 4);
    EXPECT_OK();
    cr_expect_eq(out.uart.base, 0x9000000, "not the first one, which is the one just added");
    tree_string("/chosen", "stdout-path", UART ":115200n8");
    EXPECT_OK();
    cr_expect_eq(out.uart.base, 0x9000000);
    tree_string("/chosen", "stdout-path", "serial0:115200n8");
    EXPECT_OK();
    cr_expect_eq(out.uart.base, 0x9040000, "no /aliases: the first PL011");
    tree_string("/aliases", "serial0", UART);
    EXPECT_OK();
    cr_expect_eq(out.uart.base, 0x9000000);
    cr_expect_eq(out.uart_intid, 33);
}

CASE(platform_uart, stdout_path_that_leads_nowhere)
{
    static const char *const paths[] = {
        "",  ":",        "loop",  "serial9",
        "/", "/nothing", "bytes", "a-name-that-is-longer-than-any-alias-could-be",
    };

    tree_virt();
    tree_string("/aliases", "loop", "loop");
    tree_bytes("/aliases", "bytes", UART, 5);
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        tree_string("/chosen", "stdout-path", paths[i]);
        EXPECT_OK();
        cr_expect_eq(out.uart.base, 0x9000000, "%s", paths[i]);
    }
    tree_bytes("/chosen", "stdout-path", UART, 4);
    EXPECT_OK();
    cr_expect_eq(out.uart.base, 0x9000000);
}

CASE(platform_uart, uart_behind_buses)
{
    tree_virt();
    tree_drop_node(UART);
    tree_cells("/soc", "#address-cells", 1);
    tree_cells("/soc", "#size-cells", 1);
    tree_cells("/soc", "ranges", 0, 0, 0x1000, 0x1000, 0x7e000000, 1, 0xfe000000, 0x1800000);
    tree_bytes("/soc/apb", "ranges", "", 0);
    tree_cells("/soc/apb", "#address-cells", 1);
    tree_cells("/soc/apb", "#size-cells", 1);
    tree_string("/soc/apb/uart@7e201000", "compatible", "arm,pl011");
    tree_cells("/soc/apb/uart@7e201000", "reg", 0x7e201000, 0x1000);
    EXPECT_OK();
    expect_range(&out.uart, 0x1fe201000, 0x1000);
    cr_expect_eq(out.uart_intid, 1023, "without interrupts it is polled");
    tree_cells("/soc/apb/uart@7e201000", "reg", 0x7f7ff001, 0x1000);
    EXPECT_REFUSED(HV_ERR_FORMAT, "/soc/apb/uart@7e201000: reg: it lies outside the ranges");
    tree_cells("/soc", "ranges", 0x7e000000, 1, 0xfe000000);
    EXPECT_REFUSED(HV_ERR_FORMAT, "no multiple");
    tree_cells("/soc", "ranges", 0x7e000000, 0xffffffff, 0xffffff00, 0x2000000);
    EXPECT_REFUSED(HV_ERR_FORMAT, "outside the ranges");
    tree_drop("/soc", "ranges");
    EXPECT_REFUSED(HV_ERR_FORMAT, "a bus above it has no ranges");
    tree_cells("/soc", "#size-cells", 7);
    EXPECT_REFUSED(HV_ERR_FORMAT, "#size-cells");
}

CASE(platform_uart, uart_nested_too_deep)
{
    char path[256] = "";

    tree_virt();
    tree_drop_node(UART);
    tree_cells("/", "#size-cells", 2);
    for (int i = 0; i < 18; i++) {
        strcat(path, "/bus");
        tree_bytes(path, "ranges", "", 0);
        tree_cells(path, "#size-cells", 2);
    }
    tree_string(path, "compatible", "arm,pl011");
    tree_cells(path, "reg", 0, 0x9000000, 0, 0x1000);
    EXPECT_REFUSED(HV_ERR_FORMAT, "nested too deep");
    cr_expect_neq(strstr(reason, "...: "), NULL, "a path that is too long for the reason is cut");
}

CASE(platform_uart, uart_absent_or_refused)
{
    tree_virt();
    tree_cells(UART, "interrupts", 2, 1, 4);
    EXPECT_REFUSED(HV_ERR_FORMAT, UART ": interrupts: ");
    tree_cells(UART, "reg", 0, 0x9000000, 0, 0x100);
    EXPECT_REFUSED(HV_ERR_FORMAT, UART ": reg: too small");
    tree_drop(UART, "reg");
    EXPECT_REFUSED(HV_ERR_FORMAT, UART ": reg: it has no entry");
    tree_string(UART, "status", "disabled");
    EXPECT_OK();
    cr_expect_eq(out.uart.size, 0);
    cr_expect_eq(out.uart_intid, 1023);
    tree_drop_node(UART);
    tree_drop_node("/chosen");
    EXPECT_OK();
    cr_expect_eq(out.uart.size, 0);
    cr_expect_eq(out.initrd.size, 0);
}

CASES_RUN(platform_uart, NULL, NULL)
