/* SPDX-License-Identifier: MIT */
#include "backend/backend.h"

#include <errno.h>

#include "base/limit.h"
#include "base/log.h"
#include "base/rights.h"
#include "base/settings.h"
#include "base/state.h"
#include "base/sys.h"
#include "iommufd/family.h"
#include "iommufd/ioas.h"
#include "iommufd/lend.h"
#include "iommufd/window.h"
#include "uring/ring.h"
#include "uring/uring.h"

/* The user asked for io_uring, and it does not work. */
static void say_missing(int error)
{
	static bool said;

	if (!said)
		log_error("NOIOMMU_SHIM_BACKEND=uring: io_uring does not pin memory: %s",
			  backend_obstacle(error));
	said = true;
}

static bool has_page_table(void)
{
	return ioas_has_table() || (!ioas_open() && ioas_has_table());
}

/* io_uring pins only until there is a page table. To borrow one was tried in vain. */
static bool is_passing, lending_failed;

static int ready(void)
{
	bool is_forced = settings.backend == BACKEND_URING;
	int error, ret;

	if (!is_forced && has_page_table())
		return 0;
	error = backend_take_uring();
	is_passing = !error && !is_forced;
	if (!error) {
		lending_failed = false;
		uring_keep_marks(is_passing);
		return 0;
	}
	if (is_forced) {
		say_missing(error);
		return error == -EACCES ? error : -EBUSY;
	}
	ret = lend_page_table();
	if (ret == -EBUSY)
		lend_say_busy();
	return ret;
}

static const struct backend iommufd = {
	.refuses = "no device can be given memory of this kind, or at addresses from 2^48 on",
	.ready = ready,
	.is_ready = ioas_has_table,
	.check = ioas_check,
	.generation = ioas_generation,
	.claim = window_claim,
	.release_gone = window_release_gone,
	.succeed = family_succeed,
	.map = ioas_map,
	.copy = ioas_copy,
	.copy_anywhere = ioas_copy_anywhere,
	.unmap = ioas_unmap,
	.physical = ioas_physical,
};

static const struct backend uring = {
	.refuses =
		"io_uring pins no memory that is read-only, or on older kernels of a file or System V",
	.parts_hold_all = true,
	.ready = uring_ready,
	.is_ready = uring_is_ready,
	.check = uring_check,
	.generation = uring_generation,
	.claim = uring_claim,
	.release_gone = uring_release_gone,
	.seen = uring_seen,
	.map = uring_map,
	.copy = uring_copy,
	.copy_anywhere = uring_copy_anywhere,
	.unmap = uring_unmap,
	.physical = uring_physical,
	.end = uring_end,
	.flush = ring_flush,
};

const struct backend *backend = &iommufd;

int backend_take_uring(void)
{
	int ret;

	if (backend == &uring)
		return 0;
	if (settings.backend == BACKEND_IOMMUFD)
		return -ECANCELED;
	if (settings.backend != BACKEND_URING && rights_has_filter())
		return -EOPNOTSUPP;
	ret = uring_ready();
	if (!ret) {
		backend = &uring;
		state_set(backend, STATE_BACKEND_URING);
	}
	return ret;
}

int backend_successor(bool lend, const struct backend **to)
{
	if (backend != &uring || !is_passing || (lend && lending_failed))
		return -EOPNOTSUPP;
	*to = &iommufd;
	return lend || ioas_has_table() ? lend_page_table() : -EBUSY;
}

void backend_stay(void)
{
	lending_failed = true;
	uring_keep_marks(false);
}

void backend_succeed(void)
{
	backend = &iommufd;
	state_set(backend, STATE_BACKEND_IOMMUFD);
	uring_close();
}

static bool is_disabled(void)
{
	int fd = limit_open("/proc/sys/kernel/io_uring_disabled", O_RDONLY | O_CLOEXEC);
	char value = '0';

	if (fd < 0)
		return false;
	sys_read(fd, &value, 1);
	sys_close(fd);
	return value != '0';
}

const char *backend_obstacle(int error)
{
	switch (error) {
	case -ECANCELED:
		return "NOIOMMU_SHIM_BACKEND=iommufd asks for that";
	case -EOPNOTSUPP:
		return "a seccomp filter is in force, as in a container, and could end the program "
		       "for asking; if it allows io_uring set NOIOMMU_SHIM_BACKEND=uring";
	case -ENOSYS:
		return "this kernel has none, or a seccomp profile hides it";
	case -EPERM:
		return is_disabled()
			       ? "kernel.io_uring_disabled forbids it"
			       : "a seccomp profile forbids it, as container engines have one";
	case -EACCES:
		return "the program may not see page frames (CAP_SYS_ADMIN)";
	case -ENOMEM:
		return "no memory, or RLIMIT_MEMLOCK is used up";
	default:
		return "the kernel gives no ring";
	}
}
