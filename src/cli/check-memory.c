/* SPDX-License-Identifier: MIT */
#include "cli/check.h"

#include <dirent.h>
#include <linux/capability.h>
#include <mntent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "cli/cli.h"

#define HUGEPAGES "/sys/kernel/mm/hugepages"

static bool hugetlbfs_is_mounted(void)
{
	FILE *mounts = setmntent("/proc/self/mounts", "re");
	struct mntent *mount;
	bool is_mounted = false;

	while (mounts && !is_mounted && (mount = getmntent(mounts)))
		is_mounted = !strcmp(mount->mnt_type, "hugetlbfs");
	if (mounts)
		endmntent(mounts);
	return is_mounted;
}

void check_hugepages(struct check *c)
{
	static const char name[] = "huge pages";
	DIR *dir = opendir(HUGEPAGES);
	struct dirent *entry;
	char *sizes = text("%s", "");

	while (dir && (entry = readdir(dir))) {
		uint64_t n, kbytes;
		char *before = sizes;

		if (sscanf(entry->d_name, "hugepages-%lukB", &kbytes) != 1)
			continue;
		n = check_number(HUGEPAGES, entry->d_name, "nr_hugepages");
		if (!n)
			continue;
		c->huge_bytes += n * kbytes * 1024;
		sizes = text("%s%s%lu of %lu %s, %lu free", before, *before ? "; " : "", n,
			     kbytes < 1024 ? kbytes : kbytes >> 10, kbytes < 1024 ? "KiB" : "MiB",
			     check_number(HUGEPAGES, entry->d_name, "free_hugepages"));
		free(before);
	}
	if (dir)
		closedir(dir);
	if (!c->huge_bytes) {
		NOTE(c, name,
		     dir ? "none; DPDK and many drivers need some" : "this kernel has none");
		MEND(c, dir ? "echo 512 > /proc/sys/vm/nr_hugepages"
			    : "build the kernel with CONFIG_HUGETLBFS=y");
	} else if (hugetlbfs_is_mounted()) {
		OK(c, name, "%s", sizes);
	} else {
		NOTE(c, name, "%s; no hugetlbfs is mounted here", sizes);
		MEND(c, "mount -t hugetlbfs none /dev/hugepages");
		MEND(c, "in a container: --volume=/dev/hugepages:/dev/hugepages");
		MEND(c, "in a pod: a volume with emptyDir: {medium: HugePages}");
	}
	free(sizes);
}

void check_locked_memory(struct check *c)
{
	static const char name[] = "locked memory";
	struct rlimit limit;

	if (check_capability(CAP_IPC_LOCK)) {
		OK(c, name, "no limit: CAP_IPC_LOCK");
	} else if (getrlimit(RLIMIT_MEMLOCK, &limit) || limit.rlim_cur == RLIM_INFINITY) {
		OK(c, name, "no limit");
	} else if (limit.rlim_cur >= c->huge_bytes && c->huge_bytes) {
		OK(c, name, "%lu MiB, more than all huge pages", limit.rlim_cur >> 20);
	} else {
		finding(&c->findings, name, c->huge_bytes ? FINDING_MISSING : FINDING_NOTE,
			"%lu KiB may be pinned%s", limit.rlim_cur >> 10,
			c->huge_bytes ? ", less than the huge pages" : "");
		MEND(c, "ulimit -l unlimited; in a unit file: LimitMEMLOCK=infinity");
		MEND(c, "in a container: --ulimit=memlock=-1:-1, or --cap-add=IPC_LOCK");
		MEND(c, "in a pod: securityContext: {capabilities: {add: [IPC_LOCK]}}");
	}
}
