#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Linux with the smaller virtio devices.

rng: /dev/hwrng gives random bytes, no two pieces of them alike.
"""
import base64
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "lib"))
import halcyon  # noqa: E402
from halcyon import check  # noqa: E402

MIB = 1 << 20
VM_MIB = 192
TIMEOUT = 120
VM = """
        {name} {{
            compatible = "halcyon,vm"; memory-size = /bits/ 64 <{memory}>; bootargs = "{bootargs}";
            kernel = /incbin/("{kernel}"); initrd = /incbin/("{initrd}");
            {devices}
        }};"""
SOURCE = """/dts-v1/;
/ {{
    compatible = "halcyon,bundle";
    vms {{{vms}
    }};
}};
"""


def vm_node(name, devices, script):
    encoded = base64.b64encode(script.encode()).decode()
    return VM.format(name=name, memory=VM_MIB * MIB, kernel=halcyon.LINUX, initrd=halcyon.INITRAMFS, devices=devices,
                     bootargs=f"console=ttyAMA0 quiet halcyon.cmd={encoded}")


def run_vms(machine, *vms, options=()):
    """Runs VMs, each (name, devices, script), until the machine ends. Returns the console."""
    halcyon.require(halcyon.LINUX, halcyon.INITRAMFS)
    with halcyon.scratch() as directory:
        source = SOURCE.format(vms="".join(vm_node(*vm) for vm in vms))
        bundle = halcyon.compile_dts(directory / "bundle.dtb", source)
        result = halcyon.run_halcyon(machine, bundle, vm_mib=VM_MIB * len(vms), timeout=TIMEOUT, options=options)
    halcyon.check_ended(result)
    halcyon.check_no_panic(result)
    check(result.console.count("halcyon-guest: exit 0\n") == len(vms), f"a command failed:\n{halcyon.tail(result.console)}")
    return result.console


RNG = """
cat /sys/class/misc/hw_random/rng_current
dd if=/dev/hwrng bs=4096 count=16 2>/dev/null | hexdump -v -e '8/1 "%02x" "\\n"' >/tmp/words
echo words $(wc -l </tmp/words) $(sort -u /tmp/words | wc -l)
echo first $(head -n 1 /tmp/words)
"""


def test_rng(machine):
    console = run_vms(machine, ("linux", 'rng { compatible = "halcyon,rng"; };', RNG))
    check(re.search(r"^virtio_rng\.0$", console, re.MULTILINE), f"no random number generator:\n{halcyon.tail(console)}")
    words = re.search(r"^words (\d+) (\d+)$", console, re.MULTILINE)
    check(words and words.group(1) == words.group(2) == "8192", f"words that are alike:\n{halcyon.tail(console)}")
    check(re.search(r"^first [0-9a-f]{16}$", console, re.MULTILINE), f"no first word:\n{halcyon.tail(console)}")


BOTH = {"rng": test_rng}
CASES = {"qemu": BOTH, "sim": BOTH}


def run(case, machine):
    CASES[machine][case](machine)


if __name__ == "__main__":
    halcyon.run_cases_on(__doc__, CASES, run)
