/* Containers, groups and devices, as drivers for no-IOMMU use them, and as they should not. */
#define _GNU_SOURCE
#include "random.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/pci_regs.h>
#include <linux/vfio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define CONFIG ((off_t)VFIO_PCI_CONFIG_REGION_INDEX << 40)

/* ---- names ----------------------------------------------------------------------- */

/* VM_DEVICES lists them, with commas between. */
static const char *device_name(int which)
{
	static __thread char name[16];
	const char *all = getenv("VM_DEVICES");

	for (; which && strpbrk(all, " ,"); which--)
		all = strpbrk(all, " ,") + 1;
	snprintf(name, sizeof(name), "%.12s", all);
	return name;
}

static int group_number(int which)
{
	char path[128], target[256];
	ssize_t length;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/iommu_group", device_name(which));
	length = readlink(path, target, sizeof(target) - 1);
	if (length < 0)
		return -1;
	target[length] = '\0';
	return atoi(strrchr(target, '/') + 1);
}

const char *expand(const char *name, char *out, size_t size)
{
	size_t used = 0;

	for (; *name && used < size - 16; name++) {
		if (*name != '$') {
			out[used++] = *name;
			continue;
		}
		if (name[1] == 'd')
			used += (size_t)sprintf(out + used, "%s", device_name(name[2] - '0'));
		else
			used += (size_t)sprintf(out + used, "%d", group_number(name[2] - '0'));
		name += 2;
	}
	out[used] = '\0';
	return out;
}

/* ---- step by step ------------------------------------------------------------------ */

void open_container(int d)
{
	open_name(d, "/dev/vfio/vfio", O_RDWR | O_CLOEXEC, 0);
}

void open_group(int d, int which)
{
	char name[] = "/dev/vfio/noiommu-$g0";

	name[sizeof(name) - 2] = (char)('0' + which);
	open_name(d, name, O_RDWR | O_CLOEXEC, 0);
}

void get_device(int d, int group, int which)
{
	if (descriptors[d] >= 0)
		say("device d%d: taken", d);
	else
		made("device", d,
		     ioctl(descriptors[group], VFIO_GROUP_GET_DEVICE_FD, device_name(which)));
}

void set_container(int group, int container)
{
	int fd = descriptors[container];

	say("set container: %s", answer(ioctl(descriptors[group], VFIO_GROUP_SET_CONTAINER, &fd)));
}

void unset_container(int group)
{
	say("unset container: %s", answer(ioctl(descriptors[group], VFIO_GROUP_UNSET_CONTAINER)));
}

void set_iommu(int container, int type)
{
	say("set iommu %d: %s", type, answer(ioctl(descriptors[container], VFIO_SET_IOMMU, type)));
}

void check_extension(int container, int type)
{
	say("extension %d: %s", type,
	    answer(ioctl(descriptors[container], VFIO_CHECK_EXTENSION, type)));
}

void get_status(int group)
{
	struct vfio_group_status status = {.argsz = sizeof(status)};
	int result = ioctl(descriptors[group], VFIO_GROUP_GET_STATUS, &status);

	say("status: %s %x", answer(result), status.flags);
}

void open_device(int container, int group, int device, int which)
{
	if (descriptors[container] < 0)
		open_container(container);
	if (descriptors[group] < 0)
		open_group(group, which);
	get_status(group);
	set_container(group, container);
	set_iommu(container, VFIO_NOIOMMU_IOMMU);
	memory_read_shared();
	get_device(device, group, which);
}

void wrong_ioctl(int d, int how)
{
	static const unsigned long requests[] = {VFIO_GET_API_VERSION,
						 VFIO_IOMMU_GET_INFO,
						 VFIO_IOMMU_MAP_DMA,
						 VFIO_IOMMU_UNMAP_DMA,
						 VFIO_GROUP_GET_STATUS,
						 VFIO_GROUP_UNSET_CONTAINER,
						 VFIO_DEVICE_GET_INFO,
						 VFIO_DEVICE_RESET,
						 VFIO_GROUP_GET_DEVICE_FD,
						 VFIO_DEVICE_GET_IRQ_INFO,
						 VFIO_GROUP_SET_CONTAINER,
						 FIOCLEX,
						 FIONBIO,
						 0x3b80,
						 0x3b99,
						 0x5413};
	uint32_t argument[16] = {sizeof(argument)};
	size_t which = (size_t)how % (ARRAY_SIZE(requests) + 1);
	int result;

	if (which == ARRAY_SIZE(requests))
		result = ioctl(descriptors[d], VFIO_GROUP_GET_STATUS, NULL);
	else
		result = ioctl(descriptors[d], requests[which], argument);
	say("ioctl d%d %zu: %s", d, which, answer(result));
}

/* ---- devices ----------------------------------------------------------------------- */

void device_info(int device)
{
	struct vfio_device_info info = {.argsz = sizeof(info)};
	int result = ioctl(descriptors[device], VFIO_DEVICE_GET_INFO, &info);

	say("device info: %s %x %u %u", answer(result), info.flags, info.num_regions,
	    info.num_irqs);
}

void region_info(int device, int index)
{
	struct vfio_region_info info = {.argsz = sizeof(info), .index = (uint32_t)index};
	int result = ioctl(descriptors[device], VFIO_DEVICE_GET_REGION_INFO, &info);

	say("region %d: %s %x %llx %llx", index, answer(result), info.flags,
	    (unsigned long long)info.size, (unsigned long long)info.offset);
}

void irq_info(int device, int index)
{
	struct vfio_irq_info info = {.argsz = sizeof(info), .index = (uint32_t)index};
	int result = ioctl(descriptors[device], VFIO_DEVICE_GET_IRQ_INFO, &info);

	say("interrupt %d: %s %x %u", index, answer(result), info.flags, info.count);
}

/* Only of what is a device: other files have other things at that place. */
static bool is_device(int device)
{
	struct vfio_device_info info = {.argsz = sizeof(info)};

	return ioctl(descriptors[device], VFIO_DEVICE_GET_INFO, &info) == 0;
}

void config_read(int device)
{
	uint16_t command = 0;
	uint32_t id = 0;
	long result;

	if (!is_device(device)) {
		say("config: no device");
		return;
	}
	result = pread(descriptors[device], &id, sizeof(id), CONFIG + PCI_VENDOR_ID);
	if (result > 0)
		result =
			pread(descriptors[device], &command, sizeof(command), CONFIG + PCI_COMMAND);
	say("config: %s %08x %04x", answer(result), id, command);
}

void config_write(int device, bool master)
{
	uint16_t command = 0;
	long result;

	if (!is_device(device)) {
		say("config: no device");
		return;
	}
	result = pread(descriptors[device], &command, sizeof(command), CONFIG + PCI_COMMAND);
	command |= PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER;
	if (!master)
		command &= (uint16_t)~PCI_COMMAND_MASTER;
	if (result > 0)
		result = pwrite(descriptors[device], &command, sizeof(command),
				CONFIG + PCI_COMMAND);
	say("master %d: %s", master, answer(result));
}

void map_bar(int m, int device)
{
	struct memory new = {.kind = BAR,
			     .pages = 16,
			     .shift = PAGE_SHIFT,
			     .fd = -1,
			     .object = -1,
			     .owner = memory_owner};
	struct vfio_region_info info = {.argsz = sizeof(info)};

	if (memories[m].va || ioctl(descriptors[device], VFIO_DEVICE_GET_REGION_INFO, &info)) {
		say("map registers m%d: not possible", m);
		return;
	}
	new.va = mmap(NULL, new.pages *PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED,
		      descriptors[device], (off_t)info.offset);
	say("map registers m%d: %s", m, answer(new.va == MAP_FAILED ? -1 : 0));
	if (new.va != MAP_FAILED)
		memories[m] = new;
}

#define EDU_ID	 0x00
#define EDU_LIVE 0x04

/* edu answers what is written here by its complement. */
void registers(int m)
{
	struct memory *memory = memory_get("registers", m);
	volatile uint32_t *at;

	if (!memory)
		return;
	if (memory->kind != BAR || memory->barred || memory->read_only) {
		say("registers m%d: not so", m);
		return;
	}
	at = (volatile uint32_t *)memory->va;
	at[EDU_LIVE / 4] = 0x12345678;
	say("registers m%d: %08x %08x", m, at[EDU_ID / 4], at[EDU_LIVE / 4]);
}

void is_mastering(int which)
{
	char name[] = "/sys/bus/pci/devices/$d0/config", path[128];
	uint16_t command = 0;
	long result;
	int fd;

	name[sizeof("/sys/bus/pci/devices/$d") - 1] = (char)('0' + which);
	fd = open(expand(name, path, sizeof(path)), O_RDONLY | O_CLOEXEC);
	result = pread(fd, &command, sizeof(command), PCI_COMMAND);
	close(fd);
	say("mastering: %s %d", answer(result), !!(command & PCI_COMMAND_MASTER));
}

void reset(int device)
{
	say("reset: %s", answer(ioctl(descriptors[device], VFIO_DEVICE_RESET)));
}

/* ---- interrupts -------------------------------------------------------------------- */

static int set_irqs(int device, uint32_t flags, int index, uint32_t count, int event)
{
	struct {
		struct vfio_irq_set head;
		int32_t event;
	} set = {{sizeof(set), flags, (uint32_t)index, 0, count}, event};

	if (flags & VFIO_IRQ_SET_DATA_NONE)
		set.head.argsz = sizeof(set.head);
	return ioctl(descriptors[device], VFIO_DEVICE_SET_IRQS, &set);
}

void interrupt_on(int device, int event, int index)
{
	say("interrupt %d on: %s", index,
	    answer(set_irqs(device, VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER, index,
			    1, descriptors[event])));
}

void interrupt_off(int device, int index)
{
	say("interrupt %d off: %s", index,
	    answer(set_irqs(device, VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_TRIGGER, index, 0,
			    -1)));
}

/* As if the device had raised it. */
void interrupt_raise(int device, int index)
{
	say("interrupt %d raised: %s", index,
	    answer(set_irqs(device, VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_TRIGGER, index, 1,
			    -1)));
}
