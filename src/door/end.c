/* SPDX-License-Identifier: MIT */
#include "door/end.h"

#include "base/lock.h"
#include "base/process.h"
#include "pin/pin.h"

void end_process(void)
{
	struct lock_saved saved;

	if (!store_own || !store_own->window || process_is_guest())
		return;
	saved = lock_enter();
	pin_end();
	lock_leave(saved);
}

void end_child(void)
{
	struct lock_saved saved;

	if (process_is_guest())
		return;
	saved = lock_enter();
	pin_release_gone();
	lock_leave(saved);
}
