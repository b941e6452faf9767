/* SPDX-License-Identifier: MIT */
/*
 * A kernel for the unit tests: fake_sys_call() goes into sys_call.
 *
 * It has iommufd, no-IOMMU cdevs with their sysfs, on request VFIO groups, and
 * the pagemap and maps of an address space that a test builds. Its rules are
 * those of drivers/iommu/iommufd, drivers/vfio and fs/proc/task_mmu.c. Other
 * processes need no model: a test makes raw calls, as another one would.
 *
 * Frames are never used twice, so an address that is out of date is no other
 * page's address.
 */
#ifndef UNIT_FAKE_H
#define UNIT_FAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/page.h"
#include "base/sys.h"

/* The pages of pins, which have these sizes if base pages have 4 KiB. */
#define FAKE_4K (UINT64_C(1) << page_shift())
#define FAKE_2M (FAKE_4K << 9)
#define FAKE_1G (FAKE_4K << 18)
/* TASK_SIZE with five levels, and with the longest addresses that arm64 has */
#ifdef __aarch64__
#define FAKE_TASK (UINT64_C(1) << 52)
#else
#define FAKE_TASK (UINT64_C(1) << 56)
#endif

/*
 * Real memory of the process, as the library has it from mmap(), begins here;
 * what a test maps lies below. One frame stands for all of it. QEMU gives an emulated
 * process memory from 1 << 38 on, other kernels far above.
 */
#define FAKE_OWN     (UINT64_C(1) << 38)
#define FAKE_OWN_END (UINT64_C(1) << 48)

#define FAKE_DEVICES	  4
#define FAKE_DEVICE_MAJOR 240
#define FAKE_GROUP_MAJOR  241
#define FAKE_FIRST_GROUP  7 /* the group of device 0; others follow */
#define FAKE_DESCRIPTORS  66000

#define FAKE_NO_ERROR 0x10000 /* a seccomp filter makes a call return 0, undone */

struct fake {
	/* Switches; fake_boot() sets them to what a privileged process on Linux 7.3 sees. */
	bool rawio;		 /* CAP_SYS_RAWIO */
	bool ipc_lock;		 /* CAP_IPC_LOCK; without effect on pin_limit */
	bool frames_shown;	 /* CAP_SYS_ADMIN: pagemap tells frame numbers */
	bool noiommu_enabled;	 /* the parameter of module vfio */
	bool has_get_pa;	 /* 7.3 */
	bool has_procmap;	 /* 6.11 */
	bool has_pagemap_scan;	 /* 6.7 */
	int scan_error;		 /* of PAGEMAP_SCAN */
	int uring_error;	 /* of io_uring_setup(): ENOSYS at first */
	bool has_uring_tables;	 /* 5.13: tables of buffers that can be changed */
	int process_vm_error;	 /* of process_vm_readv(), as a seccomp filter has it */
	int pipe_error;		 /* of pipe2(), the same */
	size_t pin_limit;	 /* RLIMIT_MEMLOCK in pages */
	size_t descriptor_limit; /* RLIMIT_NOFILE */
	size_t hard_limit;	 /* of the same; 0: no more than that */
	bool may_raise;		 /* CAP_SYS_RESOURCE */
	pid_t pid;		 /* 0: the real one */
	bool may_trace;		 /* CAP_SYS_PTRACE, and pidfd_getfd() is there */
	bool needs_token;	 /* the devices are VFs whose token is fake.token */
	unsigned char token[16];
	bool guarded;		    /* where no page is there is a guard: MADV_GUARD_INSTALL */
	unsigned int moving;	    /* every page is on the move, until as many sched_yield()s */
	bool enabled[FAKE_DEVICES]; /* by other than VFIO: the attribute */
	unsigned char config[FAKE_DEVICES][64];
	bool reset_clears;    /* opening a device clears what config has from 0x0c on */
	void (*sleeps)(void); /* called in place of clock_nanosleep() */
	void (*binds)(void);  /* called where a device is about to be bound */

	/* Counters. */
	size_t pinned;		   /* frames */
	unsigned int calls;	   /* of all kinds */
	unsigned int scans;	   /* PAGEMAP_SCAN */
	unsigned int device_opens; /* how often devices were opened, and reset by that */
	char log[16384];	   /* what was written to descriptor 2 */
};
extern struct fake fake;

/* A new machine: nothing is open, mapped or pinned. groups: the kernel has VFIO_GROUP too. */
void fake_boot(unsigned int devices, bool groups);

/* What the machine has by that name: a symbolic link where there is a target, else a directory. */
void fake_add(const char *path, const char *target);
void fake_add_file(const char *path);
void fake_remove(const char *path);

/* A file of up to 127 bytes that can be read. */
void fake_add_lines(const char *path, const char *lines);

/*
 * A pagemap by that name: of this process, but for names below /proc/1. Below
 * /other is a mount of /proc of another namespace, where this process is 4711.
 */
void fake_add_pagemap(const char *path);

sys_call_fn fake_sys_call;

/*
 * The nth call from now on of this number fails with error; of an ioctl or a
 * fcntl only those of this command, where cmd is not 0.
 */
void fake_fail(long nr, unsigned int cmd, unsigned int nth, int error);

/* True when it came to that. No call fails after this. */
bool fake_failed(void);

/* Descriptors that are open, hidden ones apart; the hidden ones. */
unsigned int fake_visible_descriptors(void);
unsigned int fake_hidden_descriptors(void);

/* Those of the cdev of a device. */
unsigned int fake_open_cdevs(unsigned int device);

/*
 * Memory that the kernel can copy from and to: a copy of data, at the end of
 * the one piece that there is. What follows it cannot be accessed, nor can
 * anything else.
 */
#define FAKE_USER_SIZE (2 * PAGE_LEAST)
void *fake_user(const void *data, size_t len);

/* ---- the address space ---- */

struct fake_file;

enum {
	FAKE_PRIVATE = 1,     /* a view of a file: what is written to, or pinned, is a copy */
	FAKE_PFNMAP = 2,      /* a BAR: no page is ever present, none can be pinned */
	FAKE_ABSENT = 4,      /* no page is there before it is touched */
	FAKE_COPIED = 8,      /* pinning copies each page, as it does the zero page */
	FAKE_SECRET = 16,     /* present, and cannot be pinned: memfd_secret() */
	FAKE_NO_ACCESS = 32,  /* PROT_NONE over pages that are there */
	FAKE_UNTOUCHED = 64,  /* the pages are in the file, and not in the page table yet */
	FAKE_READ_ONLY = 128, /* io_uring pins none */
	FAKE_CLEAN = 256,     /* not soft-dirty */
};

/* A file in memory of which all is made of pages of one size. */
struct fake_file *fake_file(uint64_t size, uint64_t page_size);

/* A descriptor of it; a second process has mapped it: its pages are not exclusive. */
int fake_file_open(struct fake_file *file);
void fake_file_mapped_elsewhere(struct fake_file *file);

/* mmap(MAP_FIXED). No file: private anonymous memory. */
void fake_map(uint64_t va, uint64_t len, struct fake_file *file, uint64_t offset,
	      unsigned int flags);

/* The device open under fd: a BAR, which keeps the open file. */
void fake_map_device(uint64_t va, uint64_t len, int fd);

void fake_unmap(uint64_t va, uint64_t len);
void fake_move(uint64_t from, uint64_t len, uint64_t to);

/* The pages go (MADV_DONTNEED, or a hole in a file); others come when touched. */
void fake_discard(uint64_t va, uint64_t len);
void fake_punch(struct fake_file *file, uint64_t offset, uint64_t len);
void fake_touch(uint64_t va, uint64_t len);

/* A write to a private view of a file. */
void fake_write(uint64_t va);

/* Gives every page that is not pinned another frame, as memory compaction may. */
void fake_migrate(void);

/* The frame at va, 0: none; is it pinned? May io_uring pin it? */
uint64_t fake_pfn(uint64_t va);
bool fake_may_write(uint64_t va);
bool fake_is_pinned(uint64_t pfn);

#endif
