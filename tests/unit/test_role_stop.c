/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* `stop`: the power button, ten seconds, and the end. */
#include "role_fixture.h"

#define HZ UINT64_C(62500000)

static void begin(void)
{
    setup();
    fakehal()->hz = HZ;
}

static void command(const char *text)
{
    char line[CONSOLE_COMMAND_SIZE];

    fakehal_console_clear();
    (void)snprintf(line, sizeof(line), "%s", text);
    control_execute(&manager, line);
}

/* The guest enables the interrupt of the PL061's pin 3. */
static void listen(uint32_t slot)
{
    const struct mmio_region *gpio = mmio_bus_find(&f.hv->vm[slot]->bus, ipa(0x9030000));
    struct mmio_access access = {.offset = 0x410, .size = 4, .value = 8, .write = true};

    cr_assert(gpio->access(gpio->dev, &access));
}

static bool is_down(uint32_t slot)
{
    const struct mmio_region *gpio = mmio_bus_find(&f.hv->vm[slot]->bus, ipa(0x9030000));
    struct mmio_access access = {.offset = 0x3fc, .size = 4};

    cr_assert(gpio->access(gpio->dev, &access));
    return access.value == 8;
}

/* The manager's pass over what is due. */
static void pass(uint64_t ticks)
{
    fakehal()->now += ticks;
    f.hv->work = false;
    timer_queue_run(&f.hv->pcpu[0].timers);
    if (f.hv->work)
        stop_check(&manager.stopping);
}

CASE(role_stop, nobody_would_notice)
{
    start(0);
    command("stop one");
    EXPECT_LOG("notice vm: one off: stopped from the console\r\n");
    cr_expect_eq(f.hv->vm[0]->state, VM_OFF);
}

CASE(role_stop, without_a_button)
{
    start(0);
    listen(0);
    f.hv->vm[0]->power_button.press = NULL;
    command("stop one");
    cr_expect_eq(f.hv->vm[0]->state, VM_OFF);
}

CASE(role_stop, in_ten_seconds)
{
    start(0);
    listen(0);
    command("stop one");
    EXPECT_LOG("one: asked to shut down; in 10 s, or by another `stop`, it is ended\r\n");
    EXPECT_NO_LOG("one off");
    cr_expect_eq(f.hv->vm[0]->state, VM_RUNNING);
    cr_expect(is_down(0));
    cr_expect(manager.halted & 1, "it does not reset");
    stop_check(&manager.stopping);
    pass(10 * HZ - 1);
    cr_expect_eq(f.hv->vm[0]->state, VM_RUNNING);
    pass(1);
    cr_expect_eq(f.hv->vm[0]->state, VM_OFF);
    EXPECT_LOG("notice vm: one off: stopped from the console: did not shut down within 10 s\r\n");
}

CASE(role_stop, by_another_stop)
{
    start(0);
    listen(0);
    command("stop one");
    command("stop one");
    EXPECT_LOG("notice vm: one off: stopped from the console\r\n");
}

CASE(role_stop, a_paused_vm_cannot_shut_down)
{
    start(0);
    listen(0);
    cr_assert_eq(vm_pause(f.hv->vm[0]), HV_OK);
    command("stop one");
    cr_expect_eq(f.hv->vm[0]->state, VM_OFF);
}

/* Each has its own time; the first one's is not lost by the second's. */
CASE(role_stop, several)
{
    start(0);
    start(1);
    listen(0);
    listen(1);
    command("stop two");
    stop_check(&manager.stopping);
    pass(4 * HZ);
    command("stop one");
    stop_check(&manager.stopping);
    pass(6 * HZ - 1);
    cr_expect_eq(f.hv->vm[1]->state, VM_RUNNING);
    pass(1);
    cr_expect_eq(f.hv->vm[1]->state, VM_OFF);
    cr_expect_eq(f.hv->vm[0]->state, VM_RUNNING);
    pass(4 * HZ);
    cr_expect_eq(f.hv->vm[0]->state, VM_OFF);
    stop_check(&manager.stopping);
    cr_expect(list_empty(&f.hv->pcpu[0].timers.head) || !timer_active(&manager.stopping.due),
              "nothing is left to wait for");
}

/* The guest does as it is asked: its time is over with it. */
CASE(role_stop, it_shuts_down)
{
    static const char *const lines[] = {"stop one"};

    start(0);
    start(1);
    listen(0);
    typed = lines;
    actions[0] = "kyyo";
    actions[1] = "yyyyyyyyo";
    cr_assert_eq(run_pcpu(0), FAKEHAL_HALTED);
    EXPECT_LOG("one: asked to shut down");
    EXPECT_LOG("notice vm: one off: powered off by PSCI SYSTEM_OFF\r\n");
    EXPECT_LOG("machine off: all VMs powered off");
    cr_expect_eq(manager.stopping.by[0], 0);
}

/* `reset` is the last word: the VM starts again, and the time that `stop` gave it is over. */
CASE(role_stop, a_reset_after_it)
{
    static const char *const lines[] = {"stop one", "reset one"};

    start(0);
    listen(0);
    typed = lines;
    actions[0] = "kykyo";
    cr_assert_eq(run_pcpu(0), FAKEHAL_HALTED, "%s", fakehal()->out);
    EXPECT_LOG("one: asked to shut down");
    EXPECT_LOG("notice vm: one reset: reset from the console\r\n");
    EXPECT_LOG("notice vm: one off: powered off by PSCI SYSTEM_OFF\r\n");
    cr_expect_eq(manager.halted & 1, 0);
    cr_expect_eq(manager.stopping.by[0], 0);
}

CASE(role_stop, the_next_life_has_not_its_time)
{
    start(0);
    listen(0);
    command("stop one");
    command("reset one");
    cr_expect_eq(manager.stopping.by[0], 0);
    pass(10 * HZ);
    EXPECT_NO_LOG("did not shut down");
    cr_expect_eq(f.hv->vm[0]->state, VM_RESET);
}

/* It still is to be stopped, whatever becomes of `start`. */
CASE(role_stop, a_start_while_it_is_asked)
{
    start(0);
    listen(0);
    command("stop one");
    command("start one");
    EXPECT_LOG("one: not started: already exists\r\n");
    cr_expect(manager.halted & 1);
}

CASE(role_stop, nothing_asked)
{
    stop_check(&manager.stopping);
    cr_expect_null(manager.stopping.hv);
}

CASES_RUN(role_stop, begin, finish)
