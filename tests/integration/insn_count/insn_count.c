/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A QEMU TCG plugin that counts executed instructions, of all exception levels, until the machine
 * ends:
 *
 *   qemu-system-aarch64 -plugin insn_count.so[,from=eret][,vectors=ADDRESS],out=FILE ...
 *
 * FILE gets a line "instructions N". With from=eret counting starts at the first ERET: that is
 * where a hypervisor enters its first guest for the first time, since nothing before that returns
 * to a lower exception level. Should its boot code come to use one, more is counted, never less.
 *
 * With vectors=, which needs from=eret and is where VBAR_EL2 points to, a second line "guest N"
 * has those that are not the hypervisor's: its own begin where an exception of a lower exception
 * level arrives (D1.10.2: offsets 0x400 to 0x580), and end with an ERET. Unless the guest executes
 * code at one of these virtual addresses, that is exact. A third, "after N", has the hypervisor's
 * since it was entered last: what it did when the last guest was off, out of "instructions" N.
 *
 * Debian has no package of QEMU's plugin header, hence the declarations: interface version 1 of
 * QEMU 7.2, one CPU. Counting is by instruction, not by translation block: a block that an
 * exception leaves early counts only what ran.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))

struct qemu_info_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
typedef uint64_t qemu_plugin_id_t;

/* Enumerators of the interface by their values. */
#define QEMU_PLUGIN_CB_NO_REGS     0
#define QEMU_PLUGIN_INLINE_ADD_U64 0

void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id,
                                           void (*cb)(qemu_plugin_id_t, struct qemu_plugin_tb *));
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn,
                                            void (*cb)(unsigned, void *), int flags, void *data);
void qemu_plugin_register_vcpu_insn_exec_inline(struct qemu_plugin_insn *insn, int op, void *ptr,
                                                uint64_t value);
void qemu_plugin_register_atexit_cb(qemu_plugin_id_t id, void (*cb)(qemu_plugin_id_t, void *),
                                    void *data);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t index);
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *insn);
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *insn);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *insn);
int qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info_t *info, int argc, char **argv);

/* QEMU refuses a plugin without it. */
EXPORT extern const int qemu_plugin_version;
const int qemu_plugin_version = 1;

#define INSN_ERET UINT32_C(0xd69f03e0)

/* QEMU's interface gives a translation callback no argument of one's own. */
static uint64_t executed;
static uint64_t before_start;
static bool started;
static const char *out_path;

/* Offsets of the first and behind the last of the vectors for a lower exception level, and between
 * two of them. */
#define VECTORS_LOWER      UINT64_C(0x400)
#define VECTORS_LOWER_SIZE UINT64_C(0x200)
#define VECTOR_STRIDE      UINT64_C(0x80)

static uint64_t vectors; /* 0: no matter where they are */
static bool in_guest;
static uint64_t entered; /* in_guest false: `executed` then */
static uint64_t hypervisor;

/* Callbacks come before their instruction is counted. */
static void note_eret(unsigned cpu, void *data)
{
    (void)cpu;
    (void)data;
    if (!started) {
        started = true;
        before_start = executed;
    } else if (!in_guest) {
        hypervisor += executed + 1 - entered;
    }
    in_guest = true;
}

static void note_entry(unsigned cpu, void *data)
{
    (void)cpu;
    (void)data;
    if (started && in_guest) {
        in_guest = false;
        entered = executed;
    }
}

static bool is_entry(const struct qemu_plugin_insn *insn)
{
    uint64_t offset = qemu_plugin_insn_vaddr(insn) - vectors - VECTORS_LOWER;

    return offset < VECTORS_LOWER_SIZE && offset % VECTOR_STRIDE == 0;
}

static bool is_eret(const struct qemu_plugin_insn *insn)
{
    uint32_t word;

    if (qemu_plugin_insn_size(insn) != sizeof(word))
        return false;
    memcpy(&word, qemu_plugin_insn_data(insn), sizeof(word));
    return word == INSN_ERET;
}

static void instrument(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
    size_t count = qemu_plugin_tb_n_insns(tb);

    (void)id;
    for (size_t i = 0; i < count; i++) {
        struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
        qemu_plugin_register_vcpu_insn_exec_inline(insn, QEMU_PLUGIN_INLINE_ADD_U64, &executed, 1);
        if ((!started || vectors != 0) && is_eret(insn))
            qemu_plugin_register_vcpu_insn_exec_cb(insn, note_eret, QEMU_PLUGIN_CB_NO_REGS, NULL);
        if (vectors != 0 && is_entry(insn))
            qemu_plugin_register_vcpu_insn_exec_cb(insn, note_entry, QEMU_PLUGIN_CB_NO_REGS, NULL);
    }
}

static void report(qemu_plugin_id_t id, void *data)
{
    FILE *out = fopen(out_path, "w");

    (void)id;
    (void)data;
    if (out == NULL) {
        perror(out_path);
        return;
    }
    if (started)
        fprintf(out, "instructions %" PRIu64 "\n", executed - before_start);
    else
        fprintf(out, "no ERET was executed\n");
    if (hypervisor != 0) {
        uint64_t after = in_guest ? 0 : executed - entered;
        fprintf(out, "guest %" PRIu64 "\n", executed - before_start - hypervisor - after);
        fprintf(out, "after %" PRIu64 "\n", after);
    }
    fclose(out);
}

EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info_t *info, int argc,
                               char **argv)
{
    (void)info;
    started = true;
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "from=eret") == 0) {
            started = false;
        } else if (strncmp(argv[i], "vectors=", 8) == 0) {
            vectors = strtoull(argv[i] + 8, NULL, 0);
        } else if (strncmp(argv[i], "out=", 4) == 0) {
            out_path = strdup(argv[i] + 4);
        } else {
            fprintf(stderr, "insn_count: unknown argument %s\n", argv[i]);
            return -1;
        }
    }
    if (out_path == NULL) {
        fprintf(stderr, "insn_count: out=FILE is missing\n");
        return -1;
    }
    qemu_plugin_register_vcpu_tb_trans_cb(id, instrument);
    qemu_plugin_register_atexit_cb(id, report, NULL);
    return 0;
}
