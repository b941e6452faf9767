/* SPDX-License-Identifier: MIT */
#include "iommufd/ioas.h"

#include <errno.h>
#include <stddef.h>

#include "base/hidden.h"
#include "base/limit.h"
#include "base/page.h"
#include "base/process.h"
#include "base/sys.h"
#include "iommufd/family.h"
#include "uapi/iommufd.h"
#include "uapi/vfio.h"

/*
 * An IOAS maps any multiple of PAGE_LEAST, whatever the base pages are: that is the
 * smallest page in its page table (drivers/iommu/generic_pt/fmt/amdv1.h).
 */
static struct {
	struct hidden fd;
	uint32_t ioas;
	uint32_t hwpt;	 /* page table that devices attach to; 0: not made here */
	bool has_table;	 /* the IOAS has a page table, made here or by another process */
	bool is_own;	 /* made by this process */
	bool has_others; /* a container may refer to another iommufd */
	unsigned int generation;
	unsigned int process; /* process_generation() of the process that has it */
} iommufd = {.fd = HIDDEN_NONE};

static int use(int fd, uint32_t ioas)
{
	iommufd.ioas = ioas;
	iommufd.hwpt = 0;
	iommufd.has_table = false;
	iommufd.is_own = false;
	iommufd.has_others = fdtab_next(FD_CONTAINER, -1) >= 0;
	iommufd.generation++;
	iommufd.process = process_generation();
	return hidden_take(&iommufd.fd, fd);
}

static int alloc_ioas(int fd, uint32_t *id)
{
	struct iommu_ioas_alloc alloc = {.size = sizeof(alloc)};
	int ret = sys_ioctl(fd, IOMMU_IOAS_ALLOC, &alloc);

	*id = alloc.out_ioas_id;
	return ret;
}

/*
 * A mark that tells an iommufd of this library from one of a program that uses iommufd
 * itself, when a process receives one by exec() or SCM_RIGHTS. IOMMU_VFIO_IOAS names an
 * IOAS that contains nothing but one map, at this IOVA. That IOAS never has a page table,
 * so the map pins nothing. The IOAS with the pins is the next one that was allocated.
 */
#define MARK_IOVA   0x6e6f696f6d6d7000
#define MARK_LENGTH PAGE_LEAST

static int set_mark(int fd, uint32_t ioas)
{
	static char page[MARK_LENGTH] __attribute__((aligned(MARK_LENGTH)));
	struct iommu_vfio_ioas mark = {
		.size = sizeof(mark),
		.ioas_id = ioas,
		.op = IOMMU_VFIO_IOAS_SET,
	};
	struct iommu_ioas_map map = {
		.size = sizeof(map),
		.flags = IOMMU_IOAS_MAP_FIXED_IOVA | IOMMU_IOAS_MAP_READABLE,
		.ioas_id = ioas,
		.user_va = (uintptr_t)page,
		.length = sizeof(page),
		.iova = MARK_IOVA,
	};
	int ret = sys_ioctl(fd, IOMMU_IOAS_MAP, &map);

	return ret ? ret : sys_ioctl(fd, IOMMU_VFIO_IOAS, &mark);
}

/*
 * The IOAS with the pins of a marked iommufd; 0: no mark. Copying a map onto itself shows
 * whether the map exists, and needs no rights.
 */
static uint32_t find_mark(int fd)
{
	struct iommu_vfio_ioas mark = {.size = sizeof(mark), .op = IOMMU_VFIO_IOAS_GET};
	struct iommu_ioas_copy copy = {
		.size = sizeof(copy),
		.flags = IOMMU_IOAS_MAP_FIXED_IOVA | IOMMU_IOAS_MAP_READABLE,
		.length = MARK_LENGTH,
		.dst_iova = MARK_IOVA,
		.src_iova = MARK_IOVA,
	};

	if (sys_ioctl(fd, IOMMU_VFIO_IOAS, &mark))
		return 0;
	copy.dst_ioas_id = copy.src_ioas_id = mark.ioas_id;
	return sys_ioctl(fd, IOMMU_IOAS_COPY, &copy) == -EEXIST ? mark.ioas_id + 1 : 0;
}

static int take_parents(void);
static int take_containers(void);

int ioas_open(void)
{
	uint32_t marked, ioas;
	int fd, ret;

	if (hidden_check(&iommufd.fd) || !take_containers() || !take_parents())
		return 0;
	fd = limit_open("/dev/iommu", O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return fd;
	ret = alloc_ioas(fd, &marked);
	if (!ret)
		ret = set_mark(fd, marked);
	if (!ret)
		ret = alloc_ioas(fd, &ioas);
	if (ret) {
		sys_close(fd);
		return ret;
	}
	family_leave();
	ret = use(fd, ioas);
	iommufd.is_own = true;
	return ret;
}

/* Without a page table a map is not pinned and has no physical address. */
static bool probe_table(void)
{
	static char page[PAGE_LEAST] __attribute__((aligned(PAGE_LEAST)));
	uint64_t iova, len = sizeof(page), pa;
	struct iommu_ioas_map map = {
		.size = sizeof(map),
		.flags = IOMMU_IOAS_MAP_READABLE,
		.ioas_id = iommufd.ioas,
		.user_va = (uintptr_t)page,
		.length = sizeof(page),
	};
	bool has_table;

	if (sys_ioctl(iommufd.fd.fd, IOMMU_IOAS_MAP, &map))
		return false;
	iova = map.iova;
	has_table = !ioas_physical(iova, &len, &pa);
	ioas_unmap(iova, sizeof(page));
	return has_table;
}

bool ioas_adopt(int fd)
{
	uint32_t ioas = find_mark(fd);
	int own;

	if (!ioas)
		return false;
	if (hidden_check(&iommufd.fd) && iommufd.has_table) {
		iommufd.has_others = true;
		return true;
	}
	own = limit_dup(fd);
	if (own < 0)
		return true;
	hidden_close(&iommufd.fd);
	family_leave();
	if (!use(own, ioas))
		iommufd.has_table = probe_table();
	return true;
}

static int of_parent = -1; /* its descriptor in the parent */

/*
 * For a process that closed its parent's iommufd and needs one after all. A new iommufd
 * would need another device to lend its page table, which resets that device; all may be
 * in use. So it takes the parent's again, if the parent still lives and the kernel
 * permits it.
 */
static int take_parents(void)
{
	pid_t parent = process_before_fork();
	bool taken;
	int fd;

	if (of_parent < 0 || !parent || sys_call(SYS_getppid, 0, 0, 0, 0, 0, 0) != parent)
		return -ENOENT;
	fd = process_take_fd(parent, of_parent);
	if (fd < 0)
		return fd;
	taken = sys_call(SYS_getppid, 0, 0, 0, 0, 0, 0) == parent && ioas_adopt(fd);
	sys_close(fd);
	return taken && hidden_check(&iommufd.fd) ? 0 : -ENOENT;
}

/*
 * The program can close the library's descriptor by a raw system call. Its containers are
 * duplicates of it and keep the memory pinned, so one of them is duplicated again. A new
 * iommufd would need another device to lend its page table.
 */
static int take_containers(void)
{
	int container = -1, fd;

	if (iommufd.has_others || !iommufd.generation || iommufd.process != process_generation())
		return -ENOENT;
	do {
		container = fdtab_next(FD_CONTAINER, container);
		if (container < 0)
			return -ENOENT;
	} while (!fdtab_get(container));
	fd = limit_dup(container);
	return fd < 0 ? fd : hidden_take(&iommufd.fd, fd);
}

void ioas_in_child(void)
{
	iommufd.is_own = false;
	of_parent = iommufd.fd.fd >= 0 ? iommufd.fd.fd : of_parent;
}

bool ioas_is_inherited(void)
{
	return iommufd.fd.fd >= 0 && !iommufd.is_own;
}

void ioas_close(void)
{
	hidden_close(&iommufd.fd);
	iommufd.has_table = false;
	family_leave();
}

void ioas_abandon(void)
{
	of_parent = iommufd.fd.fd;
	iommufd.fd.fd = -1;
	iommufd.has_table = false;
	family_abandon();
}

/*
 * The IOVA of a page that stays pinned as long as the iommufd exists; its frame is the
 * identity. The first process that asks maps it. It lies below all windows: the kernel's
 * page table has as many levels as the highest IOVA needs, and each map, unmap and query
 * walks through all of them.
 */
#define IDENTITY_IOVA (UINT64_C(1) << 48)

int ioas_identity(uint64_t *identity)
{
	static char page[PAGE_LEAST] __attribute__((aligned(PAGE_LEAST)));
	uint64_t len = sizeof(page);
	int ret = ioas_map((uintptr_t)page, len, IDENTITY_IOVA);

	if (ret && ret != -EEXIST)
		return ret;
	ret = ioas_physical(IDENTITY_IOVA, &len, identity);
	*identity /= sizeof(page);
	return ret;
}

bool ioas_has_identity(void)
{
	uint64_t len = 1, frame;

	return !ioas_physical(IDENTITY_IOVA, &len, &frame);
}

int ioas_fd(void)
{
	return iommufd.fd.fd;
}

unsigned int ioas_generation(void)
{
	return iommufd.generation;
}

static int bind_device(int fd, const unsigned char *token, uint32_t *dev_id)
{
	struct shim_vfio_device_bind_iommufd bind = {
		.argsz = sizeof(bind),
		.flags = token ? VFIO_DEVICE_BIND_FLAG_TOKEN : 0,
		.iommufd = iommufd.fd.fd,
		.token_uuid_ptr = (uintptr_t)token,
	};
	int ret = sys_ioctl(fd, VFIO_DEVICE_BIND_IOMMUFD, &bind);

	*dev_id = bind.out_devid;
	return ret;
}

static int make_page_table(uint32_t dev_id)
{
	struct iommu_hwpt_alloc alloc = {.dev_id = dev_id, .pt_id = iommufd.ioas};
	int ret;

	/* The length that every kernel with cdevs accepts. */
	alloc.size = offsetof(struct iommu_hwpt_alloc, data_uptr) + sizeof(alloc.data_uptr);
	if (iommufd.has_table)
		return 0;
	ret = sys_ioctl(iommufd.fd.fd, IOMMU_HWPT_ALLOC, &alloc);
	if (!ret) {
		iommufd.hwpt = alloc.out_hwpt_id;
		iommufd.has_table = true;
	}
	return ret;
}

int ioas_attach(int fd, const unsigned char *token)
{
	struct vfio_device_attach_iommufd_pt attach = {.argsz = sizeof(attach)};
	uint32_t dev_id;
	int ret = bind_device(fd, token, &dev_id);

	if (!ret)
		ret = make_page_table(dev_id);
	if (ret)
		return ret;
	/* If another process made the page table, attaching to the IOAS finds it. */
	attach.pt_id = iommufd.hwpt ? iommufd.hwpt : iommufd.ioas;
	return sys_ioctl(fd, VFIO_DEVICE_ATTACH_IOMMUFD_PT, &attach);
}

int ioas_make_table(int fd)
{
	uint32_t dev_id;
	int ret = bind_device(fd, NULL, &dev_id);

	return ret ? ret : make_page_table(dev_id);
}

bool ioas_has_table(void)
{
	return iommufd.has_table && iommufd.fd.fd >= 0;
}

bool ioas_check(void)
{
	return hidden_check(&iommufd.fd);
}

bool ioas_has_get_pa(void)
{
	struct iommu_ioas_noiommu_get_pa query = {.size = sizeof(query), .length = 1};

	return sys_ioctl(iommufd.fd.fd, IOMMU_IOAS_NOIOMMU_GET_PA, &query) != -ENOTTY;
}

int ioas_map(uint64_t va, uint64_t len, uint64_t iova)
{
	struct iommu_ioas_map map = {
		.size = sizeof(map),
		.flags = IOMMU_IOAS_MAP_READABLE | IOMMU_IOAS_MAP_FIXED_IOVA,
		.ioas_id = iommufd.ioas,
		.user_va = va,
		.length = len,
		.iova = iova,
	};

	return sys_ioctl(iommufd.fd.fd, IOMMU_IOAS_MAP, &map);
}

static int copy(uint64_t from, uint64_t len, uint64_t *to, uint32_t flags)
{
	struct iommu_ioas_copy arg = {
		.size = sizeof(arg),
		.flags = flags,
		.dst_ioas_id = iommufd.ioas,
		.src_ioas_id = iommufd.ioas,
		.length = len,
		.dst_iova = *to,
		.src_iova = from,
	};
	int ret = sys_ioctl(iommufd.fd.fd, IOMMU_IOAS_COPY, &arg);

	*to = arg.dst_iova;
	return ret;
}

int ioas_copy(uint64_t from, uint64_t len, uint64_t to)
{
	return copy(from, len, &to, IOMMU_IOAS_MAP_READABLE | IOMMU_IOAS_MAP_FIXED_IOVA);
}

int ioas_copy_anywhere(uint64_t from, uint64_t len, uint64_t *to)
{
	*to = 0;
	return copy(from, len, to, IOMMU_IOAS_MAP_READABLE);
}

int ioas_unmap(uint64_t iova, uint64_t len)
{
	struct iommu_ioas_unmap unmap = {
		.size = sizeof(unmap),
		.ioas_id = iommufd.ioas,
		.iova = iova,
		.length = len,
	};

	return sys_ioctl(iommufd.fd.fd, IOMMU_IOAS_UNMAP, &unmap);
}

int ioas_physical(uint64_t iova, uint64_t *len, uint64_t *pa)
{
	struct iommu_ioas_noiommu_get_pa query = {
		.size = sizeof(query),
		.ioas_id = iommufd.ioas,
		.iova = iova,
		.length = *len,
	};
	int ret = sys_ioctl(iommufd.fd.fd, IOMMU_IOAS_NOIOMMU_GET_PA, &query);

	*len = query.length;
	*pa = query.out_phys;
	return ret;
}
