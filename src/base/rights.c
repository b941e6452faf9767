/* SPDX-License-Identifier: MIT */
#include "base/rights.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>

#include "base/lines.h"
#include "base/proc.h"
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

unsigned long rights_own_filters;

/* How many there are the kernel tells since Linux 5.9, in the line behind. */
static bool take_filter(const char *line, void *arg)
{
	static const char any[] = "Seccomp:", count[] = "Seccomp_filters:";
	bool *is_filtered = arg;

	if (!strncmp(line, any, sizeof(any) - 1)) {
		*is_filtered = line[strlen(line) - 1] != '0';
		return !rights_own_filters;
	}
	if (strncmp(line, count, sizeof(count) - 1))
		return false;
	*is_filtered = strtoul(line + sizeof(count) - 1, NULL, 10) > rights_own_filters;
	return true;
}

/*
 * A filter can kill the process for a call, and only the call itself would show that. Without
 * /proc that is unknown. A kernel without CONFIG_SECCOMP has no such line.
 */
bool rights_has_filter(void)
{
	int fd = proc_open("thread-self/status", O_RDONLY);
	bool is_filtered = fd < 0;

	lines_each(fd, take_filter, &is_filtered);
	return is_filtered;
}
