#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""EDK2 as a guest, in the VM's flash: its shell, what it says of itself, and a variable that survives a reset."""
import argparse
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "lib"))
import halcyon  # noqa: E402
from halcyon import check  # noqa: E402
from machine import Machine, qemu_command, to_text  # noqa: E402

EDK2 = halcyon.EDK2
PROMPT = r"Shell> "
TIMEOUT = 60
MEMORY_MIB = 256
VARIABLE = "-guid 97e7a1b4-5b5c-4b4e-9d0b-6f1c1f0c5a11"


def reach_shell(machine):
    """The shell counts down from 5 before it looks for startup.nsh, which there is not; a key ends that."""
    machine.expect(r"UEFI firmware \(version", TIMEOUT)
    machine.expect(r"UEFI Interactive Shell v2\.", TIMEOUT)
    machine.expect(r"Press .*ESC.* in 5 seconds", TIMEOUT)
    machine.send("\r")
    machine.expect(PROMPT, TIMEOUT)


def command(machine, text, answer=""):
    """What it echoes has the cursor's movements in it, and matches nothing."""
    machine.send(text + "\r")
    machine.expect(answer, TIMEOUT)
    machine.expect(PROMPT, TIMEOUT)


def bare_command(directory):
    """QEMU wants both banks as files of their size."""
    firmware, variables = directory / "firmware.fd", directory / "variables.fd"
    firmware.write_bytes(EDK2.read_bytes())
    for path in (firmware, variables):
        with open(path, "ab") as file:
            file.truncate(64 << 20)
    extra = []
    for path in (firmware, variables):
        extra += ["-drive", f"if=pflash,format=raw,file={path}"]
    words = qemu_command("bare", memory=f"{MEMORY_MIB}M", extra=extra)
    words.remove("-no-reboot")
    return words


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bare", action="store_true", help="on QEMU without the hypervisor, to try the test itself")
    halcyon.add_machine_option(parser)
    options = parser.parse_args()
    halcyon.require(EDK2)
    with halcyon.scratch() as directory:
        if options.bare:
            words = bare_command(directory)
        else:
            bundle = halcyon.make_firmware_bundle(directory / "bundle.dtb", EDK2, memory=f"{MEMORY_MIB}M")
            words = halcyon.halcyon_command(options.machine, bundle, vm_mib=MEMORY_MIB, typed=True)
        with Machine(words) as machine:
            reach_shell(machine)
            command(machine, "ver", r"UEFI Interactive Shell v2\.")
            command(machine, f"setvar halcyon {VARIABLE}", "Variable was not found|Unable to get|[Nn]ot [Ff]ound")
            command(machine, f"setvar halcyon {VARIABLE} -nv -bs =12345678")
            command(machine, f"setvar halcyon {VARIABLE}", "12 34 56 78")
            machine.send("reset\r")
            reach_shell(machine)
            command(machine, f"setvar halcyon {VARIABLE}", "12 34 56 78")
            console = to_text(bytes(machine.output))
    check(not halcyon.PANIC.search(console), f"the hypervisor panicked:\n{halcyon.tail(console)}")


if __name__ == "__main__":
    halcyon.run_test(main)
