/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/shm.h>

#include "base/lock.h"
#include "base/log.h"
#include "base/user.h"
#include "fake.h"
#include "pin/pin.h"
#include "pin/sweep.h"
#include "preload/slow.h"
#include "program.h"
#include "uapi/iommufd.h"
#include "uapi/vfio.h"

/* ---- what libc would be: the fake kernel behind its functions ---- */

static int next_open(const char *path, int flags, ...)
{
	return (int)result(sys_open(path, flags));
}

static int next_close(int fd)
{
	return (int)result(sys_close(fd));
}

static int next_close_range(unsigned int first, unsigned int last, int flags)
{
	return (int)result(sys_call(SYS_close_range, first, last, flags, 0, 0, 0));
}

static int next_ioctl(int fd, ioctl_request_t cmd, ...)
{
	va_list args;
	void *arg;

	va_start(args, cmd);
	arg = va_arg(args, void *);
	va_end(args);
	return (int)result(sys_ioctl(fd, (unsigned int)cmd, arg));
}

static ssize_t next_read(int fd, void *buf, size_t len)
{
	return result(sys_read(fd, buf, len));
}

static ssize_t next_pread(int fd, void *buf, size_t len, off_t pos)
{
	return result(sys_pread(fd, buf, len, pos));
}

static int next_madvise(void *addr, size_t len, int advice)
{
	ck_assert_int_eq(advice, MADV_DONTNEED);
	fake_discard((uintptr_t)addr, len);
	return 0;
}

static int next_munmap(void *addr, size_t len)
{
	fake_unmap(user_address(addr), len);
	return 0;
}

static void *next_mremap(void *addr, size_t len, size_t new_len, int flags, ...)
{
	va_list args;
	void *to;

	va_start(args, flags);
	to = va_arg(args, void *);
	va_end(args);
	if (new_len < len)
		fake_unmap((uint64_t)addr + new_len, len - new_len);
	if (!(flags & MREMAP_FIXED))
		return addr;
	fake_move((uint64_t)addr, new_len, (uint64_t)to);
	return to;
}

static uint64_t attached; /* bytes */

static void *next_shmat(int id, const void *addr, int flags)
{
	uint64_t at = (uint64_t)addr & ~(FAKE_4K - 1);

	ck_assert(id >= 0 && flags & SHM_RND);
	fake_map(at, attached, fake_file(attached, FAKE_4K), 0, FAKE_UNTOUCHED);
	return (void *)at;
}

/* ---- the program's calls, with a negative errno where libc has -1 and errno ---- */

static long value(long ret)
{
	return ret == -1 ? -errno : ret;
}

int program_open(const char *path, int flags)
{
	return (int)value(slow_open(path, flags, 0, next_open));
}

int program_close(int fd)
{
	return (int)value(is_ours(fd) ? slow_close(fd, next_close) : next_close(fd));
}

int program_close_range(unsigned int first, unsigned int last)
{
	return (int)value(slow_close_range(first, last, 0, next_close_range));
}

int program_dup(int fd)
{
	return duplicated(fd, (int)sys_fcntl(fd, F_DUPFD, 0));
}

int program_dup2(int oldfd, int newfd)
{
	make_way(newfd);
	return duplicated(oldfd, sys_dup3(oldfd, newfd, 0));
}

long program_ioctl(int fd, unsigned int cmd, unsigned long arg)
{
	return value(fd_may_ioctl(fd, cmd) ? slow_ioctl(fd, cmd, arg, next_ioctl)
					   : next_ioctl(fd, cmd, arg));
}

ssize_t program_read(int fd, void *buf, size_t len)
{
	return value(is_ours(fd) ? slow_read(fd, buf, len, next_read) : next_read(fd, buf, len));
}

ssize_t program_pread(int fd, void *buf, size_t len, off_t pos)
{
	return value(is_ours(fd) ? slow_pread(fd, buf, len, pos, next_pread)
				 : next_pread(fd, buf, len, pos));
}

void program_unmap(uint64_t va, uint64_t len)
{
	ck_assert_int_eq(slow_munmap((void *)va, len, next_munmap), 0);
}

void program_move(uint64_t from, uint64_t len, uint64_t to)
{
	ck_assert_ptr_eq(slow_mremap((void *)from, len, len, MREMAP_MAYMOVE | MREMAP_FIXED,
				     (void *)to, next_mremap),
			 (void *)to);
}

void program_shrink(uint64_t va, uint64_t len, uint64_t new_len)
{
	ck_assert_ptr_eq(slow_mremap((void *)va, len, new_len, 0, NULL, next_mremap), (void *)va);
}

/* Its size is asked for behind the fake kernel. */
void program_attach(uint64_t va, uint64_t len)
{
	int id = shmget(IPC_PRIVATE, len, 0600);

	attached = len;
	ck_assert_ptr_eq(slow_shmat(id, (void *)va, SHM_REMAP | SHM_RND, next_shmat),
			 (void *)(va & ~(FAKE_4K - 1)));
	shmctl(id, IPC_RMID, NULL);
}

void program_discard(uint64_t va, uint64_t len)
{
	ck_assert_int_eq(slow_madvise((void *)va, len, MADV_DONTNEED, next_madvise), 0);
}

static ssize_t discard_result;

static ssize_t next_process_madvise(int pidfd, const struct iovec *iov, size_t count, int advice,
				    unsigned int flags)
{
	size_t left = discard_result < 0 ? 0 : (size_t)discard_result;

	ck_assert_int_eq(pidfd, 7);
	ck_assert_int_eq(advice, MADV_DONTNEED);
	ck_assert_uint_eq(flags, 0);
	for (size_t i = 0; i < count && left >= iov[i].iov_len; left -= iov[i++].iov_len)
		fake_discard((uint64_t)iov[i].iov_base, iov[i].iov_len);
	if (discard_result < 0)
		fake_discard((uint64_t)iov[0].iov_base, iov[0].iov_len);
	errno = ENOMEM;
	return discard_result;
}

ssize_t program_process_discard(const struct iovec *ranges, size_t count, ssize_t ret)
{
	discard_result = ret;
	return slow_process_madvise(7, fake_user(ranges, count * sizeof(*ranges)), count,
				    MADV_DONTNEED, 0, next_process_madvise);
}

bool program_aio_read(int fd, off_t pos, size_t len)
{
	return slow_pin_before(fd, pos, len);
}

long program_status(int group)
{
	struct vfio_group_status status = {.argsz = sizeof(status)};
	const struct vfio_group_status *user = fake_user(&status, sizeof(status));
	long ret = program_ioctl(group, VFIO_GROUP_GET_STATUS, (unsigned long)user);

	return ret ? ret : user->flags;
}

long program_set_container(int group, int container)
{
	return program_ioctl(group, VFIO_GROUP_SET_CONTAINER,
			     (unsigned long)fake_user(&container, sizeof(container)));
}

long program_get_device(int group, const char *name)
{
	return program_ioctl(group, VFIO_GROUP_GET_DEVICE_FD,
			     (unsigned long)fake_user(name, strlen(name) + 1));
}

ssize_t program_lookup(int pagemap, uint64_t va, uint64_t *entry)
{
	return program_pread(pagemap, entry, sizeof(*entry),
			     (off_t)(va / FAKE_4K * sizeof(*entry)));
}

uint64_t program_frame(int pagemap, uint64_t va)
{
	uint64_t entry;

	ck_assert_int_eq(program_lookup(pagemap, va, &entry), sizeof(entry));
	ck_assert(entry & PAGEMAP_PRESENT);
	ck_assert_uint_eq(entry & PAGEMAP_PFN, fake_pfn(va));
	ck_assert(fake_is_pinned(entry & PAGEMAP_PFN));
	return entry & PAGEMAP_PFN;
}

static unsigned int first_group;

int program_open_group(unsigned int device)
{
	char path[64];

	snprintf(path, sizeof(path), "/dev/vfio/noiommu-%u", first_group + device);
	return program_open(path, O_RDWR);
}

struct driver driver_open(unsigned int device)
{
	struct driver s;
	char text[64];

	s.container = program_open("/dev/vfio/vfio", O_RDWR);
	ck_assert_int_ge(s.container, 0);
	s.group = program_open_group(device);
	ck_assert_int_ge(s.group, 0);
	ck_assert_int_eq(program_set_container(s.group, s.container), 0);
	ck_assert_int_eq(program_ioctl(s.container, VFIO_SET_IOMMU, VFIO_NOIOMMU_IOMMU), 0);
	snprintf(text, sizeof(text), "0000:00:%02x.0", 4 + device);
	s.device = (int)program_get_device(s.group, text);
	ck_assert_int_ge(s.device, 0);
	return s;
}

void driver_close(const struct driver *s)
{
	ck_assert_int_eq(program_close(s->device), 0);
	ck_assert_int_eq(program_close(s->group), 0);
	ck_assert_int_eq(program_close(s->container), 0);
}

struct other other_open(unsigned int device)
{
	struct shim_vfio_device_bind_iommufd bind = {.argsz = sizeof(bind)};
	struct other other = {.iommufd = sys_open("/dev/iommu", O_RDWR)};
	char path[64];

	snprintf(path, sizeof(path), "/dev/vfio/devices/noiommu-vfio%u", device);
	other.cdev = sys_open(path, O_RDWR);
	bind.iommufd = other.iommufd;
	ck_assert_int_eq(sys_ioctl(other.cdev, VFIO_DEVICE_BIND_IOMMUFD, &bind), 0);
	return other;
}

void other_close(const struct other *other)
{
	ck_assert_int_eq(sys_close(other->cdev), 0);
	ck_assert_int_eq(sys_close(other->iommufd), 0);
}

const char *program_log(void)
{
	static char rest[sizeof(fake.log)];
	char *to = rest;

	for (const char *line = fake.log, *end; (end = strchr(line, '\n')); line = end + 1) {
		size_t len = (size_t)(end + 1 - line);

		const char *lent = strstr(line, "lent its page table");
		const char *none = strstr(line, "not pinned before a device");

		if ((lent && lent < end) || (none && none < end))
			continue;
		memcpy(to, line, len);
		to += len;
	}
	*to = '\0';
	return rest;
}

static void setup(unsigned int devices, bool groups)
{
	struct lock_saved saved;

	fake_boot(devices, groups);
	/* Without groups of the kernel's own they have the numbers of the cdevs. */
	first_group = groups ? FAKE_FIRST_GROUP : 0;
	sys_call = fake_sys_call;
	saved = lock_enter();
	log_start();
	lock_leave(saved);
}

void program_setup(void)
{
	setup(2, false);
}

void program_setup_without_vfio(void)
{
	setup(0, false);
}

void program_setup_with_groups(void)
{
	setup(2, true);
}

void program_teardown(void)
{
	ck_assert_uint_eq(fake_visible_descriptors(), 0);
	ck_assert_uint_le(fake.pinned, 1);
	sys_call = sys_call_kernel;
}

static struct lock_saved locked;

void program_setup_locked(void)
{
	program_setup();
	locked = lock_enter();
}

void program_teardown_locked(void)
{
	lock_leave(locked);
	program_teardown();
}

bool program_sweep(void)
{
	struct lock_saved saved = lock_enter();
	bool freed = sweep_all();

	lock_leave(saved);
	return freed;
}
