/* SPDX-License-Identifier: MIT */
/* The model of a file that only the view has, and its stat(). */
#include <sys/sysmacros.h>

#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "base/sys.h"
#include "tree/view.h"

/* Different names get different inode numbers. */
static ino_t number_of(const char *path)
{
	uint32_t hash = 2166136261U;

	while (*path)
		hash = (hash ^ (unsigned char)*path++) * 16777619U;
	return hash;
}

void view_model(const struct view *view, char *to, size_t size)
{
	switch (view->kind) {
	case VIEW_CONTAINER:
		format(to, size, "/dev/iommu");
		break;
	case VIEW_GROUP:
		format(to, size, "/dev/vfio/devices/noiommu-vfio%u", view->cdev.index);
		break;
	case VIEW_GROUP_LINK:
	case VIEW_DEVICE_LINK:
		format(to, size, "/sys/class/vfio-dev/noiommu-vfio%u", view->cdev.index);
		break;
	case VIEW_TEXT:
		format(to, size, "/sys%s/%s", view->cdev.sysfs,
		       strcmp(view->file, "type") ? "modalias" : "driver_override");
		break;
	default:
		format(to, size, "/sys/kernel/iommu_groups");
	}
}

static int stat_view(const struct view *view, struct stat *st)
{
	static char model[VIEW_PATH];
	int ret;

	view_model(view, model, sizeof(model));
	ret = sys_fstatat(AT_FDCWD, model, st, AT_SYMLINK_NOFOLLOW);
	if (ret)
		return ret;
	st->st_ino = number_of(view->path);
	if (view->kind == VIEW_CONTAINER) {
		st->st_mode = S_IFCHR | 0666;
		st->st_rdev = makedev(10, 196);
	} else if (view->kind == VIEW_GROUP) {
		st->st_mode = S_IFCHR | (st->st_mode & 07777);
	} else if (view->kind == VIEW_GROUP_DIR) {
		st->st_nlink = 3;
	} else if (view->kind == VIEW_DEVICES_DIR) {
		st->st_nlink = 2;
	}
	return 0;
}

int view_stat(const char *name, struct stat *st)
{
	static struct view view;

	/* The name contains no links, so none is followed. */
	view_find(AT_FDCWD, name, false, &view);
	return view.kind == VIEW_NONE ? -ENOENT : stat_view(&view, st);
}
