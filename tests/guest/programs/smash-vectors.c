/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * VBAR_EL1 points at nothing: the first exception's vector cannot be fetched, the abort's vector
 * neither, for ever. The hypervisor has to notice and stop the VM; the rest of the machine must
 * not.
 */
#include "lib/sys.h"
#include "lib/tap.h"

void guest_main(void)
{
    tap_ok(true, "reached the point of no return");
    tap_end();
    SYS_WRITE("vbar_el1", HOLE_BASE);
    sys_isb();
    __asm__ volatile("udf #0");
    tap_fail("an exception without vectors does not return", "it did");
}
