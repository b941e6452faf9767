/* SPDX-License-Identifier: MIT */
/*
 * Lending: a page table before the program has opened a device, where io_uring does not pin.
 *
 * Only a bound device can create a page table: IOMMU_HWPT_ALLOC wants one that
 * VFIO_DEVICE_BIND_IOMMUFD has bound. So the library opens an unused device for a moment,
 * which lends its page table. The cost is a reset of that device, at its open and close
 * (drivers/vfio/pci/vfio_pci_core.c). Therefore it must be one that idle_prove() finds
 * idle.
 */
#ifndef IOMMUFD_LEND_H
#define IOMMUFD_LEND_H

/*
 * Makes sure that the IOAS has a page table. 0 or a negative errno. -ENODEV: there is no
 * no-IOMMU device; -EBUSY: none is idle; -EAGAIN: call idle_survey(), then this again;
 * -EPERM: no CAP_SYS_RAWIO. Needs the lock.
 */
int lend_page_table(void);

/* After -EBUSY: logs it, once. */
void lend_say_busy(void);

#endif
