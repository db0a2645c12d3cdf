#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""U-Boot, a flat image, as a guest: its prompt, some commands, a disk listed, read and written, and a reset of the VM."""
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
CONTENT = b"Halcyon's disk \n"


def reach_prompt(machine):
    """The count-down is 2 seconds; a key in it leads to the prompt."""
    machine.expect(r"^U-Boot \d{4}\.\d{2}", TIMEOUT)
    machine.expect(r"Hit any key to stop autoboot", TIMEOUT)
    machine.send(" ")
    machine.expect(PROMPT, TIMEOUT)


def use_disk(machine):
    """The disk is in the list, has what is in its image, and keeps what is written to it."""
    machine.send("virtio scan\r")
    machine.expect(PROMPT, TIMEOUT)
    machine.send("virtio info\r")
    machine.expect(r"Device 0: .*VirtIO Block Device", TIMEOUT)
    machine.expect(r"Capacity: 1\.0 MB = 0\.0 GB \(2048 x 512\)", TIMEOUT)
    machine.expect(PROMPT, TIMEOUT)
    machine.send("virtio read 41000000 7 2; md.b 41000000 10\r")
    machine.expect(r"2 blocks read: OK", TIMEOUT)
    machine.expect(r"^41000000: " + " ".join(f"{each:02x}" for each in CONTENT), TIMEOUT)
    machine.expect(PROMPT, TIMEOUT)
    machine.send("mw.b 41000000 5a 200; virtio write 41000000 400 1; mw.b 41000000 0 200; virtio read 41000000 400 1; md.b 410001f0 10\r")
    machine.expect(r"1 blocks written: OK", TIMEOUT)
    machine.expect(r"^410001f0: " + " ".join(["5a"] * 16), TIMEOUT)
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
            disk = directory / "disk"
            disk.write_bytes(bytes(7 * 512) + CONTENT)
            bundle = halcyon.make_bundle(directory / "bundle.dtb", halcyon.U_BOOT, memory=f"{MEMORY_MIB}M", disks=[f"{disk},ram,size=1M"])
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
            if not options.bare:
                use_disk(machine)
            machine.send("reset\r")
            reach_prompt(machine)
            console = to_text(bytes(machine.output))
    check(not halcyon.PANIC.search(console), f"the hypervisor panicked:\n{halcyon.tail(console)}")


if __name__ == "__main__":
    halcyon.run_test(main)
