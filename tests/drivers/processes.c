/*
 * processes [--moved] NAME BDF, processes list
 * processes kill TIMES BDF
 *
 * A driver that consists of several processes. They inherit each other's containers,
 * groups and devices, send them to each other, and outlive each other. Each process
 * looks up its own memory. NAME says how the second process gets the descriptors. Every
 * process requires what the kernel's group path provides. With --moved it requires more:
 * the kernel is asked to move the memory to another NUMA node, and the addresses must
 * stay the same.
 *
 * "kill" starts a small driver again and again and kills it, with its child, at a random
 * moment, until TIMES drivers were killed before their end. Each of them must find the
 * device free.
 *
 * Exit status: 0, or 1 after a line that says which check failed.
 */
#define _GNU_SOURCE
#include "legacy.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/pci_regs.h>
#include <linux/seccomp.h>
#include <linux/vfio.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAGES 16

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

static char *bdf;
static const char *role = "first";
static bool moved;

static void need(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "processes: the %s process: %s failed (errno: %s)\n", role, what,
		strerror(errno));
	exit(1);
}

/* ---- what each process does with what it has --------------------------- */

static void *map_memory(size_t size, int flags)
{
	void *va = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | flags, -1, 0);

	need(va != MAP_FAILED, "mmap");
	memset(va, 1, size);
	return va;
}

static void move_to(int node, char *va)
{
	void *pages[PAGES];
	int nodes[PAGES], status[PAGES];

	for (int i = 0; i < PAGES; i++) {
		pages[i] = va + i * PAGE_SIZE;
		nodes[i] = node;
	}
	need(syscall(SYS_move_pages, 0, PAGES, pages, nodes, status, 0) >= 0, "move_pages");
}

/* Different pages must have different addresses, and no address may change. */
static void look_up(void *va)
{
	uint64_t first[PAGES], again[PAGES];

	need(legacy_virt_to_phys_bulk(va, PAGES, first) == 0, "looking up memory");
	for (int node = 0; moved && node < 2; node++)
		move_to(node, va);
	need(legacy_virt_to_phys_bulk(va, PAGES, again) == 0, "looking it up again");
	need(memcmp(first, again, sizeof(first)) == 0, "the same addresses as before");
	for (size_t i = 1; i < PAGES; i++)
		need(first[i] != first[i - 1], "another address for another page");
}

static void look_up_own_memory(void)
{
	look_up(map_memory(PAGES * PAGE_SIZE, MAP_PRIVATE));
}

static uint64_t config_offset(int device)
{
	struct vfio_region_info info = {
		.argsz = sizeof(info),
		.index = VFIO_PCI_CONFIG_REGION_INDEX,
	};

	need(ioctl(device, VFIO_DEVICE_GET_REGION_INFO, &info) == 0, "GET_REGION_INFO");
	return info.offset;
}

static bool is_bus_master(int device)
{
	uint16_t command;

	need(pread(device, &command, sizeof(command), config_offset(device) + PCI_COMMAND) ==
		     sizeof(command),
	     "reading the command register");
	return command & PCI_COMMAND_MASTER;
}

/* Maps a BAR over reserved addresses, as a secondary process of DPDK does. */
static void map_bar(int device)
{
	struct vfio_region_info info = {.argsz = sizeof(info)};
	void *where, *va;

	while (!info.size || !(info.flags & VFIO_REGION_INFO_FLAG_MMAP)) {
		need(ioctl(device, VFIO_DEVICE_GET_REGION_INFO, &info) == 0, "GET_REGION_INFO");
		if (!(info.flags & VFIO_REGION_INFO_FLAG_MMAP))
			info.index++;
		need(info.index <= VFIO_PCI_BAR5_REGION_INDEX, "finding a BAR to map");
	}
	where = mmap(NULL, info.size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	need(where != MAP_FAILED, "reserving addresses");
	va = mmap(where, info.size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, device,
		  info.offset);
	need(va == where, "mapping a BAR at a fixed address");
	need(*(volatile uint32_t *)va != 0xffffffff, "reading a register");
	munmap(va, info.size);
}

/* The device keeps its settings: no close() has reset it. */
static void use_device(int device)
{
	need(is_bus_master(device), "the device as it was left");
	map_bar(device);
}

static void use_group(int group)
{
	struct vfio_group_status status = {.argsz = sizeof(status)};
	int device;

	need(ioctl(group, VFIO_GROUP_GET_STATUS, &status) == 0, "GET_STATUS");
	need(status.flags == (VFIO_GROUP_FLAGS_VIABLE | VFIO_GROUP_FLAGS_CONTAINER_SET),
	     "a viable group with its container set");
	device = ioctl(group, VFIO_GROUP_GET_DEVICE_FD, bdf);
	need(device >= 0, "GET_DEVICE_FD");
	use_device(device);
	close(device);
}

static void use_container(int container)
{
	need(ioctl(container, VFIO_GET_API_VERSION) == VFIO_API_VERSION, "GET_API_VERSION");
	need(ioctl(container, VFIO_CHECK_EXTENSION, VFIO_NOIOMMU_IOMMU) == 1, "CHECK_EXTENSION");
	need(ioctl(container, VFIO_CHECK_EXTENSION, VFIO_TYPE1_IOMMU) == 0,
	     "CHECK_EXTENSION of a container in use");
	need(ioctl(container, VFIO_SET_IOMMU, VFIO_NOIOMMU_IOMMU) < 0 && errno == EINVAL,
	     "refusal of a second SET_IOMMU");
}

static void use_all(const struct legacy_device *dev)
{
	use_container(dev->container);
	use_group(dev->group);
	use_device(dev->fd);
	look_up_own_memory();
}

static struct legacy_device open_all(void)
{
	struct legacy_device dev;

	need(legacy_open(&dev, bdf) == 0, "opening the device");
	need(legacy_enable_bus_master(&dev) == 0, "enabling the bus master");
	return dev;
}

/* Opens the device again when no process has it open. */
static void open_anew(void)
{
	struct legacy_device dev = open_all();

	use_all(&dev);
	legacy_close(&dev);
}

static void need_busy(void)
{
	char path[64];

	snprintf(path, sizeof(path), "/dev/vfio/noiommu-%d", legacy_group_number(bdf));
	need(open(path, O_RDWR) < 0 && errno == EBUSY, "refusal of the group that is open");
}

/* ---- processes --------------------------------------------------------- */

static pid_t start(void)
{
	pid_t pid = fork();

	need(pid >= 0, "fork");
	if (pid == 0)
		role = "second";
	return pid;
}

static void need_success(pid_t pid)
{
	int status;

	need(waitpid(pid, &status, 0) == pid && status == 0, "success of the second process");
}

/* Waits until the other process, or the daemon that it became, has exited. */
static void wait_for_end(int end)
{
	char byte;

	need(read(end, &byte, 1) == 0, "waiting for the other's end");
}

/* ---- fork -------------------------------------------------------------- */

/* The end of the child, and its close() calls, do not affect its parent's device. */
static void forked(void)
{
	struct legacy_device dev = open_all();
	void *memory = map_memory(PAGES * PAGE_SIZE, MAP_PRIVATE);
	pid_t pid;

	look_up(memory);
	pid = start();
	if (pid == 0) {
		use_all(&dev);
		memset(memory, 2, PAGES * PAGE_SIZE); /* copied on this write */
		look_up(memory);
		exit(0);
	}
	look_up_own_memory();
	look_up(memory);
	need_success(pid);
	use_all(&dev);
	legacy_close(&dev);
	open_anew();
}

/* As in qatlib: a process that did not open the device itself opens all again. */
static void reopened(void)
{
	struct legacy_device dev = open_all();
	pid_t pid = start();

	if (pid == 0) {
		legacy_close(&dev);
		need_busy();
		dev.container = open("/dev/vfio/vfio", O_RDWR);
		need(dev.container >= 0, "a container of its own");
		look_up_own_memory();
		exit(0);
	}
	need_success(pid);
	use_all(&dev);
	legacy_close(&dev);
	pid = start();
	if (pid == 0) {
		open_anew();
		exit(0);
	}
	need_success(pid);
	open_anew();
}

/* A daemon uses in the background what it opened in the foreground. */
static void orphaned(void)
{
	int alive[2], verdict[2];
	pid_t pid;
	char ok = 0;

	need(pipe(alive) == 0 && pipe(verdict) == 0, "pipe");
	pid = start();
	if (pid == 0) {
		struct legacy_device dev = open_all();

		look_up_own_memory();
		if (fork() > 0)
			_exit(0);
		role = "orphaned";
		close(alive[1]);
		wait_for_end(alive[0]);
		use_all(&dev);
		need_busy();
		legacy_close(&dev);
		open_anew();
		need(write(verdict[1], "1", 1) == 1, "saying so");
		exit(0);
	}
	need_success(pid);
	close(alive[1]);
	close(verdict[1]);
	need(read(verdict[0], &ok, 1) == 1, "success of the orphaned process");
	wait_for_end(verdict[0]);
	open_anew();
}

/* ---- daemon(3) --------------------------------------------------------- */

#define SMALL  64
#define SHARED 8
#define HUGE   2
#define CUT    16
#define TOLD   (SMALL + CUT + SHARED + HUGE)

/* What a daemon was told in the foreground. */
struct told {
	pid_t pid;
	char *va[TOLD];
	uint64_t pa[TOLD];
};

/* A transparent huge page without its end: it has a page table entry for each small page. */
static char *cut_huge_page(void)
{
	char *memory = map_memory(2 * HUGE_SIZE, MAP_PRIVATE);

	memory += -(uintptr_t)memory % HUGE_SIZE;
	need(madvise(memory, HUGE_SIZE, MADV_HUGEPAGE) == 0, "madvise");
	*memory = 1;
	need(munmap(memory + HUGE_SIZE / 2, HUGE_SIZE / 2) == 0, "munmap");
	return memory;
}

static void look_up_for(struct told *told)
{
	const struct {
		size_t n, size;
		int flags;
	} kinds[] = {
		{SMALL, PAGE_SIZE, MAP_PRIVATE},
		{CUT, PAGE_SIZE, 0},
		{SHARED, PAGE_SIZE, MAP_SHARED},
		{HUGE, HUGE_SIZE, MAP_PRIVATE | MAP_HUGETLB},
	};
	size_t at = 0;

	for (size_t kind = 0; kind < ARRAY_SIZE(kinds); kind++) {
		char *memory = kinds[kind].flags ? map_memory(kinds[kind].n * kinds[kind].size,
							      kinds[kind].flags)
						 : cut_huge_page();

		for (size_t i = 0; i < kinds[kind].n; i++, at++) {
			told->va[at] = memory + i * kinds[kind].size;
			need(legacy_virt_to_phys_bulk(told->va[at], 1, &told->pa[at]) == 0,
			     "looking up");
		}
	}
}

/* fork() copies no page tables of shared memory, so its pages are touched first. */
static void move_told(struct told *told)
{
	void *pages[TOLD];
	int nodes[TOLD], status[TOLD];

	for (size_t i = 0; i < TOLD; i++)
		(void)*(volatile char *)told->va[i];
	memcpy(pages, told->va, sizeof(pages));
	for (int node = 0; moved && node < 2; node++) {
		for (size_t i = 0; i < TOLD; i++)
			nodes[i] = node;
		syscall(SYS_move_pages, 0, TOLD, pages, nodes, status, 0);
	}
}

/* The pagemap of another process shows the kernel's own entries. */
static void need_told(const struct told *told)
{
	char path[64];
	int pagemap, same = 0;

	snprintf(path, sizeof(path), "/proc/%d/pagemap", (int)told->pid);
	pagemap = open(path, O_RDONLY);
	for (size_t i = 0; i < TOLD; i++) {
		uint64_t entry = 0;

		need(pread(pagemap, &entry, sizeof(entry),
			   (uintptr_t)told->va[i] / PAGE_SIZE * sizeof(entry)) == sizeof(entry),
		     "reading the daemon's pagemap");
		same += (entry & ((1ULL << 55) - 1)) == told->pa[i] / PAGE_SIZE;
	}
	close(pagemap);
	if (same != TOLD)
		fprintf(stderr, "processes: %d of %d pages are those that were told\n", same, TOLD);
	need(same == TOLD, "a daemon with the pages that were told");
}

static long free_huge_pages(void)
{
	FILE *file = fopen("/proc/meminfo", "r");
	char line[128];
	long n = -1;

	need(file, "meminfo");
	while (n < 0 && fgets(line, sizeof(line), file))
		sscanf(line, "HugePages_Free: %ld", &n);
	fclose(file);
	return n;
}

/* Once the parent has ended, no process maps or pins the page any more. */
static void give_back(char *huge)
{
	long before = free_huge_pages();

	need(munmap(huge, HUGE_SIZE) == 0, "munmap");
	for (int i = 0; i < 500 && free_huge_pages() == before; i++)
		usleep(10000);
	need(free_huge_pages() == before + 1, "a shared huge page back in its pool");
}

/* A fork() handler in the parent, so that the parent does not end at once. */
static void take_time(void)
{
	usleep(100000);
}

/* From now on every fork() fails. */
static void refuse_processes(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EAGAIN),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog filter = {ARRAY_SIZE(code), code};

	need(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
		     prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0,
	     "seccomp");
}

/* As daemons do without daemon(3). The parents write to their memory before they end. */
static void fork_twice(const struct told *told)
{
	for (int i = 0; i < 2; i++) {
		pid_t pid = fork();

		need(pid >= 0, "fork");
		if (pid) {
			for (size_t page = 0; page < TOLD - SHARED - HUGE; page++)
				*told->va[page] = 'p';
			usleep(100000);
			_exit(0);
		}
		need(setsid() >= 0 || i, "setsid");
	}
}

enum leaving { BY_DAEMON, BY_REFUSED_DAEMON, BY_HAND };

/* What was opened and looked up must still work in the background or, if refused, here. */
static void go_to_background(enum leaving how)
{
	struct told *told = map_memory(sizeof(*told), MAP_SHARED);
	bool refused = how == BY_REFUSED_DAEMON;
	int ends[2];
	char byte;
	pid_t pid;

	need(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0, "socketpair");
	pid = start();
	if (pid == 0) {
		struct legacy_device dev = open_all();
		char *huge = map_memory(HUGE_SIZE, MAP_SHARED | MAP_HUGETLB);
		uint64_t pa;

		close(ends[0]);
		need(legacy_virt_to_phys_bulk(huge, 1, &pa) == 0, "looking up");
		look_up_for(told);
		pthread_atfork(NULL, take_time, NULL);
		if (refused)
			refuse_processes();
		if (how == BY_HAND)
			fork_twice(told);
		else
			need(daemon(1, 1) == (refused ? -1 : 0), "daemon");
		role = "in the background";
		move_told(told);
		told->pid = getpid();
		if (how != BY_HAND)
			give_back(huge);
		use_all(&dev);
		need(write(ends[1], "1", 1) == 1, "saying so");
		wait_for_end(ends[1]);
		exit(0);
	}
	close(ends[1]);
	if (!refused)
		need_success(pid);
	need(read(ends[0], &byte, 1) == 1, "success of the daemon");
	need_told(told);
	close(ends[0]);
	if (refused)
		need_success(pid);
	else
		kill(told->pid, SIGKILL);
	for (int i = 0; i < 500 && kill(told->pid, 0) == 0; i++)
		usleep(10000);
	open_anew();
}

static void daemonized(void)
{
	go_to_background(BY_DAEMON);
}

static void undaemonized(void)
{
	go_to_background(BY_REFUSED_DAEMON);
}

/* With NOIOMMU_SHIM_FORK=grandchild. */
static void handed(void)
{
	go_to_background(BY_HAND);
}

/* ---- an empty pool of huge pages ---------------------------------------- */

static void need_forks(const char *what)
{
	for (int i = 0; i < 2; i++) {
		pid_t pid = start();

		if (pid == 0) {
			execl("/bin/true", "true", NULL);
			_exit(1);
		}
		need_success(pid);
	}
	need(system("true") == 0, what);
}

/* While the pool has free pages, a child gets copies of its parent's huge pages. */
static void need_copies(void)
{
	char *some = map_memory(2 * HUGE_SIZE, MAP_PRIVATE | MAP_HUGETLB);
	uint64_t address;
	pid_t pid;

	need(legacy_virt_to_phys_bulk(some, 1, &address) == 0, "looking up");
	pid = start();
	if (pid == 0) {
		need(some[0] == 1 && some[HUGE_SIZE] == 1, "the memory of the parent");
		exit(0);
	}
	need_success(pid);
	munmap(some, 2 * HUGE_SIZE);
}

/* A driver uses the whole pool, looks it up, and starts other programs. */
static void crowded(void)
{
	long n = free_huge_pages();
	uint64_t before[64], after[64];
	char *all;

	need(n >= 4 && n <= 64, "huge pages");
	need_copies();
	all = map_memory(n * HUGE_SIZE, MAP_PRIVATE | MAP_HUGETLB);
	for (long i = 0; i < n; i++)
		need(legacy_virt_to_phys_bulk(all + i * HUGE_SIZE, 1, &before[i]) == 0,
		     "looking up");
	need_forks("programs while all huge pages are in use");
	for (long i = 0; i < n; i++) {
		need(all[i * HUGE_SIZE] == 1, "the memory as it was");
		need(legacy_virt_to_phys_bulk(all + i * HUGE_SIZE, 1, &after[i]) == 0,
		     "looking up");
		need(after[i] == before[i], "the same addresses as before");
	}
	open_anew();
}

/* ---- exec -------------------------------------------------------------- */

static void keep_open(int fd)
{
	need(fcntl(fd, F_SETFD, 0) == 0, "F_SETFD");
}

static void executed(void)
{
	struct legacy_device dev = open_all();
	int pagemap = open("/proc/self/pagemap", O_RDONLY);
	char container[16], group[16], device[16], old[16];
	char *args[] = {"processes", "--moved", "after-exec", bdf, container,
			group,	     device,	old,	      NULL};

	look_up_own_memory();
	keep_open(dev.container);
	keep_open(dev.group);
	keep_open(dev.fd);
	keep_open(pagemap);
	snprintf(container, sizeof(container), "%d", dev.container);
	snprintf(group, sizeof(group), "%d", dev.group);
	snprintf(device, sizeof(device), "%d", dev.fd);
	snprintf(old, sizeof(old), "%d", pagemap);
	/* Without --moved the option becomes argv[0], which does not matter. */
	execv("/proc/self/exe", moved ? args : args + 1);
	need(false, "exec");
}

static int after_exec(char **fds)
{
	struct legacy_device dev = {
		.container = atoi(fds[0]),
		.group = atoi(fds[1]),
		.fd = atoi(fds[2]),
	};
	uint64_t entry;
	int pagemap = atoi(fds[3]);

	role = "executed";
	/* The memory that this pagemap shows is gone. */
	need(pread(pagemap, &entry, sizeof(entry), (uintptr_t)fds / PAGE_SIZE * sizeof(entry)) == 0,
	     "the end of an old pagemap");
	use_all(&dev);
	need_busy();
	legacy_close(&dev);
	open_anew();
	return 0;
}

/* ---- SCM_RIGHTS -------------------------------------------------------- */

union control {
	struct cmsghdr align;
	char space[CMSG_SPACE(sizeof(struct legacy_device))];
};

static struct msghdr message(struct iovec *data, union control *control)
{
	return (struct msghdr){
		.msg_iov = data,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(*control),
	};
}

static void send_all(int socket, const struct legacy_device *dev)
{
	char byte = 0;
	struct iovec data = {.iov_base = &byte, .iov_len = 1};
	union control control = {0};
	struct msghdr msg = message(&data, &control);
	struct cmsghdr *header = CMSG_FIRSTHDR(&msg);

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(*dev));
	memcpy(CMSG_DATA(header), dev, sizeof(*dev));
	need(sendmsg(socket, &msg, 0) == 1, "sending descriptors");
}

static struct legacy_device receive_all(int socket, bool several)
{
	char byte;
	struct iovec data = {.iov_base = &byte, .iov_len = 1};
	union control control = {0};
	struct mmsghdr msg = {.msg_hdr = message(&data, &control)};
	struct legacy_device dev;
	int received;

	received = several ? recvmmsg(socket, &msg, 1, 0, NULL)
			   : (int)recvmsg(socket, &msg.msg_hdr, 0);
	need(received == 1 && CMSG_FIRSTHDR(&msg.msg_hdr), "receiving descriptors");
	memcpy(&dev, CMSG_DATA(CMSG_FIRSTHDR(&msg.msg_hdr)), sizeof(dev));
	return dev;
}

/* Both processes use what the first one has opened. */
static void sent(void)
{
	struct legacy_device dev;
	int ends[2];
	pid_t pid;

	need(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) == 0, "socketpair");
	pid = start();
	if (pid == 0) {
		dev = receive_all(ends[1], false);
		use_all(&dev);
		exit(0);
	}
	dev = open_all();
	send_all(ends[0], &dev);
	look_up_own_memory();
	need_success(pid);
	use_all(&dev);
	legacy_close(&dev);
	open_anew();
}

/* The sender has ended before the receiver begins. */
static void left(void)
{
	struct legacy_device dev;
	int ends[2], alive[2];
	pid_t pid;

	need(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) == 0 && pipe(alive) == 0, "socketpair");
	pid = start();
	if (pid == 0) {
		dev = open_all();
		look_up_own_memory();
		send_all(ends[1], &dev);
		exit(0);
	}
	need_success(pid);
	dev = receive_all(ends[0], true);
	use_all(&dev);
	need_busy();
	legacy_close(&dev);
	open_anew();
}

/* One process closes and opens the device again while the other keeps the group. */
static void kept(void)
{
	struct legacy_device dev;
	int ends[2];
	char byte;
	pid_t pid;

	need(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) == 0, "socketpair");
	pid = start();
	if (pid == 0) {
		close(ends[0]);
		dev = receive_all(ends[1], false);
		use_all(&dev);
		need(write(ends[1], "1", 1) == 1 && read(ends[1], &byte, 1) == 1,
		     "the first process");
		close(dev.fd);
		need(write(ends[1], "1", 1) == 1, "saying so");
		wait_for_end(ends[1]);
		exit(0);
	}
	close(ends[1]);
	dev = open_all();
	send_all(ends[0], &dev);
	need(read(ends[0], &byte, 1) == 1, "waiting for the second process");
	/* While the second process has the device open, its state stays. */
	close(dev.fd);
	use_group(dev.group);
	dev.fd = ioctl(dev.group, VFIO_GROUP_GET_DEVICE_FD, bdf);
	need(dev.fd >= 0, "opening the device again");
	need(write(ends[0], "1", 1) == 1 && read(ends[0], &byte, 1) == 1, "the second's close");
	for (int i = 0; i < 2; i++) {
		close(dev.fd);
		dev.fd = ioctl(dev.group, VFIO_GROUP_GET_DEVICE_FD, bdf);
		need(dev.fd >= 0, "opening the device again");
		need(!is_bus_master(dev.fd), "a device as it is at first");
		need(legacy_enable_bus_master(&dev) == 0, "enabling the bus master");
		use_all(&dev);
	}
	close(ends[0]);
	need_success(pid);
	legacy_close(&dev);
	open_anew();
}

/* Read from sysfs, as the device is not open in this process. */
static bool is_left_as_bus_master(void)
{
	char path[64];
	uint16_t command = 0;
	int config;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/config", bdf);
	config = open(path, O_RDONLY);
	need(config >= 0 &&
		     pread(config, &command, sizeof(command), PCI_COMMAND) == sizeof(command),
	     "reading the configuration in sysfs");
	close(config);
	return command & PCI_COMMAND_MASTER;
}

/* A child keeps the group and opens the device, first before and then after its parent's end. */
static void keep_group(struct legacy_device *dev, int socket)
{
	char byte;

	close(dev->fd);
	close(dev->container);
	use_group(dev->group);
	need(write(socket, "1", 1) == 1 && read(socket, &byte, 1) == 1, "the parent's end");
	dev->fd = ioctl(dev->group, VFIO_GROUP_GET_DEVICE_FD, bdf);
	need(dev->fd >= 0, "opening a dead process's device");
	need(!is_bus_master(dev->fd), "a device as it is at first");
	/* exit() could close the socket before these. */
	close(dev->fd);
	close(dev->group);
	need(write(socket, "1", 1) == 1, "saying so");
	exit(0);
}

/* Killing the process that has the device open closes it, even if another has the group. */
static void outlived(void)
{
	int ends[2];
	char byte;
	pid_t pid;

	need(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) == 0, "socketpair");
	pid = start();
	if (pid == 0) {
		struct legacy_device dev = open_all();

		close(ends[0]);
		if (start() == 0)
			keep_group(&dev, ends[1]);
		close(ends[1]);
		pause();
	}
	close(ends[1]);
	need(read(ends[0], &byte, 1) == 1, "waiting for the child");
	need(is_left_as_bus_master(), "the device as its driver has it");
	kill(pid, SIGKILL);
	need(waitpid(pid, NULL, 0) == pid, "the death of the driver");
	need(!is_left_as_bus_master(), "a device that is closed");
	need_busy();
	need(write(ends[0], "1", 1) == 1 && read(ends[0], &byte, 1) == 1, "the child's success");
	wait_for_end(ends[0]);
	open_anew();
}

/* ---- what processes leave ---------------------------------------------- */

/* The number of pages that are pinned on the whole machine. */
static long pinned(void)
{
	FILE *refresh = fopen("/proc/sys/vm/stat_refresh", "w"), *stat = fopen("/proc/vmstat", "r");
	char line[128];
	long value, sum = 0;

	need(refresh && fputs("1", refresh) >= 0 && fclose(refresh) == 0, "stat_refresh");
	need(stat, "vmstat");
	while (fgets(line, sizeof(line), stat)) {
		if (sscanf(line, "nr_foll_pin_acquired %ld", &value) == 1)
			sum += value;
		if (sscanf(line, "nr_foll_pin_released %ld", &value) == 1)
			sum -= value;
	}
	fclose(stat);
	return sum;
}

/* The kernel may unpin pages a moment later. */
static void need_pinned(long most, const char *what)
{
	for (int i = 0; i < 100 && pinned() > most; i++)
		usleep(10000);
	need(pinned() <= most, what);
}

/* A helper has closed all descriptors of its parent. The parent is killed. */
static void helped(void)
{
	int ready[2], end[2];
	pid_t driver, helper;
	long before = pinned();

	need(pipe(ready) == 0 && pipe(end) == 0, "pipe");
	driver = start();
	if (driver == 0) {
		look_up(map_memory(PAGES * PAGE_SIZE, MAP_PRIVATE));
		helper = start();
		if (helper == 0) {
			close(end[1]);
			for (int fd = 3; fd < 1024; fd++)
				if (fd != end[0] && fd != ready[1])
					close(fd);
			need(write(ready[1], "1", 1) == 1, "saying so");
			wait_for_end(end[0]);
			exit(0);
		}
		pause();
	}
	close(end[0]);
	close(ready[1]);
	need(read(ready[0], &(char){0}, 1) == 1, "waiting for the helper");
	kill(driver, SIGKILL);
	need(waitpid(driver, NULL, 0) == driver, "waiting for the killed");
	need_pinned(before, "nothing pinned for the dead while its helper lives");
	close(end[1]);
}

/* Other processes get the container, look memory up and end, one after the other. */
static void seconded(void)
{
	struct legacy_device dev = open_all();
	long before;

	look_up_own_memory();
	before = pinned();
	for (int i = 0; i < 4; i++) {
		int ends[2];
		pid_t pid;

		need(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) == 0, "socketpair");
		pid = start();
		if (pid == 0) {
			char socket[16];

			keep_open(ends[1]);
			snprintf(socket, sizeof(socket), "%d", ends[1]);
			close_range(3, (unsigned int)ends[1] - 1, 0);
			close_range((unsigned int)ends[1] + 1, ~0U, 0);
			execl("/proc/self/exe", "processes", "second", bdf, socket, NULL);
			need(false, "exec");
		}
		send_all(ends[0], &dev);
		need_success(pid);
		close(ends[0]);
		close(ends[1]);
		for (int lookups = 0; lookups < 128; lookups++) {
			void *va = map_memory(PAGE_SIZE, MAP_PRIVATE);
			uint64_t address;

			need(legacy_virt_to_phys_bulk(va, 1, &address) == 0, "looking up");
			munmap(va, PAGE_SIZE);
		}
	}
	need_pinned(before, "nothing pinned for processes that have ended");
	use_all(&dev);
	legacy_close(&dev);
}

static int second(const char *socket)
{
	role = "second";
	receive_all(atoi(socket), false);
	look_up_own_memory();
	return 0;
}

static volatile bool enough;

static void *look_up_often(void *arg)
{
	while (!enough) {
		void *va = map_memory(PAGE_SIZE, MAP_PRIVATE);
		uint64_t address;

		need(legacy_virt_to_phys_bulk(va, 1, &address) == 0, "looking up");
		munmap(va, PAGE_SIZE);
	}
	return arg;
}

/* Creates children by a call that runs no fork() handlers, while a thread looks up. */
static void cloned(void)
{
	struct legacy_device dev = open_all();
	pthread_t thread;

	need(pthread_create(&thread, NULL, look_up_often, NULL) == 0, "pthread_create");
	for (int i = 0; i < 50; i++) {
		pid_t pid = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);

		if (pid == 0) {
			role = "second";
			use_device(dev.fd);
			look_up(map_memory(PAGES * PAGE_SIZE, MAP_PRIVATE));
			_exit(0);
		}
		need(pid > 0, "clone");
		need_success(pid);
	}
	enough = true;
	pthread_join(thread, NULL);
	use_all(&dev);
	legacy_close(&dev);
	open_anew();
}

/* A child has huge pages of its own. They are in their pool when its parent has waited for it. */
static void ended(void)
{
	long before = free_huge_pages();
	struct legacy_device dev = open_all();

	for (int killed = 0; killed < 2; killed++) {
		pid_t pid = start();

		if (pid == 0) {
			char *huge = map_memory(HUGE_SIZE, MAP_PRIVATE | MAP_HUGETLB);
			uint64_t pa;

			need(legacy_virt_to_phys_bulk(huge, 1, &pa) == 0, "looking up");
			if (killed)
				kill(getpid(), SIGKILL);
			_exit(0);
		}
		need(waitpid(pid, NULL, 0) == pid, "waitpid");
		need(free_huge_pages() == before, "a child's huge page back in its pool");
	}
	use_all(&dev);
	legacy_close(&dev);
}

/* ---- kill -------------------------------------------------------------- */

/* Everything that a driver does and that a kill can interrupt. */
static void live(void)
{
	struct legacy_device dev;
	void *huge = map_memory(HUGE_SIZE, MAP_SHARED | MAP_HUGETLB);
	pid_t pid;

	look_up(huge);
	dev = open_all();
	pid = start();
	if (pid == 0) {
		use_device(dev.fd);
		look_up_own_memory();
		exit(0);
	}
	look_up_own_memory();
	need_success(pid);
	munmap(huge, HUGE_SIZE);
	use_all(&dev);
	legacy_close(&dev);
}

static pid_t start_driver(void)
{
	pid_t pid = fork();

	need(pid >= 0, "fork");
	if (pid == 0) {
		setpgid(0, 0);
		execl("/proc/self/exe", "processes", "live", bdf, NULL);
		need(false, "exec");
	}
	setpgid(pid, pid); /* whichever of the two calls comes first */
	return pid;
}

static long now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000L + now.tv_nsec;
}

/* True if the driver was killed. If it failed, this program ends. */
static bool kill_after(long ns)
{
	struct timespec delay = {ns / 1000000000, ns % 1000000000};
	bool killed = false;
	pid_t driver = start_driver();
	int status;

	nanosleep(&delay, NULL);
	kill(-driver, SIGKILL);
	/* The driver's child is now a child of this process. */
	while (wait(&status) > 0) {
		if (WIFSIGNALED(status))
			killed = true;
		else
			need(status == 0, "the driver after one that was killed");
	}
	return killed;
}

static long live_whole(void)
{
	long begin = now_ns();
	int status;

	need(waitpid(start_driver(), &status, 0) > 0 && status == 0, "the driver's whole life");
	return now_ns() - begin;
}

static int kill_often(int times)
{
	unsigned int seed = (unsigned int)now_ns();
	int runs = 0, killed = 0;
	long life;

	prctl(PR_SET_CHILD_SUBREAPER, 1);
	fprintf(stderr, "processes: seed %u\n", seed);
	srandom(seed);
	life = live_whole();
	for (; killed < times; runs++) {
		bool died = kill_after((long)((double)random() / RAND_MAX * life));

		killed += died;
		/* Adjusts to the load, so that about nine of ten drivers are killed. */
		life += died ? life / 50 : -life / 5;
	}
	live_whole();
	printf("%d killed of %d\n", killed, runs);
	return 0;
}

/* ---- the command line -------------------------------------------------- */

static const struct {
	const char *name;
	void (*run)(void);
} ways[] = {
	{"forked", forked},
	{"reopened", reopened},
	{"orphaned", orphaned},
	{"ended", ended},
	{"executed", executed},
	{"helped", helped},
	{"seconded", seconded},
	{"cloned", cloned},
	{"sent", sent},
	{"left", left},
	{"kept", kept},
	{"outlived", outlived},
	{"live", live},
	{"daemonized", daemonized},
	{"undaemonized", undaemonized},
	{"handed", handed},
	{"crowded", crowded},
};

int main(int argc, char **argv)
{
	moved = argc > 1 && !strcmp(argv[1], "--moved");
	argc -= moved;
	argv += moved;
	bdf = argv[argc - 1];
	if (argc == 2 && !strcmp(bdf, "list")) {
		for (size_t i = 0; i < ARRAY_SIZE(ways); i++)
			puts(ways[i].name);
		return 0;
	}
	if (argc == 7 && !strcmp(argv[1], "after-exec")) {
		bdf = argv[2];
		return after_exec(argv + 3);
	}
	if (argc == 4 && !strcmp(argv[1], "second"))
		return second(argv[3]);
	if (argc == 4 && !strcmp(argv[1], "kill"))
		return kill_often(atoi(argv[2]));
	for (size_t i = 0; argc == 3 && i < ARRAY_SIZE(ways); i++) {
		if (strcmp(argv[1], ways[i].name) != 0)
			continue;
		ways[i].run();
		return 0;
	}
	fprintf(stderr,
		"usage: processes [--moved] NAME BDF | processes list | processes kill TIMES BDF\n");
	return 2;
}
