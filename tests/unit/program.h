/* SPDX-License-Identifier: MIT */
/*
 * A legacy driver's calls: the slow paths of src/preload, with the fake kernel where
 * libc would be. Errors are negative errnos.
 */
#ifndef UNIT_PROGRAM_H
#define UNIT_PROGRAM_H

#include <check.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

int program_open(const char *path, int flags);
int program_close(int fd);
int program_close_range(unsigned int first, unsigned int last);
int program_dup(int fd);
int program_dup2(int oldfd, int newfd);
long program_ioctl(int fd, unsigned int cmd, unsigned long arg);
ssize_t program_read(int fd, void *buf, size_t len);
ssize_t program_pread(int fd, void *buf, size_t len, off_t pos);
void program_unmap(uint64_t va, uint64_t len);
void program_move(uint64_t from, uint64_t len, uint64_t to);
void program_shrink(uint64_t va, uint64_t len, uint64_t new_len); /* mremap() in place */
void program_attach(uint64_t va, uint64_t len); /* shmat() over what is there, rounded */
void program_discard(uint64_t va, uint64_t len);

/* process_madvise(MADV_DONTNEED) on itself returns ret: so many bytes were
 * discarded; negative: ENOMEM, when the first range was. */
ssize_t program_process_discard(const struct iovec *ranges, size_t count, ssize_t ret);

/* aio_read() begins. */
bool program_aio_read(int fd, off_t pos, size_t len);

/* GROUP_GET_STATUS: the flags. GROUP_SET_CONTAINER. GROUP_GET_DEVICE_FD. */
long program_status(int group);
long program_set_container(int group, int container);
long program_get_device(int group, const char *name);

/* One pagemap entry, read with pread(). */
ssize_t program_lookup(int pagemap, uint64_t va, uint64_t *entry);

/* The frame told for va; the test fails when it is not that of a pinned page. */
uint64_t program_frame(int pagemap, uint64_t va);

/* The log without what is said of a device that lends its page table, or of none that could. */
const char *program_log(void);

/* Opens the group of a device, whatever number it has. */
int program_open_group(unsigned int device);

/* A device opened through its group in a container; each step must succeed. */
struct driver {
	int container, group, device;
};
struct driver driver_open(unsigned int device);
void driver_close(const struct driver *driver);

#define DEVICE_0 "0000:00:04.0"
#define DEVICE_1 "0000:00:05.0"

/* Another process: it has opened a device by its cdev. Raw descriptors. */
struct other {
	int iommufd, cdev;
};
struct other other_open(unsigned int device);
void other_close(const struct other *other);

/*
 * For every suite that has the fake kernel: it boots with two devices and no
 * groups; at the end nothing may be left open, and nothing pinned but the page
 * that claims the process's window.
 */
void program_setup(void);
void program_setup_with_groups(void); /* a kernel that has groups too */
void program_setup_without_vfio(void);
void program_teardown(void);

/* For suites of what needs the lock: each test has it. */
void program_setup_locked(void);
void program_teardown_locked(void);

/* sweep_all(), with the lock. */
bool program_sweep(void);

#endif
