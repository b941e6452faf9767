# NOIOMMU_SHIM_UAPI
#
# Finds out which parts of the 7.3 UAPI the installed kernel headers have.
# include/uapi/ supplies what is missing.
AC_DEFUN([NOIOMMU_SHIM_UAPI], [
  AC_CHECK_HEADERS([linux/iommufd.h linux/vfio.h])
  AC_CHECK_TYPES([struct iommu_ioas_noiommu_get_pa], [], [],
    [[#ifdef HAVE_LINUX_IOMMUFD_H
      #include <linux/iommufd.h>
      #endif]])
  AC_CHECK_TYPES([struct vfio_device_bind_iommufd], [], [], [[#include <linux/vfio.h>]])
  AC_CHECK_MEMBERS([struct vfio_device_bind_iommufd.token_uuid_ptr], [], [],
    [[#include <linux/vfio.h>]])
  AC_CHECK_TYPES([struct procmap_query], [], [], [[#include <linux/fs.h>]])
])
