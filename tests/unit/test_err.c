/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "base/err.h"
#include "cases.h"
#include <limits.h>
#include <string.h>

#define ERR_LAST (-13)

CASE(err, values_are_stable)
{
    /* Other languages and trace files know these numbers. */
    cr_assert_eq(HV_OK, 0);
    cr_assert_eq(HV_ERR_INVAL, -1);
    cr_assert_eq(HV_ERR_NOMEM, -2);
    cr_assert_eq(HV_ERR_QUOTA, -3);
    cr_assert_eq(HV_ERR_NOENT, -4);
    cr_assert_eq(HV_ERR_EXIST, -5);
    cr_assert_eq(HV_ERR_RANGE, -6);
    cr_assert_eq(HV_ERR_ALIGN, -7);
    cr_assert_eq(HV_ERR_PERM, -8);
    cr_assert_eq(HV_ERR_BUSY, -9);
    cr_assert_eq(HV_ERR_UNSUPPORTED, -10);
    cr_assert_eq(HV_ERR_FORMAT, -11);
    cr_assert_eq(HV_ERR_STATE, -12);
    cr_assert_eq(HV_ERR_IO, ERR_LAST);
}

CASE(err, every_error_has_a_phrase_of_its_own)
{
    for (int a = 0; a >= ERR_LAST; a--) {
        const char *phrase = hv_err_str((hv_err)a);
        cr_assert_not_null(phrase);
        cr_assert_gt(strlen(phrase), 0);
        cr_assert_str_neq(phrase, "unknown error", "error %d", a);
        for (int b = 0; b > a; b--)
            cr_assert_str_neq(phrase, hv_err_str((hv_err)b), "errors %d and %d", a, b);
    }
}

CASE(err, phrases_say_what_happened)
{
    cr_assert_str_eq(hv_err_str(HV_OK), "success");
    cr_assert_str_eq(hv_err_str(HV_ERR_NOMEM), "out of memory");
    cr_assert_str_eq(hv_err_str(HV_ERR_FORMAT), "malformed data");
}

CASE(err, values_outside_the_enum)
{
    const int values[] = {1, 2, ERR_LAST - 1, 1000, INT_MAX, INT_MIN};

    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
        cr_assert_str_eq(hv_err_str((hv_err)values[i]), "unknown error", "value %d", values[i]);
}

CASES_RUN(err, NULL, NULL)
