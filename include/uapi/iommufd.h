/* SPDX-License-Identifier: MIT */
/*
 * The part of the kernel's <linux/iommufd.h> that the library uses.
 *
 * Kernel headers before 6.2 lack all of it, those before 7.3 lack
 * IOMMU_IOAS_NOIOMMU_GET_PA. configure finds out. Missing definitions are supplied here;
 * the assertions check the layout in either case.
 */
#ifndef UAPI_IOMMUFD_H
#define UAPI_IOMMUFD_H

#include <config.h>
#include <assert.h>
#include <linux/types.h>
#include <linux/ioctl.h>

#ifdef HAVE_LINUX_IOMMUFD_H
#include <linux/iommufd.h>
#else

#define IOMMUFD_TYPE	 (';')

struct iommu_ioas_alloc {
	__u32 size;
	__u32 flags;
	__u32 out_ioas_id;
};
#define IOMMU_IOAS_ALLOC _IO(IOMMUFD_TYPE, 0x81)

struct iommu_ioas_copy {
	__u32 size;
	__u32 flags;
	__u32 dst_ioas_id;
	__u32 src_ioas_id;
	__aligned_u64 length;
	__aligned_u64 dst_iova;
	__aligned_u64 src_iova;
};
#define IOMMU_IOAS_COPY	 _IO(IOMMUFD_TYPE, 0x83)

enum {
	IOMMU_IOAS_MAP_FIXED_IOVA = 1 << 0,
	IOMMU_IOAS_MAP_WRITEABLE = 1 << 1,
	IOMMU_IOAS_MAP_READABLE = 1 << 2,
};

struct iommu_ioas_map {
	__u32 size;
	__u32 flags;
	__u32 ioas_id;
	__u32 __reserved;
	__aligned_u64 user_va;
	__aligned_u64 length;
	__aligned_u64 iova;
};
#define IOMMU_IOAS_MAP	 _IO(IOMMUFD_TYPE, 0x85)

struct iommu_ioas_unmap {
	__u32 size;
	__u32 ioas_id;
	__aligned_u64 iova;
	__aligned_u64 length;
};
#define IOMMU_IOAS_UNMAP _IO(IOMMUFD_TYPE, 0x86)

enum {
	IOMMU_VFIO_IOAS_GET = 0,
	IOMMU_VFIO_IOAS_SET = 1,
};

struct iommu_vfio_ioas {
	__u32 size;
	__u32 ioas_id;
	__u16 op;
	__u16 __reserved;
};
#define IOMMU_VFIO_IOAS	 _IO(IOMMUFD_TYPE, 0x88)

struct iommu_hwpt_alloc {
	__u32 size;
	__u32 flags;
	__u32 dev_id;
	__u32 pt_id;
	__u32 out_hwpt_id;
	__u32 __reserved;
	__u32 data_type;
	__u32 data_len;
	__aligned_u64 data_uptr;
	__u32 fault_id;
	__u32 __reserved2;
};
#define IOMMU_HWPT_ALLOC _IO(IOMMUFD_TYPE, 0x89)

#endif /* HAVE_LINUX_IOMMUFD_H */

#ifndef HAVE_STRUCT_IOMMU_IOAS_NOIOMMU_GET_PA
/* length: in: bytes to look at; out: bytes that are contiguous. */
struct iommu_ioas_noiommu_get_pa {
	__u32 size;
	__u32 flags;
	__u32 ioas_id;
	__u32 __reserved;
	__aligned_u64 iova;
	__aligned_u64 length;
	__aligned_u64 out_phys;
};
#define IOMMU_IOAS_NOIOMMU_GET_PA _IO(IOMMUFD_TYPE, 0x95)
#endif

static_assert(sizeof(struct iommu_ioas_alloc) == 12, "IOMMU_IOAS_ALLOC layout");
static_assert(sizeof(struct iommu_ioas_copy) == 40, "IOMMU_IOAS_COPY layout");
static_assert(sizeof(struct iommu_ioas_map) == 40, "IOMMU_IOAS_MAP layout");
static_assert(sizeof(struct iommu_ioas_unmap) == 24, "IOMMU_IOAS_UNMAP layout");
static_assert(sizeof(struct iommu_vfio_ioas) == 12, "IOMMU_VFIO_IOAS layout");
static_assert(sizeof(struct iommu_hwpt_alloc) >= 40, "IOMMU_HWPT_ALLOC layout");
static_assert(sizeof(struct iommu_ioas_noiommu_get_pa) == 40, "IOMMU_IOAS_NOIOMMU_GET_PA layout");
static_assert(IOMMU_IOAS_NOIOMMU_GET_PA == 0x3b95, "IOMMU_IOAS_NOIOMMU_GET_PA number");

#endif
