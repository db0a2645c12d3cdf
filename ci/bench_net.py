# SPDX-License-Identifier: MIT OR Apache-2.0
"""ci/bench net: what a frame costs from one Linux to another, in executed instructions of both and of what is between them.

On bare QEMU one guest is both: two of QEMU's virtio-net devices on one hub, one of them in a network namespace of its own.
Under Halcyon two VMs on its switch share one CPU. Neither has segmentation offload."""

from bench_count import count_work, work_rows
from bench_lib import LINUX_MIB, bootargs, halcyon, halcyon_on_qemu, print_table, say
from machine import CPUS, qemu_command

MIB = 1 << 20
FRAME = 1448  # bytes of TCP in a full one: MTU 1500, timestamps
# What is done, how often at least and how often more, and how many full frames or round trips one of them is.
PINGS = "pings of 56 bytes, one after the other"
STREAM = "TCP, in frames of 1448 bytes"
WORK = {PINGS: (32, 2000, "a round trip", 1), STREAM: (16, 256, "a frame", 65536 / FRAME)}
NAMES = "ip link set {device} up; ip addr add 10.0.0.{host}/24 dev {device}"
SERVER = "mkfifo /tmp/in; sleep 10000 >/tmp/in & nc -l -p 99 </tmp/in >/dev/null; sleep 1; true"
CLIENT = "sleep 1; ping -A -q -c {pings} 10.0.0.2 >/dev/null && dd if=/dev/zero bs=64k count={blocks} 2>/dev/null | nc 10.0.0.2 99"
BARE = """{first}; unshare -n sleep 10000 & there=$!
sleep 1; ip link set eth1 netns $there
nsenter -t $there -n sh -c '{second}; {server}' &
{client}"""
HUB = ["-global", "virtio-mmio.force-legacy=false"] + [
    word for n in range(2) for word in ("-netdev", f"hubport,id=net{n},hubid=0", "-device", f"virtio-net-device,netdev=net{n}")]
SOURCE = """/dts-v1/;
/ {{
    compatible = "halcyon,bundle";
    halcyon {{ console = "lines"; }};
    vms {{
        vm0 {{
            compatible = "halcyon,vm"; memory-size = /bits/ 64 <{memory}>; bootargs = "{server}";
            kernel = /incbin/("{kernel}"); initrd = /incbin/("{initrd}"); net@0 {{ compatible = "halcyon,net"; }};
        }};
        vm1 {{
            compatible = "halcyon,vm"; memory-size = /bits/ 64 <{memory}>; bootargs = "{client}"; images-of = "vm0";
            net@0 {{ compatible = "halcyon,net"; }};
        }};
    }};
}};
"""


def commands(directory, cpu, more):
    """What count_work() wants."""
    count = {what: least + (times if what == more else 0) for what, (least, times, _, _) in WORK.items()}
    client = CLIENT.format(pings=count[PINGS], blocks=count[STREAM])
    first, second = (NAMES.format(device=f"eth{n}", host=n + 1) for n in range(2))
    bare = BARE.format(first=first, second=second, server=SERVER, client=client)
    yield "bare QEMU", False, qemu_command("bare", kernel=halcyon.LINUX, initrd=halcyon.INITRAMFS, append=bootargs(bare),
                                           memory=f"{LINUX_MIB}M", cpu=CPUS[cpu], icount=True, extra=HUB)
    there, here = (NAMES.format(device="eth0", host=n) for n in (2, 1))
    source = SOURCE.format(memory=LINUX_MIB * MIB, kernel=halcyon.LINUX, initrd=halcyon.INITRAMFS,
                           server=bootargs(f"{there}; {SERVER}"), client=bootargs(f"{here}; {client}"))
    bundle = halcyon.compile_dts(directory / "bundle.dtb", source)
    yield "Halcyon", True, halcyon_on_qemu(bundle, 2 * LINUX_MIB, cpu=cpu, icount=True)


def describe(what, cost):
    _, times, unit, many = WORK[what]
    return f"{cost / times / many:,.0f} {unit}"


def measure(options):
    say(f"networks of Linux on bare QEMU and under Halcyon, {options.cpu}")
    costs = count_work(WORK, commands, options)
    print(f"From one Linux to another through virtio-net on {options.cpu}, both of them and all between, median of {options.rounds}")
    print_table(list(work_rows(WORK, costs, describe)))
