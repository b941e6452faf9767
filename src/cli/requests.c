/* SPDX-License-Identifier: MIT */
#include "cli/requests.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>

#include "shim/state.h"
#include "uapi/iommufd.h"
#include "uapi/vfio.h"

const char *name_of(const struct name *names, uint64_t value)
{
	for (; names->name; names++)
		if (names->value == value)
			return names->name;
	return NULL;
}

const struct name names_errnos[] = {
#define E(name)                                                                                    \
	{                                                                                          \
		name, #name                                                                        \
	}
	E(EPERM),  E(ENOENT), E(EINTR),	 E(EIO),       E(ENXIO),      E(E2BIG),	       E(EBADF),
	E(EAGAIN), E(ENOMEM), E(EACCES), E(EFAULT),    E(EBUSY),      E(EEXIST),       E(EXDEV),
	E(ENODEV), E(EINVAL), E(ENFILE), E(EMFILE),    E(ENOTTY),     E(ENOTDIR),      E(EISDIR),
	E(EFBIG),  E(ENOSPC), E(ESPIPE), E(EROFS),     E(EDOM),	      E(ERANGE),       E(ELOOP),
	E(ENOSYS), E(EPROTO), E(EBADFD), E(EOVERFLOW), E(EOPNOTSUPP), E(ENAMETOOLONG), {0, NULL},
};

const struct name names_objects[] = {
	{TRACE_OTHER, "other"},	  {TRACE_CONTAINER, "container"}, {TRACE_GROUP, "group"},
	{TRACE_DEVICE, "device"}, {TRACE_PAGEMAP, "pagemap"},	  {0, NULL},
};

const struct name names_verbs[] = {
	{TRACE_OPEN, "open"},	      {TRACE_CLOSE, "close"},
	{TRACE_IOCTL, "ioctl"},	      {TRACE_READ, "read"},
	{TRACE_WRITE, "write"},	      {TRACE_MMAP, "mmap"},
	{TRACE_LOOKUP, "lookup"},     {TRACE_START, "start"},
	{TRACE_RELEASE, "release"},   {TRACE_PIN, "pin"},
	{TRACE_UNPIN, "unpin"},	      {TRACE_ATTACH, "attach"},
	{TRACE_FALLBACK, "fallback"}, {TRACE_FAILURE, "failure"},
	{TRACE_RENEW, "renew"},	      {0, NULL},
};

const struct name names_backends[] = {
	{STATE_BACKEND_IOMMUFD, "iommufd"}, {STATE_BACKEND_URING, "io_uring"}, {0, NULL}};

const struct name names_open_flags[] = {
	{O_WRONLY, "O_WRONLY"},	      {O_RDWR, "O_RDWR"},	  {O_CREAT, "O_CREAT"},
	{O_EXCL, "O_EXCL"},	      {O_NONBLOCK, "O_NONBLOCK"}, {O_SYNC, "O_SYNC"},
	{O_DSYNC, "O_DSYNC"},	      {O_NOFOLLOW, "O_NOFOLLOW"}, {O_CLOEXEC, "O_CLOEXEC"},
	{O_DIRECTORY, "O_DIRECTORY"}, {O_PATH, "O_PATH"},	  {0, NULL},
};

const struct name names_protections[] = {
	{PROT_READ, "PROT_READ"},
	{PROT_WRITE, "PROT_WRITE"},
	{PROT_EXEC, "PROT_EXEC"},
	{0, NULL},
};

/* ---- ioctls ---- */

#define MEMBER(type, member, how, ...)                                                             \
	{                                                                                          \
		.name = #member, .offset = offsetof(struct type, member),                          \
		.size = sizeof(((struct type *)NULL)->member), .form = how, __VA_ARGS__            \
	}
#define OF(part) .role = (part)

static const struct name extensions[] = {
	{VFIO_TYPE1_IOMMU, "VFIO_TYPE1_IOMMU"},
	{VFIO_SPAPR_TCE_IOMMU, "VFIO_SPAPR_TCE_IOMMU"},
	{VFIO_TYPE1v2_IOMMU, "VFIO_TYPE1v2_IOMMU"},
	{VFIO_DMA_CC_IOMMU, "VFIO_DMA_CC_IOMMU"},
	{VFIO_SPAPR_TCE_v2_IOMMU, "VFIO_SPAPR_TCE_v2_IOMMU"},
	{VFIO_NOIOMMU_IOMMU, "VFIO_NOIOMMU_IOMMU"},
	{0, NULL},
};

static const struct name group_flags[] = {
	{VFIO_GROUP_FLAGS_VIABLE, "VIABLE"},
	{VFIO_GROUP_FLAGS_CONTAINER_SET, "CONTAINER_SET"},
	{0, NULL},
};
static const struct member group_status[] = {
	MEMBER(vfio_group_status, argsz, DECIMAL, OF(ASKED)),
	MEMBER(vfio_group_status, flags, FLAGS, .names = group_flags),
	{0},
};

static const struct name device_flags[] = {
	{VFIO_DEVICE_FLAGS_RESET, "RESET"},
	{VFIO_DEVICE_FLAGS_PCI, "PCI"},
	{VFIO_DEVICE_FLAGS_PLATFORM, "PLATFORM"},
	{1 << 7, "CAPS"},
	{0, NULL},
};
static const struct member device_info[] = {
	MEMBER(vfio_device_info, argsz, DECIMAL, OF(APART)),
	MEMBER(vfio_device_info, flags, FLAGS, .names = device_flags),
	MEMBER(vfio_device_info, num_regions, DECIMAL),
	MEMBER(vfio_device_info, num_irqs, DECIMAL),
	{0},
};

const struct name names_regions[] = {
	{VFIO_PCI_BAR0_REGION_INDEX, "BAR0"}, {VFIO_PCI_BAR1_REGION_INDEX, "BAR1"},
	{VFIO_PCI_BAR2_REGION_INDEX, "BAR2"}, {VFIO_PCI_BAR3_REGION_INDEX, "BAR3"},
	{VFIO_PCI_BAR4_REGION_INDEX, "BAR4"}, {VFIO_PCI_BAR5_REGION_INDEX, "BAR5"},
	{VFIO_PCI_ROM_REGION_INDEX, "ROM"},   {VFIO_PCI_CONFIG_REGION_INDEX, "CONFIG"},
	{VFIO_PCI_VGA_REGION_INDEX, "VGA"},   {0, NULL},
};
static const struct name region_flags[] = {
	{VFIO_REGION_INFO_FLAG_READ, "READ"},
	{VFIO_REGION_INFO_FLAG_WRITE, "WRITE"},
	{VFIO_REGION_INFO_FLAG_MMAP, "MMAP"},
	{1 << 3, "CAPS"},
	{0, NULL},
};
static const struct member region_info[] = {
	MEMBER(vfio_region_info, argsz, DECIMAL, OF(APART)),
	MEMBER(vfio_region_info, flags, FLAGS, .names = region_flags),
	MEMBER(vfio_region_info, index, NAMED, OF(ASKED), .names = names_regions),
	MEMBER(vfio_region_info, size, HEX),
	MEMBER(vfio_region_info, offset, HEX),
	{0},
};

static const struct name irqs[] = {
	{VFIO_PCI_INTX_IRQ_INDEX, "INTX"}, {VFIO_PCI_MSI_IRQ_INDEX, "MSI"},
	{VFIO_PCI_MSIX_IRQ_INDEX, "MSIX"}, {VFIO_PCI_ERR_IRQ_INDEX, "ERR"},
	{VFIO_PCI_REQ_IRQ_INDEX, "REQ"},   {0, NULL},
};
static const struct name irq_flags[] = {
	{VFIO_IRQ_INFO_EVENTFD, "EVENTFD"},
	{VFIO_IRQ_INFO_MASKABLE, "MASKABLE"},
	{VFIO_IRQ_INFO_AUTOMASKED, "AUTOMASKED"},
	{VFIO_IRQ_INFO_NORESIZE, "NORESIZE"},
	{0, NULL},
};
static const struct member irq_info[] = {
	MEMBER(vfio_irq_info, argsz, DECIMAL, OF(APART)),
	MEMBER(vfio_irq_info, flags, FLAGS, .names = irq_flags),
	MEMBER(vfio_irq_info, index, NAMED, OF(ASKED), .names = irqs),
	MEMBER(vfio_irq_info, count, DECIMAL),
	{0},
};

static const struct name irq_set_flags[] = {
	{VFIO_IRQ_SET_DATA_NONE, "DATA_NONE"},
	{VFIO_IRQ_SET_DATA_BOOL, "DATA_BOOL"},
	{VFIO_IRQ_SET_DATA_EVENTFD, "DATA_EVENTFD"},
	{VFIO_IRQ_SET_ACTION_MASK, "ACTION_MASK"},
	{VFIO_IRQ_SET_ACTION_UNMASK, "ACTION_UNMASK"},
	{VFIO_IRQ_SET_ACTION_TRIGGER, "ACTION_TRIGGER"},
	{0, NULL},
};
static const struct member irq_set[] = {
	MEMBER(vfio_irq_set, argsz, DECIMAL, OF(APART)),
	MEMBER(vfio_irq_set, flags, FLAGS, OF(ASKED), .names = irq_set_flags),
	MEMBER(vfio_irq_set, index, NAMED, OF(ASKED), .names = irqs),
	MEMBER(vfio_irq_set, start, DECIMAL, OF(ASKED)),
	MEMBER(vfio_irq_set, count, DECIMAL, OF(ASKED)),
	{0},
};

static const struct member hot_reset_info[] = {
	MEMBER(vfio_pci_hot_reset_info, argsz, DECIMAL, OF(APART)),
	MEMBER(vfio_pci_hot_reset_info, flags, HEX),
	MEMBER(vfio_pci_hot_reset_info, count, DECIMAL),
	{0},
};
static const struct member hot_reset[] = {
	MEMBER(vfio_pci_hot_reset, argsz, DECIMAL, OF(APART)),
	MEMBER(vfio_pci_hot_reset, flags, HEX, OF(ASKED)),
	MEMBER(vfio_pci_hot_reset, count, DECIMAL, OF(ASKED)),
	{0},
};

static const struct member dma_map[] = {
	MEMBER(vfio_iommu_type1_dma_map, argsz, DECIMAL, OF(APART)),
	MEMBER(vfio_iommu_type1_dma_map, flags, HEX, OF(ASKED)),
	MEMBER(vfio_iommu_type1_dma_map, vaddr, HEX, OF(APART)),
	MEMBER(vfio_iommu_type1_dma_map, iova, HEX, OF(APART)),
	MEMBER(vfio_iommu_type1_dma_map, size, HEX, OF(ASKED)),
	{0},
};
static const struct member dma_unmap[] = {
	MEMBER(vfio_iommu_type1_dma_unmap, argsz, DECIMAL, OF(APART)),
	MEMBER(vfio_iommu_type1_dma_unmap, flags, HEX, OF(ASKED)),
	MEMBER(vfio_iommu_type1_dma_unmap, iova, HEX, OF(APART)),
	MEMBER(vfio_iommu_type1_dma_unmap, size, HEX, OF(ASKED)),
	{0},
};

/* The library's own requests, which are never compared. */
static const struct name bind_flags[] = {
	{VFIO_DEVICE_BIND_FLAG_TOKEN, "TOKEN"},
	{0, NULL},
};
static const struct member bind_iommufd[] = {
	MEMBER(shim_vfio_device_bind_iommufd, argsz, DECIMAL),
	MEMBER(shim_vfio_device_bind_iommufd, flags, FLAGS, .names = bind_flags),
	MEMBER(shim_vfio_device_bind_iommufd, iommufd, DECIMAL),
	MEMBER(shim_vfio_device_bind_iommufd, out_devid, DECIMAL),
	{0},
};
static const struct member attach_pt[] = {
	MEMBER(vfio_device_attach_iommufd_pt, argsz, DECIMAL),
	MEMBER(vfio_device_attach_iommufd_pt, flags, HEX),
	MEMBER(vfio_device_attach_iommufd_pt, pt_id, DECIMAL),
	{0},
};

static const struct member ioas_alloc[] = {
	MEMBER(iommu_ioas_alloc, flags, HEX),
	MEMBER(iommu_ioas_alloc, out_ioas_id, DECIMAL),
	{0},
};
static const struct name map_flags[] = {
	{IOMMU_IOAS_MAP_FIXED_IOVA, "FIXED_IOVA"},
	{IOMMU_IOAS_MAP_WRITEABLE, "WRITEABLE"},
	{IOMMU_IOAS_MAP_READABLE, "READABLE"},
	{0, NULL},
};
static const struct member ioas_map[] = {
	MEMBER(iommu_ioas_map, flags, FLAGS, .names = map_flags),
	MEMBER(iommu_ioas_map, ioas_id, DECIMAL),
	MEMBER(iommu_ioas_map, user_va, HEX),
	MEMBER(iommu_ioas_map, length, HEX),
	MEMBER(iommu_ioas_map, iova, HEX),
	{0},
};
static const struct member ioas_copy[] = {
	MEMBER(iommu_ioas_copy, flags, FLAGS, .names = map_flags),
	MEMBER(iommu_ioas_copy, dst_ioas_id, DECIMAL),
	MEMBER(iommu_ioas_copy, src_ioas_id, DECIMAL),
	MEMBER(iommu_ioas_copy, length, HEX),
	MEMBER(iommu_ioas_copy, dst_iova, HEX),
	MEMBER(iommu_ioas_copy, src_iova, HEX),
	{0},
};
static const struct member ioas_unmap[] = {
	MEMBER(iommu_ioas_unmap, ioas_id, DECIMAL),
	MEMBER(iommu_ioas_unmap, iova, HEX),
	MEMBER(iommu_ioas_unmap, length, HEX),
	{0},
};
static const struct name vfio_ioas_ops[] = {
	{IOMMU_VFIO_IOAS_GET, "GET"},
	{IOMMU_VFIO_IOAS_SET, "SET"},
	{0, NULL},
};
static const struct member vfio_ioas[] = {
	MEMBER(iommu_vfio_ioas, ioas_id, DECIMAL),
	MEMBER(iommu_vfio_ioas, op, NAMED, .names = vfio_ioas_ops),
	{0},
};
static const struct member hwpt_alloc[] = {
	MEMBER(iommu_hwpt_alloc, flags, HEX),
	MEMBER(iommu_hwpt_alloc, dev_id, DECIMAL),
	MEMBER(iommu_hwpt_alloc, pt_id, DECIMAL),
	MEMBER(iommu_hwpt_alloc, out_hwpt_id, DECIMAL),
	{0},
};
static const struct member get_pa[] = {
	MEMBER(iommu_ioas_noiommu_get_pa, ioas_id, DECIMAL),
	MEMBER(iommu_ioas_noiommu_get_pa, iova, HEX),
	MEMBER(iommu_ioas_noiommu_get_pa, length, HEX),
	MEMBER(iommu_ioas_noiommu_get_pa, out_phys, HEX),
	{0},
};

/* Some requests of containers and of devices have the same number. */
#define CALLED(request)	 .cmd = (request), .name = #request
#define TAKES(structure) .argument = STRUCTURE, .members = (structure)

static const struct request requests[] = {
	{CALLED(VFIO_GET_API_VERSION)},
	{CALLED(VFIO_CHECK_EXTENSION), .argument = VALUE, .names = extensions},
	{CALLED(VFIO_SET_IOMMU), .argument = VALUE, .names = extensions},
	{CALLED(VFIO_IOMMU_GET_INFO), .object = TRACE_CONTAINER, .argument = STRUCTURE},
	{CALLED(VFIO_IOMMU_MAP_DMA), .object = TRACE_CONTAINER, TAKES(dma_map)},
	{CALLED(VFIO_IOMMU_UNMAP_DMA), .object = TRACE_CONTAINER, TAKES(dma_unmap)},
	{CALLED(VFIO_GROUP_GET_STATUS), TAKES(group_status)},
	{CALLED(VFIO_GROUP_SET_CONTAINER), .argument = INTEGER},
	{CALLED(VFIO_GROUP_UNSET_CONTAINER)},
	{CALLED(VFIO_GROUP_GET_DEVICE_FD), .argument = STRING, .makes_fd = true},
	{CALLED(VFIO_DEVICE_GET_INFO), TAKES(device_info)},
	{CALLED(VFIO_DEVICE_GET_REGION_INFO), TAKES(region_info)},
	{CALLED(VFIO_DEVICE_GET_IRQ_INFO), TAKES(irq_info)},
	{CALLED(VFIO_DEVICE_SET_IRQS), TAKES(irq_set)},
	{CALLED(VFIO_DEVICE_RESET)},
	{CALLED(VFIO_DEVICE_GET_PCI_HOT_RESET_INFO), TAKES(hot_reset_info)},
	{CALLED(VFIO_DEVICE_PCI_HOT_RESET), TAKES(hot_reset)},
	{CALLED(VFIO_DEVICE_BIND_IOMMUFD), TAKES(bind_iommufd)},
	{CALLED(VFIO_DEVICE_ATTACH_IOMMUFD_PT), TAKES(attach_pt)},
	{CALLED(IOMMU_IOAS_ALLOC), TAKES(ioas_alloc)},
	{CALLED(IOMMU_IOAS_COPY), TAKES(ioas_copy)},
	{CALLED(IOMMU_IOAS_MAP), TAKES(ioas_map)},
	{CALLED(IOMMU_IOAS_UNMAP), TAKES(ioas_unmap)},
	{CALLED(IOMMU_VFIO_IOAS), TAKES(vfio_ioas)},
	{CALLED(IOMMU_HWPT_ALLOC), TAKES(hwpt_alloc)},
	{CALLED(IOMMU_IOAS_NOIOMMU_GET_PA), TAKES(get_pa)},
};

bool member_get(const struct trace_event *event, const struct member *member, uint64_t *value)
{
	*value = 0;
	if (member->offset + member->size > event->length)
		return false;
	memcpy(value, event->data + member->offset, member->size);
	return true;
}

const struct request *request_find(const struct trace_event *event)
{
	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++)
		if (requests[i].cmd == (unsigned int)event->args[0] &&
		    (!requests[i].object || requests[i].object == event->object))
			return &requests[i];
	return NULL;
}
