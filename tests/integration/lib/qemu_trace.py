# SPDX-License-Identifier: MIT OR Apache-2.0
"""Traces of exits on hal-aarch64 under QEMU (docs/trace.md).

    trace, result = record_trace(directory, bundle, timeout=60, icount=True)
    subprocess.run([HALCYON_TRACE, "print", trace])

The machine's devicetree gets a trace buffer at the end of RAM. When the machine has powered itself off, QEMU keeps it
stopped, and its monitor writes the buffer into a file. Whoever makes machines of his own takes the parts:
add_trace_buffer(), stopped_options() and Monitor.
"""
import json
import pathlib
import socket
import struct
import subprocess
import time

import halcyon
from halcyon import Failure, check
from machine import BUILD, Machine, qemu_command

HALCYON_TRACE = BUILD / "host" / "sim" / "trace" / "halcyon-trace"

RAM_BASE = 0x40000000
RECORD_SIZE = 64
# struct trace_buffer of core/abi/trace.h: magic, version, record size, counter's frequency, capacity, count.
HEADER = struct.Struct("<8sIIQQQ24x")
MAGIC = b"HALTRBUF"


def run_tool(command):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
    check(done.returncode == 0, f"{command[0]} failed: {done.stderr}")


def dump_devicetree(output, command):
    """Writes the devicetree that QEMU would give the machine of this command line; returns `output`."""
    command = [str(word) for word in command]
    command[command.index("-M") + 1] += f",dumpdtb={output}"
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20, check=False)
    check(done.returncode == 0 and pathlib.Path(output).is_file(), f"QEMU wrote no devicetree: {done.stderr}")
    return output


def add_trace_buffer(blob, base, size):
    """Reserves [base, base + size) of the machine's RAM, in its devicetree at `blob`, for records of exits."""
    parent, node = "/reserved-memory", f"/reserved-memory/trace@{base:x}"
    run_tool(["fdtput", "-p", "-c", blob, node])
    for where, name, kind, values in ((parent, "#address-cells", "x", [2]), (parent, "#size-cells", "x", [2]),
                                      (parent, "ranges", "x", []),
                                      (node, "reg", "x", [base >> 32, base & 0xffffffff, size >> 32, size & 0xffffffff]),
                                      (node, "compatible", "s", ["halcyon,trace-buffer"])):
        run_tool(["fdtput", "-t", kind, blob, where, name,
                  *(f"{value:x}" if kind == "x" else value for value in values)])


def stopped_options(monitor):
    """QEMU's options for a machine that stays, stopped, when it has powered itself off, with a monitor at this path."""
    return ["-no-shutdown", "-qmp", f"unix:{monitor},server=on,wait=off"]


class Monitor:
    """QEMU's machine protocol, as far as it is needed here."""

    def __init__(self, path, timeout=10):
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(timeout)
        deadline = time.monotonic() + timeout
        while True:
            try:
                self._socket.connect(str(path))
                break
            except (FileNotFoundError, ConnectionRefusedError):
                if time.monotonic() >= deadline:
                    raise Failure("QEMU's monitor is not there") from None
                time.sleep(0.05)
        self._stream = self._socket.makefile("r", encoding="utf-8")
        self._read()  # the greeting
        self.execute("qmp_capabilities")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._stream.close()
        self._socket.close()

    def _read(self):
        line = self._stream.readline()
        check(line, "QEMU's monitor closed its connection")
        return json.loads(line)

    def execute(self, command, **arguments):
        self._socket.sendall((json.dumps({"execute": command, "arguments": arguments}) + "\n").encode())
        while True:
            answer = self._read()
            if "return" in answer:
                return answer["return"]
            check("error" not in answer, f"QEMU's monitor refuses {command}: {answer}")

    def save_memory(self, output, base, size):
        """Writes physical memory into a file; returns its path."""
        self.execute("pmemsave", val=base, size=size, filename=str(output))
        return output


def wait_until_stopped(machine, monitor, timeout):
    """Takes in the console until the machine has ended by itself."""
    deadline = time.monotonic() + timeout
    while monitor.execute("query-status")["running"]:
        check(time.monotonic() < deadline, f"the machine did not end in {timeout} s:\n{halcyon.tail(machine.output)}")
        machine.pump(0.1)
    machine.pump(0.1)


def save_buffer(monitor, directory, base, size):
    """Writes as much of the buffer as there are records; returns the file's path."""
    output = pathlib.Path(directory) / "buffer"
    head = monitor.save_memory(output, base, HEADER.size).read_bytes()
    magic, _, record_size, _, capacity, count = HEADER.unpack(head)
    check(magic == MAGIC and record_size == RECORD_SIZE, f"no trace buffer at {base:#x}: {head!r}")
    check((capacity + 1) * RECORD_SIZE <= size, f"a buffer of {size:#x} bytes has no room for {capacity} records")
    return monitor.save_memory(output, base, HEADER.size + min(count, capacity) * RECORD_SIZE)


def record_trace(directory, bundle, *, timeout, image=halcyon.HALCYON_IMAGE, vm_mib=512, buffer_kib=16384,
                 cpu="cortex-a57", extra=(), **options):
    """Runs a bundle under the hypervisor with a trace until the machine powers off.

    Returns (path of a file in `directory` that halcyon-trace reads, Result). Records beyond the buffer are lost, and
    the file says how many; 16 MiB hold 262,143.
    """
    halcyon.require(image, bundle)
    directory = pathlib.Path(directory)
    size = buffer_kib << 10
    memory = vm_mib + halcyon.HYPERVISOR_MIB + -(-size >> 20)
    base = RAM_BASE + (memory << 20) - size
    monitor_path = directory / "qmp"
    arguments = {"initrd": bundle, "kernel": image, "memory": f"{memory}M", "cpu": cpu, **options}
    blob = dump_devicetree(directory / "machine.dtb", qemu_command("halcyon", **arguments))
    add_trace_buffer(blob, base, size)
    command = qemu_command("halcyon", **arguments,
                           extra=["-dtb", blob, *stopped_options(monitor_path), *extra])
    with Machine(command) as machine, Monitor(monitor_path) as monitor:
        wait_until_stopped(machine, monitor, timeout)
        trace = save_buffer(monitor, directory, base, size)
        monitor.execute("quit")
        result = machine.wait(10)
    halcyon.check_ended(result)
    return trace, result
