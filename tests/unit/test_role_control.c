/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What is typed after Ctrl-A c: each command of docs/console.md, each refusal, and the answers. */
#include "dev/switches.h"
#include "role_fixture.h"

/* The line is the function's to take apart. */
static void command(const char *text)
{
    char line[256];

    cr_assert_lt(strlen(text), sizeof(line));
    strcpy(line, text);
    fakehal_console_clear();
    control_execute(&manager, line);
}

static void expect(const char *text, const char *answer)
{
    command(text);
    const char *out = fakehal()->out != NULL ? fakehal()->out : "";
    cr_assert_str_eq(out, answer, "%s: %s", text, out);
}

#define WHICH_VM(name)  name ": which VM? Say its name or number; `list` shows them\r\n"
#define WHICH_CPU(name) name ": which CPU? Say its number; `cpus` shows them\r\n"

/* --- Refusals --- */

CASE(role_control, no_such_command)
{
    expect("lst", "lst: no such command; `help` lists them\r\n");
    expect("LIST", "LIST: no such command; `help` lists them\r\n");
    expect("lis", "lis: no such command; `help` lists them\r\n");
    expect("list1", "list1: no such command; `help` lists them\r\n");
    expect("", ": no such command; `help` lists them\r\n");
    expect("   ", ": no such command; `help` lists them\r\n");
}

CASE(role_control, arguments_where_none_is_taken)
{
    expect("help me", "help takes no argument\r\n");
    expect("list one", "list takes no argument\r\n");
    expect("cpus  0", "cpus takes no argument\r\n");
}

CASE(role_control, which_vm)
{
    static const struct {
        const char *name, *answer;
    } rows[] = {
        {"start", WHICH_VM("start")},   {"stop", WHICH_VM("stop")},
        {"reset", WHICH_VM("reset")},   {"pause", WHICH_VM("pause")},
        {"resume", WHICH_VM("resume")}, {"destroy", WHICH_VM("destroy")},
    };
    static const char *const bad[] = {"",    "3",  "four", "-1",         "0x0",
                                      "One", "on", "ones", "4294967296", "18446744073709551616"};
    char line[64];

    for (size_t i = 0; i < 6; i++)
        for (size_t k = 0; k < 10; k++) {
            snprintf(line, sizeof(line), "%s %s", rows[i].name, bad[k]);
            expect(line, rows[i].answer);
        }
    for (unsigned slot = 0; slot < VMS; slot++)
        cr_assert_null(f.hv->vm[slot]);
    cr_assert_eq(manager.gone, 0);
}

CASE(role_control, which_cpu)
{
    static const char *const bad[] = {"", "2", "one", "-1", "1x", "4294967297"};
    char line[64];

    for (size_t k = 0; k < 6; k++) {
        snprintf(line, sizeof(line), "online %s", bad[k]);
        expect(line, WHICH_CPU("online"));
        snprintf(line, sizeof(line), "offline %s", bad[k]);
        expect(line, WHICH_CPU("offline"));
    }
    cr_assert_eq(fakehal()->count[FAKEHAL_CPU_START], 0);
    cr_assert_not(f.hv->pcpu[0].leave || f.hv->pcpu[1].leave);
}

CASE(role_control, too_many_words)
{
    start(0);
    expect("start two three", "start: too many words\r\n");
    expect("stop one now", "stop: too many words\r\n");
    expect("destroy 1 2", "destroy: too many words\r\n");
    expect("online 1 1", "online: too many words\r\n");
    expect("offline  1  please", "offline: too many words\r\n");
    cr_assert_null(f.hv->vm[1]);
    cr_assert_eq(f.hv->vm[0]->state, VM_RUNNING);
    cr_assert_eq(manager.gone, 0);
    cr_assert_not(f.hv->pcpu[1].leave);
}

CASE(role_control, a_vm_that_is_off)
{
    expect("stop one", "one: is off\r\n");
    expect("reset 1", "two: is off\r\n");
    expect("pause three", "three: is off\r\n");
    expect("resume 2", "three: is off\r\n");
}

/* --- VMs --- */

CASE(role_control, start)
{
    expect("start two", "two: started\r\n");
    cr_assert_eq(f.hv->vm[1]->state, VM_RUNNING);
    cr_assert_eq(f.hv->vm[1]->id, 2);
    expect("start 1", "two: not started: already exists\r\n");
    expect("  start   0  ", "one: started\r\n");
    cr_assert_eq(f.hv->vm[0]->state, VM_RUNNING);
    cr_assert_null(f.hv->vm[2]);
}

CASE(role_control, start_that_fails)
{
    config.vm[0].memory = MIB(64);
    command("start one");
    EXPECT_LOG("error vm: one not created: ");
    EXPECT_LOG("\r\none: not started: out of memory\r\n");
    cr_assert_null(f.hv->vm[0]);
    config.vm[1].has_kernel_address = true;
    config.vm[1].kernel_address = 0;
    command("start two");
    EXPECT_LOG("error boot: two: ");
    EXPECT_LOG("\r\ntwo: not started: ");
    cr_assert_null(f.hv->vm[1]);
}

/* A name of digits is a number first: as the list shows it. */
CASE(role_control, numbers_go_before_names)
{
    strcpy(config.vm[0].name, "2");
    strcpy(config.vm[1].name, "7");
    expect("start 2", "three: started\r\n");
    expect("start 7", "7: started\r\n");
    cr_assert_null(f.hv->vm[0]);
    cr_assert_not_null(f.hv->vm[1]);
    cr_assert_not_null(f.hv->vm[2]);
    expect("start 000", "2: started\r\n");
}

CASE(role_control, stop_and_reset)
{
    start(0);
    start(1);
    command("stop one");
    EXPECT_LOG("notice vm: one off: stopped from the console\r\n");
    cr_assert_eq(f.hv->vm[0]->state, VM_OFF);
    command("reset two");
    EXPECT_LOG("notice vm: two reset: reset from the console\r\n");
    cr_assert_eq(f.hv->vm[1]->state, VM_RESET);
    command("reset one");
    cr_assert_eq(f.hv->vm[0]->state, VM_OFF, "the first end wins");
}

CASE(role_control, pause_and_resume)
{
    start(0);
    expect("resume one", "one: not resumed: invalid argument\r\n");
    expect("pause one", "one: paused\r\n");
    cr_assert_eq(f.hv->vm[0]->state, VM_PAUSED);
    expect("pause one", "one: not paused: invalid argument\r\n");
    expect("resume one", "one: resumed\r\n");
    cr_assert_eq(f.hv->vm[0]->state, VM_RUNNING);
}

CASE(role_control, destroy)
{
    expect("destroy two", "two: destroyed\r\n");
    expect("start two", WHICH_VM("start"));
    expect("start 1", WHICH_VM("start"));
    expect("destroy two", WHICH_VM("destroy"));
    cr_assert_eq(manager.gone, 1u << 1);
    start(0);
    command("destroy one");
    EXPECT_LOG("notice vm: one off: destroyed from the console\r\n");
    cr_assert_eq(f.hv->vm[0]->state, VM_OFF);
    expect("stop one", WHICH_VM("stop"));
    expect("start three", "three: started\r\n");
}

/* --- What is shown --- */

static void expect_list(const char *vms)
{
    char text[600];

    snprintf(text, sizeof(text), "%s%" PRIu64 " KiB of memory are free\r\n", vms,
             4 * page_pool_free_pages(&f.hv->pool));
    expect("list", text);
}

CASE(role_control, list)
{
    expect_list(" 0  one               off\r\n"
                " 1  two               off\r\n"
                " 2  three             off\r\n");
    config.vm[1].vcpus = 2;
    config.vm[1].memory = MIB(2);
    start(0);
    start(1);
    f.hv->vm[1]->vcpu[0].runtime = fakehal()->hz;
    f.hv->vm[1]->vcpu[1].runtime = fakehal()->hz / 4;
    command("destroy three");
    expect_list(" 0  one               running     1 vCPUs       1 MiB  0 ms of CPU time\r\n"
                " 1  two               running     2 vCPUs       2 MiB  1250 ms of CPU time\r\n");
}

CASE(role_control, list_shows_each_state)
{
    static const struct {
        enum vm_state state;
        const char *word;
    } rows[] = {
        {VM_CREATED, "created  "}, {VM_PAUSED, "paused   "},  {VM_OFF, "ending   "},
        {VM_RESET, "resetting"},   {VM_CRASHED, "crashed  "}, {VM_RUNNING, "running  "},
    };
    char text[200];

    command("destroy two");
    command("destroy three");
    start(0);
    for (size_t i = 0; i < 6; i++) {
        f.hv->vm[0]->state = rows[i].state;
        snprintf(text, sizeof(text),
                 " 0  one               %s   1 vCPUs       1 MiB  0 ms of CPU time\r\n",
                 rows[i].word);
        expect_list(text);
    }
    command("destroy one");
    expect_list("");
}

/* As long as the bundle allows it: wider than the column, and whole. */
CASE(role_control, a_long_name)
{
    static const char name[] = "abcdefghijklmnopqrstuvwxyz01234";

    cr_assert_eq(sizeof(name), VM_NAME_MAX);
    strcpy(config.vm[0].name, name);
    command("start abcdefghijklmnopqrstuvwxyz01234");
    cr_assert_str_eq(fakehal()->out, "abcdefghijklmnopqrstuvwxyz01234: started\r\n");
    expect("stop abcdefghijklmnopqrstuvwxyz0123", WHICH_VM("stop"));
    command("list");
    EXPECT_LOG(" 0  abcdefghijklmnopqrstuvwxyz01234  running     1 vCPUs ");
}

/* Longer than any that the console hands over; the answer ends all the same. */
CASE(role_control, an_answer_that_is_cut)
{
    char line[200], answer[CONTROL_LINE_MAX + 1];

    memset(line, 'x', sizeof(line));
    line[sizeof(line) - 1] = '\0';
    memset(answer, 'x', sizeof(answer));
    strcpy(answer + CONTROL_LINE_MAX - 2, "\r\n");
    expect(line, answer);
}

CASE(role_control, help)
{
    expect("help", "help            this list\r\n"
                   "list            the VMs\r\n"
                   "start   VM      makes a VM that is off from its images, and runs it\r\n"
                   "stop    VM      asks a VM to shut down, and ends it otherwise\r\n"
                   "reset   VM      ends a VM, and starts it again\r\n"
                   "pause   VM      lets a VM rest\r\n"
                   "resume  VM      lets it run on\r\n"
                   "balloon VM MiB  how much memory a VM is to keep, and has\r\n"
                   "destroy VM      ends a VM for good\r\n"
                   "cpus            the CPUs\r\n"
                   "net             the switches: their ports, and what went through them\r\n"
                   "online  CPU     turns a CPU on\r\n"
                   "offline CPU     turns a CPU off; its vCPUs run elsewhere\r\n"
                   "VM: a name or a number of the list\r\n");
}

/* --- The balloon --- */

static uint64_t balloon_target;

static void set_balloon(void *dev, uint64_t pages)
{
    cr_assert_eq(dev, &balloon_target);
    balloon_target = pages;
}

static void get_balloon(void *dev, struct vm_balloon_state *out)
{
    cr_assert_eq(dev, &balloon_target);
    *out = (struct vm_balloon_state){balloon_target, 3, 1000 << 10, 500 << 10};
}

CASE(role_control, balloon)
{
    start(0);
    expect("balloon 0 1", "one: has no balloon\r\n");
    expect("balloon two 1", "two: is off\r\n");
    expect("balloon", WHICH_VM("balloon"));
    expect("balloon one x", "balloon: x is no number of MiB\r\n");
    expect("balloon one 1 1", "balloon: too many words\r\n");
    f.hv->vm[0]->balloon = (struct vm_balloon){set_balloon, get_balloon, &balloon_target};
    balloon_target = 7;
    expect("balloon one",
           "one: 12 of 1024 KiB are taken, 28 asked for; it says 1000 KiB, 500 free\r\n");
    expect("balloon one 0",
           "one: 12 of 1024 KiB are taken, 1024 asked for; it says 1000 KiB, 500 free\r\n");
    expect("balloon one 1",
           "one: 12 of 1024 KiB are taken, 0 asked for; it says 1000 KiB, 500 free\r\n");
    balloon_target = 7;
    expect("balloon one 400000000",
           "one: 12 of 1024 KiB are taken, 0 asked for; it says 1000 KiB, 500 free\r\n");
}

/* --- CPUs --- */

CASE(role_control, cpus)
{
    expect("cpus", " 0  busy  0 waiting\r\n 1  busy  0 waiting\r\n");
    config.vm[0].affinity[0] = config.vm[1].affinity[0] = 1;
    start(0);
    start(1);
    f.hv->idle = 1u << 1;
    expect("cpus", " 0  busy  2 waiting\r\n 1  idle  0 waiting\r\n");
    f.hv->online = 1;
    expect("cpus", " 0  busy  2 waiting\r\n 1  off   0 waiting\r\n");
    f.hv->online = 3;
}

CASE(role_control, online)
{
    expect("online 1", "CPU 1: started\r\n");
    cr_assert_eq(fakehal()->count[FAKEHAL_CPU_START], 1);
    cr_assert(fakehal()->cpu[1].on);
    command("online 1");
    EXPECT_LOG("warn role: CPU 1 does not start: busy\r\n");
    EXPECT_LOG("\r\nCPU 1: busy\r\n");
    command("online 0");
    EXPECT_LOG("\r\nCPU 0: busy\r\n");
    cr_assert_eq(fakehal()->count[FAKEHAL_CPU_START], 1);
}

CASE(role_control, offline)
{
    expect("offline 1", "");
    cr_assert(f.hv->pcpu[1].leave);
    cr_assert_not(f.hv->pcpu[0].leave);
    f.hv->pcpu[1].leave = false;
    f.hv->online = 1;
    expect("offline 1", "CPU 1: is off\r\n");
    cr_assert_not(f.hv->pcpu[1].leave);
    f.hv->online = 3;
}

/* --- Switches --- */

CASE(role_control, net)
{
    static struct vswitch on;
    static struct vswitch_port port[2];
    static _Alignas(16) unsigned char frames[2][VSWITCH_QUEUE * VSWITCH_FRAME_SIZE];
    struct switches switches = {.hv = f.hv, .count = 1, .on = {&on}};

    expect("net", "");
    f.hv->switches = &switches;
    vswitch_init(&on, f.hv, "lab");
    expect("net", "switch lab\r\n");
    memset(port, 0, sizeof(port));
    memcpy(port[0].net.mac, (const uint8_t[]){2, 0xab, 0, 0, 0, 1}, 6);
    port[0].slot = 1;
    port[1].slot = UINT32_MAX;
    for (unsigned n = 0; n < 2; n++)
        cr_assert_eq(vswitch_attach(&on, &port[n], frames[n]), HV_OK);
    port[0].net.ops->set_up(&port[0].net, true);
    port[0].stats.sent = 12;
    port[0].stats.sent_bytes = 4096;
    port[0].stats.dropped[NET_DROP_EMPTY] = 3;
    expect("net", "switch lab\r\n"
                  "  two              net0  02:ab:00:00:00:01  up\r\n"
                  "    sent 12 (4 KiB), received 0 (0 KiB)\r\n"
                  "    dropped, no buffers: 3\r\n"
                  "  uplink           net0  00:00:00:00:00:00  down\r\n"
                  "    sent 0 (0 KiB), received 0 (0 KiB)\r\n");
    expect("net 1", "net takes no argument\r\n");
    for (unsigned n = 0; n < 2; n++)
        vswitch_detach(&port[n]);
    f.hv->switches = NULL;
}

CASES_RUN(role_control, setup, finish)
