/* SPDX-License-Identifier: MIT */
/*
 * The kernel's <linux/vfio.h>, and the parts of the device cdev interface that the
 * installed header lacks: all of it before 6.6, the VF token before 7.0.
 */
#ifndef UAPI_VFIO_H
#define UAPI_VFIO_H

#include <config.h>
#include <assert.h>
#include <linux/vfio.h>

/* since 5.12 */
#ifndef VFIO_UNMAP_ALL
#define VFIO_UNMAP_ALL 9
#endif

#ifndef HAVE_STRUCT_VFIO_DEVICE_BIND_IOMMUFD
#define VFIO_DEVICE_BIND_IOMMUFD _IO(VFIO_TYPE, VFIO_BASE + 18)

struct vfio_device_attach_iommufd_pt {
	__u32 argsz;
	__u32 flags;
	__u32 pt_id;
};
#define VFIO_DEVICE_ATTACH_IOMMUFD_PT _IO(VFIO_TYPE, VFIO_BASE + 19)
#define VFIO_DEVICE_DETACH_IOMMUFD_PT _IO(VFIO_TYPE, VFIO_BASE + 20)
#endif

#ifndef HAVE_STRUCT_VFIO_DEVICE_BIND_IOMMUFD_TOKEN_UUID_PTR
#define VFIO_DEVICE_BIND_FLAG_TOKEN (1 << 0)
#endif

/*
 * The kernel's struct without the prefix. It gained a member later, and an existing older
 * definition cannot be extended.
 */
struct shim_vfio_device_bind_iommufd {
	__u32 argsz;
	__u32 flags;
	__s32 iommufd;
	__u32 out_devid;
	__aligned_u64 token_uuid_ptr;
};

static_assert(sizeof(struct shim_vfio_device_bind_iommufd) == 24, "BIND_IOMMUFD layout");
static_assert(VFIO_DEVICE_BIND_IOMMUFD == 0x3b76, "BIND_IOMMUFD number");
static_assert(VFIO_DEVICE_ATTACH_IOMMUFD_PT == 0x3b77, "ATTACH_IOMMUFD_PT number");

#endif
