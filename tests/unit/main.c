/* SPDX-License-Identifier: MIT */
/*
 * All unit tests. They need no root and no device: the kernel is a fake.
 *
 * CK_RUN_SUITE=pin runs one suite. CK_FORK=no runs all in one process, for a
 * debugger: then a test that fails leaves its state to those after it, at worst
 * the library's lock, and these do not mean anything.
 *
 * A test has a minute unless CK_DEFAULT_TIMEOUT says otherwise: one that hangs ends,
 * and one on a busy machine does not fail.
 */
#include <config.h>

#include <stdbool.h>
#include <stdlib.h>

#include "suites.h"

int main(void)
{
	static Suite *(*const suites[])(void) = {
		suite_destination, suite_slab,	  suite_fdtab,	  suite_hidden, suite_user,
		suite_lock,	   suite_log,	  suite_settings, suite_pin,	suite_container,
		suite_group,	   suite_pagemap, suite_memory,	  suite_follow, suite_inject,
		suite_event,	   suite_lend,	  suite_limit,	  suite_uring,
#ifdef BUILD_TRAP
		suite_filter,
#endif
	};
	SRunner *runner = srunner_create(NULL);
	int failed;

	setenv("CK_DEFAULT_TIMEOUT", "60", false);
	for (size_t i = 0; i < sizeof(suites) / sizeof(suites[0]); i++)
		srunner_add_suite(runner, suites[i]());
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
