/* SPDX-License-Identifier: MIT */
/* The fake kernel's iommufd and its no-IOMMU devices. */
#include <check.h>
#include <errno.h>
#include <linux/pci_regs.h>
#include <string.h>

#include "fake-inside.h"
#include "pin/pin.h"
#include "uapi/iommufd.h"
#include "uapi/vfio.h"

/* A map. frames is NULL while its IOAS has no page table: then nothing is pinned. */
struct area {
	struct area *next;
	uint64_t iova, len;
	uint64_t va;
	bool writable;
	uint64_t *frames;
};

struct ioas {
	struct ioas *next;
	uint32_t id;
	uint32_t hwpt;	    /* 0: it has no page table */
	struct area *areas; /* by IOVA */
};

struct fake_iommufd {
	unsigned int refs;
	uint32_t last_id;
	uint32_t vfio_ioas; /* 0: none */
	struct ioas *ioases;
};

static struct {
	struct fake_open *bound; /* the open file by which it is open */
	bool group_open;
} devices[FAKE_DEVICES];

void fake_iommufd_boot(void)
{
	memset(devices, 0, sizeof(devices));
}

bool fake_device_is_bound(unsigned int device)
{
	return devices[device].bound;
}

struct fake_iommufd *fake_iommufd_new(void)
{
	struct fake_iommufd *iommufd = fake_alloc(sizeof(*iommufd));

	iommufd->refs = 1;
	return iommufd;
}

/* ---- areas ---- */

/* The pages that it has a part of. */
static uint64_t pages_of(const struct area *area)
{
	return (area->len + FAKE_4K - 1) / FAKE_4K;
}

/* The first area that ends after iova, in the list where it is. */
static struct area **area_after(struct ioas *ioas, uint64_t iova)
{
	struct area **at = &ioas->areas;

	while (*at && (*at)->iova + ((*at)->len - 1) < iova)
		at = &(*at)->next;
	return at;
}

static void unpin(const struct area *area, uint64_t pages)
{
	for (uint64_t i = 0; i < pages; i++)
		fake_unpin(area->frames[i]);
}

static int pin(struct area *area)
{
	uint64_t *frames = fake_alloc(pages_of(area) * sizeof(*frames));

	area->frames = frames;
	for (uint64_t i = 0; i < pages_of(area); i++) {
		int ret = fake_pin(area->va + i * FAKE_4K, area->writable, &frames[i]);

		if (ret) {
			unpin(area, i);
			area->frames = NULL;
			return ret;
		}
	}
	return 0;
}

/*
 * iopt_check_iova(), or iopt_alloc_iova() when it is not fixed. The pages of the page
 * table are those of the format AMDv1, whatever the base pages are.
 */
static int find_place(struct ioas *ioas, uint64_t len, uint64_t *iova, bool fixed)
{
	struct area *area = *area_after(ioas, *iova);

	if (!len || len % PAGE_LEAST || *iova % PAGE_LEAST)
		return -EINVAL;
	if (*iova + (len - 1) < *iova)
		return -EOVERFLOW;
	if (fixed)
		return area && area->iova <= *iova + (len - 1) ? -EEXIST : 0;
	*iova = 0;
	for (area = ioas->areas; area && area->iova < *iova + len; area = area->next)
		*iova = area->iova + pages_of(area) * FAKE_4K;
	return 0;
}

static void insert(struct ioas *ioas, struct area *area)
{
	struct area **at = area_after(ioas, area->iova);

	area->next = *at;
	*at = area;
}

static int remove_areas(struct ioas *ioas, uint64_t iova, uint64_t last)
{
	struct area **at = area_after(ioas, iova);
	int ret = -ENOENT;

	while (*at && (*at)->iova <= last) {
		if ((*at)->iova < iova || (*at)->iova + ((*at)->len - 1) > last)
			return -ENOENT;
		if ((*at)->frames)
			unpin(*at, pages_of(*at));
		*at = (*at)->next;
		ret = 0;
	}
	return ret;
}

void fake_iommufd_put(struct fake_iommufd *iommufd)
{
	if (--iommufd->refs)
		return;
	for (struct ioas *ioas = iommufd->ioases; ioas; ioas = ioas->next)
		remove_areas(ioas, 0, UINT64_MAX);
}

static struct ioas *find_ioas(struct fake_iommufd *iommufd, uint32_t id)
{
	struct ioas *ioas = iommufd->ioases;

	while (ioas && ioas->id != id)
		ioas = ioas->next;
	return ioas;
}

/* ---- the ioctls of /dev/iommu ---- */

#define MAP_FLAGS (IOMMU_IOAS_MAP_FIXED_IOVA | IOMMU_IOAS_MAP_WRITEABLE | IOMMU_IOAS_MAP_READABLE)

static int ioas_alloc(struct fake_iommufd *iommufd, struct iommu_ioas_alloc *arg)
{
	struct ioas *ioas = fake_alloc(sizeof(*ioas));

	ioas->id = ++iommufd->last_id;
	ioas->next = iommufd->ioases;
	iommufd->ioases = ioas;
	arg->out_ioas_id = ioas->id;
	return 0;
}

static int vfio_ioas(struct fake_iommufd *iommufd, struct iommu_vfio_ioas *arg)
{
	if (arg->op == IOMMU_VFIO_IOAS_GET) {
		arg->ioas_id = iommufd->vfio_ioas;
		return iommufd->vfio_ioas ? 0 : -ENODEV;
	}
	if (arg->op != IOMMU_VFIO_IOAS_SET)
		return -EOPNOTSUPP;
	if (!find_ioas(iommufd, arg->ioas_id))
		return -ENOENT;
	iommufd->vfio_ioas = arg->ioas_id;
	return 0;
}

static int ioas_map(struct fake_iommufd *iommufd, struct iommu_ioas_map *arg)
{
	struct ioas *ioas = find_ioas(iommufd, arg->ioas_id);
	struct area *area;
	int ret;

	if (arg->flags & ~MAP_FLAGS || arg->__reserved)
		return -EOPNOTSUPP;
	if (!(arg->flags & (IOMMU_IOAS_MAP_WRITEABLE | IOMMU_IOAS_MAP_READABLE)))
		return -EINVAL;
	if (!ioas)
		return -ENOENT;
	ret = find_place(ioas, arg->length, (uint64_t *)&arg->iova,
			 arg->flags & IOMMU_IOAS_MAP_FIXED_IOVA);
	if (ret)
		return ret;
	area = fake_alloc(sizeof(*area));
	area->iova = arg->iova;
	area->len = arg->length;
	area->va = arg->user_va;
	area->writable = arg->flags & IOMMU_IOAS_MAP_WRITEABLE;
	ret = ioas->hwpt ? pin(area) : 0;
	if (!ret)
		insert(ioas, area);
	return ret;
}

static int ioas_copy(struct fake_iommufd *iommufd, struct iommu_ioas_copy *arg)
{
	uint64_t from = arg->src_iova, end = from + arg->length;
	uint64_t to = arg->dst_iova;
	struct ioas *ioas = find_ioas(iommufd, arg->src_ioas_id);
	struct area *area;
	int ret;

	if (arg->flags & ~MAP_FLAGS)
		return -EOPNOTSUPP;
	if (!(arg->flags & (IOMMU_IOAS_MAP_WRITEABLE | IOMMU_IOAS_MAP_READABLE)))
		return -EINVAL;
	if (!ioas)
		return -ENOENT;
	ck_assert_uint_eq(arg->dst_ioas_id, arg->src_ioas_id);
	for (uint64_t at = from; at < end; at = area->iova + area->len) {
		area = *area_after(ioas, at);
		if (!area || area->iova > at)
			return -ENOENT;
	}
	ret = find_place(ioas, arg->length, &to, arg->flags & IOMMU_IOAS_MAP_FIXED_IOVA);
	if (ret)
		return ret;
	arg->dst_iova = to;
	while (from < end) {
		struct area *copy = fake_alloc(sizeof(*copy));
		uint64_t skip;

		area = *area_after(ioas, from);
		skip = from - area->iova;
		copy->iova = to;
		copy->len = (end < area->iova + area->len ? end : area->iova + area->len) - from;
		copy->va = area->va + skip;
		copy->writable = arg->flags & IOMMU_IOAS_MAP_WRITEABLE;
		if (area->frames) {
			copy->frames = area->frames + skip / FAKE_4K;
			for (uint64_t i = 0; i < pages_of(copy); i++)
				fake_pin_again(copy->frames[i]);
		}
		insert(ioas, copy);
		from += copy->len;
		to += copy->len;
	}
	return 0;
}

static int ioas_unmap(struct fake_iommufd *iommufd, struct iommu_ioas_unmap *arg)
{
	struct ioas *ioas = find_ioas(iommufd, arg->ioas_id);

	if (!ioas)
		return -ENOENT;
	if (!arg->length)
		return -EINVAL;
	if (arg->iova + (arg->length - 1) < arg->iova)
		return -EOVERFLOW;
	return remove_areas(ioas, arg->iova, arg->iova + (arg->length - 1));
}

/* What was mapped before there was a page table is pinned now. */
static int make_page_table(struct fake_iommufd *iommufd, struct ioas *ioas)
{
	for (struct area *area = ioas->areas; area; area = area->next) {
		int ret = area->frames ? 0 : pin(area);

		if (ret)
			return ret;
	}
	ioas->hwpt = ++iommufd->last_id;
	return 0;
}

static int hwpt_alloc(struct fake_iommufd *iommufd, struct iommu_hwpt_alloc *arg)
{
	struct ioas *ioas = find_ioas(iommufd, arg->pt_id);
	bool bound = false;
	int ret;

	for (int i = 0; i < FAKE_DEVICES; i++)
		bound |= devices[i].bound && devices[i].bound->iommufd == iommufd;
	if (!bound || !ioas)
		return -ENOENT;
	ret = make_page_table(iommufd, ioas);
	arg->out_hwpt_id = ioas->hwpt;
	return ret;
}

/* A page table is named by its own id, or by its IOAS's, which gets one where it has none. */
static int attach(struct fake_iommufd *iommufd, uint32_t id)
{
	struct ioas *ioas = find_ioas(iommufd, id);

	if (ioas)
		return ioas->hwpt ? 0 : make_page_table(iommufd, ioas);
	for (ioas = iommufd->ioases; ioas; ioas = ioas->next)
		if (ioas->hwpt == id)
			return 0;
	return -ENOENT;
}

static int get_pa(struct fake_iommufd *iommufd, struct iommu_ioas_noiommu_get_pa *arg)
{
	struct ioas *ioas = find_ioas(iommufd, arg->ioas_id);
	struct area *area;
	uint64_t first, n;

	if (!fake.has_get_pa)
		return -ENOTTY;
	if (!fake.rawio)
		return -EPERM;
	if (arg->flags || arg->__reserved)
		return -EOPNOTSUPP;
	if (!arg->length)
		return -EINVAL;
	if (!ioas)
		return -ENOENT;
	area = *area_after(ioas, arg->iova);
	if (!area || area->iova > arg->iova)
		return -ENOENT;
	if (!area->frames)
		return -EOPNOTSUPP;
	first = (arg->iova - area->iova) / FAKE_4K;
	for (n = 1; n * FAKE_4K < arg->length && first + n < pages_of(area); n++)
		if (area->frames[first + n] != area->frames[first] + n)
			break;
	n = n * FAKE_4K - arg->iova % FAKE_4K;
	if (arg->length > n)
		arg->length = n;
	arg->out_phys = area->frames[first] * FAKE_4K + arg->iova % FAKE_4K;
	return 0;
}

long fake_iommufd_ioctl(struct fake_iommufd *iommufd, unsigned int cmd, void *arg)
{
	switch (cmd) {
	case IOMMU_IOAS_ALLOC:
		return ioas_alloc(iommufd, arg);
	case IOMMU_VFIO_IOAS:
		return vfio_ioas(iommufd, arg);
	case IOMMU_IOAS_MAP:
		return ioas_map(iommufd, arg);
	case IOMMU_IOAS_COPY:
		return ioas_copy(iommufd, arg);
	case IOMMU_IOAS_UNMAP:
		return ioas_unmap(iommufd, arg);
	case IOMMU_HWPT_ALLOC:
		return hwpt_alloc(iommufd, arg);
	case IOMMU_IOAS_NOIOMMU_GET_PA:
		return get_pa(iommufd, arg);
	default:
		return -ENOTTY;
	}
}

/* ---- devices and groups ---- */

/* vfio_pci_validate_vf_token() */
static int check_token(const struct shim_vfio_device_bind_iommufd *bind)
{
	bool given = bind->flags & VFIO_DEVICE_BIND_FLAG_TOKEN;

	if (!fake.needs_token)
		return given ? -EINVAL : 0;
	if (!given || memcmp((void *)(uintptr_t)bind->token_uuid_ptr, fake.token, 16))
		return -EACCES;
	return 0;
}

static int bind_iommufd(struct fake_open *cdev, struct shim_vfio_device_bind_iommufd *bind)
{
	unsigned int device = cdev->node->device;
	struct fake_open *to = fake_open_of(bind->iommufd);
	int ret;

	if (bind->iommufd < 0 || bind->flags & ~(unsigned int)VFIO_DEVICE_BIND_FLAG_TOKEN)
		return -EINVAL;
	if (devices[device].group_open)
		return -EBUSY;
	if (cdev->iommufd)
		return -EINVAL;
	ret = check_token(bind);
	if (ret)
		return ret;
	if (!to)
		return -EBADF;
	if (to->node->type != FAKE_IOMMU)
		return -EBADFD;
	if (devices[device].bound)
		return -EINVAL;
	devices[device].bound = cdev;
	cdev->iommufd = to->iommufd;
	cdev->iommufd->refs++;
	fake.device_opens++;
	fake.config[device][PCI_COMMAND] &= (unsigned char)~PCI_COMMAND_MASTER;
	if (fake.reset_clears)
		memset(fake.config[device] + PCI_CACHE_LINE_SIZE, 0,
		       sizeof(fake.config[0]) - PCI_CACHE_LINE_SIZE);
	bind->out_devid = ++cdev->iommufd->last_id;
	return 0;
}

long fake_device_ioctl(struct fake_open *cdev, unsigned int cmd, void *arg)
{
	if (cmd == VFIO_DEVICE_BIND_IOMMUFD) {
		if (fake.binds)
			fake.binds();
		return bind_iommufd(cdev, arg);
	}
	if (!cdev->iommufd)
		return -EINVAL;
	switch (cmd) {
	case VFIO_DEVICE_ATTACH_IOMMUFD_PT:
		return attach(cdev->iommufd, ((struct vfio_device_attach_iommufd_pt *)arg)->pt_id);
	case VFIO_DEVICE_GET_INFO: {
		struct vfio_device_info *info = arg;

		info->flags = VFIO_DEVICE_FLAGS_PCI | VFIO_DEVICE_FLAGS_RESET;
		info->num_regions = VFIO_PCI_NUM_REGIONS;
		return 0;
	}
	case VFIO_DEVICE_RESET:
		return 0;
	default:
		return -ENOTTY;
	}
}

void fake_device_release(struct fake_open *cdev)
{
	if (!cdev->iommufd)
		return;
	devices[cdev->node->device].bound = NULL;
	fake_iommufd_put(cdev->iommufd);
}

int fake_group_open(unsigned int device)
{
	if (devices[device].group_open || devices[device].bound)
		return -EBUSY;
	devices[device].group_open = true;
	return 0;
}

void fake_group_release(unsigned int device)
{
	devices[device].group_open = false;
}
