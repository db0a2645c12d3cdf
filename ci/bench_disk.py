# SPDX-License-Identifier: MIT OR Apache-2.0
"""ci/bench disk: what a virtio disk costs, in executed instructions of guest and hypervisor together."""

from bench_lib import LINUX_MIB, bootargs, count_work, halcyon, halcyon_on_qemu, print_table, say
from machine import CPUS, qemu_command

MIB = 1 << 20
DISK_MIB = 32
DIRECT = "dd if={} of={} bs={} count={} {}flag=direct 2>/dev/null || exit"
# What is done: block size, as dd and in bytes, how often at least and how often more, and dd's other words.
WORK = {
    "sequential read, 64 KiB at a time": ("64k", 65536, 32, 256, ("/dev/vda", "/dev/null", "i")),
    "sequential write, 64 KiB at a time": ("64k", 65536, 32, 256, ("/dev/zero", "/dev/vda", "o")),
    "reads of 4 KiB, one after the other": ("4k", 4096, 32, 2048, ("/dev/vda", "/dev/null", "i")),
    "writes of 4 KiB, one after the other": ("4k", 4096, 32, 2048, ("/dev/zero", "/dev/vda", "o")),
}


def script(more):
    """The guest's command: all of the work at least, `more` (or None) as often as is counted."""
    lines = [f"dd if=/dev/zero of=/dev/vda bs=1M count={DISK_MIB} conv=fsync 2>/dev/null || exit"]
    for what, (size, _, least, times, (source, target, direction)) in WORK.items():
        lines.append(DIRECT.format(source, target, size, least + (times if what == more else 0), direction))
    return "\n".join(lines)


def machine_disk(path):
    return ["-global", "virtio-mmio.force-legacy=false", "-drive", f"if=none,id=disk0,format=raw,file={path},cache=unsafe",
            "-device", "virtio-blk-device,drive=disk0"]


def commands(directory, cpu, more):
    """{where: the command line of a machine that does the work}."""
    file = directory / "disk"
    file.write_bytes(bytes(DISK_MIB * MIB))
    append = bootargs(script(more))
    yield "bare QEMU", qemu_command("bare", kernel=halcyon.LINUX, initrd=halcyon.INITRAMFS, append=append, memory=f"{LINUX_MIB}M",
                                    cpu=CPUS[cpu], icount=True, extra=machine_disk(file))
    for where, disk, extra in (("Halcyon, in memory", f"size={DISK_MIB}M", []), ("Halcyon, the machine's", str(file), machine_disk(file))):
        bundle = halcyon.make_bundle(directory / "bundle.dtb", halcyon.LINUX, memory=f"{LINUX_MIB}M", initrd=halcyon.INITRAMFS,
                                     append=append, disks=[disk])
        yield where, halcyon_on_qemu(bundle, LINUX_MIB + DISK_MIB, cpu=cpu, icount=True, extra=extra)


def measure(options, count_instructions):
    """count_instructions: ci/bench's."""
    say(f"disks of Linux on bare QEMU and under Halcyon, {options.cpu}")
    places, counts = count_work(WORK, commands, options, count_instructions)
    rows = [["executed instructions", *places]]
    for what, (_, size, _, times, _) in WORK.items():
        each = [(counts[what, where] - counts[None, where]) / times for where in places]
        rows.append([what, *(f"{cost:,.0f} a request, {cost / size:.2f} a byte" for cost in each)])
    print(f"A virtio disk under Linux on {options.cpu}, direct I/O")
    print_table(rows)
