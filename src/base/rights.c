/* SPDX-License-Identifier: MIT */
#include "base/rights.h"

#include <linux/capability.h>

#include "base/sys.h"

static void read_rights(struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3])
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};

	for (int i = 0; i < _LINUX_CAPABILITY_U32S_3; i++)
		data[i] = (struct __user_cap_data_struct){0};
	sys_call(SYS_capget, (long)&header, (long)data, 0, 0, 0, 0);
}

static bool has(unsigned int capability)
{
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

	read_rights(data);
	return data[CAP_TO_INDEX(capability)].effective & CAP_TO_MASK(capability);
}

bool rights_sys_rawio(void)
{
	return has(CAP_SYS_RAWIO);
}

bool rights_ipc_lock(void)
{
	return has(CAP_IPC_LOCK);
}

bool rights_may_sys_rawio(void)
{
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

	read_rights(data);
	return data[CAP_TO_INDEX(CAP_SYS_RAWIO)].permitted & CAP_TO_MASK(CAP_SYS_RAWIO);
}
