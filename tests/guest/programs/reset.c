/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* PSCI SYSTEM_RESET: nothing after the call may run. */
#include "lib/sys.h"
#include "lib/tap.h"

void guest_main(void)
{
    tap_ok((int32_t)sys_hvc(PSCI_FEATURES, PSCI_SYSTEM_RESET) == 0, "SYSTEM_RESET is announced");
    tap_end();
    sys_hvc(PSCI_SYSTEM_RESET, 0);
    tap_fail("SYSTEM_RESET does not return", "it did");
}
