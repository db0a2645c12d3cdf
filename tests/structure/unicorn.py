#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""A Unicorn that is missing, too old or incomplete stops the configuration with a message that names the fix.

Runs ci/cmake/unicorn.cmake and ci/unicorn in small trees with made-up Unicorns: headers that state a version, empty
libraries, packages of these, and an apt-get that hands them out. Neither the network nor a real Unicorn is needed.
"""
import concurrent.futures
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

from harness import ROOT, lay_out, main, read, skip

MODULE = "ci/cmake/unicorn.cmake"
SCRIPT = "ci/unicorn"
COPIED = (MODULE, SCRIPT, "ci/lib.sh", "ci/lib-apt.sh")
TOOLS = ("cmake", "ninja", "pkg-config", "dpkg-deb", "apt-get", "flock")
TIMEOUT = 60
BUILD = "build/unicorn"
PROJECT = """cmake_minimum_required(VERSION 3.25)
project(probe LANGUAGES NONE)
include(ci/cmake/unicorn.cmake)
if(TARGET unicorn)
    get_target_property(location unicorn IMPORTED_LOCATION)
    get_target_property(headers unicorn INTERFACE_INCLUDE_DIRECTORIES)
    message(STATUS "target ${location} ${headers} ${unicorn_version}")
endif()
"""
# The mirror has what is in the tree's mirror/; without that directory there is no network.
APT_GET = """#!/bin/sh
case "$*" in
*update) [ -d "$MIRROR" ] || { echo "no network"; exit 100; } ;;
*download*) cp "$MIRROR"/*.deb . ;;
esac
"""
FIX = "Fix: run ci/setup, or ci/unicorn alone"


def header(version):
    parts = zip(("MAJOR", "MINOR", "PATCH"), version.split("."))
    return "#define UC_MODE 1\n" + "".join(f"#define UC_API_{name} {number}\n" for name, number in parts)


def brought(version, libraries=("libunicorn.a", "libunicorn.so")):
    """The files of a Unicorn that ci/unicorn has brought."""
    return {f"{BUILD}/include/unicorn/unicorn.h": header(version), **{f"{BUILD}/lib/{name}": "" for name in libraries}}


def system(version, libraries=("libunicorn.a", "libunicorn.so")):
    """The files of a Unicorn that pkg-config finds."""
    config = "prefix=${pcfiledir}/../..\nincludedir=${prefix}/include\nlibdir=${prefix}/lib\n"
    return {"system/lib/pkgconfig/unicorn.pc": f"{config}Name: unicorn\nDescription: made up\nVersion: {version}\n",
            "system/include/unicorn/unicorn.h": header(version), **{f"system/lib/{name}": "" for name in libraries}}


# name: (files, status of cmake, texts of its output, with {tree} for the tree)
CONFIGURATIONS = {
    "none": ({}, 1, ["Unicorn 2.1.1 or newer is needed", "none, neither in {tree}/build/unicorn nor", FIX]),
    "brought": (brought("2.1.1"), 0,
                ["target {tree}/build/unicorn/lib/libunicorn.a {tree}/build/unicorn/include 2.1.1"]),
    "system's": (system("2.1.4"), 0, ["/lib/libunicorn.a", "/include 2.1.4"]),
    "brought goes before system's": ({**system("2.1.4"), **brought("2.1.1")}, 0,
                                     ["target {tree}/build/unicorn/lib/libunicorn.a"]),
    "brought is too old, system's is not": ({**brought("2.0.1"), **system("2.1.1")}, 0, ["target", "/include 2.1.1"]),
    "versions are numbers": (brought("2.1.10"), 0, ["2.1.10"]),
    "shared library alone": (brought("2.1.1", ["libunicorn.so"]), 0, ["target {tree}/build/unicorn/lib/libunicorn.so"]),
    "brought is too old": (brought("2.1.0"), 1, ["version 2.1.0 in {tree}/build/unicorn/include", FIX]),
    "system's is too old": (system("2.0.1"), 1, ["version 2.0.1 in", FIX]),
    "both are too old": ({**brought("2.1.0"), **system("2.0.1")}, 1, ["version 2.1.0 in", "version 2.0.1 in", FIX]),
    "no library": (brought("2.1.1", []), 1, ["version 2.1.1 in", "no libunicorn in {tree}/build/unicorn/lib", FIX]),
    "no version": ({**brought("2.1.1"), f"{BUILD}/include/unicorn/unicorn.h": "#define UC_API_MAJOR 2\n"}, 1,
                   ["no unicorn/unicorn.h that states a version in {tree}/build/unicorn/include", FIX]),
    "a .pc without headers": ({"system/lib/pkgconfig/unicorn.pc": system("2.1.1")["system/lib/pkgconfig/unicorn.pc"]},
                              1, ["no unicorn/unicorn.h that states a version in", FIX]),
}

# name: (files, arguments, version of the mirror's packages or none, status, texts of the output, is build/unicorn made)
SCRIPTS = {
    "check, none": ({}, ["--check"], "2.1.1", 1, ["missing: Unicorn 2.1.1", "has none", "fix: run ci/unicorn"], False),
    "check, too old": (system("2.0.1"), ["--check"], "2.1.1", 1, ["this system has 2.0.1", "fix: "], False),
    "system's": (system("2.1.10"), [], None, 0, ["nothing to do: this system has Unicorn 2.1.10"], False),
    "brings it": (system("2.1.0"), [], "2.1.1", 0, ["build/unicorn has Unicorn 2.1.1"], True),
    "no network": ({}, [], None, 1, ["no network", "fix: check the network"], False),
    "the mirror's is too old": ({}, [], "2.0.1", 1, ["the mirror's Unicorn is '2.0.1'", "fix: "], False),
    "unknown argument": ({}, ["--chekc"], None, 2, ["unknown argument '--chekc'", "fix: "], False),
}


def environment(tree):
    """Only the tree's own Unicorn can be found, and only its own apt-get."""
    return {**{name: value for name, value in os.environ.items() if not name.startswith("PKG_CONFIG")},
            "PKG_CONFIG_LIBDIR": str(tree / "system/lib/pkgconfig"), "MIRROR": str(tree / "mirror"),
            "PATH": f"{tree}/bin:{os.environ['PATH']}"}


def run(tree, *command):
    """The status of a command in a tree, and what it said, on one line: CMake wraps where it likes."""
    result = subprocess.run(command, cwd=tree, env=environment(tree), text=True, timeout=TIMEOUT,
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return result.returncode, " ".join(result.stdout.split())


def configure(tree):
    return run(tree, "cmake", "-G", "Ninja", "-S", ".", "-B", "probe")


def judge(result, status, texts):
    """What is wrong with (status, output); empty if nothing is."""
    lacking = [text for text in texts if text not in result[1]]
    return f"status {result[0]}, without {lacking}: {result[1]}" if result[0] != status or lacking else ""


def make_mirror(tree, version):
    """Debian's two packages, as far as they matter: where the files are depends on the architecture."""
    library = "usr/lib/made-up-gnu"
    for name, files in {"libunicorn2t64": [f"{library}/libunicorn.so.2"],
                        "libunicorn-dev": [f"{library}/libunicorn.a", "usr/include/unicorn/unicorn.h"]}.items():
        control = f"Package: {name}\nVersion: {version}-1\nArchitecture: all\nMaintainer: a\nDescription: made up\n"
        lay_out(tree, {f"{name}/DEBIAN/control": control, f"{name}/usr/share/doc/{name}/copyright": "",
                       **{f"{name}/{path}": header(version) for path in files}})
        (tree / "mirror").mkdir(exist_ok=True)
        run(tree, "dpkg-deb", "-Znone", "--build", name, "mirror")


def check_configuration(tree, case):
    files, status, texts = case
    lay_out(tree, {"CMakeLists.txt": PROJECT, **files})
    return judge(configure(tree), status, [text.format(tree=tree) for text in texts])


def check_again(tree):
    """What the script brought is used by CMake, and by the script without a network; a broken download is not."""
    shutil.rmtree(tree / "mirror")
    wrong = (judge(run(tree, SCRIPT), 0, ["nothing to do: build/unicorn has Unicorn 2.1.1"])
             or judge(run(tree, SCRIPT, "--check", "--quiet"), 0, [])
             or judge(configure(tree), 0, [f"target {tree}/build/unicorn/lib/libunicorn.a"]))
    if wrong:
        return wrong
    shutil.rmtree(tree / BUILD / "lib")
    wrong = judge(run(tree, SCRIPT, "--check"), 1, ["missing: "]) or judge(run(tree, SCRIPT), 0, ["has Unicorn 2.1.1"])
    if wrong:
        return wrong
    shutil.rmtree(tree / BUILD / "lib")
    next((tree / BUILD / "packages").glob("*.deb")).write_text("damaged", encoding="utf-8")
    return judge(run(tree, SCRIPT), 1, ["no network"])


def check_script(tree, case):
    files, arguments, mirror, status, texts, made = case
    lay_out(tree, {"CMakeLists.txt": PROJECT, "bin/apt-get*": APT_GET, "ci/guest-apt-sources*": "#!/bin/sh\n", **files})
    if mirror:
        make_mirror(tree, mirror)
    wrong = judge(run(tree, SCRIPT, *arguments), status, texts)
    if not wrong and (tree / BUILD / "lib/libunicorn.a").exists() != made:
        wrong = f"build/unicorn is {'not ' if made else ''}made"
    return wrong or (check_again(tree) if made else "")


def check_cases(root, name, cases, check_case):
    def check_one(case):
        with tempfile.TemporaryDirectory() as directory:
            tree = pathlib.Path(directory).resolve()
            lay_out(tree, {path + "*": read(root / path) for path in COPIED})
            return check_case(tree, cases[case])

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        answers = zip(cases, pool.map(check_one, cases))
    return [f"{root / name}:1: {case}: {wrong}" for case, wrong in answers if wrong]


def check(root, _):
    missing = [tool for tool in TOOLS if not shutil.which(tool)]
    if missing:
        skip(f"{' '.join(missing)}: not installed: run ci/setup")
    return (check_cases(root, MODULE, CONFIGURATIONS, check_configuration)
            + check_cases(root, SCRIPT, SCRIPTS, check_script))


def break_file(name, old, new):
    text = read(ROOT / name)
    assert old in text, f"{name} no longer has {old!r}"
    return {name + "*": text.replace(old, new)}


SOUND = {path + "*": read(ROOT / path) for path in COPIED}
BROKEN = {
    "CMake takes older ones": (break_file(MODULE, "2.1.1", "2.1.0"), f"{MODULE}:1: brought is too old"),
    "CMake only warns": (break_file(MODULE, "FATAL_ERROR", "WARNING"), f"{MODULE}:1: none"),
    "the system's goes first": (break_file(MODULE, '"${unicorn_directory}/include")', "nowhere)"),
                                f"{MODULE}:1: brought goes before"),
    "the script takes older ones": (break_file(SCRIPT, "MINIMUM=2.1.1", "MINIMUM=2.0.1"), f"{SCRIPT}:1: check, too"),
    "the script forgets": (break_file("ci/lib-apt.sh", 'recipe_hash >"$STAMP.new"', ': >"$STAMP.new"'),
                           f"{SCRIPT}:1: brings it"),
    "damage is not seen": (break_file("ci/lib-apt.sh", '(cd "$DEBS" && sha256sum --quiet --check', "(: "),
                           f"{SCRIPT}:1: brings it"),
}

if __name__ == "__main__":
    sys.exit(main(__doc__, check, SOUND, BROKEN))
