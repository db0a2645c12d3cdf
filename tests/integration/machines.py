#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Machines whose devicetree is not quite QEMU's: what bootloaders and boards do to it must not hurt the hypervisor."""
import pathlib
import re
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "lib"))
import halcyon  # noqa: E402
from guest_program import check_tap  # noqa: E402
from machine import BUILD, HOST_BUILD, qemu_command  # noqa: E402

GUEST = HOST_BUILD / "guest" / "hypercall.bin"
TIMER_GUEST = HOST_BUILD / "guest" / "timer.bin"
MEMORY_MIB = 512
TIMEOUT = 30


def machine_tree(directory):
    """The source of the devicetree that QEMU gives the machine."""
    blob = directory / "virt.dtb"
    command = qemu_command("halcyon", memory=f"{MEMORY_MIB}M")
    command[command.index("-M") + 1] += f",dumpdtb={blob}"
    subprocess.run(command, capture_output=True, check=True)
    done = subprocess.run(["dtc", "-q", "-I", "dtb", "-O", "dts", str(blob)], capture_output=True, text=True, check=True)
    return done.stdout


def boot(change):
    """Boots a guest on a machine whose tree `change` has edited. Returns the Result."""
    halcyon.require(halcyon.HALCYON_IMAGE, GUEST)
    with halcyon.scratch() as directory:
        source = machine_tree(directory)
        changed = change(source)
        halcyon.check(changed != source, "the edit found nothing to change in QEMU's devicetree")
        tree = halcyon.compile_dts(directory / "machine.dtb", changed)
        bundle = halcyon.make_bundle(directory / "bundle.dtb", GUEST, memory="256M")
        result = halcyon.run_command(qemu_command("halcyon", initrd=bundle, memory=f"{MEMORY_MIB}M",
                                                  extra=("-dtb", str(tree))), TIMEOUT)
    halcyon.check_ended(result)
    halcyon.check_no_panic(result)
    return result


def check_guest(result):
    check_tap("\n".join(line for line in result.console.splitlines() if not line.startswith(halcyon.LOG_PREFIX)),
              "the guest")


def reserved_bundle():
    """A bootloader reserves the initrd, so that the kernel keeps off it; here the initrd is the bundle."""
    check_guest(boot(lambda dts: dts.replace("/dts-v1/;", "/dts-v1/;\n/memreserve/ 0x48000000 0x100000;", 1)))


def many_reserved():
    """As many reserved ranges as the hypervisor takes, none of them on a boundary that suits large pages."""
    nodes = "".join(f"r{i}@{0x41003000 + i * 0x400000:x} {{ reg = <0 {0x41003000 + i * 0x400000:#x} 0 0x5000>; }};\n"
                    for i in range(30) if 0x41003000 + i * 0x400000 < 0x47000000)
    text = f"reserved-memory {{ #address-cells = <2>; #size-cells = <2>; ranges;\n{nodes} }};\n"
    check_guest(boot(lambda dts: re.sub(r"\n};\s*$", "\n" + text + "};\n", dts)))


def bad_stride():
    """A redistributor stride that wraps around is refused in words."""
    result = boot(lambda dts: dts.replace('compatible = "arm,gic-v3";', 'compatible = "arm,gic-v3";\n'
                                          "redistributor-stride = <0xffffffff 0xffff0000>;", 1))
    halcyon.check("redistributor-stride" in result.console, f"no reason was given:\n{result.console}")


def careless_loader(cpu):
    """A bootloader that leaves timers, list registers, active priorities, SPSel and whatever else as it likes."""
    loader = BUILD / "aarch64" / "loader.bin"
    halcyon.require(halcyon.HALCYON_IMAGE, GUEST, loader)
    with halcyon.scratch() as directory:
        bundle = halcyon.make_bundle(directory / "bundle.dtb", TIMER_GUEST, memory="256M")
        image = f"loader,file={halcyon.HALCYON_IMAGE},addr=0x40200000,force-raw=on"
        result = halcyon.run_command(qemu_command("halcyon", kernel=loader, initrd=bundle, memory=f"{MEMORY_MIB}M",
                                                  cpu=cpu, extra=("-device", image)), TIMEOUT)
    halcyon.check_ended(result)
    halcyon.check_no_panic(result)
    check_guest(result)


CASES = {"reserved-bundle": reserved_bundle, "many-reserved": many_reserved, "bad-stride": bad_stride,
         "careless-loader": lambda: careless_loader("cortex-a57"),
         "careless-loader-max": lambda: careless_loader("max,pauth-impdef=on")}

if __name__ == "__main__":
    halcyon.run_cases(__doc__, CASES, lambda case: CASES[case]())
