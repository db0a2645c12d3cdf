/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What the manager does for one VM does not keep its pCPU from the others: VMs that reset
 * themselves for ever, and turns while a large one is made or scrubbed. */
#define _GNU_SOURCE /* memmem() */
#include "exit/exit.h"
#include "mem/guest_mem.h"
#include "role_fixture.h"

#define SECOND 62500000u /* ticks of fakehal's counter */
#define ROUND  125000u   /* 2 ms */

/* --- Resets --- */

#define LIVES_MAX 16u

static uint64_t born[VMS][LIVES_MAX];
static unsigned lives[VMS];

static void note_life(struct vcpu *vcpu)
{
    unsigned slot = vcpu->vm->id - 1u;

    cr_assert_lt(lives[slot], LIVES_MAX);
    born[slot][lives[slot]++] = fakehal()->now;
}

static void begin(void)
{
    role_setup(1);
    memset(lives, 0, sizeof(lives));
    look = note_life;
}

static void run_to_the_end(void)
{
    hv_post_work(f.hv);
    cr_assert_eq(run_pcpu(0), FAKEHAL_HALTED, "%s", fakehal()->out);
    cr_assert_eq(fakehal()->halt_reason, HAL_HALT_OFF);
}

/* The first at once: what lives for long, and resets itself, never waits. */
CASE(role_resets, of_one_vm_are_a_second_apart)
{
    fakehal()->now = 5 * (uint64_t)SECOND;
    start(0);
    actions[0] = "lrlrlrlo";
    run_to_the_end();
    cr_assert_eq(lives[0], 4);
    cr_assert_eq(born[0][1], born[0][0]);
    cr_assert_eq(born[0][2], born[0][1] + SECOND);
    cr_assert_eq(born[0][3], born[0][2] + SECOND);
    EXPECT_LOG("machine off: all VMs powered off");
}

CASE(role_resets, late_ones_do_not_wait)
{
    static char script[2400];

    memset(script, 'w', sizeof(script) - 1);
    memcpy(script, "lrlrl", 5);
    strcpy(&script[2200], "lrlo");
    start(0);
    actions[0] = script;
    run_to_the_end();
    cr_assert_eq(lives[0], 5);
    cr_assert_eq(born[0][2], SECOND);
    cr_assert_geq(born[0][3], 2 * SECOND);
    cr_assert_eq(born[0][4], born[0][3]);
}

/* Two of them, for ever; the third has the pCPU for itself but for what they are due. */
CASE(role_resets, of_two_vms_leave_the_pcpu_to_the_third)
{
    static char work[4001 + 2]; /* 2 s, and an end */

    memset(work, 'w', 4001);
    strcpy(&work[4001], "o");
    for (uint32_t slot = 0; slot < VMS; slot++)
        start(slot);
    actions[0] = actions[1] = "lrlrlrlrlro";
    actions[2] = work;
    run_to_the_end();
    for (unsigned slot = 0; slot < 2; slot++) {
        cr_assert_eq(lives[slot], 5);
        cr_assert_leq(born[slot][1], 2 * ROUND);
        for (unsigned i = 2; i < 5; i++) {
            /* It is made when it is due, and then waits for its turn. */
            cr_assert_geq(born[slot][i], (i - 1) * (uint64_t)SECOND);
            cr_assert_leq(born[slot][i], (i - 1) * (uint64_t)SECOND + (2 + i) * ROUND);
        }
    }
}

/* The console's is at once, whatever waits. */
CASE(role_resets, typed)
{
    start(0);
    start(1);
    actions[0] = "lrlrlrlo";
    actions[1] = "yyyyyyyyyykyyyyyyyyo";
    typed = (const char *const[]){"reset one"};
    run_to_the_end();
    cr_assert_eq(lives[0], 4);
    cr_assert_eq(born[0][2], 0, "it waited, and was reset");
    cr_assert_eq(born[0][3], SECOND, "its own are a second apart as before");
}

static void expect_gone(const char *const *lines)
{
    start(0);
    start(1);
    actions[0] = "lrlr";
    actions[1] = "yyyyyyyyyyklyyyyo";
    typed = lines;
    run_to_the_end();
    cr_assert_eq(lives[0], 2);
    cr_assert_eq(lives[1], 1);
    cr_assert_eq(fakehal()->now, 0, "nobody waited for it");
}

CASE(role_resets, stopped_while_it_waits)
{
    expect_gone((const char *const[]){"stop one"});
}

CASE(role_resets, destroyed_while_it_waits)
{
    expect_gone((const char *const[]){"destroy one"});
    cr_assert_eq(manager.gone, 1);
}

static void tell_to_leave(void *ctx)
{
    (void)ctx;
    cr_assert_eq(fakehal()->self, 0);
    f.hv->pcpu[0].leave = true;
    fakehal_irq_pend(0, HAL_INTID_KICK);
}

/* The timer that it waits for is of a pCPU that goes offline, and then of the other. */
CASE(role_resets, on_a_pcpu_that_leaves)
{
    finish();
    role_setup(2);
    memset(lives, 0, sizeof(lives));
    look = note_life;
    start(0);
    actions[0] = "lrlrlo";
    fakehal()->cpu[0].on = true;
    fakehal()->idle = tell_to_leave;
    hv_post_work(f.hv);
    cr_assert_eq(run_pcpu(0), FAKEHAL_STOPPED, "%s", fakehal()->out);
    cr_assert_eq(lives[0], 2);
    cr_assert_eq(fakehal()->now, 0);
    fakehal()->idle = NULL;
    cr_assert_eq(run_pcpu(1), FAKEHAL_HALTED, "%s", fakehal()->out);
    cr_assert_eq(lives[0], 3);
    cr_assert_eq(born[0][2], SECOND);
}

/* --- Turns --- */

static unsigned seen; /* how often the other looked while the large one was at work on */
static unsigned looks;
static void (*then)(struct vcpu *vcpu); /* called at such looks */

static void watch(struct vcpu *vcpu)
{
    if (vcpu->vm->id != 2)
        return;
    looks++;
    if (!f.hv->managing)
        return;
    cr_assert_null(f.hv->vm[0]);
    seen++;
    if (then != NULL)
        then(vcpu);
}

/* One of 6 MiB, that is 4 and 2, and one that works and looks for 500 ms. */
static void with_a_large_one(const char *script)
{
    static char work[1002];

    looks = 0;
    seen = 0;
    then = NULL;
    look = watch;
    f.hv->turn = exit_run_turn;
    config.vm[0].memory = MIB(6);
    start(0);
    start(1);
    memset(work, 'b', 1000);
    work[1000] = 'o';
    actions[0] = script;
    actions[1] = work;
}

/* Bytes that were cleaned at most between two runs of a guest: new memory. */
static uint64_t longest_piece(uint64_t from)
{
    uint64_t longest = 0;
    uint64_t piece = 0;

    for (uint64_t n = from; n < fakehal()->log_len; n++) {
        const struct fakehal_record *record = fakehal_log(n);
        if (record->kind == FAKEHAL_VCPU_RUN)
            piece = 0;
        else if (record->kind == FAKEHAL_CACHE_OP)
            piece += record->len;
        longest = piece > longest ? piece : longest;
    }
    return longest;
}

/* 6 MiB are scrubbed and made, and at last scrubbed: 18 turns of 2 ms, each for 500 us of work 4
 * times. */
CASE(role_resets, others_have_their_turn_meanwhile)
{
    with_a_large_one("ro");
    uint64_t from = fakehal()->log_len;
    run_to_the_end();
    cr_assert_eq(looks, 1000);
    cr_assert_eq(seen, 18 * 4);
    cr_assert_leq(longest_piece(from), MIB(1) + 0x20000, "a piece, and a devicetree");
}

CASE(role_resets, turns_are_traced)
{
    with_a_large_one("ro");
    fakehal()->traced = true;
    run_to_the_end();
    cr_assert_eq(seen, 18 * 4);
    cr_assert_eq(fakehal()->trace_len, fakehal()->runs);
}

static struct timer late;

static void note_late(struct timer *timer)
{
    (void)timer;
    cr_assert(f.hv->managing);
    cr_assert_null(f.hv->vm[0], "it is not scrubbed yet");
    fakehal_note(1, 0);
}

/* Its translations are gone, and its memory comes next. */
static void set_late(void *ctx, const struct fakehal_record *record)
{
    (void)ctx;
    if (record->kind == FAKEHAL_TLBI_TAG && !timer_active(&late) && f.hv->vm[0] == NULL)
        timer_start(&f.hv->pcpu[0].timers, &late, fakehal()->now);
}

/* The pCPU has nothing to run, but a timer. */
CASE(role_resets, timers_go_off_meanwhile)
{
    f.hv->turn = exit_run_turn;
    config.vm[0].memory = MIB(6);
    timer_init(&late, note_late);
    start(0);
    fakehal()->tlbi = set_late;
    actions[0] = "o";
    run_to_the_end();
    cr_assert_eq(fakehal()->count[FAKEHAL_NOTE], 1);
}

/* A pCPU with nothing to run goes on at once, and so does the machine before its VMs run. */
CASE(role_resets, nobody_has_a_turn)
{
    f.hv->turn = exit_run_turn;
    config.vm[0].memory = MIB(6);
    start(0);
    cr_assert_eq(fakehal()->count[FAKEHAL_VCPU_RUN], 0);
    look = note_life;
    actions[0] = "lrlo";
    run_to_the_end();
    cr_assert_eq(lives[0], 2);
    cr_assert_eq(fakehal()->now, 0);
}

static void fail_second_block(struct vcpu *vcpu)
{
    (void)vcpu;
    /* Scrubbed, and made as far as into the first block of 4 MiB. */
    if (seen == 7 * 4)
        page_pool_fail_nth(&f.hv->pool, 1);
}

/* finish() finds every page. */
CASE(role_resets, half_made_when_the_pool_is_empty)
{
    with_a_large_one("ro");
    then = fail_second_block;
    run_to_the_end();
    EXPECT_LOG("error role: one: not restarted\r\n");
    cr_assert_eq(seen, (6 + 4 + 4) * 4, "scrubbed, the first block made, and scrubbed again");
}

static void type_once(struct vcpu *vcpu)
{
    (void)vcpu;
    if (seen != 8 * 4)
        return;
    fakehal_console_type("\x01"
                         "c",
                         2);
    fakehal_console_type("destroy one\r", 12);
}

/* It is made first, and then destroyed. */
CASE(role_resets, destroyed_while_it_is_made)
{
    with_a_large_one("ryyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy");
    then = type_once;
    run_to_the_end();
    EXPECT_LOG("one off: destroyed from the console\r\n");
    cr_assert_eq(manager.gone, 1);
}

static void end_now(struct vcpu *vcpu)
{
    if (seen == 8 * 4)
        vm_end(vcpu->vm, VM_CRASHED, "in the other's turn");
}

/* Who ends in a turn is destroyed when the manager has done with the other. */
CASE(role_resets, ends_while_another_is_made)
{
    with_a_large_one("ro");
    then = end_now;
    run_to_the_end();
    cr_assert_eq(seen, 8 * 4, "it ran no more");
    EXPECT_LOG("two stopped: in the other's turn\r\n");
    EXPECT_LOG("one off: ");
    cr_assert(manager.failed);
}

/* --- What is left in the pool --- */

static void fill(struct vcpu *vcpu)
{
    static const unsigned char secret[4096] = {0x5e, 0xc1, 0xe7};

    for (uint64_t at = 0; at < VM_MEMORY; at += sizeof(secret))
        cr_assert_eq(guest_mem_write(&vcpu->vm->s2, ipa(GUEST_RAM + at), secret, sizeof(secret)),
                     HV_OK);
    vcpu->arch.x[5] = UINT64_C(0x5ec1e7);
}

CASE(role_resets, nothing_of_a_vm_is_left_in_memory)
{
    static const unsigned char secret[] = {0x5e, 0xc1, 0xe7};
    uint64_t ram = MIB(16);

    look = fill;
    start(0);
    actions[0] = "lo";
    run_to_the_end();
    cr_assert_eq(page_pool_free_pages(&f.hv->pool), f.free_pages);
    cr_assert_null(memmem(fakehal_mem(pa(FIXTURE_RAM_PA), ram), ram, secret, sizeof(secret)));
}

CASES_RUN(role_resets, begin, finish)
