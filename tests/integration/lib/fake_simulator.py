#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Stands in for halcyon-sim where only what is around it is tested.

Says what FAKE_CONSOLE holds (Python's escapes), takes in FAKE_TAKES bytes or all up to the end of input, tells of them
in hexadecimal, tells its arguments, and powers off.
"""
import os
import sys

OFF = "[halcyon 1.000000] notice role: machine off: all VMs powered off\r\n"


def main():
    out = sys.stdout.buffer
    out.write(os.environ.get("FAKE_CONSOLE", "hello\\r\\n").encode().decode("unicode_escape").encode("latin-1"))
    out.flush()
    taken, wanted = b"", int(os.environ.get("FAKE_TAKES", "0"))
    while len(taken) < wanted:
        data = os.read(sys.stdin.fileno(), wanted - len(taken))
        if not data:
            break
        taken += data
    if wanted:
        out.write(b"took " + taken.hex(" ").encode() + b"\r\n")
    if os.environ.get("FAKE_TELLS"):
        out.write(b"arguments " + " ".join(sys.argv[1:]).encode() + b"\r\n")
    out.write(OFF.encode())


if __name__ == "__main__":
    main()
