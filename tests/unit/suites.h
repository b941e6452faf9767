/* SPDX-License-Identifier: MIT */
#ifndef UNIT_SUITES_H
#define UNIT_SUITES_H

#include <check.h>

/* Each in the file of its name; CK_RUN_SUITE=name runs one of them. */
Suite *suite_slab(void);
Suite *suite_fdtab(void);
Suite *suite_hidden(void);
Suite *suite_user(void);
Suite *suite_lock(void);
Suite *suite_log(void);
Suite *suite_destination(void);
Suite *suite_settings(void);
Suite *suite_event(void);
Suite *suite_pin(void);
Suite *suite_container(void);
Suite *suite_group(void);
Suite *suite_pagemap(void);
Suite *suite_follow(void);
Suite *suite_memory(void);
Suite *suite_lend(void);
Suite *suite_limit(void);
Suite *suite_inject(void);
Suite *suite_uring(void);
Suite *suite_filter(void); /* where BUILD_TRAP */

#endif
