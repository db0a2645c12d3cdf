#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""tests/conformance: the HAL's contract, checked on hal-aarch64 at EL2 or on hal-sim, in place of the hypervisor."""
import argparse
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "lib"))
import halcyon  # noqa: E402
from guest_program import check_tap  # noqa: E402
from machine import BUILD, CPUS, HOST_BUILD, Machine, qemu_command, sim_command  # noqa: E402

IMAGE = BUILD / "aarch64" / "conformance.img"
# What contract.h says of the disks.
SECTOR, SECTORS, READ_ONLY_SECTORS, WRITTEN = 512, 2049, 65, 513
PROGRAM = HOST_BUILD / "tests" / "conformance" / "conformance-sim"
TIMEOUT = 50


def run(command, cpus):
    """With several CPUs the program asks for a key: the console's interrupt is to go from one to another."""
    with Machine(command) as machine:
        if cpus > 1:
            machine.expect("^# waiting for a key", TIMEOUT)
            machine.send("k")
        return machine.wait(TIMEOUT)


def disk_bytes(disk, first, sectors):
    return bytes((disk * 77 + at * 5 + at // SECTOR * 3) & 0xff for at in range(first * SECTOR, (first + sectors) * SECTOR))


def make_disks(directory):
    """One to write to, and a read-only one."""
    files = directory / "disk", directory / "read-only"
    files[0].write_bytes(bytes(SECTORS * SECTOR))
    files[1].write_bytes(disk_bytes(1, 0, READ_ONLY_SECTORS))
    return files


def check_disks(files):
    """The first has what was written to it, and zeroes elsewhere; the other is as it was."""
    want = disk_bytes(0, 0, WRITTEN) + bytes((SECTORS - WRITTEN - 1) * SECTOR) + disk_bytes(0, SECTORS - 1, 1)
    halcyon.check(files[0].read_bytes() == want, "what is on the disk is not what was written")
    halcyon.check(files[1].read_bytes() == disk_bytes(1, 0, READ_ONLY_SECTORS), "the read-only disk was written to")


def run_qemu(options, files):
    halcyon.require(IMAGE)
    extra = ["-global", "virtio-mmio.force-legacy=false"]
    for number, (file, read_only) in enumerate(zip(files, ("off", "on"))):
        extra += ["-drive", f"if=none,id=disk{number},format=raw,readonly={read_only},file={file}",
                  "-device", f"virtio-blk-device,drive=disk{number},bus=virtio-mmio-bus.{number}"]
    return run(qemu_command("halcyon", kernel=IMAGE, memory="256M", cpu=CPUS[options.cpu], cpus=options.cpus, extra=extra),
               options.cpus)


def run_sim(options, files):
    """What the checks get for a guest's image they do not look at."""
    halcyon.require(PROGRAM)
    return run(sim_command("--kernel", PROGRAM, "--pcpus", str(options.cpus), "--seed", str(options.seed), "--disk", files[0],
                           "--disk", f"{files[1]},ro", program=PROGRAM, cpu=options.cpu, typed=options.cpus > 1), options.cpus)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cpu", choices=CPUS, default="cortex-a57")
    parser.add_argument("--cpus", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1, help="of the order in which the simulator's CPUs take turns")
    halcyon.add_machine_option(parser)
    options = parser.parse_args()
    with halcyon.scratch() as directory:
        files = make_disks(directory)
        result = {"qemu": run_qemu, "sim": run_sim}[options.machine](options, files)
        if "not ok" not in result.console:
            check_disks(files)
    halcyon.check_ended(result)
    halcyon.check_no_panic(result)
    halcyon.check(result.exit_code == 0, f"status {result.exit_code}: {result.stderr}")
    check_tap(result.console, f"the HAL of {options.machine}")
    print(result.console.splitlines()[-1])


if __name__ == "__main__":
    halcyon.run_test(main)
