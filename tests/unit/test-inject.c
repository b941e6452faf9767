/* SPDX-License-Identifier: MIT */
/*
 * A driver's run in which one system call fails: each that it makes, in turn.
 * The driver gets a clean error or none, what it was told is true, nothing of
 * it is left behind, and the next run is as good as any.
 */
#include <errno.h>
#include <string.h>

#include "base/settings.h"
#include "fake.h"
#include "pin/pin.h"
#include "program.h"
#include "suites.h"
#include "uapi/iommufd.h"
#include "uapi/procmap.h"
#include "uapi/vfio.h"

#define BASE  (4 * FAKE_1G)
#define ALIAS (8 * FAKE_1G)

/* What each can fail with. close() is not here: whatever it returns, it has closed. */
static const struct {
	const char *name;
	long nr;
	unsigned int cmd;
	int errors[8];
} calls[] = {
	{"io_uring_setup", SYS_io_uring_setup, 0, {ENOMEM, EMFILE, ENFILE, EPERM, ENOSYS}},
	{"io_uring_register", SYS_io_uring_register, 0, {ENOMEM, EFAULT, EINVAL, EOPNOTSUPP}},
	{"mmap", SYS_mmap, 0, {ENOMEM, EAGAIN, EPERM}},
	{"openat", SYS_openat, 0, {EMFILE, ENFILE, ENOMEM, EACCES, EPERM, ENOENT, EINTR}},
	{"read", SYS_read, 0, {EIO, EINTR, ENOMEM}},
	{"pread64", SYS_pread64, 0, {ENOMEM, EIO, EFAULT}},
	{"F_DUPFD_CLOEXEC", SYS_fcntl, F_DUPFD_CLOEXEC, {EMFILE, EINVAL, ENOMEM}},
	{"mprotect", SYS_mprotect, 0, {ENOMEM, EAGAIN}},
	{"madvise", SYS_madvise, 0, {EINVAL, ENOMEM, EAGAIN}},
	{"memfd_create", SYS_memfd_create, 0, {ENFILE, EMFILE, ENOMEM, EPERM, ENOSYS}},
	{"readlinkat", SYS_readlinkat, 0, {ENOMEM, EACCES, EIO}},
	{"newfstatat", SYS_newfstatat, 0, {ENOMEM, EACCES, EIO, ENOENT}},
	{"fstat", SYS_fstat, 0, {ENOMEM, EIO, EOVERFLOW}},
	{"getdents64", SYS_getdents64, 0, {ENOMEM, EIO, ENOENT}},
	{"dup3", SYS_dup3, 0, {EMFILE, EBUSY, EINTR}},
	{"F_DUPFD", SYS_fcntl, F_DUPFD, {EMFILE, EINVAL, ENOMEM}},
	{"F_OFD_SETLK", SYS_fcntl, F_OFD_SETLK, {ENOLCK, EAGAIN, ENOMEM, EINVAL}},
	{"F_OFD_GETLK", SYS_fcntl, F_OFD_GETLK, {EINVAL, ENOMEM}},
	{"process_vm_readv", SYS_process_vm_readv, 0, {EFAULT, ENOMEM, EPERM, ENOSYS}},
	{"process_vm_writev", SYS_process_vm_writev, 0, {EFAULT, ENOMEM, EPERM, ENOSYS}},
	{"capget", SYS_capget, 0, {EPERM, EINVAL}},
	{"PROCMAP_QUERY", SYS_ioctl, PROCMAP_QUERY, {ENOTTY, ENOENT, ENOMEM, EINTR, ESRCH}},
	{"IOMMU_IOAS_ALLOC", SYS_ioctl, IOMMU_IOAS_ALLOC, {ENOMEM, EINVAL}},
	{"IOMMU_VFIO_IOAS", SYS_ioctl, IOMMU_VFIO_IOAS, {ENOMEM, ENODEV, EINVAL}},
	{"IOMMU_HWPT_ALLOC", SYS_ioctl, IOMMU_HWPT_ALLOC, {ENOMEM, EINVAL, EBUSY, EOPNOTSUPP}},
	{"IOMMU_IOAS_MAP",
	 SYS_ioctl,
	 IOMMU_IOAS_MAP,
	 {ENOMEM, EFAULT, EINVAL, EEXIST, EPERM, EOPNOTSUPP, EHWPOISON}},
	{"IOMMU_IOAS_COPY", SYS_ioctl, IOMMU_IOAS_COPY, {ENOMEM, ENOENT, EINVAL}},
	{"IOMMU_IOAS_NOIOMMU_GET_PA",
	 SYS_ioctl,
	 IOMMU_IOAS_NOIOMMU_GET_PA,
	 {ENOMEM, ENOENT, EPERM, EOVERFLOW}},
	{"VFIO_DEVICE_BIND_IOMMUFD",
	 SYS_ioctl,
	 VFIO_DEVICE_BIND_IOMMUFD,
	 {ENOMEM, EINVAL, EBUSY, EPERM, ENODEV}},
	{"VFIO_DEVICE_ATTACH_IOMMUFD_PT",
	 SYS_ioctl,
	 VFIO_DEVICE_ATTACH_IOMMUFD_PT,
	 {ENOMEM, EINVAL, EBUSY}},
};
#define CALLS	 (int)(sizeof(calls) / sizeof(calls[0]))
#define OF_URING 7 /* calls that pinning by io_uring is made of: the first ones */

/* Which call failed, for the messages. */
static const char *failing = "no call";
static unsigned int failing_n;
static int failing_error;

/* How a step may end: what it returns when it is done, or an errno. */
static long step(long ret)
{
	ck_assert_int_ge(ret, -133); /* EHWPOISON, the last one */
	return ret;
}

/* The addresses that the driver has, and may give to its device. */
struct told {
	uint64_t va, pfn;
};
static struct told told[64];
static size_t nr_told;

static void look_up(int pagemap, uint64_t va, size_t pages)
{
	uint64_t entries[16];
	long ret;

	ret = step(program_pread(pagemap, entries, pages * sizeof(*entries),
				 (off_t)(va / FAKE_4K * sizeof(*entries))));
	/* EFAULT is what is made of io_uring's EOPNOTSUPP. */
	ck_assert_msg(ret > 0 || ret == -failing_error || ret == -ENOMEM || ret == -EFAULT,
		      "a lookup returns %ld after %s %u failed with %d", ret, failing, failing_n,
		      failing_error);
	for (size_t i = 0; ret > 0 && i < (size_t)ret / sizeof(*entries); i++)
		if (entries[i] & PAGEMAP_PRESENT)
			told[nr_told++] = (struct told){va + i * FAKE_4K, entries[i] & PAGEMAP_PFN};
}

/* Each of them holds, whatever the kernel does to pages that are not pinned. */
static void assert_told(void)
{
	fake_migrate();
	for (size_t i = 0; i < nr_told; i++)
		ck_assert_msg(fake_pfn(told[i].va) == told[i].pfn,
			      "told a wrong address, after %s %u failed with %d", failing,
			      failing_n, failing_error);
}

static void forget_told(uint64_t va, uint64_t len)
{
	for (size_t i = 0; i < nr_told;)
		if (told[i].va >= va && told[i].va < va + len)
			told[i] = told[--nr_told];
		else
			i++;
}

/*
 * DPDK's order: a page of the stack, hugepages, container, group, device; then
 * more lookups, and memory given back. Goes on after an error, as far as it
 * can. Returns whether all went well.
 */
static bool drive(void)
{
	struct fake_file *huge = fake_file(FAKE_2M, FAKE_2M);
	struct fake_file *small = fake_file(16 * FAKE_4K, FAKE_4K);
	int pagemap, container, group;
	long device = -EBADF, device_again = -EBADF;
	const size_t wanted = 1 + 1 + 12;
	bool good;

	nr_told = 0;
	fake_map(BASE, 16 * FAKE_4K, NULL, 0, 0);
	fake_map(BASE + FAKE_2M, FAKE_2M, huge, 0, 0);
	fake_map(BASE + FAKE_1G, 16 * FAKE_4K, small, 0, 0);
	fake_map(ALIAS, 4 * FAKE_4K, small, 4 * FAKE_4K, 0);

	pagemap = (int)step(program_open("/proc/self/pagemap", O_RDONLY));
	if (pagemap >= 0) {
		look_up(pagemap, BASE, 1);
		look_up(pagemap, BASE + FAKE_2M, 1);
		assert_told();
	}
	container = (int)step(program_open("/dev/vfio/vfio", O_RDWR));
	group = (int)step(program_open_group(0));
	good = pagemap >= 0 && container >= 0 && group >= 0;
	if (container >= 0 && group >= 0) {
		good &= !step(program_set_container(group, container));
		good &= !step(program_ioctl(container, VFIO_SET_IOMMU, VFIO_NOIOMMU_IOMMU));
		device = step(program_get_device(group, DEVICE_0));
		good &= device >= 0;
	}
	if (pagemap >= 0) {
		look_up(pagemap, BASE + FAKE_1G, 12);
		assert_told();
	}
	good &= nr_told == wanted;
	/* The shared memory has another mapping, of which four pages were looked up here. */
	forget_told(BASE + FAKE_1G, 16 * FAKE_4K);
	program_unmap(BASE + FAKE_1G, 16 * FAKE_4K);
	/* The last close closes the device: the group gets a fresh one. */
	if (device >= 0) {
		program_close((int)device);
		device_again = step(program_get_device(group, DEVICE_0));
		good &= device_again >= 0;
	}
	assert_told();
	program_unmap(0, FAKE_OWN);
	if (device_again >= 0)
		program_close((int)device_again);
	if (group >= 0)
		program_close(group);
	if (container >= 0)
		program_close(container);
	if (pagemap >= 0)
		program_close(pagemap);
	return good;
}

/* With iommufd the page that claims the process's window stays pinned. */
static size_t pinned_at_the_end = 1;

/* The iommufd, the family's file, maps, pagemap. By io_uring each page can have a ring. */
static unsigned int most_hidden = 5;

/*
 * Whatever went wrong: nothing of the run is left, and another one can begin. At most
 * so many pages are pinned before that.
 */
static void assert_clean(bool good, bool failed, size_t most)
{
	ck_assert_msg(good || failed, "the driver fails without a failure");
	ck_assert_uint_eq(fake_visible_descriptors(), 0);
	ck_assert_uint_le(fake_hidden_descriptors(), most_hidden);
	/* What could not be told at the time. */
	program_sweep();
	ck_assert_msg(fake.pinned <= most, "%zu pinned after %s %u failed with %d", fake.pinned,
		      failing, failing_n, failing_error);
	ck_assert_uint_eq(store_count(), 0);
	ck_assert_msg(drive(), "no driver can run after %s %u failed with %d", failing, failing_n,
		      failing_error);
	ck_assert_uint_eq(fake.pinned, pinned_at_the_end);
}

/* The nth call fails. False when there are not as many. */
static bool drive_failing(int i, int error, unsigned int n)
{
	bool good, failed;

	failing = calls[i].name;
	failing_n = n;
	failing_error = error;
	fake_fail(calls[i].nr, calls[i].cmd, n, error);
	good = drive();
	failed = fake_failed();
	/* A buffer that cannot be taken out stays until its place is used again. */
	if (calls[i].nr == SYS_io_uring_register)
		assert_clean(good, failed, SIZE_MAX);
	else
		assert_clean(good, failed, pinned_at_the_end);
	return failed;
}

/* What the driver runs on, and whether io_uring pins its memory, or until the device is open. */
static const struct machine {
	bool has_groups, uring_first, by_uring, has_tables;
} machines[] = {
	{.has_groups = false},
	{.has_groups = true},
	{.uring_first = true, .has_tables = true},
	{.by_uring = true, .has_tables = true},
	{.by_uring = true, .has_tables = false},
};

static void boot(const struct machine *machine)
{
	machine->has_groups ? program_setup_with_groups() : program_setup();
	fake.has_uring_tables = machine->has_tables;
	if (machine->uring_first || machine->by_uring)
		fake.uring_error = 0;
	if (!machine->by_uring)
		return;
	settings.backend = BACKEND_URING;
	pinned_at_the_end = 0;
	most_hidden = 24;
}

static void drive_failing_each(const struct machine *machine, int i)
{
	boot(machine);
	for (const int *error = calls[i].errors; *error; error++)
		for (unsigned int n = 1; drive_failing(i, *error, n); n++)
			boot(machine);
}

START_TEST(each_call)
{
	drive_failing_each(&machines[_i / CALLS], _i % CALLS);
}
END_TEST

START_TEST(each_call_of_uring)
{
	drive_failing_each(&machines[3 + _i / OF_URING], _i % OF_URING);
}
END_TEST

/* In a process that has not found out yet what its kernel can do. */
#define FIRST 8

static void drive_failing_first(const struct machine *machine, int i)
{
	boot(machine);
	drive_failing(i / FIRST, calls[i / FIRST].errors[0], (unsigned int)(i % FIRST) + 1);
}

START_TEST(first_calls)
{
	drive_failing_first(&machines[0], _i);
}
END_TEST

START_TEST(first_calls_of_uring)
{
	drive_failing_first(&machines[3 + _i / OF_URING / FIRST], _i % (OF_URING * FIRST));
}
END_TEST

Suite *suite_inject(void)
{
	Suite *suite = suite_create("inject");
	TCase *tc = tcase_create("inject");

	tcase_add_checked_fixture(tc, NULL, program_teardown);
	tcase_add_loop_test(tc, each_call, 0, 3 * CALLS);
	tcase_add_loop_test(tc, each_call_of_uring, 0, 2 * OF_URING);
	tcase_add_loop_test(tc, first_calls, 0, CALLS * FIRST);
	tcase_add_loop_test(tc, first_calls_of_uring, 0, 2 * OF_URING * FIRST);
	suite_add_tcase(suite, tc);
	return suite;
}
