/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Lines at the console's command line, against a machine with three VMs: whatever is typed, each VM
 * and each CPU changes as the table of docs/console.md says, or not at all, and the answer is lines
 * of printable text. The guests only wait; nothing runs on the second CPU.
 */
#include "dev/console.h"
#include "dev/registry.h"
#include "fakehal/fakehal.h"
#include "fuzz.h"
#include "role/control.h"
#include "vm/sched.h"

#define VMS  3u
#define CPUS 2u
#define RAM  UINT64_C(0x80000000)
#define SIZE (UINT64_C(12) << 20)

static const char *const words[] = {
    "help", "list",   "start",   "stop",       "reset", "pause", "resume", "destroy",
    "cpus", "online", "offline", "one",        "two",   "three", "0",      "1",
    "2",    "3",      "00",      "4294967296", "-1",    "",      "on",     "startone",
};

#define WORDS (sizeof(words) / sizeof(words[0]))

struct world {
    struct hv hv;
    struct console console;
    struct hv_config config;
    struct manager manager;
};

/* What a command may change. */
struct seen {
    const struct vm *vm[VMS];
    uint32_t state[VMS];
    uint64_t gone, online, started;
    bool leave[CPUS];
};

static struct seen look(const struct world *w)
{
    struct seen seen = {.gone = w->manager.gone,
                        .online = w->hv.online,
                        .started = fakehal()->count[FAKEHAL_CPU_START]};

    for (unsigned i = 0; i < VMS; i++) {
        seen.vm[i] = w->hv.vm[i];
        seen.state[i] = seen.vm[i] != NULL ? seen.vm[i]->state : VM_CREATED;
    }
    for (unsigned i = 0; i < CPUS; i++)
        seen.leave[i] = w->hv.pcpu[i].leave;
    return seen;
}

/* --- What a line means --- */

struct meaning {
    char word[4][100];
    unsigned words;
    int number; /* of the second word, or -1 */
    int slot;   /* the VM that it names, or -1 */
};

static int decimal(const char *word, unsigned limit)
{
    if (*word == '\0' || strspn(word, "0123456789") != strlen(word))
        return -1;
    word += strspn(word, "0");
    return strlen(word) > 1 || atoi(word) >= (int)limit ? -1 : atoi(word);
}

static struct meaning understand(const struct world *w, const char *line)
{
    struct meaning m = {.number = -1, .slot = -1};

    while (m.words < 4 && line[strspn(line, " ")] != '\0') {
        line += strspn(line, " ");
        size_t len = strcspn(line, " ");
        memcpy(m.word[m.words++], line, len);
        line += len;
    }
    m.number = decimal(m.word[1], CPUS);
    m.slot = decimal(m.word[1], VMS);
    for (int i = 0; i < (int)VMS && m.slot < 0; i++)
        if (strcmp(w->config.vm[i].name, m.word[1]) == 0)
            m.slot = i;
    if (m.slot >= 0 && (w->manager.gone >> m.slot & 1) != 0)
        m.slot = -1;
    return m;
}

static bool lives(uint32_t state)
{
    return state == VM_RUNNING || state == VM_PAUSED;
}

/* What the VM's state becomes; the same if the command is no such one. */
static uint32_t next_state(const char *command, uint32_t state)
{
    if (strcmp(command, "stop") == 0 || strcmp(command, "destroy") == 0)
        return lives(state) ? VM_OFF : state;
    if (strcmp(command, "reset") == 0)
        return lives(state) ? VM_RESET : state;
    if (strcmp(command, "pause") == 0)
        return state == VM_RUNNING ? VM_PAUSED : state;
    if (strcmp(command, "resume") == 0)
        return state == VM_PAUSED ? VM_RUNNING : state;
    return state;
}

static void expect_vm(struct seen *seen, const struct world *w, const struct meaning *m)
{
    const char *command = m->word[0];
    unsigned slot = (unsigned)m->slot;

    if (strcmp(command, "destroy") == 0)
        seen->gone |= UINT64_C(1) << slot;
    if (seen->vm[slot] != NULL) {
        seen->state[slot] = next_state(command, seen->state[slot]);
    } else if (strcmp(command, "start") == 0 && w->hv.vm[slot] != NULL) {
        /* Or not, if memory does not reach. */
        seen->vm[slot] = w->hv.vm[slot];
        seen->state[slot] = VM_RUNNING;
    }
}

static void expect_cpu(struct seen *seen, const struct meaning *m)
{
    unsigned cpu = (unsigned)m->number;

    if (strcmp(m->word[0], "offline") == 0 && (seen->online >> cpu & 1) != 0)
        seen->leave[cpu] = true;
    if (strcmp(m->word[0], "online") == 0 && cpu == 1 && seen->started == 0) {
        seen->started = 1;
        seen->online |= 2;
        seen->leave[1] = false;
    }
}

/* --- One line --- */

static void check_answer(void)
{
    const char *out = fakehal()->out;
    size_t len = fakehal()->out_len;

    for (size_t i = 0; i < len; i++)
        FUZZ_ASSERT(out[i] == '\r' || out[i] == '\n' || (out[i] >= ' ' && out[i] <= '~'));
    FUZZ_ASSERT(len == 0 || out[len - 1] == '\n');
    for (const char *at = out; len > 0 && *at != '\0'; at += strcspn(at, "\n") + 1)
        FUZZ_ASSERT(strcspn(at, "\n") <= CONTROL_LINE_MAX + VM_REASON_MAX);
}

static void execute(struct world *w, const char *text)
{
    char line[CONSOLE_COMMAND_SIZE];
    struct seen before = look(w);
    struct meaning m = understand(w, text);

    strcpy(line, text);
    fakehal_console_clear();
    control_execute(&w->manager, line);
    check_answer();
    if (m.words == 2 && m.slot >= 0)
        expect_vm(&before, w, &m);
    if (m.words == 2 && m.number >= 0)
        expect_cpu(&before, &m);
    struct seen after = look(w);
    for (unsigned i = 0; i < VMS; i++) {
        FUZZ_ASSERT(after.vm[i] == before.vm[i]);
        FUZZ_ASSERT(after.state[i] == before.state[i]);
    }
    for (unsigned i = 0; i < CPUS; i++)
        FUZZ_ASSERT(after.leave[i] == before.leave[i]);
    FUZZ_ASSERT(after.gone == before.gone);
    FUZZ_ASSERT(after.online == before.online);
    FUZZ_ASSERT(after.started == before.started);
}

static void make_line(struct fuzz_input *in, char line[CONSOLE_COMMAND_SIZE])
{
    unsigned shape = (unsigned)fuzz_take(in, 1);
    size_t len = 0;

    line[0] = '\0';
    for (unsigned i = 0; i < 1 + shape % 3; i++) {
        const char *word = words[fuzz_take(in, 1) % WORDS];
        len += (size_t)snprintf(line + len, CONSOLE_COMMAND_SIZE - len, "%s%s", i > 0 ? " " : "",
                                word);
    }
    /* Any printable text, or one character of a good line is another one. */
    if (shape >= 0xe0) {
        for (len = 0; len < (shape & 0x1f) + 50 && len < CONSOLE_COMMAND_MAX; len++)
            line[len] = (char)(' ' + fuzz_take(in, 1) % 95);
        line[len] = '\0';
    } else if (shape >= 0xc0 && len > 0) {
        size_t at = fuzz_take(in, 1) % len;
        line[at] = (char)(' ' + fuzz_take(in, 1) % 95);
    }
}

/* --- The machine --- */

static uint64_t micros(void *ctx)
{
    (void)ctx;
    return 0;
}

static void post(void *hv)
{
    hv_post_work(hv);
}

static void make_machine(struct world *w)
{
    static const unsigned char kernel[64];
    static const char *const names[VMS] = {"one", "two", "three"};
    const struct log_sink sink = {console_log_write, micros, &w->console};

    fakehal_reset();
    fakehal_add_ram(pa(RAM), SIZE);
    fakehal()->platform.nr_cpus = CPUS;
    w->hv.platform = fakehal()->platform;
    w->hv.nr_vms = w->config.nr_vms = VMS;
    w->hv.console = &w->console;
    w->hv.devices = &dev_registry;
    w->hv.account.limit = UINT64_MAX;
    manager_init(&w->manager, &w->hv, &w->config);
    w->hv.turn = NULL; /* no guest runs */
    for (unsigned i = 0; i < VMS; i++) {
        w->config.vm[i] = (struct vm_config){.memory = UINT64_C(1) << 20,
                                             .vcpus = 1 + i,
                                             .bootargs = "",
                                             .kernel = {kernel, sizeof(kernel)}};
        strcpy(w->config.vm[i].name, names[i]);
    }
    w->config.vm[2].memory = UINT64_C(10) << 20; /* not with both others */
    console_init(&w->console, HAL_INTID_NONE);
    console_configure(&w->console, &w->config, &(struct console_command_sink){post, &w->hv});
    log_init(&w->hv.log, &sink);
    page_pool_init(&w->hv.pool);
    vmids_init(&w->hv.vmids, 255);
    FUZZ_ASSERT(page_pool_add(&w->hv.pool, pa(RAM), SIZE) == HV_OK);
    hal_id_regs(&w->hv.idregs);
    idreg_virtualise(&w->hv.idregs, 40, &w->hv.guest_idregs);
    for (uint32_t cpu = 0; cpu < CPUS; cpu++)
        sched_init_pcpu(&w->hv, cpu);
    sched_online(&w->hv.pcpu[0]);
}

/* The VMs that have ended are let go of, as the manager does. */
static void reap(struct world *w)
{
    (void)sched_next(&w->hv.pcpu[0]);
    for (unsigned i = 0; i < VMS; i++) {
        struct vm *vm = w->hv.vm[i];
        if (vm == NULL || !vm_is_over(vm))
            continue;
        w->hv.vm[i] = NULL;
        vm_destroy(vm);
    }
}

static void end(struct world *w)
{
    for (unsigned i = 0; i < VMS; i++)
        if (w->hv.vm[i] != NULL)
            vm_end(w->hv.vm[i], VM_OFF, "over");
    reap(w);
    for (unsigned i = 0; i < VMS; i++)
        FUZZ_ASSERT(w->hv.vm[i] == NULL);
    FUZZ_ASSERT(page_pool_free_pages(&w->hv.pool) == w->hv.pool.total_pages);
    FUZZ_ASSERT(w->hv.account.used == 0 && w->console.focus == NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    struct world *w = calloc(1, sizeof(*w));
    char line[CONSOLE_COMMAND_SIZE];

    FUZZ_ASSERT(w != NULL);
    make_machine(w);
    for (unsigned n = 0; in.left > 0 && n < 200; n++) {
        make_line(&in, line);
        execute(w, line);
        if ((fuzz_take(&in, 1) & 1) != 0)
            reap(w);
    }
    end(w);
    free(w);
    return 0;
}
