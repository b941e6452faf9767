/* SPDX-License-Identifier: MIT */
#include "trap/rings.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "base/log.h"
#include "base/sys.h"

static _Atomic(bool) has_ring, has_pagemap;

/*
 * Each function sets its flag before it reads the other one. Of two threads in both functions
 * at the same time, at least one therefore sees the other's flag.
 */

long rings_setup(const long a[6])
{
	bool had = atomic_exchange(&has_ring, true);
	long ret;

	if (has_pagemap) {
		has_ring = had;
		log_warn("io_uring is refused, because this program has pagemap open: the library "
			 "would not see what a ring reads");
		return -EPERM;
	}
	ret = sys_call(SYS_io_uring_setup, a[0], a[1], 0, 0, 0, 0);
	if (ret < 0)
		has_ring = had;
	return ret;
}

int rings_admit_pagemap(void)
{
	has_pagemap = true;
	if (!has_ring)
		return 0;
	has_pagemap = false;
	log_error("pagemap is refused, because this program uses io_uring: the library would not "
		  "see what a ring reads");
	return -EPERM;
}

bool rings_have_pagemap(void)
{
	return has_pagemap;
}
