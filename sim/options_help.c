/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The words of --help and --version. */
#include "sim/options.h"

#ifndef HALCYON_VERSION
#define HALCYON_VERSION "unknown"
#endif

static const char help_text[] =
    "usage: halcyon-sim [options] --kernel F [--initrd F] [--append S] ...\n"
    "       halcyon-sim [options] [--bundle] BUNDLE\n"
    "       halcyon-sim [options] --restore F\n"
    "\n"
    "Runs Halcyon and its guests as a process: the same core as at EL2, with an\n"
    "emulated CPU. The same command line and input give the same run, to the\n"
    "instruction.\n"
    "\n"
    "What is to run:\n"
    "  BUNDLE               a VM bundle (docs/bundle.md), as QEMU takes it as initrd;\n"
    "                       or its source, named F.dts: dtc compiles it\n"
    "  --kernel F           a VM from an arm64 Image or a flat binary\n"
    "  --initrd F           its initial RAM disk\n"
    "  --append S           its kernel's command line (console=ttyAMA0)\n"
    "  --memory SIZE        its memory; K, M, G or T, without a unit MiB (512M)\n"
    "  --smp N              its vCPUs (1)\n"
    "  --vms N              as many like VMs, vm0, vm1 and so on (1, which is linux)\n"
    "  --weights A,B,...    a weight for each: its share of CPU time (100)\n"
    "  --vmids N            use at most N VMIDs\n"
    "  --disk F             refused: there is no disk device yet\n"
    "  --log LEVELS         what the hypervisor says: error, warn, notice, info or\n"
    "                       debug, and modules' own, as in warn,vgic=debug\n"
    "  --write-bundle F     write all this as a bundle, and run nothing\n"
    "  --restore F          go on from a snapshot\n"
    "\n"
    "The machine under the hypervisor:\n"
    "  --pcpus N            its CPUs (1)\n"
    "  --cpu MODEL          cortex-a57 (the default) or max\n"
    "  --machine-memory SIZE  its RAM (what the bundle needs, and 256M)\n"
    "  --seed N             decides everything that is left to chance (1); 0: the\n"
    "                       guest gets no entropy, as with QEMU's dtb-randomness=off\n"
    "\n"
    "The run:\n"
    "  --no-input           do not read the console's input; time in which all wait\n"
    "                       then costs none\n"
    "  --input-on TEXT      let input wait until the console has printed TEXT: Linux\n"
    "                       throws away the first bytes that come before it is up\n"
    "  --input-raw          Ctrl-A in input from a pipe or a file is the hypervisor's\n"
    "                       escape; otherwise it is a byte for the guest\n"
    "  --control COMMAND    give the hypervisor a command, as typed after Ctrl-A c;\n"
    "                       any number of them, in order\n"
    "  --control-on TEXT      before a --control: wait with it until the console has\n"
    "                         printed TEXT, counted from the command before it\n"
    "  --max-insns N        fail after N instructions\n"
    "  --trace F            write a record of each exit (see halcyon-trace)\n"
    "  --record F           write the console's input with its time\n"
    "  --replay F           take the input from such a file\n"
    "  --snapshot F         where a snapshot goes, when one is made:\n"
    "  --snapshot-at N        once N instructions are done\n"
    "  --snapshot-on TEXT     once the console has printed TEXT\n"
    "                         or when Ctrl-A s is typed\n"
    "  --snapshot-quit        and end with status 0 after it\n"
    "  --stats              counts and speed, on stderr at the end\n"
    "  --hash               at the end one line on stderr:\n"
    "                       halcyon-sim: hash HEX instructions N idle N\n"
    "  --help, --version\n"
    "\n"
    "Keys, when standard input is a terminal:\n"
    "  Ctrl-A x             end, with status 0 as QEMU does, although no guest\n"
    "                       powered off\n"
    "  Ctrl-A s             make the snapshot\n"
    "  Ctrl-A h             a list of the keys\n"
    "The hypervisor's own:\n"
    "  Ctrl-A t             type to the next VM\n"
    "  Ctrl-A l             all VMs' lines with their names, or one VM's output\n"
    "  Ctrl-A c             a command line: list, stop 1 and others\n"
    "  Ctrl-A ?             its help\n"
    "  Ctrl-A Ctrl-A        a Ctrl-A for the guest\n"
    "Every other key, Ctrl-C among them, goes to the guest.\n"
    "\n"
    "Status: 0 the guests powered off; 1 a guest, the hypervisor or anything before\n"
    "them failed, with the reason on stderr; 2 a wrong command line. A signal that\n"
    "asks for the end (SIGINT, SIGTERM and their like) ends the run in order, trace\n"
    "and recording written, and then the process by that signal: a shell sees 128 and\n"
    "its number. A second one ends it at once.\n";

const char *options_help(void)
{
    return help_text;
}

const char *options_version(void)
{
    return "halcyon-sim " HALCYON_VERSION "\n";
}
