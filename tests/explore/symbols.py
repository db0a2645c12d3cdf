# SPDX-License-Identifier: MIT OR Apache-2.0
"""Places in core for the addresses that the detector of data races prints."""
import re
import subprocess

ADDRESS = re.compile(r"\[0x([0-9a-f]+)\]")


def symbolised(program, text):
    """`text` with "[function at file:line]" for each "[0x...]", a return address in `program`."""
    found = sorted(set(ADDRESS.findall(text)))
    if not found:
        return text
    calls = [f"{int(address, 16) - 1:x}" for address in found]
    try:
        done = subprocess.run(["addr2line", "-fipse", str(program), *calls], capture_output=True, text=True, check=False)
    except OSError:
        return text
    places = re.sub(r"\n \(inlined by\) ", " < ", done.stdout).splitlines()
    if len(places) != len(found):
        return text
    names = dict(zip(found, places))
    return ADDRESS.sub(lambda match: f"[{names[match.group(1)]}]", text)
