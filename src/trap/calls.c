/* SPDX-License-Identifier: MIT */
#include "trap/calls.h"

#include <sched.h>

#include "trap/image.h"
#include "uapi/syscall.h"

#define COUNT(calls) (sizeof(calls) / sizeof((calls)[0]))

/* Calls that use names or return descriptors, and calls that the image itself depends on. */
const struct filter_call calls_first[] = {
#ifdef SYS_open
	{SYS_open, FILTER_ALWAYS, 0, 0},
	{SYS_creat, FILTER_ALWAYS, 0, 0},
	{SYS_readlink, FILTER_ALWAYS, 0, 0},
	{SYS_access, FILTER_ALWAYS, 0, 0},
	{SYS_stat, FILTER_ALWAYS, 0, 0},
	{SYS_lstat, FILTER_ALWAYS, 0, 0},
	{SYS_chmod, FILTER_ALWAYS, 0, 0},
	{SYS_chown, FILTER_ALWAYS, 0, 0},
	{SYS_lchown, FILTER_ALWAYS, 0, 0},
	{SYS_fork, FILTER_ALWAYS, 0, 0},
#endif
	{SYS_openat, FILTER_ALWAYS, 0, 0},
	{SYS_openat2, FILTER_ALWAYS, 0, 0},
	{SYS_readlinkat, FILTER_ALWAYS, 0, 0},
	{SYS_faccessat, FILTER_ALWAYS, 0, 0},
	{SYS_faccessat2, FILTER_ALWAYS, 0, 0},
	{SYS_newfstatat, FILTER_ALWAYS, 0, 0},
	{SYS_statx, FILTER_ALWAYS, 0, 0},
	{SYS_fchmodat, FILTER_ALWAYS, 0, 0},
	{SYS_fchownat, FILTER_ALWAYS, 0, 0},
	{SYS_getxattr, FILTER_ALWAYS, 0, 0},
	{SYS_lgetxattr, FILTER_ALWAYS, 0, 0},
	{SYS_listxattr, FILTER_ALWAYS, 0, 0},
	{SYS_llistxattr, FILTER_ALWAYS, 0, 0},
	{SYS_chdir, FILTER_ALWAYS, 0, 0},
	{SYS_fchdir, FILTER_ALWAYS, 0, 0},
	{SYS_getcwd, FILTER_ALWAYS, 0, 0},
	{SYS_getdents64, FILTER_ALWAYS, 0, 0},
	{SYS_ioctl, FILTER_IOCTL, 0, 0},
	{SYS_recvmsg, FILTER_ALWAYS, 0, 0},
	{SYS_recvmmsg, FILTER_ALWAYS, 0, 0},
	{SYS_pidfd_getfd, FILTER_ALWAYS, 0, 0},
	{SYS_close_range, FILTER_ALWAYS, 0, 0},
	/* With CLONE_VM, for a thread or a vfork() child, the call is not trapped. */
	{SYS_clone, FILTER_WITHOUT, 0, CLONE_VM},
	/* Its flags are in memory, where a filter cannot read. */
	{SYS_clone3, FILTER_ALWAYS, 0, 0},
	{SYS_execve, FILTER_ALWAYS, 0, 0},
	{SYS_execveat, FILTER_ALWAYS, 0, 0},
	/* The kernel kills a process that blocks or ignores SIGSYS when a call is trapped. */
	{SYS_rt_sigaction, FILTER_ALWAYS, 0, 0},
	{SYS_rt_sigprocmask, FILTER_ALWAYS, 0, 0},
	{SYS_rt_sigpending, FILTER_ALWAYS, 0, 0},
	{SYS_rt_sigtimedwait, FILTER_ALWAYS, 0, 0},
	{SYS_rt_sigsuspend, FILTER_ALWAYS, 0, 0},
	{SYS_sigaltstack, FILTER_GIVEN, 0, 0},
	{SYS_ppoll, FILTER_GIVEN, 3, 0},
	{SYS_pselect6, FILTER_GIVEN, 5, 0},
	{SYS_epoll_pwait, FILTER_GIVEN, 4, 0},
	{SYS_epoll_pwait2, FILTER_GIVEN, 4, 0},
	{SYS_io_pgetevents, FILTER_GIVEN, 5, 0},
	{SYS_io_uring_setup, FILTER_ALWAYS, 0, 0},
	/* Without CAP_SYS_ADMIN the process may be unable to add the other filters. */
	{SYS_setuid, FILTER_GIVEN, 0, 0},
	{SYS_setreuid, FILTER_ALWAYS, 0, 0},
	{SYS_setresuid, FILTER_ALWAYS, 0, 0},
	{SYS_capset, FILTER_ALWAYS, 0, 0},
};
const size_t calls_first_count = COUNT(calls_first);

/* add_descriptors() sets the test and the value of FILTER_FD_FROM. */
const struct filter_call calls_io[] = {
	{SYS_read, FILTER_FD_FROM, 0, 0},
	{SYS_pread64, FILTER_FD_FROM, 0, 0},
	{SYS_write, FILTER_FD_FROM, 0, 0},
	{SYS_pwrite64, FILTER_FD_FROM, 0, 0},
	{SYS_readv, FILTER_FD_FROM, 0, 0},
	{SYS_preadv, FILTER_FD_FROM, 0, 0},
	{SYS_preadv2, FILTER_FD_FROM, 0, 0},
	{SYS_writev, FILTER_FD_FROM, 0, 0},
	{SYS_pwritev, FILTER_FD_FROM, 0, 0},
	{SYS_pwritev2, FILTER_FD_FROM, 0, 0},
	{SYS_ioctl, FILTER_FD_FROM, 0, 0},
	{SYS_fstat, FILTER_FD_FROM, 0, 0},
	{SYS_fcntl, FILTER_FD_FROM, 0, 0},
	{SYS_close, FILTER_FD_FROM, 0, 0},
	{SYS_dup, FILTER_FD_FROM, 0, 0},
	{SYS_mmap, FILTER_FD_FROM, 4, 0},
#ifdef SYS_dup2
	{SYS_dup2, FILTER_ALWAYS, 0, 0},
#endif
	{SYS_dup3, FILTER_ALWAYS, 0, 0},
	/* What a child of the driver had pinned ends with it. */
	{SYS_wait4, FILTER_ALWAYS, 0, 0},
	{SYS_waitid, FILTER_ALWAYS, 0, 0},
};
const size_t calls_io_count = COUNT(calls_io);

#define IMAGE_HIGH (uint32_t)(IMAGE_BASE >> 32)

const struct filter_call calls_memory[] = {
	/* A filter survives exec(), so it must allow the mmap() that maps the next image. */
	{SYS_mmap, FILTER_ELSEWHERE, 0, IMAGE_HIGH},
	{SYS_munmap, FILTER_ALWAYS, 0, 0},
	{SYS_mremap, FILTER_ALWAYS, 0, 0},
	{SYS_madvise, FILTER_ALWAYS, 0, 0},
	{SYS_process_madvise, FILTER_ALWAYS, 0, 0},
	{SYS_remap_file_pages, FILTER_ALWAYS, 0, 0},
	{SYS_shmat, FILTER_ALWAYS, 0, 0},
	{SYS_shmdt, FILTER_ALWAYS, 0, 0},
	{SYS_fallocate, FILTER_ALWAYS, 0, 0},
	{SYS_ftruncate, FILTER_ALWAYS, 0, 0},
	{SYS_truncate, FILTER_ALWAYS, 0, 0},
	{SYS_brk, FILTER_ALWAYS, 0, 0},
	{SYS_exit_group, FILTER_ALWAYS, 0, 0},
};
const size_t calls_memory_count = COUNT(calls_memory);
