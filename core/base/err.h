/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Errors of the hypervisor itself. ABI error codes (PSCI, SMCCC) appear only at the edge that
 * speaks that ABI. */
#ifndef BASE_ERR_H
#define BASE_ERR_H

/* A function whose result must not be dropped. */
#define HV_MUST_CHECK __attribute__((warn_unused_result))

/* 0 is success, every error is negative. */
typedef enum hv_err {
    HV_OK = 0,
    HV_ERR_INVAL = -1,        /* an argument that no state of the system would make valid */
    HV_ERR_NOMEM = -2,        /* the page pool is empty, or an injected allocation failure */
    HV_ERR_QUOTA = -3,        /* the VM's own memory limit */
    HV_ERR_NOENT = -4,        /* what was asked for is not there */
    HV_ERR_EXIST = -5,        /* something else is there already */
    HV_ERR_RANGE = -6,        /* outside an address space, a table or a buffer */
    HV_ERR_ALIGN = -7,        /* not aligned as the architecture or the format demands */
    HV_ERR_PERM = -8,         /* not allowed */
    HV_ERR_BUSY = -9,         /* in use; may succeed later */
    HV_ERR_UNSUPPORTED = -10, /* well-formed, but this system does not have it */
    HV_ERR_FORMAT = -11,      /* malformed data: devicetree, bundle, image */
    HV_ERR_STATE = -12,       /* not in this state of the object */
    HV_ERR_IO = -13,          /* a device of the machine's failed */
} hv_err;

/* A short lower-case phrase for `err`; "unknown error" for a value outside the enum. Never NULL. */
const char *hv_err_str(hv_err err);

#endif
