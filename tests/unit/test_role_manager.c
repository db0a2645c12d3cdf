/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The manager: pCPUs that come and go, VMs that end and are made anew, and what is typed at the
 * console on its way to it. */
#include "dev/disk.h"
#include "role_fixture.h"

#define OFF_LINE    "notice role: machine off: all VMs powered off\r\n"
#define FAILED_LINE "notice role: machine off: no VM is left, some were stopped or not started\r\n"

static uint64_t online(void)
{
    return f.hv->online;
}

static void expect_machine_ends(uint32_t cpu, const char *line)
{
    hv_post_work(f.hv);
    cr_assert_eq(run_pcpu(cpu), FAKEHAL_HALTED, "%s", fakehal()->out);
    cr_assert_eq(fakehal()->halt_reason, HAL_HALT_OFF);
    EXPECT_LOG(line);
    for (unsigned slot = 0; slot < VMS; slot++)
        cr_assert_null(f.hv->vm[slot]);
}

/* Before a pCPU stops, and as the last of all, it has `cpu` look for the work that it leaves. */
static void expect_handed_over(uint32_t cpu)
{
    const struct fakehal_record *kick = fakehal_log(fakehal()->log_len - 2);

    cr_assert_eq(fakehal_log(fakehal()->log_len - 1)->kind, FAKEHAL_CPU_STOP);
    cr_assert_eq(kick->kind, FAKEHAL_KICK);
    cr_assert_eq(kick->addr, cpu);
    cr_assert_not(f.hv->managing);
    cr_assert(f.hv->work);
    cr_assert(manager.reroute);
}

/* --- pCPUs come --- */

CASE(role_manager, pcpus_are_started)
{
    f.hv->online = 0;
    manager_start_pcpus(&manager);
    cr_assert_eq(online(), 3, "the other is counted upon before it has come up");
    cr_assert_eq(fakehal()->count[FAKEHAL_CPU_START], 1);
    cr_assert(fakehal()->cpu[1].on);
    cr_assert_null(fakehal()->out);
}

CASE(role_manager, a_pcpu_that_does_not_start)
{
    finish();
    role_setup(3);
    f.hv->online = 0;
    fakehal()->start_result = HV_ERR_PERM;
    manager_start_pcpus(&manager);
    EXPECT_LOG("warn role: CPU 1 does not start: not permitted\r\n");
    EXPECT_LOG("warn role: CPU 2 does not start: not permitted\r\n");
    cr_assert_eq(online(), 1);
    start(0);
    actions[0] = "o";
    expect_machine_ends(0, OFF_LINE);
}

/* --- pCPUs that are not as the boot CPU --- */

static void expect_refused(const struct arch_idregs *own, const char *line)
{
    fakehal()->cpu[1].idregs = own;
    cr_assert_eq(manager_start_pcpu(&manager, 1), HV_ERR_UNSUPPORTED);
    EXPECT_LOG(line);
    fakehal_console_clear();
    cr_assert_eq(online(), 1);
    cr_assert_eq(fakehal_cpu_enter(1), FAKEHAL_STOPPED);
    cr_assert_eq(f.hv->pcpu[1].passes, 0, "it looked for nothing to run");
    cr_assert_not(fakehal()->cpu[1].on);
}

CASE(role_manager, a_pcpu_of_another_kind_is_not_used)
{
    struct arch_idregs own;

    f.hv->online = 1;
    hal_id_regs(&own);
    own.midr = 0x410fd034;
    expect_refused(&own, "warn role: CPU 1 is not used: its MIDR_EL1 is 0x410fd034, the boot CPU's "
                         "0x411fd070\r\n");
    hal_id_regs(&own);
    own.reg[IDREG_ISAR0] |= 2 << 20;
    expect_refused(&own, "warn role: CPU 1 is not used: its ID_AA64ISAR0_EL1 is 0x211120, the boot "
                         "CPU's 0x11120\r\n");
    hal_id_regs(&own);
    own.ich_vtr--;
    expect_refused(&own, "warn role: CPU 1 is not used: its ICH_VTR_EL2 is 0x90800002, the boot "
                         "CPU's 0x90800003\r\n");
    own.ich_vtr++;
    own.reg[IDREG_PFR0] |= UINT64_C(1) << 32; /* SVE, which no guest sees */
    cr_assert_eq(manager_start_pcpu(&manager, 1), HV_OK);
    cr_assert_eq(online(), 3);
}

/* Those that are like it run all VMs; one that may run on the other alone is not made. */
CASE(role_manager, the_machine_does_without_a_pcpu)
{
    struct arch_idregs own;

    hal_id_regs(&own);
    own.ctr ^= 1;
    fakehal()->cpu[1].idregs = &own;
    f.hv->online = 0;
    manager_start_pcpus(&manager);
    cr_assert_eq(online(), 1);
    config.vm[1].affinity[0] = 2;
    cr_assert_eq(manager_start_vm(&manager, 1), HV_ERR_INVAL);
    start(0);
    actions[0] = "o";
    expect_machine_ends(0, OFF_LINE);
}

static void leave_when_idle(void *cpu)
{
    (void)cpu;
    cr_assert_eq(fakehal()->self, 1);
    cr_assert_eq(online(), 3, "it runs VMs");
    f.hv->pcpu[1].leave = true;
    fakehal_irq_pend(1, HAL_INTID_KICK);
}

/* With nothing to run: it waits, is told to go, and somebody else is the manager. */
CASE(role_manager, a_pcpu_comes_and_leaves)
{
    cr_assert_eq(log_set_levels(&f.hv->log, "info"), HV_OK);
    f.hv->online = 0;
    manager_start_pcpus(&manager);
    start(0);
    cr_assert_eq(fixture_next(&f, 0), &f.hv->vm[0]->vcpu[0]);
    fakehal()->idle = leave_when_idle;
    cr_assert_eq(fakehal_cpu_enter(1), FAKEHAL_STOPPED);
    cr_assert_eq(fakehal()->cpu[1].idles, 1);
    EXPECT_LOG("info role: CPU 1 is off\r\n");
    cr_assert_eq(online(), 1);
    expect_handed_over(0);
    actions[0] = "o";
    expect_machine_ends(0, OFF_LINE);
    cr_assert_not(manager.reroute);
}

/* --- pCPUs leave --- */

static void tell_to_leave(uint32_t cpu)
{
    fakehal()->cpu[cpu].on = true;
    f.hv->pcpu[cpu].leave = true;
}

/* The boot CPU had the console's interrupt; the other has its VM and its interrupt then. */
CASE(role_manager, the_consoles_interrupt_goes_elsewhere)
{
    start(0);
    cr_assert_eq(f.console.irq, CONSOLE_IRQ_ON);
    fakehal()->cpu[1].enabled[UART_INTID] = false;
    tell_to_leave(0);
    cr_assert_eq(run_pcpu(0), FAKEHAL_STOPPED);
    cr_assert_eq(online(), 2);
    expect_handed_over(1);
    cr_assert_not(fakehal()->cpu[1].enabled[UART_INTID]);
    actions[0] = "yo";
    cr_assert_eq(run_pcpu(1), FAKEHAL_HALTED);
    EXPECT_LOG(OFF_LINE);
    cr_assert(fakehal()->cpu[1].enabled[UART_INTID]);
    cr_assert_eq(fakehal()->runs, 2, "on the one that is left");
}

/* Its vCPU may run nowhere else. */
CASE(role_manager, a_pcpu_that_is_needed_stays)
{
    config.vm[0].affinity[0] = 1u << 1;
    start(0);
    tell_to_leave(1);
    actions[0] = "yo";
    cr_assert_eq(run_pcpu(1), FAKEHAL_HALTED);
    EXPECT_LOG("warn role: CPU 1 stays: a vCPU may run nowhere else\r\n");
    EXPECT_LOG(OFF_LINE);
    cr_assert_eq(online(), 3);
    cr_assert_eq(fakehal()->count[FAKEHAL_CPU_STOP], 0);
    cr_assert_not(f.hv->pcpu[1].leave, "it is not asked again");
    cr_assert_not(manager.reroute);
}

CASE(role_manager, the_last_pcpu_stays)
{
    f.hv->online = 1;
    start(0);
    tell_to_leave(0);
    actions[0] = "o";
    cr_assert_eq(run_pcpu(0), FAKEHAL_HALTED);
    EXPECT_LOG("warn role: CPU 0 stays: ");
    EXPECT_LOG(OFF_LINE);
    cr_assert_eq(online(), 1);
}

static void note_kicks(struct vcpu *vcpu)
{
    (void)vcpu;
    fakehal_note(fakehal()->cpu[1].kicks, 0);
}

static uint64_t noted(unsigned which)
{
    for (uint64_t n = 0; n < fakehal()->log_len; n++)
        if (fakehal_log(n)->kind == FAKEHAL_NOTE && which-- == 0)
            return fakehal_log(n)->addr;
    cr_assert_fail("no such note");
    return 0;
}

/* While somebody else is the manager nobody leaves: it is called when that one has done. */
CASE(role_manager, those_that_are_to_leave_are_called_later)
{
    config.vm[0].affinity[0] = 1;
    start(0);
    look = note_kicks;
    actions[0] = "lklo";
    typed = (const char *const[]){"offline 1"};
    expect_machine_ends(0, OFF_LINE);
    cr_assert(f.hv->pcpu[1].leave);
    cr_assert_eq(noted(1), noted(0) + 1);
}

/* --- VMs --- */

/* What one pCPU runs it runs to the end, in an order that is always the same. */
static void with_one_pcpu(void)
{
    finish();
    role_setup(1);
}

CASE(role_manager, all_but_those_that_are_stopped_start)
{
    config.vm[1].stopped = true;
    cr_assert_eq(manager_start_vms(&manager), 2);
    cr_assert_not_null(f.hv->vm[0]);
    cr_assert_null(f.hv->vm[1]);
    cr_assert_not_null(f.hv->vm[2]);
    cr_assert_not(manager.failed);
}

CASE(role_manager, one_that_cannot_be_started)
{
    with_one_pcpu();
    config.vm[2].memory = MIB(64);
    cr_assert_eq(manager_start_vms(&manager), 2);
    EXPECT_LOG("error role: three: not started\r\n");
    cr_assert(manager.failed);
    actions[0] = actions[1] = "o";
    expect_machine_ends(0, FAILED_LINE);
}

CASE(role_manager, none_is_left)
{
    with_one_pcpu();
    cr_assert_eq(manager_start_vms(&manager), 3);
    actions[0] = "yyo";
    actions[1] = "yo";
    actions[2] = "o";
    expect_machine_ends(0, OFF_LINE);
    cr_assert_eq(fakehal()->runs, 6);
}

CASE(role_manager, a_crash_is_no_good_end)
{
    with_one_pcpu();
    cr_assert_eq(manager_start_vms(&manager), 3);
    actions[0] = "c";
    actions[1] = actions[2] = "yo";
    expect_machine_ends(0, FAILED_LINE);
    EXPECT_LOG("error vm: one stopped: ");
}

static unsigned lives;

static void count_life(struct vcpu *vcpu)
{
    cr_assert_eq(vcpu->vm->id, 1);
    lives++;
}

CASE(role_manager, reset)
{
    lives = 0;
    look = count_life;
    start(0);
    actions[0] = "lrlrlo";
    expect_machine_ends(0, OFF_LINE);
    cr_assert_eq(lives, 3);
}

static void fail_next(struct vcpu *vcpu)
{
    page_pool_fail_nth(&vcpu->vm->hv->pool, 1);
}

/* One that cannot be made anew is off; the others go on. */
CASE(role_manager, reset_that_cannot_be_made_anew)
{
    with_one_pcpu();
    look = fail_next;
    start(0);
    start(1);
    actions[0] = "lr";
    actions[1] = "yyyyyo";
    expect_machine_ends(0, FAILED_LINE);
    EXPECT_LOG("error role: one: not restarted\r\n");
    EXPECT_LOG("notice vm: two off: ");
    EXPECT_NO_LOG("two: not");
}

/* --- From the keys to the manager --- */

CASE(role_manager, typed_list)
{
    char memory[64];

    start(1);
    snprintf(memory, sizeof(memory), "\r\n%" PRIu64 " KiB of memory are free\r\n",
             4 * page_pool_free_pages(&f.hv->pool));
    actions[1] = "kyo";
    typed = (const char *const[]){"list"};
    expect_machine_ends(0, OFF_LINE);
    EXPECT_LOG("\r\n 0  one               off\r\n 1  two               running     1 vCPUs       1 "
               "MiB  0 ms of CPU time\r\n 2  three             off\r\n");
    EXPECT_LOG(memory);
}

CASE(role_manager, typed_life_of_a_vm)
{
    static const char *const lines[] = {"start two", "pause two",  "resume 1", "reset two",
                                        "stop two",  "stop three", "stop one"};

    with_one_pcpu();
    lives = 0;
    look = count_life;
    start(0);
    actions[0] = "klklklklklkk";
    actions[1] = "yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy";
    typed = lines;
    expect_machine_ends(0, OFF_LINE);
    cr_assert_eq(typed, lines + 7);
    cr_assert_eq(lives, 5);
    EXPECT_LOG("two: started\r\n");
    EXPECT_LOG("two: paused\r\n");
    EXPECT_LOG("two: resumed\r\n");
    EXPECT_LOG("two reset: reset from the console\r\n");
    EXPECT_LOG("two off: stopped from the console\r\n");
    EXPECT_LOG("three: is off\r\n");
    EXPECT_LOG("one off: stopped from the console\r\n");
}

/* Ended and destroyed; a reset of before does not bring it back. */
CASE(role_manager, typed_destroy)
{
    static const char *const lines[] = {"destroy two", "start two", "destroy three", "stop one"};
    struct disks disks;

    with_one_pcpu();
    disks_init(&disks, f.hv);
    f.hv->disks = &disks;
    for (uint32_t slot = 0; slot < VMS; slot++)
        cr_assert_eq(disks_add(&disks, slot, 0, &(struct disk_setup){.size = MIB(1)}), HV_OK);
    start(0);
    start(1);
    actions[0] = "kykykyk";
    actions[1] = "yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy";
    typed = lines;
    expect_machine_ends(0, OFF_LINE);
    cr_assert_eq(typed, lines + 4);
    EXPECT_LOG("two off: destroyed from the console\r\n");
    EXPECT_LOG("start: which VM? ");
    EXPECT_LOG("three: destroyed\r\n");
    cr_assert_eq(manager.gone, 3u << 1);
    cr_assert_not_null(disks_find(&disks, 0, 0));
    cr_assert_null(disks_find(&disks, 1, 0), "its disks went with it");
    cr_assert_null(disks_find(&disks, 2, 0));
    disks_destroy(&disks);
    f.hv->disks = NULL;
}

/* The command is the last thing that this pCPU does. */
CASE(role_manager, typed_offline_of_the_one_that_manages)
{
    fakehal()->cpu[0].on = true;
    start(0);
    actions[0] = "ko";
    typed = (const char *const[]){"offline 0"};
    cr_assert_eq(run_pcpu(0), FAKEHAL_STOPPED);
    cr_assert_eq(online(), 2);
    expect_machine_ends(1, OFF_LINE);
}

CASES_RUN(role_manager, setup, finish)
