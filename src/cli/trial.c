/* SPDX-License-Identifier: MIT */
#include "cli/trial.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/page.h"
#include "iommufd/cdev.h" /* for the lock only, which the library takes, too */
#include "uapi/io_uring.h"
#include "uapi/iommufd.h"
#include "uapi/vfio.h"

#define PAGEMAP_PFN UINT64_C(0x7fffffffffffff)
#define SOME_IOVA   UINT64_C(0x100000)

struct trial_answer trial_ask(void)
{
	struct iommu_ioas_noiommu_get_pa query = {.size = sizeof(query), .length = 1};
	struct trial_answer answer = {0};
	int fd = open("/dev/iommu", O_RDWR | O_CLOEXEC);

	if (fd < 0) {
		answer.open_error = errno;
		return answer;
	}
	/* There is no IOAS 0: a kernel that has the ioctl returns ENOENT. */
	if (ioctl(fd, IOMMU_IOAS_NOIOMMU_GET_PA, &query) && errno != ENOENT)
		answer.error = errno;
	close(fd);
	return answer;
}

static uint64_t ask_pagemap(const void *page)
{
	off_t at = (off_t)(((uintptr_t)page >> page_shift()) * sizeof(uint64_t));
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	uint64_t entry = 0;

	if (fd >= 0) {
		if (pread(fd, &entry, sizeof(entry), at) != (ssize_t)sizeof(entry))
			entry = 0;
		close(fd);
	}
	return (entry & PAGEMAP_PFN) << page_shift();
}

static int register_page(int ring, const void *page)
{
	struct iovec buffer = {.iov_base = (void *)page, .iov_len = PAGE_LEAST};

	if (syscall(SYS_io_uring_register, ring, UAPI_REGISTER_BUFFERS, &buffer, 1))
		return errno;
	return ask_pagemap(page) ? 0 : EACCES;
}

int trial_uring(void)
{
	static char page[PAGE_LEAST] __attribute__((aligned(PAGE_LEAST)));
	struct uapi_io_uring_params params = {{0}};
	long fd = syscall(SYS_io_uring_setup, 1, &params);
	int error;

	if (fd < 0)
		return errno;
	error = register_page((int)fd, page);
	close((int)fd);
	return error;
}

static int lock(int fd)
{
	struct flock range = {
		.l_type = F_WRLCK, .l_start = CDEV_LOCKS + CDEV_LOCK_LENDING, .l_len = 1};

	return fcntl(fd, F_OFD_SETLK, &range);
}

static int bind_device(int fd, int iommufd, uint32_t *id)
{
	struct shim_vfio_device_bind_iommufd bind = {.argsz = sizeof(bind), .iommufd = iommufd};
	int ret = ioctl(fd, VFIO_DEVICE_BIND_IOMMUFD, &bind);

	*id = bind.out_devid;
	return ret;
}

static int make_ioas(int iommufd, uint32_t *id)
{
	struct iommu_ioas_alloc alloc = {.size = sizeof(alloc)};
	int ret = ioctl(iommufd, IOMMU_IOAS_ALLOC, &alloc);

	*id = alloc.out_ioas_id;
	return ret;
}

static int make_page_table(int iommufd, uint32_t device, uint32_t ioas)
{
	struct iommu_hwpt_alloc alloc = {.dev_id = device, .pt_id = ioas};

	/* The size that every kernel with cdevs knows. */
	alloc.size = offsetof(struct iommu_hwpt_alloc, data_uptr) + sizeof(alloc.data_uptr);
	return ioctl(iommufd, IOMMU_HWPT_ALLOC, &alloc);
}

static int map(int iommufd, uint32_t ioas, const void *page)
{
	struct iommu_ioas_map map = {
		.size = sizeof(map),
		.flags = IOMMU_IOAS_MAP_READABLE | IOMMU_IOAS_MAP_WRITEABLE |
			 IOMMU_IOAS_MAP_FIXED_IOVA,
		.ioas_id = ioas,
		.user_va = (uintptr_t)page,
		.length = page_size(),
		.iova = SOME_IOVA,
	};

	return ioctl(iommufd, IOMMU_IOAS_MAP, &map);
}

static int get_pa(int iommufd, uint32_t ioas, uint64_t *pa)
{
	struct iommu_ioas_noiommu_get_pa query = {
		.size = sizeof(query), .ioas_id = ioas, .iova = SOME_IOVA, .length = page_size()};
	int ret = ioctl(iommufd, IOMMU_IOAS_NOIOMMU_GET_PA, &query);

	*pa = query.out_phys;
	return ret;
}

static struct trial_result try(int fd, int iommufd, void *page)
{
	struct trial_result result = {0};
	uint32_t device, ioas;

#define STEP(name, call)                                                                           \
	do {                                                                                       \
		if (call) {                                                                        \
			result.step = name;                                                        \
			result.error = errno;                                                      \
			return result;                                                             \
		}                                                                                  \
	} while (0)

	STEP("opening its cdev", fd < 0);
	STEP("opening /dev/iommu", iommufd < 0);
	STEP("getting memory", page == MAP_FAILED);
	STEP("locking it against other borrowers", lock(fd));
	STEP("VFIO_DEVICE_BIND_IOMMUFD", bind_device(fd, iommufd, &device));
	STEP("IOMMU_IOAS_ALLOC", make_ioas(iommufd, &ioas));
	STEP("IOMMU_HWPT_ALLOC", make_page_table(iommufd, device, ioas));
	*(volatile char *)page = 1;
	STEP("IOMMU_IOAS_MAP", map(iommufd, ioas, page));
	STEP("IOMMU_IOAS_NOIOMMU_GET_PA", get_pa(iommufd, ioas, &result.pa));
#undef STEP
	result.told = ask_pagemap(page);
	return result;
}

struct trial_result trial_run(const struct device *device)
{
	int fd = open(device_node(device), O_RDWR | O_CLOEXEC);
	int iommufd = fd < 0 ? -1 : open("/dev/iommu", O_RDWR | O_CLOEXEC);
	void *page = iommufd < 0 ? NULL
				 : mmap(NULL, page_size(), PROT_READ | PROT_WRITE,
					MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct trial_result result = try(fd, iommufd, page);

	/* The device is closed first, as it keeps the iommufd alive. */
	if (fd >= 0)
		close(fd);
	if (iommufd >= 0)
		close(iommufd);
	return result;
}
