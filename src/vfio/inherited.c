/* SPDX-License-Identifier: MIT */
#include "vfio/inherited.h"

#include "base/fdtab.h"
#include "iommufd/ioas.h"
#include "pin/store.h"

static bool has_object(void)
{
	return fdtab_has_kind(FD_CONTAINER) || fdtab_has_kind(FD_GROUP) ||
	       fdtab_has_kind(FD_DEVICE) || fdtab_has_kind(FD_RECEIVED);
}

void inherited_settle(void)
{
	if (ioas_is_inherited() && !store_count() && !has_object())
		ioas_close();
}
