/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "base/err.h"

/* A switch rather than a table: the compiler reports an error that has no phrase. */
const char *hv_err_str(hv_err err)
{
    switch (err) {
    case HV_OK:
        return "success";
    case HV_ERR_INVAL:
        return "invalid argument";
    case HV_ERR_NOMEM:
        return "out of memory";
    case HV_ERR_QUOTA:
        return "memory limit of the VM reached";
    case HV_ERR_NOENT:
        return "not found";
    case HV_ERR_EXIST:
        return "already exists";
    case HV_ERR_RANGE:
        return "out of range";
    case HV_ERR_ALIGN:
        return "not aligned";
    case HV_ERR_PERM:
        return "not permitted";
    case HV_ERR_BUSY:
        return "busy";
    case HV_ERR_UNSUPPORTED:
        return "not supported";
    case HV_ERR_FORMAT:
        return "malformed data";
    case HV_ERR_STATE:
        return "not possible in this state";
    case HV_ERR_IO:
        return "input/output error";
    }
    return "unknown error";
}
