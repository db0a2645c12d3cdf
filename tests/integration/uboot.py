#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""U-Boot, a flat image, as a guest: its prompt, two commands, and a reset of the VM."""
import argparse
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "lib"))
import halcyon  # noqa: E402
from halcyon import check  # noqa: E402
from machine import Machine, qemu_command, to_text  # noqa: E402

PROMPT = r"^=> "
TIMEOUT = 60
MEMORY_MIB = 256


def reach_prompt(machine):
    """The count-down is 2 seconds; a key in it leads to the prompt."""
    machine.expect(r"^U-Boot \d{4}\.\d{2}", TIMEOUT)
    machine.expect(r"Hit any key to stop autoboot", TIMEOUT)
    machine.send(" ")
    machine.expect(PROMPT, TIMEOUT)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bare", action="store_true", help="on QEMU without the hypervisor, to try the test itself")
    halcyon.add_machine_option(parser)
    options = parser.parse_args()
    halcyon.require(halcyon.U_BOOT)
    with halcyon.scratch() as directory:
        if options.bare:
            # Its devicetree has to be at the start of RAM, where QEMU puts it only for firmware.
            command = qemu_command("bare", memory=f"{MEMORY_MIB}M", extra=["-bios", halcyon.U_BOOT])
            command.remove("-no-reboot")
        else:
            bundle = halcyon.make_bundle(directory / "bundle.dtb", halcyon.U_BOOT, memory=f"{MEMORY_MIB}M")
            command = halcyon.halcyon_command(options.machine, bundle, vm_mib=MEMORY_MIB, typed=True)
        with Machine(command) as machine:
            reach_prompt(machine)
            machine.send("version\r")
            machine.expect(r"^U-Boot \d{4}\.\d{2}.*\r?$", TIMEOUT)
            machine.expect(PROMPT, TIMEOUT)
            machine.send("bdinfo\r")
            machine.expect(r"^-> start\s+= 0x0*40000000\r?$", TIMEOUT)
            machine.expect(rf"^-> size\s+= 0x0*{MEMORY_MIB << 20:x}\r?$", TIMEOUT)
            machine.expect(PROMPT, TIMEOUT)
            machine.send("reset\r")
            reach_prompt(machine)
            console = to_text(bytes(machine.output))
    check(not halcyon.PANIC.search(console), f"the hypervisor panicked:\n{halcyon.tail(console)}")


if __name__ == "__main__":
    halcyon.run_test(main)
