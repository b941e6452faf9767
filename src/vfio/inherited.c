/* SPDX-License-Identifier: MIT */
#include "vfio/inherited.h"

#include <stdbool.h>
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
static bool parted; /* this is the parent, and its child has that page */

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
	parted = false;
	inherited_settle();
}

void inherited_part(uint64_t va)
{
	owed = va;
	parted = true;
}

static void say(void)
{
	if (parted) {
		event_failure("what was looked up before fork() is the child's", owed, 0);
		log_error("a device is used in the parent of a fork(): what was looked up before, "
			  "the first at 0x%lx, is the child's, as NOIOMMU_SHIM_FORK asks, and this "
			  "process has copies elsewhere; look memory up after the fork",
			  owed);
		return;
	}
	event_failure("what was looked up before fork() is the parent's", owed, 0);
	log_error("a device is used in the child of a fork(): what was looked up before, the first "
		  "at 0x%lx, is the parent's, and this process has copies elsewhere; look memory "
		  "up after the fork, go into the background by daemon(), or see NOIOMMU_SHIM_FORK "
		  "in noiommu-shim(7)",
		  owed);
}

void inherited_used(void)
{
	if (!owed)
		return;
	say();
	owed = 0;
}
