/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Interrupts, time, the console and EL3. */
#include "fakehal/fakehal.h"
#include <stdlib.h>
#include <string.h>

#define FIRST_PPI 16u
#define FIRST_SPI 32u

static struct fakehal_cpu *cpu_at(unsigned cpu)
{
    if (cpu >= FAKEHAL_CPUS)
        fakehal_fail("CPU %u: there are %u", cpu, FAKEHAL_CPUS);
    return &fakehal()->cpu[cpu];
}

static struct fakehal_cpu *self(void)
{
    return cpu_at(fakehal()->self);
}

/* --- Interrupts --- */

void fakehal_irq_pend(unsigned cpu, uint32_t intid)
{
    if (intid >= FAKEHAL_INTIDS)
        fakehal_fail("fakehal_irq_pend(%u): no such interrupt", intid);
    cpu_at(cpu)->pending[intid] = true;
}

/* The interrupt that `cpu` would take: all have one priority, so the lowest INTID, and none while
 * another runs. */
static uint32_t deliverable(const struct fakehal_cpu *cpu)
{
    if (cpu->running != HAL_INTID_NONE)
        return HAL_INTID_NONE;
    for (uint32_t id = 0; id < FAKEHAL_INTIDS; id++) {
        bool timer = id == fakehal()->platform.timer_hyp_intid && fakehal()->now >= cpu->deadline;
        if ((cpu->pending[id] || timer) && cpu->enabled[id] && !cpu->active[id])
            return id;
    }
    return HAL_INTID_NONE;
}

bool fakehal_irq_deliverable(unsigned cpu)
{
    return deliverable(cpu_at(cpu)) != HAL_INTID_NONE;
}

uint32_t hal_irq_ack(void)
{
    struct fakehal_cpu *cpu = self();
    uint32_t intid = deliverable(cpu);
    if (intid == HAL_INTID_NONE)
        return intid;
    fakehal_record_add(FAKEHAL_IRQ_ACK)->addr = intid;
    cpu->pending[intid] = false;
    cpu->active[intid] = true;
    cpu->running = intid;
    return intid;
}

void hal_irq_end(uint32_t intid, bool deactivate)
{
    struct fakehal_cpu *cpu = self();
    if (cpu->running != intid || intid == HAL_INTID_NONE)
        fakehal_fail("hal_irq_end(%u), but %u was acknowledged last", intid, cpu->running);
    struct fakehal_record *record = fakehal_record_add(FAKEHAL_IRQ_END);
    record->addr = intid;
    record->len = deactivate;
    cpu->running = HAL_INTID_NONE;
    if (deactivate)
        cpu->active[intid] = false;
}

void hal_irq_deactivate(uint32_t intid)
{
    struct fakehal_cpu *cpu = self();
    if (intid >= FAKEHAL_INTIDS)
        fakehal_fail("hal_irq_deactivate(%u): no such interrupt", intid);
    if (cpu->running == intid)
        fakehal_fail("hal_irq_deactivate(%u) before hal_irq_end()", intid);
    fakehal_record_add(FAKEHAL_IRQ_DEACTIVATE)->addr = intid;
    cpu->active[intid] = false;
}

void hal_irq_activate(uint32_t intid)
{
    struct fakehal_cpu *cpu = self();
    if (intid < FIRST_PPI || intid >= FIRST_SPI)
        fakehal_fail("hal_irq_activate(%u): not a PPI", intid);
    if (cpu->running == intid)
        fakehal_fail("hal_irq_activate(%u) before hal_irq_end()", intid);
    fakehal_record_add(FAKEHAL_IRQ_ACTIVATE)->addr = intid;
    cpu->active[intid] = true;
}

hv_err hal_irq_enable(uint32_t intid, bool enable)
{
    if (intid >= FAKEHAL_INTIDS)
        return HV_ERR_RANGE;
    struct fakehal_record *record = fakehal_record_add(FAKEHAL_IRQ_ENABLE);
    record->addr = intid;
    record->len = enable;
    self()->enabled[intid] = enable;
    return HV_OK;
}

/* --- Time --- */

uint64_t hal_time_now(void)
{
    struct fakehal *hal = fakehal();
    uint64_t now = hal->now;
    hal->now += hal->tick;
    return now;
}

uint64_t hal_time_hz(void)
{
    return fakehal()->hz;
}

uint64_t hal_wall_time(void)
{
    return fakehal()->wall;
}

hv_err hal_entropy(void *out, size_t len)
{
    struct fakehal *hal = fakehal();
    uint8_t *to = out;
    if (len == 0 || len > HAL_ENTROPY_MAX)
        fakehal_fail("hal_entropy() of %zu bytes", len);
    for (size_t i = 0; hal->entropy_result == HV_OK && i < len; i++)
        to[i] = hal->entropy++;
    return hal->entropy_result;
}

void hal_timer_arm(uint64_t deadline)
{
    fakehal_record_add(FAKEHAL_TIMER_ARM)->addr = deadline;
    self()->deadline = deadline;
}

void fakehal_advance(uint64_t ticks)
{
    fakehal()->now += ticks;
}

void hal_cpu_idle(void)
{
    struct fakehal *hal = fakehal();
    struct fakehal_cpu *cpu = self();
    lock_held_expect_none("hal_cpu_idle()");
    fakehal_record_add(FAKEHAL_IDLE);
    cpu->idles++;
    if (hal->idle != NULL) {
        hal->idle(hal->idle_ctx);
        return;
    }
    if (deliverable(cpu) != HAL_INTID_NONE)
        return;
    if (cpu->running != HAL_INTID_NONE)
        fakehal_fail("hal_cpu_idle() before hal_irq_end(%u)", cpu->running);
    if (cpu->deadline == HAL_TIMER_NEVER)
        fakehal_fail("hal_cpu_idle() for ever: no timer armed, no enabled interrupt pending");
    if (!cpu->enabled[hal->platform.timer_hyp_intid])
        fakehal_fail("hal_cpu_idle() for ever: the timer's interrupt is not enabled");
    if (hal->now < cpu->deadline)
        hal->now = cpu->deadline;
    if (deliverable(cpu) == HAL_INTID_NONE)
        fakehal_fail("hal_cpu_idle() for ever: the timer's interrupt is still active");
}

/* --- Console --- */

/* Makes room for `more` bytes and a NUL behind *len. */
static void grow(char **buf, size_t len, size_t *cap, size_t more)
{
    if (len + more + 1 <= *cap)
        return;
    *cap = 2 * (len + more + 1);
    *buf = realloc(*buf, *cap);
    if (*buf == NULL)
        fakehal_fail("the host is out of memory");
}

void hal_console_write(const char *text, size_t len)
{
    struct fakehal *hal = fakehal();
    grow(&hal->out, hal->out_len, &hal->out_cap, len);
    if (len > 0)
        memcpy(hal->out + hal->out_len, text, len);
    hal->out_len += len;
    hal->out[hal->out_len] = '\0';
}

bool fakehal_console_has(const char *text)
{
    const char *out = fakehal()->out;
    return strstr(out != NULL ? out : "", text) != NULL;
}

void fakehal_console_clear(void)
{
    struct fakehal *hal = fakehal();
    hal->out_len = 0;
    if (hal->out != NULL)
        hal->out[0] = '\0';
}

void fakehal_console_type(const char *text, size_t len)
{
    struct fakehal *hal = fakehal();
    grow(&hal->in, hal->in_len, &hal->in_cap, len);
    if (len > 0)
        memcpy(hal->in + hal->in_len, text, len);
    hal->in_len += len;
    fakehal_irq_pend(0, hal->platform.uart_intid);
}

size_t hal_console_read(char *buf, size_t size)
{
    struct fakehal *hal = fakehal();
    size_t n = hal->in_len - hal->in_head;
    if (n > size)
        n = size;
    if (n > 0)
        memcpy(buf, hal->in + hal->in_head, n);
    hal->in_head += n;
    /* A receive interrupt is a level: it goes away with the last byte. */
    if (hal->platform.uart_intid < FAKEHAL_INTIDS)
        hal->cpu[0].pending[hal->platform.uart_intid] = hal->in_head < hal->in_len;
    return n;
}

/* --- EL3 --- */

void hal_smc(struct smc_regs *regs)
{
    struct fakehal *hal = fakehal();
    struct fakehal_record *record = fakehal_record_add(FAKEHAL_SMC);
    record->addr = regs->x[0];
    record->len = regs->x[1];
    if (hal->nr_smcs < FAKEHAL_SMC_SIZE)
        hal->smc[hal->nr_smcs] = *regs;
    hal->nr_smcs++;
    if (hal->smc_handler != NULL)
        hal->smc_handler(hal->smc_ctx, regs);
    else
        regs->x[0] = (uint64_t)SMCCC_NOT_SUPPORTED;
}

/* --- Trace --- */

bool hal_trace_enabled(void)
{
    return fakehal()->traced;
}

void hal_trace(const struct trace_record *record)
{
    struct fakehal *hal = fakehal();
    if (!hal->traced)
        fakehal_fail("hal_trace() although hal_trace_enabled() is false");
    if (record->pcpu != hal->self)
        fakehal_fail("hal_trace() on CPU %u of a record of CPU %u", hal->self, record->pcpu);
    lock_held_expect_none("hal_trace()");
    if (self()->running != HAL_INTID_NONE)
        fakehal_fail("hal_trace() before interrupt %u was ended", self()->running);
    if (hal->trace_len == hal->trace_cap) {
        hal->trace_cap = hal->trace_cap == 0 ? 64 : 2 * hal->trace_cap;
        hal->trace = realloc(hal->trace, hal->trace_cap * sizeof(*hal->trace));
        if (hal->trace == NULL)
            fakehal_fail("the host is out of memory");
    }
    hal->trace[hal->trace_len++] = *record;
}
