/*
 * patterns NAME BDF, patterns list
 *
 * The sequences of calls by which well-known programs use VFIO no-IOMMU and
 * pagemap, each named after its program: how it finds the group, what it asks,
 * which answers it requires, and in which order it opens and closes. Any device
 * will do, as it is only mapped, configured and reset.
 *
 * Exit status: 0 if that program would work; otherwise 1, after a line that
 * says which step failed.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/pci_regs.h>
#include <linux/vfio.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE_SIZE ((unsigned long)sysconf(_SC_PAGESIZE))
#define HUGE_SIZE (2UL << 20)
#define CONTAINER "/dev/vfio/vfio"
#define PAGEMAP	  "/proc/self/pagemap"
#define PARAMETER "/sys/module/vfio/parameters/enable_unsafe_noiommu_mode"
#define PRESENT	  (1ULL << 63)

/* The offsets of vfio-pci's regions. They are no ABI, but programs rely on them. */
#define REGION_OFFSET(index) ((uint64_t)(index) << 40)

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* ---- steps ------------------------------------------------------------- */

static const char *pattern;

/* Ends the program at the first step that the driver would not accept. */
__attribute__((format(printf, 2, 3))) static void need(bool ok, const char *step, ...)
{
	int error = errno;
	va_list args;

	errno = 0; /* so that a later message has the errno of its own step */
	if (ok)
		return;
	fprintf(stderr, "%s: failed: ", pattern);
	va_start(args, step);
	vfprintf(stderr, step, args);
	va_end(args);
	fprintf(stderr, error ? " (errno: %s)\n" : "\n", strerror(error));
	exit(1);
}

static int need_open(const char *path, int flags)
{
	int fd = open(path, flags);

	need(fd >= 0, "open %s", path);
	return fd;
}

static int open_container(void)
{
	int fd = need_open(CONTAINER, O_RDWR);

	need(ioctl(fd, VFIO_GET_API_VERSION) == VFIO_API_VERSION, "GET_API_VERSION");
	return fd;
}

/* The number at the end of the iommu_group link. */
static int group_number(const char *bdf)
{
	char path[PATH_MAX], target[PATH_MAX];
	ssize_t length;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/iommu_group", bdf);
	length = readlink(path, target, sizeof(target) - 1);
	need(length > 0, "readlink %s", path);
	target[length] = '\0';
	need(strrchr(target, '/'), "a slash in %s", target);
	return atoi(strrchr(target, '/') + 1);
}

static int open_noiommu_group(int number)
{
	char path[64];

	snprintf(path, sizeof(path), "/dev/vfio/noiommu-%d", number);
	return need_open(path, O_RDWR);
}

static uint32_t group_status(int group)
{
	struct vfio_group_status status = {.argsz = sizeof(status)};

	need(ioctl(group, VFIO_GROUP_GET_STATUS, &status) == 0, "GET_STATUS");
	return status.flags;
}

static void need_viable(int group)
{
	need(group_status(group) & VFIO_GROUP_FLAGS_VIABLE, "the group is viable");
}

static void set_container(int group, int container)
{
	need(ioctl(group, VFIO_GROUP_SET_CONTAINER, &container) == 0, "SET_CONTAINER");
}

static void set_noiommu(int container)
{
	need(ioctl(container, VFIO_SET_IOMMU, VFIO_NOIOMMU_IOMMU) == 0, "SET_IOMMU NOIOMMU");
}

static int get_device(int group, const char *bdf)
{
	int fd = ioctl(group, VFIO_GROUP_GET_DEVICE_FD, bdf);

	need(fd >= 0, "GET_DEVICE_FD %s", bdf);
	return fd;
}

static struct vfio_device_info device_info(int device)
{
	struct vfio_device_info info = {.argsz = sizeof(info)};

	need(ioctl(device, VFIO_DEVICE_GET_INFO, &info) == 0, "DEVICE_GET_INFO");
	return info;
}

static struct vfio_region_info region_info(int device, unsigned int index)
{
	struct vfio_region_info info = {.argsz = sizeof(info), .index = index};

	need(ioctl(device, VFIO_DEVICE_GET_REGION_INFO, &info) == 0, "GET_REGION_INFO %u", index);
	return info;
}

static struct vfio_irq_info irq_info(int device, unsigned int index)
{
	struct vfio_irq_info info = {.argsz = sizeof(info), .index = index};

	need(ioctl(device, VFIO_DEVICE_GET_IRQ_INFO, &info) == 0, "GET_IRQ_INFO %u", index);
	return info;
}

/* Drivers that look at all regions skip those that the device lacks. */
static void look_at_regions(int device)
{
	struct vfio_device_info info = device_info(device);
	struct vfio_region_info region = {.argsz = sizeof(region)};

	need(info.flags & VFIO_DEVICE_FLAGS_PCI, "it is a PCI device");
	need(info.num_regions > VFIO_PCI_CONFIG_REGION_INDEX, "it has a config region");
	for (region.index = 0; region.index < info.num_regions; region.index++)
		if (ioctl(device, VFIO_DEVICE_GET_REGION_INFO, &region) < 0)
			need(region.index == VFIO_PCI_VGA_REGION_INDEX, "GET_REGION_INFO %u",
			     region.index);
}

static void set_command_bits(int device, uint64_t config, uint16_t bits)
{
	uint16_t command;

	need(pread(device, &command, 2, config + PCI_COMMAND) == 2, "reading PCI_COMMAND");
	command |= bits;
	need(pwrite(device, &command, 2, config + PCI_COMMAND) == 2, "writing PCI_COMMAND");
}

/* The first BAR that can be mapped: not every device has BAR 0 in memory. */
static struct vfio_region_info first_bar(int device)
{
	struct vfio_region_info info;

	for (unsigned int i = 0; i <= VFIO_PCI_BAR5_REGION_INDEX; i++) {
		info = region_info(device, i);
		if (info.size && info.flags & VFIO_REGION_INFO_FLAG_MMAP)
			return info;
	}
	need(false, "a BAR that can be mapped");
	return info;
}

static void *map_region(int device, const struct vfio_region_info *info, void *where, int flags)
{
	void *va = mmap(where, info->size, PROT_READ | PROT_WRITE, MAP_SHARED | flags, device,
			info->offset);

	need(va != MAP_FAILED, "mapping region %u", info->index);
	return va;
}

static void map_and_unmap_bar(int device)
{
	struct vfio_region_info info = first_bar(device);

	munmap(map_region(device, &info, NULL, 0), info.size);
}

/* EINVAL: the device has no reset. Drivers accept that. */
static void reset(int device)
{
	need(ioctl(device, VFIO_DEVICE_RESET) == 0 || errno == EINVAL, "DEVICE_RESET");
}

static void *map_memory(size_t size, int flags)
{
	void *va = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | flags, -1, 0);

	need(va != MAP_FAILED, "mmap %zu bytes", size);
	return va;
}

static off_t pagemap_offset(const void *va)
{
	return (uintptr_t)va / PAGE_SIZE * sizeof(uint64_t);
}

/* open, lseek, read, close: the most common lookup. */
static uint64_t pagemap_entry(const void *va)
{
	off_t offset = pagemap_offset(va);
	int fd = need_open(PAGEMAP, O_RDONLY);
	uint64_t entry;

	need(lseek(fd, offset, SEEK_SET) == offset, "lseek in pagemap");
	need(read(fd, &entry, sizeof(entry)) == sizeof(entry), "reading pagemap");
	close(fd);
	return entry;
}

static char read_parameter(void)
{
	int fd = need_open(PARAMETER, O_RDONLY);
	char c;

	need(read(fd, &c, 1) == 1, "reading " PARAMETER);
	close(fd);
	return c;
}

static void write_parameter(const char *text, int flags)
{
	int fd = need_open(PARAMETER, flags);
	ssize_t length = strlen(text);

	need(write(fd, text, length) == length, "writing " PARAMETER);
	close(fd);
}

static void need_vfio_driver(const char *bdf)
{
	char path[PATH_MAX], target[PATH_MAX];
	ssize_t length;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/driver", bdf);
	length = readlink(path, target, sizeof(target) - 1);
	need(length > 0, "readlink %s", path);
	target[length] = '\0';
	need(strstr(target, "/vfio-pci"), "the driver is vfio-pci");
}

/* The number of entries that are not hidden; -1: no such directory. */
static int count_entries(const char *path)
{
	DIR *directory = opendir(path);
	struct dirent *entry;
	int count = 0;

	if (!directory)
		return -1;
	while ((entry = readdir(directory)))
		count += entry->d_name[0] != '.';
	closedir(directory);
	return count;
}

/* ---- DPDK -------------------------------------------------------------- */

#define DPDK_PFN ((1ULL << 55) - 1)

static uint64_t dpdk_phys(const void *va)
{
	uint64_t pfn = pagemap_entry(va) & DPDK_PFN;

	need(pfn != 0, "a physical address");
	return pfn * PAGE_SIZE + (uintptr_t)va % PAGE_SIZE;
}

/*
 * With --legacy-mem, memory is looked up at its first mapping and used at a later
 * one. Only the page of the file is the same.
 */
static void dpdk_remap_memory(void)
{
	int fd = memfd_create("rtemap", 0);
	uint64_t before;
	uint8_t *first, *final;

	need(fd >= 0 && ftruncate(fd, PAGE_SIZE) == 0, "memfd");
	first = mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
	need(first != MAP_FAILED, "the first mapping");
	before = dpdk_phys(first);
	final = mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
	need(final != MAP_FAILED, "the final mapping");
	munmap(first, PAGE_SIZE);
	close(fd);
	need(dpdk_phys(final) == before, "the address outlives the first mapping");
}

/* DPDK frees a segment by mapping reserved address space over it. */
static void dpdk_free_segment(void)
{
	uint8_t *va = map_memory(PAGE_SIZE, MAP_PRIVATE | MAP_POPULATE);

	dpdk_phys(va);
	need(mmap(va, PAGE_SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == va,
	     "reserving the segment's addresses");
	need((pagemap_entry(va) & DPDK_PFN) == 0, "a freed segment has no address");
}

static int dpdk_container(void)
{
	static const int types[] = {VFIO_TYPE1_IOMMU, 7 /* sPAPR v2 */, VFIO_NOIOMMU_IOMMU};
	int container = open_container();
	int supported = 0;

	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		int answer = ioctl(container, VFIO_CHECK_EXTENSION, types[i]);

		need(answer >= 0, "CHECK_EXTENSION %d is not negative", types[i]);
		supported += answer == 1;
	}
	need(supported > 0, "CHECK_EXTENSION 1 for some IOMMU type");
	return container;
}

/* Tries the name without "noiommu-" first. Any errno but ENOENT is fatal. */
static int dpdk_group(int number)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/dev/vfio/%d", number);
	fd = open(path, O_RDWR);
	if (fd >= 0)
		return fd;
	need(errno == ENOENT, "open %s says ENOENT", path);
	return open_noiommu_group(number);
}

static void dpdk_set_iommu(int container)
{
	if (ioctl(container, VFIO_SET_IOMMU, VFIO_TYPE1_IOMMU) == 0 ||
	    ioctl(container, VFIO_SET_IOMMU, 7) == 0)
		return;
	set_noiommu(container);
}

static int dpdk_device(int group, const char *bdf)
{
	char name[128];
	int fd;

	snprintf(name, sizeof(name), "%s vf_token=%s", bdf, "2ab74924-c335-45f4-9b16-8569e5b08258");
	fd = ioctl(group, VFIO_GROUP_GET_DEVICE_FD, name);
	return fd >= 0 ? fd : get_device(group, bdf);
}

/* BARs are mapped over address space that was reserved before. */
static void dpdk_map_bar(int device)
{
	struct vfio_region_info info = first_bar(device);
	void *where = mmap(NULL, info.size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	need(where != MAP_FAILED, "reserving addresses for a BAR");
	map_region(device, &info, where, MAP_FIXED);
	munmap(where, info.size);
}

static void dpdk_interrupts(int device)
{
	for (int i = VFIO_PCI_MSIX_IRQ_INDEX; i >= 0; i--)
		if (irq_info(device, i).flags & VFIO_IRQ_INFO_EVENTFD)
			return;
	need(false, "an interrupt that can signal an eventfd");
}

static void dpdk_probe(int container, const char *bdf)
{
	int group = dpdk_group(group_number(bdf));
	uint32_t flags = group_status(group);
	int device;

	need(flags & VFIO_GROUP_FLAGS_VIABLE, "the group is viable");
	if (!(flags & VFIO_GROUP_FLAGS_CONTAINER_SET)) {
		set_container(group, container);
		dpdk_set_iommu(container);
	}
	device = dpdk_device(group, bdf);
	look_at_regions(device);
	dpdk_interrupts(device);
	set_command_bits(device, region_info(device, VFIO_PCI_CONFIG_REGION_INDEX).offset,
			 PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	dpdk_map_bar(device);
	reset(device);
	close(device);
	close(group);
}

static void dpdk(const char *bdf)
{
	struct stat st;
	int on_stack = 0;
	int container;

	dpdk_phys(&on_stack); /* decides whether physical addresses are available */
	need(stat("/sys/module/vfio", &st) == 0, "stat /sys/module/vfio");
	need(count_entries("/dev/vfio") > 0, "/dev/vfio has entries");
	count_entries("/sys/kernel/iommu_groups"); /* it takes any answer */
	container = dpdk_container();
	need(read_parameter() == 'Y', "no-IOMMU mode is enabled");
	dpdk_phys(map_memory(PAGE_SIZE, MAP_PRIVATE | MAP_POPULATE));
	dpdk_remap_memory();
	dpdk_free_segment();
	/* Twice, because a device can be detached and probed again. */
	dpdk_probe(container, bdf);
	dpdk_probe(container, bdf);
}

/* ---- VPP --------------------------------------------------------------- */

/* One descriptor; lseek and read for each page. Only bit 63 matters. */
static void vpp_look_up(void *va, size_t pages, size_t page_size)
{
	int fd = need_open(PAGEMAP, O_RDONLY);
	uint64_t entry;

	for (size_t i = 0; i < pages; i++) {
		off_t offset = pagemap_offset((char *)va + i * page_size);

		need(lseek(fd, offset, SEEK_SET) == offset, "lseek in pagemap");
		need(read(fd, &entry, sizeof(entry)) == sizeof(entry), "reading pagemap");
		need(entry & PRESENT, "the page is present");
	}
	close(fd);
}

static int free_huge_pages(void)
{
	FILE *file = fopen("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "r");
	int count = 0;

	if (!file)
		return 0;
	need(fscanf(file, "%d", &count) == 1, "the number of free huge pages");
	fclose(file);
	return count;
}

/* Huge pages are looked up and unmapped. They must be back in the pool at once. */
static void vpp_order_huge_pages(void)
{
	int count = free_huge_pages();
	void *va;

	if (!count)
		return;
	va = map_memory(count * HUGE_SIZE, MAP_PRIVATE | MAP_HUGETLB | MAP_POPULATE);
	vpp_look_up(va, count, HUGE_SIZE);
	munmap(va, count * HUGE_SIZE);
	need(free_huge_pages() == count, "the huge pages are back (%d of %d)", free_huge_pages(),
	     count);
}

static int vpp_group_number(const char *bdf)
{
	char path[PATH_MAX], target[PATH_MAX], name[32] = "";
	FILE *file;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/iommu_group", bdf);
	need(realpath(path, target), "realpath %s", path);
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/iommu_group/name", bdf);
	file = fopen(path, "r");
	need(file && fgets(name, sizeof(name), file), "reading %s", path);
	fclose(file);
	need(!strncmp(name, "vfio-noiommu", 12), "the group's name is vfio-noiommu");
	return atoi(basename(target));
}

static void vpp(const char *bdf)
{
	int on_stack = 0;
	int container, group, device;

	vpp_look_up(&on_stack, 1, PAGE_SIZE);
	vpp_order_huge_pages();
	container = open_container();
	need(ioctl(container, VFIO_CHECK_EXTENSION, VFIO_NOIOMMU_IOMMU) == 1,
	     "CHECK_EXTENSION NOIOMMU is 1");
	write_parameter("Y", O_RDWR);
	group = open_noiommu_group(vpp_group_number(bdf));
	need_viable(group);
	set_container(group, container);
	set_noiommu(container);
	device = get_device(group, bdf);
	look_at_regions(device);
	set_command_bits(device, region_info(device, VFIO_PCI_CONFIG_REGION_INDEX).offset,
			 PCI_COMMAND_MASTER);
	reset(device);
	irq_info(device, VFIO_PCI_INTX_IRQ_INDEX);
	irq_info(device, VFIO_PCI_MSIX_IRQ_INDEX);
	map_and_unmap_bar(device);
	close(device);
	close(group);
}

/* ---- qatlib ------------------------------------------------------------ */

/* True if the group with that number has the device. */
static bool qatlib_has_device(const char *number, const char *bdf)
{
	char path[PATH_MAX];
	struct stat st;

	snprintf(path, sizeof(path), "/sys/kernel/iommu_groups/%s/devices", number);
	need(count_entries(path) > 0, "%s has entries", path);
	snprintf(path, sizeof(path), "/sys/kernel/iommu_groups/%s/devices/%s", number, bdf);
	return lstat(path, &st) == 0;
}

/* Searches the device nodes for the one of the device. */
static void qatlib_find_node(const char *bdf, char *path, size_t size)
{
	static const char prefix[] = "noiommu-";
	struct dirent **entries;
	bool found = false;
	int count = scandir("/dev/vfio", &entries, NULL, alphasort);

	need(count > 0, "scandir /dev/vfio");
	for (int i = 0; i < count; i++) {
		const char *name = entries[i]->d_name;

		if (!found && !strncmp(name, prefix, strlen(prefix)) &&
		    qatlib_has_device(name + strlen(prefix), bdf)) {
			snprintf(path, size, "/dev/vfio/%s", name);
			found = true;
		}
		free(entries[i]);
	}
	free(entries);
	need(found, "a node in /dev/vfio whose group has %s", bdf);
}

static int qatlib_open_node(const char *path)
{
	int fd = need_open(path, O_RDWR | O_NOFOLLOW);
	struct stat st;

	need(fstat(fd, &st) == 0 && st.st_nlink <= 1, "%s has no other link", path);
	return fd;
}

static int qatlib_container(void)
{
	int container = open_container();

	need(ioctl(container, VFIO_CHECK_EXTENSION, VFIO_TYPE1_IOMMU) != 0,
	     "CHECK_EXTENSION TYPE1");
	return container;
}

/* A child, which finds the pid of another process, opens its own container. */
static void qatlib_fork(int container)
{
	pid_t pid = fork();
	int status;

	need(pid >= 0, "fork");
	if (pid == 0) {
		close(container);
		close(qatlib_container());
		exit(0);
	}
	need(waitpid(pid, &status, 0) == pid && status == 0, "a container in the child");
}

static void qatlib_memory(void)
{
	uint8_t *va = map_memory(PAGE_SIZE, MAP_PRIVATE | MAP_LOCKED);

	need(madvise(va, PAGE_SIZE, MADV_DONTFORK) == 0, "MADV_DONTFORK");
	va[0] = 1;
	need((pagemap_entry(va) & DPDK_PFN) != 0, "a physical address");
}

static void qatlib(const char *bdf)
{
	const uint64_t config = REGION_OFFSET(VFIO_PCI_CONFIG_REGION_INDEX);
	int lock, container, group, device;
	char path[PATH_MAX];

	need(read_parameter() == 'Y', "no-IOMMU mode is enabled");
	lock = need_open("/dev/vfio", O_RDONLY);
	need(flock(lock, LOCK_EX) == 0, "flock /dev/vfio");
	qatlib_find_node(bdf, path, sizeof(path));
	group = qatlib_open_node(path);
	need(flock(lock, LOCK_UN) == 0, "unlock /dev/vfio");
	container = qatlib_container();
	qatlib_fork(container);
	need_viable(group);
	set_container(group, container);
	set_noiommu(container);
	device = get_device(group, bdf);
	set_command_bits(device, config, PCI_COMMAND_MEMORY);
	look_at_regions(device);
	map_and_unmap_bar(device);
	set_command_bits(device, config, PCI_COMMAND_MASTER);
	reset(device);
	qatlib_memory();
	close(device);
	/* Passes an argument, unlike other programs. The kernel ignores it. */
	need(ioctl(group, VFIO_GROUP_UNSET_CONTAINER, container) == 0, "UNSET_CONTAINER");
	close(group);
	close(container);
	close(lock);
}

/* ---- OpenVMM ----------------------------------------------------------- */

#define OPENVMM_PFN ((1ULL << 55) - 1)

/* Reads all entries by one pread, and does not check its length. */
static void openvmm_memory(void)
{
	enum { PAGES = 64 };
	uint8_t *va = map_memory(PAGES * PAGE_SIZE, MAP_PRIVATE | MAP_LOCKED | MAP_POPULATE);
	uint64_t entries[PAGES] = {0};
	int fd = need_open(PAGEMAP, O_RDONLY);

	if (pread(fd, entries, sizeof(entries), pagemap_offset(va)) < 0)
		need(false, "pread of %d entries", PAGES);
	for (size_t i = 0; i < PAGES; i++)
		need(entries[i] & PRESENT && entries[i] & OPENVMM_PFN, "entry %zu", i);
	close(fd);
}

/* The kernel may return ENODEV just after a hotplug: tries again a bit later. */
static int openvmm_device(int group, const char *bdf)
{
	int fd = ioctl(group, VFIO_GROUP_GET_DEVICE_FD, bdf);

	if (fd < 0 && errno == ENODEV) {
		usleep(250000);
		fd = ioctl(group, VFIO_GROUP_GET_DEVICE_FD, bdf);
	}
	need(fd >= 0, "GET_DEVICE_FD %s", bdf);
	return fd;
}

/* argsz has room for 256 eventfds, count is 1. */
static void openvmm_interrupt(int device)
{
	uint32_t size = sizeof(struct vfio_irq_set) + 256 * sizeof(int32_t);
	struct vfio_irq_set *set = calloc(1, size);
	int32_t fd = eventfd(0, EFD_NONBLOCK);

	need(set && fd >= 0, "an eventfd");
	set->argsz = size;
	set->flags = VFIO_IRQ_SET_ACTION_TRIGGER | VFIO_IRQ_SET_DATA_EVENTFD;
	set->index = VFIO_PCI_MSIX_IRQ_INDEX;
	set->count = 1;
	memcpy(set->data, &fd, sizeof(fd));
	if (irq_info(device, VFIO_PCI_MSIX_IRQ_INDEX).count) {
		need(ioctl(device, VFIO_DEVICE_SET_IRQS, set) == 0, "SET_IRQS, a vector");
		set->argsz = sizeof(*set);
		set->flags = VFIO_IRQ_SET_ACTION_TRIGGER | VFIO_IRQ_SET_DATA_NONE;
		need(ioctl(device, VFIO_DEVICE_SET_IRQS, set) == 0, "SET_IRQS, no vector");
	}
	free(set);
	close(fd);
}

static void openvmm(const char *bdf)
{
	int container = need_open(CONTAINER, O_RDWR);
	int group = open_noiommu_group(group_number(bdf));
	int device;

	set_container(group, container);
	need_viable(group);
	set_noiommu(container);
	device = openvmm_device(group, bdf);
	look_at_regions(device);
	map_and_unmap_bar(device);
	set_command_bits(device, region_info(device, VFIO_PCI_CONFIG_REGION_INDEX).offset,
			 PCI_COMMAND_MASTER);
	openvmm_interrupt(device);
	openvmm_memory();
	close(container);
	close(group);
	close(device);
}

/* ---- libkvmchan -------------------------------------------------------- */

/* Tries each node until one returns the device. */
static int libkvmchan_find(const char *bdf, int container)
{
	DIR *directory = opendir("/dev/vfio");
	struct dirent *entry;
	int device = -1;

	need(directory, "opendir /dev/vfio");
	while (device < 0 && (entry = readdir(directory))) {
		int group;

		if (entry->d_name[0] == '.' || !strcmp(entry->d_name, "vfio"))
			continue;
		group = openat(dirfd(directory), entry->d_name, O_RDWR);
		if (group < 0)
			continue; /* the directory of cdevs, or a group in use */
		need_viable(group);
		set_container(group, container);
		set_noiommu(container);
		device = ioctl(group, VFIO_GROUP_GET_DEVICE_FD, bdf);
		if (device < 0)
			close(group);
	}
	closedir(directory);
	need(device >= 0, "a group in /dev/vfio that gives the device");
	return device;
}

static void send_fd(int socket, int fd)
{
	char byte = 0;
	struct iovec data = {.iov_base = &byte, .iov_len = 1};
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(fd))];
	struct msghdr message = {
		.msg_iov = &data,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(header), &fd, sizeof(fd));
	need(sendmsg(socket, &message, 0) == 1, "sending the device");
}

/* Returns -1 if no descriptor came. */
static int receive_fd(int socket)
{
	char byte;
	struct iovec data = {.iov_base = &byte, .iov_len = 1};
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))];
	struct msghdr message = {
		.msg_iov = &data,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	int fd;

	if (recvmsg(socket, &message, 0) != 1 || !CMSG_FIRSTHDR(&message))
		return -1;
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(fd));
	return fd;
}

static bool has_identity(int device)
{
	uint16_t vendor = 0;

	return pread(device, &vendor, 2, REGION_OFFSET(VFIO_PCI_CONFIG_REGION_INDEX)) == 2 &&
	       vendor && vendor != 0xffff;
}

/* The process that serves a client is forked before the device is opened. */
static void libkvmchan(const char *bdf)
{
	char path[PATH_MAX];
	int container, device, ends[2], status;
	struct vfio_region_info bar;
	pid_t pid;

	need(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0, "socketpair");
	pid = fork();
	need(pid >= 0, "fork");
	if (pid == 0) {
		close(ends[0]); /* so that the child ends if its parent fails */
		_exit(!has_identity(receive_fd(ends[1])));
	}
	close(ends[1]);
	close(need_open("/sys/bus/pci/drivers/vfio-pci", O_RDONLY));
	need(read_parameter() == 'Y', "no-IOMMU mode is enabled");
	snprintf(path, sizeof(path), "/sys/bus/pci/drivers/vfio-pci/%s", bdf);
	need(count_entries(path) >= 0, "the device is bound to vfio-pci");
	container = need_open(CONTAINER, O_RDWR);
	device = libkvmchan_find(bdf, container);
	bar = first_bar(device);
	bar.offset = REGION_OFFSET(bar.index);
	map_region(device, &bar, NULL, 0);
	send_fd(ends[0], device);
	need(waitpid(pid, &status, 0) == pid && status == 0, "the device in another process");
}

/* ---- tinygrad ---------------------------------------------------------- */

#define TINYGRAD_PFN   ((1ULL << 55) - 1)
#define COMPACT_LOCKED "/proc/sys/vm/compact_unevictable_allowed"

/* Keeps locked pages in place as far as compaction is concerned, but not otherwise. */
static char tinygrad_allow_compaction(char new)
{
	int fd = need_open(COMPACT_LOCKED, O_RDWR);
	char old;

	need(read(fd, &old, 1) == 1, "reading " COMPACT_LOCKED);
	need(old == new || pwrite(fd, &new, 1, 0) == 1, "writing " COMPACT_LOCKED);
	close(fd);
	return old;
}

/*
 * Python: one descriptor for the whole life, and buffered reads, which read more than
 * the caller wants: 1024 bytes here, of which 8 bytes for each page are used.
 */
static void tinygrad_memory(int pagemap)
{
	enum { PAGES = 4, BUFFER = 1024 / sizeof(uint64_t) };
	uint8_t *va = map_memory(PAGES * PAGE_SIZE, MAP_SHARED | MAP_LOCKED | MAP_POPULATE);
	off_t offset = pagemap_offset(va);
	uint64_t entries[BUFFER];

	need(lseek(pagemap, offset, SEEK_SET) == offset, "lseek in pagemap");
	need(read(pagemap, entries, sizeof(entries)) >= (ssize_t)(PAGES * sizeof(*entries)),
	     "reading pagemap");
	for (size_t i = 0; i < PAGES; i++)
		need(entries[i] & TINYGRAD_PFN, "entry %zu", i);
}

static void tinygrad(const char *bdf)
{
	struct vfio_irq_info msi;
	int container, group, device, pagemap;
	char compaction;

	write_parameter("1", O_RDWR);
	container = need_open(CONTAINER, O_RDWR);
	need(ioctl(container, VFIO_CHECK_EXTENSION, VFIO_NOIOMMU_IOMMU) >= 0,
	     "CHECK_EXTENSION NOIOMMU");
	group = open_noiommu_group(group_number(bdf));
	set_container(group, container);
	set_noiommu(container);
	device = get_device(group, bdf);
	msi = irq_info(device, VFIO_PCI_MSI_IRQ_INDEX);
	need(msi.argsz == sizeof(msi), "GET_IRQ_INFO leaves argsz alone");
	compaction = tinygrad_allow_compaction('0');
	pagemap = need_open(PAGEMAP, O_RDONLY | O_CLOEXEC);
	tinygrad_memory(pagemap);
	tinygrad_memory(pagemap);
	tinygrad_allow_compaction(compaction); /* tinygrad itself does not restore this */
}

/* ---- ublksrv ----------------------------------------------------------- */

static int ublksrv_group(int number)
{
	char path[64];

	snprintf(path, sizeof(path), "/dev/vfio/%d", number);
	if (access(path, F_OK) == 0)
		return need_open(path, O_RDWR);
	snprintf(path, sizeof(path), "/dev/vfio/noiommu-%d", number);
	need(access(path, F_OK) == 0, "access %s", path);
	return need_open(path, O_RDWR);
}

/* Reads all entries of the pool by one pread. A short read is fatal. */
static void ublksrv_look_up(const void *va, size_t pages)
{
	ssize_t size = pages * sizeof(uint64_t);
	uint64_t *entries = malloc(size);
	int fd = need_open(PAGEMAP, O_RDONLY);

	need(entries && pread(fd, entries, size, pagemap_offset(va)) == size,
	     "pread of %zu entries", pages);
	for (size_t i = 0; i < pages; i++)
		need(entries[i] & PRESENT && entries[i] & DPDK_PFN, "entry %zu", i);
	free(entries);
	close(fd);
}

static void ublksrv(const char *bdf)
{
	const size_t pages = HUGE_SIZE / PAGE_SIZE;
	int huge = free_huge_pages() ? MAP_HUGETLB : 0;
	int container, group, device;
	void *pool;

	if (read_parameter() != 'Y')
		write_parameter("Y\n", O_WRONLY);
	need_vfio_driver(bdf);
	container = open_container();
	need(ioctl(container, VFIO_CHECK_EXTENSION, VFIO_NOIOMMU_IOMMU) != 0,
	     "CHECK_EXTENSION NOIOMMU");
	group = ublksrv_group(group_number(bdf));
	need_viable(group);
	set_container(group, container);
	set_noiommu(container);
	device = get_device(group, bdf);
	map_and_unmap_bar(device);
	set_command_bits(device, region_info(device, VFIO_PCI_CONFIG_REGION_INDEX).offset,
			 PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	pool = map_memory(HUGE_SIZE, MAP_PRIVATE | MAP_POPULATE | huge);
	need(mlock(pool, HUGE_SIZE) == 0, "mlock");
	ublksrv_look_up(pool, pages);
	close(device);
	close(group);
	close(container);
	/* The memory outlives the device, its group and its container. */
	memset(pool, 0, HUGE_SIZE);
	need(munmap(pool, HUGE_SIZE) == 0, "munmap");
}

/* ---- xhci_vfio --------------------------------------------------------- */

#define XHCI_PFN ((1ULL << 54) - 1)

/* Made for pods, in which noiommu-N is mounted under the name of a real group. */
static int xhci_group(int number)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/dev/vfio/%d", number);
	fd = open(path, O_RDWR);
	return fd >= 0 ? fd : open_noiommu_group(number);
}

/* Without an IOMMU this fails. The program only logs that. */
static void xhci_map_dma(int container, void *va, uint64_t phys)
{
	struct vfio_iommu_type1_dma_map map = {
		.argsz = sizeof(map),
		.flags = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE,
		.vaddr = (uintptr_t)va,
		.iova = phys,
		.size = PAGE_SIZE,
	};

	need(ioctl(container, VFIO_IOMMU_MAP_DMA, &map) < 0, "MAP_DMA has nothing to map with");
}

static void *xhci_alloc(int container)
{
	uint8_t *va = map_memory(PAGE_SIZE, MAP_PRIVATE | MAP_POPULATE);
	uint64_t entry;

	need(mlock(va, PAGE_SIZE) == 0, "mlock");
	entry = pagemap_entry(va);
	need(entry & PRESENT && entry & XHCI_PFN, "a physical address");
	xhci_map_dma(container, va, (entry & XHCI_PFN) * PAGE_SIZE);
	return va;
}

static void xhci_vfio(const char *bdf)
{
	uint16_t command = PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER;
	int container = open_container();
	int group = xhci_group(group_number(bdf));
	struct vfio_region_info config;
	uint8_t header[64];
	int device;
	void *memory;

	group_status(group);
	set_container(group, container);
	if (ioctl(container, VFIO_SET_IOMMU, VFIO_TYPE1_IOMMU) < 0)
		set_noiommu(container);
	device = get_device(group, bdf);
	map_and_unmap_bar(device);
	config = region_info(device, VFIO_PCI_CONFIG_REGION_INDEX);
	need(pread(device, header, sizeof(header), config.offset) == sizeof(header),
	     "reading the config header");
	need(pwrite(device, &command, 2, config.offset + PCI_COMMAND) == 2, "writing PCI_COMMAND");
	memory = xhci_alloc(container);
	munlock(memory, PAGE_SIZE);
	munmap(memory, PAGE_SIZE);
	close(device);
	close(group);
	close(container);
}

/* ---- vfio_nvme --------------------------------------------------------- */

#define VFIO_NVME_PFN ((1ULL << 51) - 1)

/* Ignores the flags: an entry other than 0 has an address. */
static void vfio_nvme_memory(void)
{
	uint8_t *va = map_memory(PAGE_SIZE, MAP_PRIVATE);
	uint64_t entry;
	int fd;

	memset(va, 0, PAGE_SIZE);
	fd = need_open(PAGEMAP, O_RDONLY); /* and left open */
	need(lseek(fd, pagemap_offset(va), SEEK_SET) >= 0, "lseek in pagemap");
	need(read(fd, &entry, sizeof(entry)) > 0, "reading pagemap");
	need(entry != 0 && entry & VFIO_NVME_PFN, "a physical address");
}

static void vfio_nvme(const char *bdf)
{
	int number, container, group, device;
	struct vfio_device_info info;

	need_vfio_driver(bdf);
	number = group_number(bdf);
	container = open_container();
	need(ioctl(container, VFIO_CHECK_EXTENSION, VFIO_NOIOMMU_IOMMU) != 0,
	     "CHECK_EXTENSION NOIOMMU");
	group = open_noiommu_group(number);
	need_viable(group);
	set_container(group, container);
	set_noiommu(container);
	device = get_device(group, bdf);
	look_at_regions(device);
	info = device_info(device);
	for (unsigned int i = 0; i < info.num_irqs && i <= VFIO_PCI_MSIX_IRQ_INDEX; i++)
		irq_info(device, i);
	map_and_unmap_bar(device);
	set_command_bits(device, region_info(device, VFIO_PCI_CONFIG_REGION_INDEX).offset,
			 PCI_COMMAND_MASTER);
	for (int i = 0; i < 4; i++)
		vfio_nvme_memory();
	close(device);
	close(container);
	close(group);
}

/* ---- the test that came with VFIO's no-IOMMU mode ---------------------- */

static void noiommu_open_test(const char *bdf)
{
	int group = open_noiommu_group(group_number(bdf));
	int container, device;

	need_viable(group);
	container = need_open(CONTAINER, O_RDWR);
	need_viable(group);
	set_container(group, container);
	need(ioctl(container, VFIO_SET_IOMMU, VFIO_TYPE1_IOMMU) < 0,
	     "SET_IOMMU TYPE1 must not be possible");
	set_noiommu(container);
	device = get_device(group, bdf);
	look_at_regions(device);
	/* and exits with all open */
}

/* ------------------------------------------------------------------------ */

static const struct {
	const char *name;
	void (*run)(const char *bdf);
} patterns[] = {
	{"dpdk", dpdk},
	{"vpp", vpp},
	{"qatlib", qatlib},
	{"openvmm", openvmm},
	{"libkvmchan", libkvmchan},
	{"tinygrad", tinygrad},
	{"ublksrv", ublksrv},
	{"xhci_vfio", xhci_vfio},
	{"vfio_nvme", vfio_nvme},
	{"noiommu-open-test", noiommu_open_test},
};

static int list(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(patterns); i++)
		puts(patterns[i].name);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "list"))
		return list();
	for (size_t i = 0; argc == 3 && i < ARRAY_SIZE(patterns); i++) {
		if (strcmp(argv[1], patterns[i].name) != 0)
			continue;
		pattern = patterns[i].name;
		patterns[i].run(argv[2]);
		return 0;
	}
	fprintf(stderr, "usage: patterns NAME BDF | patterns list\n");
	return 2;
}
