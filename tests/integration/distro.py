#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""A distribution's disk (ci/guest --distro) in a VM: EDK2 starts GRUB from it, GRUB Debian's kernel, and systemd comes up to a login
prompt. root logs in; the VM is reset by `reboot` and starts from its disk again, where a file is that was written before, and
a journal that was closed in order; `poweroff` ends it. Status 77, and a word, if there is no such disk."""
import argparse
import pathlib
import re
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "lib"))
import halcyon  # noqa: E402
from disk_linux import disk_options  # noqa: E402
from halcyon import check  # noqa: E402
from machine import GUEST, Machine, qemu_command  # noqa: E402

DISTRO = GUEST / "distro.img"
SKIPPED = 77
MEMORY_MIB = 1024
PASSWORD = "halcyon"
PROMPT = r"root@halcyon:~# "


def log_in(machine, timeout):
    """From the firmware to root's prompt."""
    machine.expect(r"UEFI firmware \(version", timeout)
    machine.expect(r"GNU GRUB +version", timeout)
    machine.expect(r"Linux version 6\.1\.", timeout)
    machine.expect(r"Welcome to .*Debian GNU/Linux 12", timeout)
    machine.expect(r"^Debian GNU/Linux 12 halcyon ttyAMA0", timeout)
    machine.expect(r"^halcyon login: ", timeout)
    machine.send("root\r")
    machine.expect(r"^Password: ", timeout)
    machine.send(PASSWORD + "\r")
    machine.expect(PROMPT, timeout)


def ask(machine, command, answer, timeout):
    """A command, and a line that is all of its answer."""
    machine.send(command + "\r")
    # The shell switches bracketed paste off in front of it.
    machine.expect(rf"^(?:\x1b\[\?2004l\r)?{answer}\r?$", timeout)
    machine.expect(PROMPT, timeout)


def live(machine, timeout):
    log_in(machine, timeout)
    # Without --wait it says "starting" as long as a job is queued.
    ask(machine, "systemctl is-system-running --wait", "running", timeout)
    ask(machine, "findmnt -n -o SOURCE,FSTYPE,LABEL /", "/dev/vda2 +ext4 +debian", timeout)
    ask(machine, "findmnt -n -o SOURCE,FSTYPE /boot/efi", "/dev/vda1 +vfat", timeout)
    ask(machine, "test -d /sys/firmware/efi/efivars && test ! -e /sys/firmware/acpi && echo EFI alone", "EFI alone", timeout)
    ask(machine, "date +%C", "20", timeout)


def run(machine, timeout):
    live(machine, timeout)
    ask(machine, "date >kept; sync; wc -l <kept", "1", timeout)
    machine.send("reboot\r")
    live(machine, timeout)
    ask(machine, "wc -l <kept", "1", timeout)
    ask(machine, "journalctl -b --no-pager | grep -c 'uncleanly shut down'", "0", timeout)
    machine.send("poweroff\r")
    return machine.wait(timeout, silence=True)


def make_command(options, directory):
    disk = directory / "disk"
    subprocess.run(["cp", "--sparse=always", "--reflink=auto", str(DISTRO), str(disk)], check=True)
    if options.bare:
        words = qemu_command("bare", memory=f"{MEMORY_MIB}M", cpus=options.smp, extra=["-machine", "acpi=off", "-bios", halcyon.EDK2, *disk_options("qemu", disk)])
        words.remove("-no-reboot")
        return words
    # The journal must not be from the future after the reset: docs/distributions.md.
    clock = ["--epoch", str(int(time.time()))] if options.machine == "sim" else []
    bundle = halcyon.make_firmware_bundle(directory / "bundle.dtb", halcyon.EDK2, memory=f"{MEMORY_MIB}M", disks=[disk], vcpus=options.smp)
    return halcyon.halcyon_command(options.machine, bundle, vm_mib=MEMORY_MIB, pcpus=options.pcpus, typed=True,
                                   options=[*disk_options(options.machine, disk), *clock])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bare", action="store_true", help="on QEMU without the hypervisor, to try the test itself")
    parser.add_argument("--smp", type=int, default=1, help="vCPUs")
    parser.add_argument("--pcpus", type=int, default=1, help="the machine's CPUs")
    halcyon.add_machine_option(parser)
    halcyon.add_timeout_option(parser, 1200)
    options = parser.parse_args()
    if not DISTRO.is_file():
        print(f"skipped: {DISTRO} is not there; fix: ci/guest --distro")
        sys.exit(SKIPPED)
    halcyon.require(halcyon.EDK2)
    with halcyon.scratch() as directory:
        with Machine(make_command(options, directory)) as machine:
            result = run(machine, options.timeout)
    halcyon.check_ended(result)
    halcyon.check_no_panic(result)
    check(re.search(r"reboot: Power down", result.console), f"Linux did not power off:\n{halcyon.tail(result.console)}")
    check(options.bare or halcyon.OFF.search(result.console), f"the machine did not end in order:\n{halcyon.tail(result.console)}")


if __name__ == "__main__":
    halcyon.run_test(main)
