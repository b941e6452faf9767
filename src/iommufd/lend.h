/* SPDX-License-Identifier: MIT */
/*
 * A page table before the program has opened a device: a free one lends its
 * own. Only a device that is open can make one (IOMMU_HWPT_ALLOC wants a device
 * that VFIO_DEVICE_BIND_IOMMUFD has bound), and opening and closing a device
 * resets it: drivers/vfio/pci/vfio_pci_core.c. So it is one that is proved idle.
 */
#ifndef IOMMUFD_LEND_H
#define IOMMUFD_LEND_H

/*
 * Makes sure that the IOAS has a page table. 0 or a negative errno. -ENODEV: there
 * is no no-IOMMU device; -EBUSY: none is idle; -EAGAIN:
 * to be called again after idle_survey(); -EPERM: no CAP_SYS_RAWIO. Needs the lock.
 */
int lend_page_table(void);

/* After -EBUSY: says so in the log, once. */
void lend_say_busy(void);

#endif
