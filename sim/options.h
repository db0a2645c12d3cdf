/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The command line of halcyon-sim: words -> struct sim_options, or one line that says what to do
 * about it. Opens no file and changes nothing. */
#ifndef SIM_OPTIONS_H
#define SIM_OPTIONS_H

#include "hal-sim/machine.h"
#include "vm/config.h"
#include <stdbool.h>
#include <stdint.h>

#define OPTIONS_MESSAGE_MAX 256u
#define OPTIONS_TEXT_MAX    256u /* longest --snapshot-on and its like, with the terminator */

#define SIM_CONTROL_MAX 1024u /* --control commands */
#define SIM_CONTROL_LEN 80u   /* characters of one: what core's command line holds */

#define SIM_DISK_OPTIONS  8u
#define SIM_DISK_FILE_MAX 4096u /* longest name of a disk's file, with the terminator */

/* A disk of the first VM, or of all of them if it is in memory. */
struct sim_disk_option {
    const char *file;  /* not terminated: */
    unsigned file_len; /* 0: none, it is blank */
    bool read_only;
    bool ram;      /* in memory: what the guest writes is gone at the end */
    uint64_t size; /* bytes; 0: as the file */
};

enum sim_action { SIM_ACTION_RUN, SIM_ACTION_WRITE_BUNDLE, SIM_ACTION_HELP, SIM_ACTION_VERSION };

/* A command for the hypervisor, as if typed after Ctrl-A c. */
struct sim_control {
    const char *on; /* once the console has printed this, and the commands before are given; NULL:
                       as soon as they are */
    const char *command; /* 1..SIM_CONTROL_LEN printable characters */
};

/* A port of the host's that leads to a guest; addresses are in the host's byte order, 0: any. */
struct sim_net_forward {
    bool udp;
    uint16_t host_port;
    uint16_t guest_port;
    uint32_t host;
    uint32_t guest;
};

#define SIM_NET_FORWARDS 16u

/* Strings are argv's own; NULL: not given. */
struct sim_options {
    enum sim_action action;
    /* Exactly one of kernel, bundle and restore, but for HELP and VERSION. `firmware`: what stands
     * in the kernel's place, and is `kernel` too. */
    const char *kernel;
    const char *firmware;
    const char *flash; /* the file that the first VM's second bank of flash is in */
    const char *bundle;
    const char *restore;
    const char *initrd;
    const char *append; /* never NULL */
    bool net;           /* VMs made from --kernel have a network device */
    bool net_user;      /* and the machine has a network, with which their switch is connected */
    unsigned nr_forwards;
    struct sim_net_forward forward[SIM_NET_FORWARDS];
    unsigned nr_disks;
    struct sim_disk_option disk[SIM_DISK_OPTIONS];
    const char *log;
    const char *console; /* /halcyon console */
    uint64_t memory;     /* of each VM made from --kernel: a multiple of 4 KiB, from 1 MiB on */
    unsigned smp;        /* its vCPUs, 1..MACHINE_MAX_VCPUS */
    unsigned vms;        /* how many, 1..HV_MAX_VMS */
    unsigned nr_weights; /* 0: not given; else vms */
    unsigned weights[HV_MAX_VMS]; /* 1..VM_WEIGHT_MAX */
    unsigned vmids;               /* HV_MIN_VMIDS..VMID_MAX; 0: not given */
    uint64_t machine_memory;      /* 0: what the bundle needs; else a multiple of 2 MiB */
    unsigned pcpus;               /* 1..SIM_MAX_CPUS */
    enum sim_cpu_model cpu;
    uint64_t seed;
    uint64_t epoch;     /* seconds since 1970 when the machine is turned on; 0: it has no clock */
    uint64_t max_insns; /* UINT64_MAX: no limit */
    const char *trace;
    const char *record;
    const char *replay;
    const char *snapshot;
    const char *snapshot_on; /* this and input_on: 1..OPTIONS_TEXT_MAX - 1 bytes */
    const char *input_on;
    unsigned nr_control; /* of control */
    struct sim_control control[SIM_CONTROL_MAX];
    uint64_t snapshot_at; /* instructions; UINT64_MAX: not given */
    const char *write_bundle;
    bool snapshot_quit;
    bool stats;
    bool no_input;
    bool input_raw; /* Ctrl-A in input that is not typed is the hypervisor's escape, not data */
    bool hash;
};

/*
 * Fills `out` from argv, whose order getopt_long() may change. False: a usage error, with one line
 * (no newline, printable) in message[OPTIONS_MESSAGE_MAX] that names the fix. --help and --version
 * win over everything after them.
 */
bool options_parse(int argc, char *argv[], struct sim_options *out, char *message);

/* The text of --help and of --version, with newlines. */
const char *options_help(void);
const char *options_version(void);

#endif
