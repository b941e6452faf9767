/* SPDX-License-Identifier: MIT */
#include "door/observe.h"

#include <errno.h>
#include <string.h>

#include "base/event.h"
#include "base/fdtab.h"
#include "base/lock.h"
#include "base/slab.h"
#include "base/sys.h"
#include "base/user.h"
#include "tree/view.h"
#include "uapi/vfio.h"

/* Descriptors of the kernel's own group path. */
static struct slab natives = {.size = sizeof(struct object)};

static void release(struct object *object)
{
	slab_free(&natives, object);
}

#define NATIVE(what) [what] = {.kind = FD_NATIVE, .traced = (what), .release = release}

static const struct object_operations operations[] = {
	NATIVE(TRACE_CONTAINER),
	NATIVE(TRACE_GROUP),
	NATIVE(TRACE_DEVICE),
};

enum trace_object observe_what(const struct object *object)
{
	return object ? object->ops->traced : TRACE_OTHER;
}

static bool begins(const char *text, const char *with)
{
	return !strncmp(text, with, strlen(with));
}

/* Identifies the kernel's own VFIO files by their names. */
static enum trace_object identify(int fd)
{
	static char path[VIEW_PATH];

	if (!view_path_of(fd, path, sizeof(path)))
		return TRACE_OTHER;
	if (!strcmp(path, "/dev/vfio/vfio"))
		return TRACE_CONTAINER;
	if (begins(path, VIEW_DEVICE))
		return TRACE_DEVICE;
	return begins(path, "/dev/vfio/") && !begins(path, "/dev/vfio/devices/") ? TRACE_GROUP
										 : TRACE_OTHER;
}

/* Enters fd if it is the kernel's own. Needs the lock. */
static enum trace_object enter(int fd)
{
	enum trace_object what = identify(fd);
	struct object *native = what == TRACE_OTHER ? NULL : slab_alloc(&natives);

	if (!native)
		return what;
	native->ops = &operations[what];
	object_identify(native, fd);
	fdtab_install(fd, native);
	return what;
}

void observe_arrived(int fd)
{
	if (event_wanted() && !fdtab_get(fd))
		enter(fd);
}

/* Sets the type of fd. */
static void describe(struct trace_event *event, int fd)
{
	struct lock_saved saved = lock_enter();
	struct object *object = fd < 0 ? NULL : fdtab_get(fd);

	event->object = (uint8_t)observe_what(object);
	if (fd >= 0 && !object)
		event->object = (uint8_t)enter(fd);
	lock_leave(saved);
}

/* True for a name of VFIO, whose open failed. */
static bool is_vfio_name(const char *path)
{
	const char *base = strrchr(path, '/');

	return begins(path, "/dev/vfio/") || begins(base ? base + 1 : path, "noiommu-");
}

void observe_opened(const char *path, int flags, int ret, uint64_t start)
{
	struct trace_event event = {
		.kind = TRACE_OPEN,
		.time = start,
		.fd = -1,
		.args = {(unsigned int)flags},
		.result = ret,
	};

	if (!event_wanted())
		return;
	describe(&event, ret);
	if (event.object == TRACE_OTHER && (ret >= 0 || !is_vfio_name(path)))
		return;
	event_set_text(&event, path);
	event_put(&event);
}

void observe_closed(int fd, enum trace_object what, int ret, uint64_t start)
{
	struct trace_event event = {
		.kind = TRACE_CLOSE,
		.object = (uint8_t)what,
		.time = start,
		.fd = fd,
		.result = ret,
	};

	if (event_wanted() && what != TRACE_OTHER)
		event_put(&event);
}

/* Copies what the ioctl's argument points to, as far as there is room. */
static void set_argument(struct trace_event *event, unsigned int cmd, unsigned long arg)
{
	const void *from = (const void *)arg;
	uint32_t size = 0;
	int len;

	switch (cmd) {
	case VFIO_GET_API_VERSION:
	case VFIO_CHECK_EXTENSION:
	case VFIO_SET_IOMMU:
	case VFIO_GROUP_UNSET_CONTAINER:
	case VFIO_DEVICE_RESET:
		return;
	case VFIO_GROUP_GET_DEVICE_FD:
		len = user_read_string((char *)event->data, TRACE_DATA, from);
		event->length = len < 0 ? 0 : (uint16_t)(len + 1);
		return;
	case VFIO_GROUP_SET_CONTAINER:
		size = sizeof(int);
		break;
	default:
		/* All others take a structure that begins with its size. */
		if (user_read(&size, from, sizeof(size)))
			return;
	}
	size = size < TRACE_DATA ? size : TRACE_DATA;
	if (!user_read(event->data, from, size))
		event->length = (uint16_t)size;
}

void observe_ioctl(int fd, unsigned int cmd, unsigned long arg, long ret, uint64_t start)
{
	struct trace_event event = {
		.kind = TRACE_IOCTL,
		.time = start,
		.fd = fd,
		.args = {cmd, arg},
		.result = ret,
	};

	if (!event_wanted())
		return;
	describe(&event, fd);
	if (event.object == TRACE_OTHER || event.object == TRACE_PAGEMAP)
		return;
	set_argument(&event, cmd, arg);
	event_put(&event);
	if (cmd == VFIO_GROUP_GET_DEVICE_FD && ret >= 0)
		describe(&event, (int)ret);
}

void observe_transfer(enum trace_kind kind, int fd, const void *buf, size_t len, off_t pos,
		      ssize_t ret, uint64_t start)
{
	struct trace_event event = {
		.kind = (uint8_t)kind,
		.time = start,
		.fd = fd,
		.args = {len, (uint64_t)pos},
		.result = ret,
	};

	if (!event_wanted())
		return;
	describe(&event, fd);
	if (event.object != TRACE_DEVICE)
		return;
	/* An access to a register. */
	if (ret > 0 && ret <= 8 && !user_read(event.data, buf, (size_t)ret))
		event.length = (uint16_t)ret;
	event_put(&event);
}

void observe_mapped(int fd, size_t len, int prot, off_t pos, intptr_t ret, uint64_t start)
{
	struct trace_event event = {
		.kind = TRACE_MMAP,
		.time = start,
		.fd = fd,
		.args = {len, (unsigned int)prot, (uint64_t)pos},
		.result = ret,
	};

	if (!event_wanted())
		return;
	describe(&event, fd);
	if (event.object != TRACE_OTHER && event.object != TRACE_PAGEMAP)
		event_put(&event);
}

void observe_released(uintptr_t addr, size_t len, uint64_t start)
{
	struct trace_event event = {
		.kind = TRACE_RELEASE,
		.time = start,
		.fd = -1,
		.args = {addr, len},
	};

	if (event_wanted())
		event_put(&event);
}
