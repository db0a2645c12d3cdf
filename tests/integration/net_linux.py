#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Linux VMs and the network between them.

ping: each of several VMs pings each other. nc: one sends data to another, with the right checksum. empty: the same while it floods a third VM
whose driver has stopped, so that its receive ring stays empty. flood: one VM floods another with datagrams, and a third one's data get there all the same. uplink: a guest fetches a file from a server on this host's loopback, and what connects to a forwarded port
reaches the guest; the recording of that, replayed, is the same run (simulator only).
"""
import argparse
import base64
import functools
import hashlib
import http.server
import pathlib
import random
import re
import socket
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "lib"))
import halcyon  # noqa: E402
from halcyon import check  # noqa: E402
from machine import sim_command  # noqa: E402

VM_MIB = 96
VM = """        vm{i} {{
            compatible = "halcyon,vm"; memory-size = /bits/ 64 <{memory}>; vcpus = <1>; bootargs = "console=ttyAMA0 quiet halcyon.cmd={cmd}";
            {images}
            net@0 {{ compatible = "halcyon,net"; guarded; }};
        }};
"""
UP = "ip link set eth0 up; ip addr add 10.0.0.{i}/24 dev eth0; "
# A server's nc ends with its own input, which never comes.
LISTEN = "mkfifo /tmp/in; sleep 10000 >/tmp/in & nc -l -p 99 </tmp/in"
SEND = ("dd if=/dev/urandom of=/tmp/data bs=1M count={mib} 2>/dev/null; echo sum $(md5sum </tmp/data); "
        "until nc 10.0.0.{to} 99 </tmp/data; do sleep 0.2; done")
SUM = re.compile(r"^vm(\d): sum ([0-9a-f]{32})", re.MULTILINE)


def run_vms(options, commands):
    """A VM with a network device for each command; vmN has the address 10.0.0.(N + 1). Returns what the console said."""
    vms, memory = "", VM_MIB + options.mib + options.mib // 8  # the sender has its data in a file in memory
    for i, command in enumerate(commands):
        images = f'kernel = /incbin/("{halcyon.LINUX}"); initrd = /incbin/("{halcyon.INITRAMFS}");' if i == 0 else 'images-of = "vm0";'
        encoded = base64.b64encode((UP.format(i=i + 1) + command).encode()).decode()
        vms += VM.format(i=i, memory=memory << 20, cmd=encoded, images=images)
    source = f'/dts-v1/;\n/ {{\n    compatible = "halcyon,bundle";\n    halcyon {{ console = "lines"; }};\n    vms {{\n{vms}    }};\n}};\n'
    with halcyon.scratch() as directory:
        bundle = halcyon.compile_dts(directory / "bundle.dtb", source)
        result = halcyon.run_halcyon(options.machine, bundle, timeout=options.timeout, vm_mib=memory * len(commands) + 128,
                                     pcpus=options.pcpus, silence=True)
    halcyon.check_ended(result)
    halcyon.check_no_panic(result)
    for i in range(len(commands)):
        check(f"vm{i}: halcyon-guest: exit 0" in result.console, f"vm{i} failed:\n{halcyon.tail(result.console)}")
    return result.console


def check_sums(text, sender, receiver):
    sums = dict(SUM.findall(text))
    check(str(sender) in sums and sums[str(sender)] == sums.get(str(receiver)),
          f"vm{receiver} has not what vm{sender} sent: {sums}\n{halcyon.tail(text)}")


def test_ping(options):
    commands = []
    for i in range(options.vms):
        others = " ".join(f"10.0.0.{n + 1}" for n in range(options.vms) if n != i)
        commands.append(f"for a in {others}; do until ping -c 1 -W 1 $a >/dev/null; do :; done; ping -c 3 $a | grep -q ' 3 packets received' "
                        "&& echo reached $a; done; sleep 6")
    text = run_vms(options, commands)
    reached = len(re.findall(r"^vm\d: reached 10\.0\.0\.\d+", text, re.MULTILINE))
    check(reached == options.vms * (options.vms - 1), f"{reached} pairs:\n{halcyon.tail(text)}")
    print(f"pings of {options.vms} VMs: {reached} pairs")


def test_nc(options):
    text = run_vms(options, [LISTEN + " | (echo sum $(md5sum))", SEND.format(mib=options.mib, to=1)])
    check_sums(text, 1, 0)
    print(f"{options.mib} MiB, and the sum is right")


def test_empty(options):
    """vm2's driver stops: its ring gets no buffers any more. Datagrams to it must not stop what vm1 sends to vm0."""
    flood = "arp -s 10.0.0.3 02:68:63:6c:03:00; ping -c 1 -W 3 10.0.0.3 >/dev/null; sleep 1; (dd if=/dev/zero bs=1400 count=20000 2>/dev/null | nc -u 10.0.0.3 9) & "
    text = run_vms(options, [LISTEN + " | (echo sum $(md5sum))",
                             flood + SEND.format(mib=options.mib, to=1) + "; kill %1; true",
                             "sleep 2; ip link set eth0 down; sleep 6"])
    check_sums(text, 1, 0)
    print(f"{options.mib} MiB beside a flood to an empty ring, and the sum is right")


def test_flood(options):
    """vm2 sends to vm0 all that it can, for as long as vm1's data are on their way."""
    text = run_vms(options, [LISTEN + " | (echo sum $(md5sum))", SEND.format(mib=options.mib, to=1),
                             "sleep 1; dd if=/dev/zero bs=1400 count=30000 2>/dev/null | timeout 20 nc -u 10.0.0.1 9; true"])
    check_sums(text, 1, 0)
    print(f"{options.mib} MiB to a VM that is flooded, and the sum is right")


# --- The uplink ---

class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


def connect_until_told(port, done):
    while not done.is_set():
        time.sleep(0.3)
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
                connection.sendall(b"hello from the host\n")
                done.wait(0.5)
        except OSError:
            pass


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_uplink(options):
    data = random.Random(1).randbytes(options.mib << 20)
    with halcyon.scratch() as directory:
        (directory / "file").write_bytes(data)
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(directory)))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        port, done = free_port(), threading.Event()
        command = ("ip link set eth0 up; udhcpc -n -q -f -i eth0 -s /bin/true && echo leased; ip addr add 10.0.2.15/24 dev eth0; "
                   f"wget -q -O /tmp/f http://10.0.2.2:{server.server_port}/file; echo sum $(md5sum </tmp/f); "
                   "mkfifo /tmp/in; sleep 10000 >/tmp/in & nc -l -p 80 </tmp/in")
        encoded = base64.b64encode(command.encode()).decode()
        arguments = ["--kernel", halcyon.LINUX, "--initrd", halcyon.INITRAMFS, "--memory", "128M",
                     "--append", f"console=ttyAMA0 quiet halcyon.cmd={encoded}", "--hash"]
        threading.Thread(target=connect_until_told, args=(port, done), daemon=True).start()
        result = halcyon.run_command(sim_command("--no-input", "--net", f"user,hostfwd=tcp:127.0.0.1:{port}-:80", "--record", directory / "r", *arguments),
                                     options.timeout, silence=True)
        done.set()
        server.shutdown()
        halcyon.check_ended(result)
        for want in ("leased", f"sum {hashlib.md5(data).hexdigest()}", "hello from the host", "halcyon-guest: exit 0"):
            check(want in result.console, f"no '{want}':\n{halcyon.tail(result.console)}")
        again = halcyon.run_command(sim_command("--net", "user", "--replay", directory / "r", *arguments), options.timeout, silence=True)
        check("replay agrees" in again.stderr, f"the replay differs: {again.stderr}")
        check(again.console == result.console, "the replay's console differs")
    print(f"{options.mib} MiB through the uplink, a forwarded port, and a replay that agrees")


CASES = {"ping": test_ping, "nc": test_nc, "empty": test_empty, "flood": test_flood, "uplink": test_uplink}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("case", choices=CASES)
    parser.add_argument("--vms", type=int, default=3, help="ping: how many")
    parser.add_argument("--mib", type=int, default=4, help="of data")
    parser.add_argument("--pcpus", type=int, default=2)
    parser.add_argument("--timeout", type=int, default=280)
    halcyon.add_machine_option(parser)
    options = parser.parse_args()
    halcyon.run_test(CASES[options.case], options)


if __name__ == "__main__":
    main()
