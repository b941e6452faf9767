/* SPDX-License-Identifier: MIT */
#include "trap/made.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>

#include "base/event.h"
#include "base/sys.h"
#include "door/lookup.h"
#include "door/name.h"
#include "preload/slow.h"
#include "trap/arch.h"
#include "trap/entry.h"
#include "trap/rings.h"
#include "trap/sight.h"
#include "trap/slot.h"
#include "uapi/syscall.h"

/* ---- open ---- */

/* Of open() and openat(). */
struct opening {
	int dirfd;
	const char *path;
	int flags;
};

static struct opening opening(long nr, const long a[6])
{
	if (nr == SYS_openat)
		return (struct opening){(int)a[0], (const char *)a[1], (int)a[2]};
	return (struct opening){AT_FDCWD, (const char *)a[0], (int)a[1]};
}

static bool opens_first(const struct opening *with)
{
	return !(with->flags & (O_CREAT | O_TRUNC)) && !event_wanted() && !name_is_in_ours() &&
	       fdtab_kind(with->dirfd) != FD_STANDIN;
}

static bool open_is_done(const struct opening *with, int ret)
{
	if (ret >= 0 && lookup_expect(with->path, with->flags, ret))
		return rings_have_pagemap() && sight_has_descriptor((unsigned int)ret);
	return !slow_may_be_opened(with->path, ret);
}

/* ---- recvmsg ---- */

static bool has_control(const struct mmsghdr *messages, long n)
{
	for (long i = 0; i < n; i++)
		if (messages[i].msg_hdr.msg_controllen)
			return true;
	return false;
}

/* ---- all of them ---- */

bool made_goes_first(long nr, const long a[6])
{
	struct opening with;

	switch (nr) {
#ifdef SYS_open
	case SYS_open:
#endif
	case SYS_openat:
		with = opening(nr, a);
		return opens_first(&with);
	case SYS_recvmsg:
	case SYS_recvmmsg:
		return true;
	default:
		return false;
	}
}

bool made_is_done(const struct passing *passing)
{
	struct registers program;
	struct opening with;
	long call[7], *a = call + 1, ret;

	arch_passed(&program, call, passing);
	ret = arch_passed_result(passing);
	switch (call[0]) {
	case SYS_recvmsg:
		return ret < 0 || !((const struct msghdr *)a[1])->msg_controllen;
	case SYS_recvmmsg:
		return !has_control((const struct mmsghdr *)a[1], ret);
	default:
		with = opening(call[0], a);
		return open_is_done(&with, (int)ret);
	}
}

struct slot *made_slot(struct passing *passing)
{
	struct slot *slot = slot_get();

	/* The caller of recvmsg() has the descriptors that came along, unseen. */
	if (!slot && passing->nr != SYS_recvmsg && passing->nr != SYS_recvmmsg)
		sys_close((int)arch_passed_result(passing));
	if (!slot) {
		arch_set_passed_result(passing, -ENOMEM);
		return NULL;
	}
	arch_passed(&slot->program, slot->call, passing);
	slot->mask = passing->mask;
	return slot;
}

static long finish(long nr, const long a[6], long ret)
{
	const struct mmsghdr *messages = (const struct mmsghdr *)a[1];
	struct opening with;

	switch (nr) {
	case SYS_recvmsg:
		return slow_received((const struct msghdr *)a[1], ret);
	case SYS_recvmmsg:
		for (long i = 0; i < ret; i++)
			slow_received(&messages[i].msg_hdr, messages[i].msg_len);
		return ret;
	default:
		with = opening(nr, a);
		errno = ret < 0 ? (int)-ret : 0;
		ret = slow_opened(with.dirfd, with.path, with.flags, ret < 0 ? -1 : (int)ret,
				  errno);
		return ret < 0 ? -errno : ret;
	}
}

void engine_made(struct slot *slot)
{
	const long *a = slot->call + 1;
	long ret = finish(slot->call[0], a, (long)slot->program.rax);

	slot->program.rax = (unsigned long)engine_look_after(slot->call[0], a, ret);
	program_resume(slot);
}
