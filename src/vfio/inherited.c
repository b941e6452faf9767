/* SPDX-License-Identifier: MIT */
#include "vfio/inherited.h"

#include <stdint.h>

#include "base/event.h"
#include "base/fdtab.h"
#include "base/log.h"
#include "iommufd/ioas.h"
#include "pin/store.h"

/*
 * noted is an address that was looked up before the fork; owed is one that this child has
 * yet to be warned of. 0: none.
 */
static uint64_t noted, owed;

void inherited_settle(void)
{
	if (fdtab_has_vfio())
		return;
	owed = 0;
	if (ioas_is_inherited() && !store_count())
		ioas_close();
}

void inherited_before_fork(void)
{
	struct pin pin;

	noted = owed;
	for (uint64_t va = 0; !noted && store_next(va, &pin); va = pin.va + pin.len)
		if (!pin.shared)
			noted = pin.va;
}

void inherited_in_child(void)
{
	owed = noted;
	inherited_settle();
}

void inherited_used(void)
{
	if (!owed)
		return;
	event_failure("what was looked up before fork() is the parent's", owed, 0);
	log_error("a device is used in the child of a fork(): what was looked up before, the first "
		  "at 0x%lx, is the parent's, and this process has copies elsewhere; look memory "
		  "up after the fork, or go into the background by daemon()",
		  owed);
	owed = 0;
}
