/* SPDX-License-Identifier: MIT */
#include "pin/complain.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "backend/backend.h"
#include "base/event.h"
#include "base/limit.h"
#include "base/lines.h"
#include "base/log.h"
#include "base/rights.h"
#include "base/settings.h"
#include "base/sys.h"

/* The number after a word in a line of /proc, or 0. */
static uint64_t number_behind(const char *line, const char *word)
{
	const char *at = strstr(line, word);

	return at ? strtoul(at + strlen(word), NULL, 10) : 0;
}

struct zone {
	uint64_t pfn, spanned;
	bool is_movable;
};

/*
 * The lines of a zone, from zoneinfo_show_print() in mm/vmstat.c: the name, then the
 * size, and at the end the start.
 */
static bool has_frame(const char *line, void *arg)
{
	struct zone *zone = arg;
	uint64_t start;

	if (strstr(line, ", zone "))
		zone->is_movable = strstr(line, "Movable");
	if (strstr(line, " spanned "))
		zone->spanned = number_behind(line, " spanned ");
	start = number_behind(line, "start_pfn:");
	return zone->is_movable && start && zone->pfn >= start && zone->pfn - start < zone->spanned;
}

static bool is_movable(uint64_t pfn)
{
	struct zone zone = {.pfn = pfn};

	return pfn &&
	       lines_each(limit_open("/proc/zoneinfo", O_RDONLY | O_CLOEXEC), has_frame, &zone);
}

static bool take_pinned(const char *line, void *arg)
{
	uint64_t *kilobytes = arg;

	if (strncmp(line, "VmPin:", 6))
		return false;
	*kilobytes = number_behind(line, "VmPin:");
	return true;
}

/* RLIMIT_MEMLOCK in KiB; UINT64_MAX: no limit applies. */
static uint64_t limit_of(void)
{
	struct rlimit limit = {.rlim_cur = RLIM_INFINITY};

	sys_call(SYS_prlimit64, 0, RLIMIT_MEMLOCK, 0, (long)&limit, 0, 0);
	return limit.rlim_cur == RLIM_INFINITY || rights_ipc_lock() ? UINT64_MAX
								    : limit.rlim_cur / 1024;
}

/* The limit applies to the user, but only the part of this process is visible. */
static bool is_used_up(uint64_t limit)
{
	uint64_t pinned;

	/* Leaves room for a huge page. */
	return !lines_each(limit_open("/proc/self/status", O_RDONLY | O_CLOEXEC), take_pinned,
			   &pinned) ||
	       pinned + 2048 > limit;
}

static void complain_of_memory(uint64_t pfn)
{
	uint64_t limit = limit_of();
	bool movable = is_movable(pfn);

	if (limit != UINT64_MAX && (!movable || is_used_up(limit)))
		log_error("cannot pin a page (ENOMEM): RLIMIT_MEMLOCK is used up, which is %lu "
			  "KiB; raise it (ulimit -l, LimitMEMLOCK=) or give CAP_IPC_LOCK",
			  (unsigned long)limit);
	else if (movable)
		log_error("cannot pin a page (ENOMEM): it is in memory that has to stay movable "
			  "(movablecore=, kernelcore=, or memory onlined as movable), and the "
			  "rest has no room for it; keep more memory outside, or fewer huge pages "
			  "in it");
	else
		log_error("cannot pin a page (ENOMEM): the kernel has no memory to pin it, or to "
			  "move it out of memory where it must not stay (CMA); free some memory");
}

void complain(uint64_t va, uint64_t pfn, int error)
{
	static int last;

	event_failure("cannot pin a page", va, error);
	if (error == last)
		return;
	last = error;
	switch (error) {
	case -ENOMEM:
		complain_of_memory(pfn);
		break;
	case -EPERM:
	case -EACCES:
		/* The backend has said which right is missing. */
		if (settings.backend == BACKEND_URING)
			break;
		log_error("cannot pin a page (%e): looking up physical addresses needs "
			  "CAP_SYS_RAWIO and access to /dev/iommu and /dev/vfio/devices; look an "
			  "address up, or open the device, before giving these up",
			  error);
		break;
	case -ENOENT:
		log_error("cannot pin a page (ENOENT): no device can be reached any more below "
			  "/sys and /dev/vfio, as after chroot() or a mount over /dev; look an "
			  "address up, or open the device, before that");
		break;
	case -EMFILE:
	case -ENFILE:
		log_error("cannot pin a page (%e): no descriptor is left for the device that lends "
			  "its page table; raise RLIMIT_NOFILE (ulimit -n, LimitNOFILE=), for "
			  "ENFILE fs.file-max, or open the device before they are used up",
			  error);
		break;
	case -EBUSY:
		log_error("cannot pin a page (EBUSY): every no-IOMMU device is in use, and without "
			  "CAP_SYS_ADMIN the page cannot be kept for later");
		break;
	case -EFAULT:
		log_error("cannot pin the page at 0x%lx (EFAULT): %s; use other memory", va,
			  backend->refuses);
		break;
	default:
		log_error("cannot pin the page at 0x%lx (%e)", va, error);
	}
}
