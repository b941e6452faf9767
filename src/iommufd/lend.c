/* SPDX-License-Identifier: MIT */
#include "iommufd/lend.h"

#include <errno.h>

#include "base/event.h"
#include "base/log.h"
#include "base/sys.h"
#include "iommufd/cdev.h"
#include "iommufd/guard.h"
#include "iommufd/idle.h"
#include "iommufd/ioas.h"

struct search {
	bool wanted;	  /* second pass: devices that the program may want itself */
	int error;	  /* from the last device tried that has a node */
	struct cdev busy; /* a device that is in use */
	const char *why;  /* how it is in use; NULL: there is none */
};

/*
 * The page table outlives the close of the device. The lock is on a second open file,
 * because the kernel drops a file's locks before it closes the device (__fput() in
 * fs/file_table.c).
 */
static int make_table(const struct cdev *cdev, int lock)
{
	int fd = cdev_open(cdev->index);
	int ret;

	if (fd < 0)
		return fd;
	ret = cdev_lock(lock, cdev->index, CDEV_LOCK_LENDING, CDEV_EXCLUSIVE);
	if (!ret)
		ret = ioas_make_table(fd);
	sys_close(fd);
	event_attach(cdev->name, true, ret);
	/* All other errors mean that the device is not available. */
	return !ret || ret == -EPERM || ret == -ENOMEM ? ret : -EBUSY;
}

static int borrow(const struct cdev *cdev, int lock, struct search *search)
{
	static struct idle_config config;
	int ret = idle_read_config(cdev, &config);

	if (!ret)
		ret = idle_prove(cdev, &config, &search->why);
	if (ret == -EBUSY)
		search->busy = *cdev;
	if (ret || idle_is_wanted(cdev) != search->wanted)
		return ret ? ret : search->error;
	search->why = NULL;
	ret = make_table(cdev, lock);
	if (ret)
		return ret;
	log_warn("%s lent its page table, which has reset it; it was idle. Memory is pinned from "
		 "now on",
		 cdev->name);
	if (!idle_restore(cdev, &config))
		log_warn("%s: not all of its configuration is what it was before", cdev->name);
	return 0;
}

static int lend(const struct cdev *cdev, void *arg)
{
	struct search *search = arg;
	int lock = cdev_open(cdev->index);
	int ret = lock < 0 ? lock : borrow(cdev, lock, search);

	if (lock >= 0)
		sys_close(lock);
	/* A container has the nodes of some devices only. */
	if (ret != -ENOENT || search->error == -ENODEV)
		search->error = ret;
	return search->error == -EAGAIN ? -EAGAIN : ioas_has_table();
}

static int search_all(struct search *search)
{
	int ret = cdev_each(lend, search);

	if (!ret) {
		search->wanted = true;
		ret = cdev_each(lend, search);
	}
	if (ret < 0)
		return ret;
	return ret ? 0 : search->error;
}

static struct search search; /* the last search */

void lend_say_busy(void)
{
	static bool said;

	if (said || !search.why)
		return;
	said = true;
	log_warn("memory is not pinned before a device is opened: no device is idle that could "
		 "lend its page table (%s: %s)",
		 search.busy.name, search.why);
}

int lend_page_table(void)
{
	int ret = ioas_has_table() ? 0 : ioas_open();

	if (ret || ioas_has_table())
		return ret;
	search = (struct search){.error = -ENODEV};
	ret = search_all(&search);
	if (ret == -EBUSY && guard_stand_aside()) {
		search = (struct search){.error = -ENODEV};
		ret = search_all(&search);
		guard_stand_again();
	}
	if (ret && ret != -EBUSY && ret != -EAGAIN)
		idle_forget();
	return ret;
}
