/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The record that core makes of each exit: what came, and what became of it. The same on every HAL,
 * in memory and in a file: little-endian, 64 bytes, no padding. And what stands before records in
 * a file, and in a buffer in a machine's memory.
 */
#ifndef ABI_TRACE_H
#define ABI_TRACE_H

#include <stdint.h>

/* What came. For a synchronous exception the class says what `addr`, `arg` and `value` are. */
enum trace_class {
    TRACE_SYNC,   /* any synchronous exception that has no class of its own below */
    TRACE_WFX,    /* WFI, WFE */
    TRACE_HVC,    /* addr: function (x0), arg: x1; value: x0 afterwards */
    TRACE_SMC,    /* the same */
    TRACE_SYSREG, /* addr: encoding as SYSREG(); value: of the register, read or written */
    TRACE_MMIO,   /* data abort. addr: IPA, arg: VA; value: what the register holds after a read, or
                     the bytes that it writes; only with ISV */
    TRACE_FETCH,  /* instruction abort. addr: IPA, arg: VA */
    TRACE_IRQ,    /* a physical interrupt. addr: INTID, 1023 if none was there to acknowledge */
    TRACE_SERROR,
    TRACE_CLASSES
};

/* What became of the vCPU. */
enum trace_outcome {
    TRACE_RESUMED,  /* goes on, at the next instruction or, for an interrupt, at the same one */
    TRACE_RETRIED,  /* a synchronous exception: goes on at the same instruction */
    TRACE_INJECTED, /* takes an exception to EL1 */
    TRACE_BLOCKED,  /* waits for an interrupt */
    TRACE_STOPPED,  /* it is off, or its VM has ended */
    TRACE_OUTCOMES
};

/*
 * What is not known is 0: `addr` of an abort for which HPFAR_EL2 holds nothing, `arg` if FAR is not
 * valid, `value` of a read that was answered by an exception or went to XZR.
 */
struct trace_record {
    uint64_t time;   /* the physical counter when core had handled it */
    uint64_t pc;     /* preferred return address of the exit */
    uint64_t addr;   /* by class, else 0 */
    uint64_t arg;    /* by class, else 0 */
    uint64_t value;  /* by class, else 0 */
    uint32_t esr;    /* low half of ESR_EL2; 0 for interrupts */
    uint32_t pstate; /* of the guest when it left: low half of SPSR_EL2 */
    uint16_t vm;     /* the VM's number in the bundle, from 0 */
    uint16_t vcpu;   /* index in the VM */
    uint16_t pcpu;
    uint8_t class;   /* enum trace_class */
    uint8_t outcome; /* enum trace_outcome */
    uint64_t reserved;
};

#define TRACE_VERSION UINT32_C(1)

/*
 * What a HAL that traces into memory keeps at the start of its buffer, with the records behind it.
 * It keeps the first ones: where two runs part is what records are for. min(count, capacity)
 * of them are there, the others are lost.
 */
#define TRACE_BUFFER_MAGIC "HALTRBUF"
struct trace_buffer {
    uint8_t magic[8]; /* TRACE_BUFFER_MAGIC without its terminator; written last */
    uint32_t version; /* TRACE_VERSION */
    uint32_t record_size;
    uint64_t counter_hz;
    uint64_t capacity;      /* records that there is room for */
    _Atomic uint64_t count; /* records ever made */
    uint64_t reserved[3];
};

/*
 * What a file begins with. It ends with a record of class TRACE_FILE_END, which is all 0 but for
 * `addr`, how many records stand before it, and `value`, how many were made and lost after them. A
 * file without it was cut off.
 */
#define TRACE_FILE_MAGIC "HALTRACE"
#define TRACE_FILE_END   0xffu
struct trace_file_header {
    uint8_t magic[8]; /* TRACE_FILE_MAGIC without its terminator */
    uint32_t version; /* TRACE_VERSION */
    uint32_t record_size;
    uint64_t counter_hz; /* of the counter that `time` is read from */
    uint64_t reserved[5];
};

_Static_assert(sizeof(struct trace_record) == 64, "a record is a cache line");
_Static_assert(sizeof(struct trace_buffer) == 64, "records are aligned as their buffer is");
_Static_assert(sizeof(struct trace_file_header) == 64, "the same for a file");

#endif
