# SPDX-License-Identifier: MIT OR Apache-2.0
"""The usual initramfs of ci/guest with more in it."""
import subprocess

import halcyon
from machine import ROOT

FREESTANDING = ["-O1", "-ffreestanding", "-fno-builtin", "-fno-stack-protector", "-fno-tree-loop-distribute-patterns", "-nostdlib", "-static"]


def compile_program(source, program):
    """A Linux program for the guest, from one file of C that needs no library."""
    subprocess.run(["aarch64-linux-gnu-gcc", *FREESTANDING, "-o", str(program), str(source)], check=True)


def with_root(directory, root):
    """The initramfs with all that is below `root`, as a file in `directory`."""
    more, initrd = directory / "more", directory / "initrd"
    subprocess.run([str(ROOT / "ci" / "mkinitramfs"), str(root), str(more)], check=True, stdout=subprocess.DEVNULL)
    initrd.write_bytes(halcyon.INITRAMFS.read_bytes() + more.read_bytes())
    return initrd
