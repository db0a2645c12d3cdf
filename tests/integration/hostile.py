#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Bundles that cannot be run, on the machine: each is refused with its reason, and the machine powers off by itself."""
import pathlib
import random
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "lib"))
import halcyon  # noqa: E402
from halcyon import check, compile_dts  # noqa: E402

TIMEOUT = 20
VM_MIB = 256
ERROR = re.compile(r"^\[halcyon [^\]]*\] error (boot|vm|mem): (.+)$", re.MULTILINE)
NOTHING_RAN = re.compile(r"^\[halcyon [^\]]*\] error role: machine off: nothing to run$", re.MULTILINE)

# Infinite loop: "b .", in a guest that must not come to run.
KERNEL = bytes.fromhex("00000014") * 16
KERNEL_FILE = "kernel.bin"


def vm_node(name="linux", *, memory="/bits/ 64 <0x10000000>", kernel=f'/incbin/("{KERNEL_FILE}")', extra=""):
    lines = ['compatible = "halcyon,vm";', f"memory-size = {memory};" if memory else "",
             f"kernel = {kernel};" if kernel else "", extra]
    return f"{name} {{ {' '.join(line for line in lines if line)} }};"


def bundle_source(*vms, root="", compatible="halcyon,bundle"):
    return f'/dts-v1/; / {{ compatible = "{compatible}"; {root} vms {{ {" ".join(vms)} }}; }};'


class Maker:
    """Writes what a case needs into a directory, and names the bundle."""

    def __init__(self, directory):
        self.directory = directory
        (directory / KERNEL_FILE).write_bytes(KERNEL)
        self.output = directory / "bundle.dtb"

    def compile(self, source):
        # Paths of /incbin/ are relative to dtc's own directory when it reads standard input.
        source = source.replace('/incbin/("', f'/incbin/("{self.directory}/')
        return compile_dts(self.output, source)

    def raw(self, data):
        self.output.write_bytes(data)
        return self.output

    def good(self):
        return self.compile(bundle_source(vm_node())).read_bytes()

    def patched(self, offset, value):
        """A good bundle with one big-endian word of its header replaced."""
        data = bytearray(self.good())
        data[offset:offset + 4] = value.to_bytes(4, "big")
        return self.raw(bytes(data))


def deep(make):
    nested = "a { " * 64 + "};" * 64
    return make.compile(bundle_source(vm_node(extra=nested)))


def fat_kernel(make):
    (make.directory / "fat.bin").write_bytes(bytes(20 << 20))
    return make.compile(bundle_source(vm_node(memory="/bits/ 64 <0x1000000>", kernel='/incbin/("fat.bin")')))


def lying_image(make):
    """An arm64 Image that says it needs more memory than any machine has (image_size, at 16)."""
    header = bytearray(4096)
    header[16:24] = (1 << 47).to_bytes(8, "little")
    header[56:60] = b"ARM\x64"
    (make.directory / "lying.bin").write_bytes(header)
    return make.compile(bundle_source(vm_node(kernel='/incbin/("lying.bin")')))


def overlapping(make):
    return make.compile(bundle_source(vm_node(
        extra=f'initrd = /incbin/("{KERNEL_FILE}"); kernel-address = /bits/ 64 <0x40200000>; '
              "initrd-address = /bits/ 64 <0x40200000>;")))


def fuzzed(make):
    """Random damage from a fixed seed; a byte in the kernel's data would be no damage, so it goes to the structure."""
    data = bytearray(make.good())
    start = int.from_bytes(data[8:12], "big")
    size = int.from_bytes(data[36:40], "big")
    chance = random.Random(1)
    for _ in range(16):
        data[start + chance.randrange(size)] = chance.randrange(256)
    return make.raw(bytes(data))


# Case: (what makes the bundle, what the reason must speak of).
CASES = {
    "no-bundle": (lambda make: None, "no VM bundle"),
    "truncated": (lambda make: make.raw(make.good()[:-40]), "damaged|truncated|size"),
    "header-only": (lambda make: make.raw(make.good()[:40]), "damaged|truncated|size"),
    "one-byte": (lambda make: make.raw(b"\xd0"), "bundle"),
    "garbage": (lambda make: make.raw(random.Random(7).randbytes(1 << 20)), "not a devicetree|magic"),
    "wrong-magic": (lambda make: make.patched(0, 0xd00dfeee), "not a devicetree|magic"),
    "oversized": (lambda make: make.patched(4, 0xfffffff0), "damaged|truncated|size"),
    "bad-version": (lambda make: make.patched(24, 0x7fffffff), "damaged|version"),
    "bad-structure-offset": (lambda make: make.patched(8, 0x7ffffff0), "damaged|offset"),
    "fuzzed": (fuzzed, "bundle"),
    "deep": (deep, "deep|nested|unknown node"),
    "not-a-bundle": (lambda make: make.compile(bundle_source(vm_node(), compatible="acme,bundle")), "compatible"),
    "no-vms": (lambda make: make.compile(bundle_source()), "no VM"),
    "no-memory": (lambda make: make.compile(bundle_source(vm_node(memory=None))), "memory-size"),
    "zero-memory": (lambda make: make.compile(bundle_source(vm_node(memory="/bits/ 64 <0>"))), "memory-size"),
    "unaligned-memory": (lambda make: make.compile(bundle_source(vm_node(memory="/bits/ 64 <0x10000001>"))),
                         "memory-size"),
    "huge-memory": (lambda make: make.compile(bundle_source(vm_node(memory="/bits/ 64 <0xfffffffffffff000>"))),
                    "memory-size"),
    "more-memory-than-machine": (lambda make: make.compile(bundle_source(vm_node(memory="/bits/ 64 <0x100000000>"))),
                                 "memory"),
    "wrong-length": (lambda make: make.compile(bundle_source(vm_node(memory="<0x10000000>"))), "memory-size"),
    "missing-kernel": (lambda make: make.compile(bundle_source(vm_node(kernel=None))), "kernel"),
    "empty-kernel": (lambda make: make.compile(bundle_source(vm_node(kernel="[]"))), "kernel"),
    "kernel-larger-than-vm": (fat_kernel, "kernel"),
    "lying-image": (lying_image, "kernel|image_size"),
    "kernel-outside-vm": (lambda make: make.compile(bundle_source(vm_node(
        extra="kernel-address = /bits/ 64 <0x80000000>;"))), "kernel"),
    "kernel-address-wraps": (lambda make: make.compile(bundle_source(vm_node(
        extra="kernel-address = /bits/ 64 <0xffffffffffffffc0>;"))), "kernel"),
    "overlapping-images": (overlapping, "overlap|initrd"),
    "too-many-vcpus": (lambda make: make.compile(bundle_source(vm_node(extra="vcpus = <0xffffffff>;"))), "vcpus"),
    "unknown-property": (lambda make: make.compile(bundle_source(vm_node(extra="frobnicate = <1>;"))), "frobnicate"),
    "bad-log-levels": (lambda make: make.compile(bundle_source(
        vm_node(), root='halcyon { log = "loud"; };')), "log"),
    "non-utf8-name": (lambda make: make.raw(make.good().replace(b"linux\0", b"l\xff\x1bux\0")), "name"),
}


# The simulator refuses to start without a bundle: a usage error, of its unit tests.
CASES_ON = {"qemu": list(CASES), "sim": [case for case in CASES if case != "no-bundle"]}


def test(case, machine):
    maker, expected = CASES[case]
    with halcyon.scratch() as directory:
        result = halcyon.run_halcyon(machine, maker(Maker(directory)), timeout=TIMEOUT, vm_mib=VM_MIB)
    halcyon.check_ended(result)
    halcyon.check_no_panic(result)
    reasons = [match.group(2) for match in ERROR.finditer(result.console)]
    check(reasons, f"no error with a reason was printed:\n{halcyon.tail(result.console)}")
    check(any(re.search(expected, reason) for reason in reasons),
          f"no reason speaks of /{expected}/:\n{halcyon.tail(result.console)}")
    check(NOTHING_RAN.search(result.console), f"no word of the end:\n{halcyon.tail(result.console)}")
    strange = re.search(r"[^\n -~]", result.console)
    check(not strange, f"byte {strange and strange.group()!r} of the bundle reached the terminal")
    print("\n".join(reasons))


if __name__ == "__main__":
    halcyon.run_cases_on(__doc__, CASES_ON, test)
