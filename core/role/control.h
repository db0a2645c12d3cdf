/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What is typed at the console after Ctrl-A c: docs/console.md. Only the manager calls. */
#ifndef ROLE_CONTROL_H
#define ROLE_CONTROL_H

#include "role/manager.h"

/* Longest answer in one line, with its end. */
#define CONTROL_LINE_MAX 160u

/* Carries out `line`, which it takes apart in place, and prints the answer. Nothing in it can do
 * more than what control.c has a row for. */
void control_execute(struct manager *manager, char *line);

#endif
