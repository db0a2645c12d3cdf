# SPDX-License-Identifier: MIT OR Apache-2.0
"""ci/bench disk: what a virtio disk costs, in executed instructions of guest and hypervisor together."""

from bench_count import count_work, work_rows
from bench_lib import LINUX_MIB, bootargs, halcyon, halcyon_on_qemu, print_table, say
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
    """What count_work() wants."""
    file = directory / "disk"
    file.write_bytes(bytes(DISK_MIB * MIB))
    append = bootargs(script(more))
    yield "bare QEMU", False, qemu_command("bare", kernel=halcyon.LINUX, initrd=halcyon.INITRAMFS, append=append,
                                           memory=f"{LINUX_MIB}M", cpu=CPUS[cpu], icount=True, extra=machine_disk(file))
    for where, disk, extra in (("Halcyon, in memory", f"size={DISK_MIB}M", []), ("Halcyon, the machine's", str(file), machine_disk(file))):
        bundle = halcyon.make_bundle(directory / "bundle.dtb", halcyon.LINUX, memory=f"{LINUX_MIB}M", initrd=halcyon.INITRAMFS,
                                     append=append, disks=[disk])
        yield where, True, halcyon_on_qemu(bundle, LINUX_MIB + DISK_MIB, cpu=cpu, icount=True, extra=extra)


def describe(what, cost):
    _, size, _, times, _ = WORK[what]
    return f"{cost / times:,.0f} ({cost / times / size:.2f})"


def measure(options):
    say(f"disks of Linux on bare QEMU and under Halcyon, {options.cpu}")
    costs = count_work(WORK, commands, options)
    print(f"A virtio disk under Linux on {options.cpu}, direct I/O: instructions a request (a byte), median of {options.rounds}")
    print_table(list(work_rows(WORK, costs, describe)))
