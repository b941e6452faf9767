/* SPDX-License-Identifier: MIT */
#include "base/rights.h"

#include <linux/capability.h>

#include "base/sys.h"

bool rights_sys_rawio(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {{0}};

	if (sys_call(SYS_capget, (long)&header, (long)data, 0, 0, 0, 0))
		return false;
	return data[CAP_TO_INDEX(CAP_SYS_RAWIO)].effective & CAP_TO_MASK(CAP_SYS_RAWIO);
}
