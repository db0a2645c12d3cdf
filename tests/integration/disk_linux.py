#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Linux and its disks.

keeps: 64 MiB in a filesystem on a disk are there, with the right checksum, after the VM was reset. machine: the same on a disk of the
machine's, a file of this host. read-only: a disk that refuses writes. discard: memory of a disk in memory goes back to the pool.
kill: the hypervisor's machine is killed at random moments, so many times; what the guest had synced is in the file.
"""
import argparse
import base64
import hashlib
import pathlib
import random
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "lib"))
import halcyon  # noqa: E402
from halcyon import check  # noqa: E402
from machine import Machine, to_text  # noqa: E402

MIB = 1 << 20
VM_MIB = 192
RECORD = 65536
DATA_SIZE = 64 * MIB + sum(len(f"{i}\n") for i in range(64))
SOURCE = """/dts-v1/;
/ {{
    compatible = "halcyon,bundle";
    vms {{
        linux {{
            compatible = "halcyon,vm"; memory-size = /bits/ 64 <{memory}>; vcpus = <{vcpus}>; bootargs = "{bootargs}";
            kernel = /incbin/("{kernel}"); initrd = /incbin/("{initrd}");
            disk@0 {{ compatible = "halcyon,disk"; serial = "first"; {disk} }};
        }};
    }};
}};
"""
BLANK = "size = /bits/ 64 <{:#x}>;"
MACHINES_DISK = "machine = <0>;"
# The filesystem's modules are not loaded by their names in the kernel: the initramfs has no list of aliases.
MOUNT = "modprobe crc32c_generic && modprobe ext4 && mount -t ext2 /dev/vda /mnt"
# A first life, which ends in a reset, and a second one: the same command does both.
KEEPS = f"""
if {MOUNT} 2>/dev/null && [ -f /mnt/data ]; then
    echo second $(md5sum </mnt/data) $(wc -c </mnt/data); umount /mnt; exit
fi
echo serial $(cat /sys/block/vda/serial)
mke2fs /dev/vda >/dev/null && mount -t ext2 /dev/vda /mnt || exit
head -c {MIB} /dev/urandom >/tmp/random
i=0; while [ $i -lt 64 ]; do echo $i; cat /tmp/random; i=$((i + 1)); done >/mnt/data
echo first $(md5sum </mnt/data) $(wc -c </mnt/data)
sync
reboot -f
"""
READ_ONLY = """
cat /sys/block/vda/ro
dd if=/dev/zero of=/dev/vda bs=512 count=1 2>&1 | grep -v records
blockdev --setrw /dev/vda
dd if=/dev/zero of=/dev/vda bs=512 count=1 conv=fsync 2>&1 | grep -v records
echo read $(dd if=/dev/vda bs=64k 2>/dev/null | md5sum)
"""


def disk_options(machine, path):
    """The arguments that give the hypervisor's machine the file as its first disk."""
    if machine == "sim":
        return ["--disk", str(path)]
    return ["-global", "virtio-mmio.force-legacy=false", "-drive", f"if=none,id=disk0,format=raw,file={path}",
            "-device", "virtio-blk-device,drive=disk0"]


def make_bundle(directory, disk, script=None, append="", vcpus=1):
    halcyon.require(halcyon.LINUX, halcyon.INITRAMFS)
    bootargs = f"console=ttyAMA0 quiet {append}"
    if script is not None:
        bootargs += " halcyon.cmd=" + base64.b64encode(script.encode()).decode()
    return halcyon.compile_dts(directory / "bundle.dtb", SOURCE.format(
        memory=VM_MIB * MIB, vcpus=vcpus, bootargs=bootargs, kernel=halcyon.LINUX, initrd=halcyon.INITRAMFS, disk=disk))


def run(options, directory, disk, script, file=None):
    """Runs the script in a guest with this disk until the machine ends. Returns the console."""
    bundle = make_bundle(directory, disk, script, vcpus=options.smp)
    more = disk_options(options.machine, file) if file else []
    result = halcyon.run_halcyon(options.machine, bundle, vm_mib=VM_MIB + 160, pcpus=options.pcpus, options=more, timeout=options.timeout,
                                 silence=True)
    halcyon.check_ended(result)
    halcyon.check_no_panic(result)
    check("halcyon-guest: exit 0\n" in result.console, f"the command failed:\n{halcyon.tail(result.console)}")
    return result.console


def check_keeps(console):
    lives = dict(re.findall(r"^(first|second) ([0-9a-f]{32} .*)$", console, re.MULTILINE))
    check(len(lives) == 2 and lives["first"] == lives["second"] and lives["first"].endswith(f" {DATA_SIZE}"),
          f"not the same data in both lives: {lives}\n{halcyon.tail(console)}")
    check(re.search("^serial first$", console, re.MULTILINE), f"not the disk's serial number:\n{halcyon.tail(console)}")


def test_keeps(options):
    with halcyon.scratch() as directory:
        check_keeps(run(options, directory, BLANK.format(128 * MIB), KEEPS))


def test_machine(options):
    with halcyon.scratch() as directory:
        file = directory / "disk"
        with open(file, "wb") as out:
            out.truncate(96 * MIB)
        check_keeps(run(options, directory, MACHINES_DISK, KEEPS, file))
        data = file.read_bytes()
        check(data[1080:1082] == b"\x53\xef", "there is no ext2 in the file")


def test_read_only(options):
    """On both kinds of disk the guest may believe what it likes: nothing is written."""
    content = random.Random(1).randbytes(MIB)
    want = "read " + hashlib.md5(content).hexdigest()
    with halcyon.scratch() as directory:
        file = directory / "disk"
        file.write_bytes(content)
        for disk, machines in ((f'read-only; image = /incbin/("{file}");', None), ("read-only; " + MACHINES_DISK, file)):
            console = run(options, directory, disk, READ_ONLY, machines)
            check(re.search(r"^1$", console, re.MULTILINE), f"not read-only:\n{halcyon.tail(console)}")
            check(len(re.findall("^dd: .*(?:not permitted|error)", console, re.MULTILINE)) == 2,
                  f"writes were not refused:\n{halcyon.tail(console)}")
            check(want in console, f"not what was in the file:\n{halcyon.tail(console)}")
        check(file.read_bytes() == content, "the file has changed")


def free_memory(machine, timeout):
    machine.send("\x01clist\r")
    return int(machine.expect(r"^(\d+) KiB of memory are free", timeout).group(1))


def test_discard(options):
    """32 MiB written cost 32 MiB and tables; discarded, they and the tables are the pool's again."""
    with halcyon.scratch() as directory:
        bundle = make_bundle(directory, BLANK.format(64 * MIB))
        command = halcyon.halcyon_command(options.machine, bundle, vm_mib=VM_MIB + 96, pcpus=options.pcpus, typed=True,
                                          options=["--input-raw"] if options.machine == "sim" else [])
        with Machine(command) as machine:
            machine.expect("~ # ", options.timeout)
            blank = free_memory(machine, options.timeout)
            machine.send("dd if=/dev/urandom of=/dev/vda bs=64k count=512 conv=fsync; echo written\r")
            machine.expect("^written", options.timeout)
            full = free_memory(machine, options.timeout)
            check(32 * 1024 <= blank - full <= 33 * 1024, f"32 MiB cost {blank - full} KiB")
            machine.send("blkdiscard /dev/vda; echo 3 >/proc/sys/vm/drop_caches; echo sum $(dd if=/dev/vda bs=64k count=512 | md5sum)\r")
            total = hashlib.md5(bytes(32 * MIB)).hexdigest()
            machine.expect(f"^sum {total}", options.timeout)
            left = free_memory(machine, options.timeout)
            check(left == blank, f"{blank - left} KiB are still the disk's")
            machine.send("\rpoweroff -f\r")
            result = machine.wait(options.timeout)
    halcyon.check_ended(result)
    halcyon.check_no_panic(result)


def record_script(count):
    """Prints the sums of what previous lives have synced, and then writes records until the machine is killed."""
    return f"""
i=0; while [ $i -lt {count} ]; do echo found $i $(dd if=/dev/vda bs={RECORD} skip=$i count=1 2>/dev/null | md5sum); i=$((i + 1)); done
while [ $i -lt 1000 ]; do
    head -c {RECORD} /dev/urandom >/tmp/record
    sum=$(md5sum </tmp/record)
    dd if=/tmp/record of=/dev/vda bs={RECORD} seek=$i conv=notrunc,fsync 2>/dev/null && echo synced $i $sum
    i=$((i + 1))
done
"""


def live_and_die(options, directory, file, sums, moments):
    """One life of the machine, killed at a moment of its own. Returns how many records it has synced."""
    bundle = make_bundle(directory, MACHINES_DISK, record_script(len(sums)))
    command = halcyon.halcyon_command(options.machine, bundle, vm_mib=VM_MIB, pcpus=options.pcpus,
                                      options=disk_options(options.machine, file))
    before = len(sums)
    with Machine(command) as machine:
        for number, want in enumerate(sums):
            found = machine.expect(r"^(found|synced) (\d+) ([0-9a-f]{32})", options.timeout)
            check((found.group(1), int(found.group(2))) == (b"found", number), f"record {number} was not read: {found.group().decode()}")
            check(found.group(3) == want, f"record {number}, which was synced, is not what was written")
        for _ in range(moments.randint(1, 5)):
            synced = machine.expect(r"^synced (\d+) ([0-9a-f]{32})", options.timeout)
            check(int(synced.group(1)) == len(sums), f"record {len(sums)} was not synced: {synced.group().decode()}")
            sums.append(synced.group(2))
        machine.pump(moments.random() * 0.05)
        machine.kill()
        console = to_text(bytes(machine.output))
    # What was said in the last moment counts, too.
    for number, total in re.findall(r"^synced (\d+) ([0-9a-f]{32})", console, re.MULTILINE):
        if int(number) == len(sums):
            sums.append(total.encode())
    return len(sums) - before


def test_kill(options):
    moments = random.Random(options.seed)
    with halcyon.scratch() as directory:
        file, sums = directory / "disk", []
        with open(file, "wb") as out:
            out.truncate(64 * MIB)
        for life in range(options.times):
            count = live_and_die(options, directory, file, sums, moments)
            print(f"life {life}: {count} records", flush=True)
        data = file.read_bytes()
        for number, want in enumerate(sums):
            check(hashlib.md5(data[number * RECORD:][:RECORD]).hexdigest().encode() == want, f"record {number} is not in the file")
        print(f"{len(sums)} records, all there")


CASES = {"keeps": test_keeps, "machine": test_machine, "read-only": test_read_only, "discard": test_discard, "kill": test_kill}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("case", choices=CASES)
    parser.add_argument("--smp", type=int, default=1, help="the guest's vCPUs")
    parser.add_argument("--pcpus", type=int, default=1)
    parser.add_argument("--times", type=int, default=2, help="kill: how often")
    parser.add_argument("--seed", type=int, default=1, help="kill: of the moments")
    halcyon.add_timeout_option(parser, 280)
    halcyon.add_machine_option(parser)
    options = parser.parse_args()
    halcyon.run_test(CASES[options.case], options)


if __name__ == "__main__":
    main()
