/* SPDX-License-Identifier: MIT */
/*
 * The process's iommufd, its IOAS and the IOAS's no-IOMMU page table.
 *
 * Lengths, IOVAs, virtual and physical addresses are in bytes. Functions return 0 or a
 * negative errno. Needs the lock.
 */
#ifndef IOMMUFD_IOAS_H
#define IOMMUFD_IOAS_H

#include <stdbool.h>
#include <stdint.h>

/* Creates the iommufd and its IOAS if there are none. Errors are those of open("/dev/iommu"). */
int ioas_open(void);

/*
 * Makes the iommufd under fd, which ioas_open() in another process made, this process's
 * own, unless it already has one with a page table. fd stays the caller's. False when fd
 * is no such iommufd.
 */
bool ioas_adopt(int fd);

/* In the child of a fork: the iommufd belongs to the parent. */
void ioas_in_child(void);

/* True when there is an iommufd and another process made it. */
bool ioas_is_inherited(void);

/* Closes the iommufd. */
void ioas_close(void);

/* Forgets the iommufd and its page table without closing the descriptor. */
void ioas_abandon(void);

/*
 * A number that is unique to this iommufd on the machine, and the same for all processes
 * that share it. Needs a page table.
 */
int ioas_identity(uint64_t *identity);

/* False: no process has asked for it yet. */
bool ioas_has_identity(void);

/* The descriptor of the iommufd, valid after ioas_open(). */
int ioas_fd(void);

/* Changes with each new iommufd: pins in the former one are gone. */
unsigned int ioas_generation(void);

/*
 * Binds the device open under fd, which is unbound, and creates the IOAS's page table
 * with it. The page table stays when the device is closed.
 */
int ioas_make_table(int fd);

/*
 * True when the IOAS had a page table when last used. Does not check the descriptor. If
 * the program closed or replaced that by a raw system call, IOMMU_IOAS_MAP fails, as no
 * other file knows that ioctl; ioas_check() then finds out.
 */
bool ioas_has_table(void);

/* False when the iommufd is gone; its page table is forgotten then. */
bool ioas_check(void);

/*
 * Binds the device open under fd to the iommufd and attaches it to the page table. token
 * is a VF token of 16 bytes or NULL. -EINVAL or -EBUSY when the device is bound
 * elsewhere.
 */
int ioas_attach(int fd, const unsigned char *token);

/* True when the kernel has IOMMU_IOAS_NOIOMMU_GET_PA. Needs ioas_open(). */
bool ioas_has_get_pa(void);

/*
 * Maps [va, va + len) at iova and pins it. The map is read-only: without an IOMMU that
 * restricts no device, and the kernel need not write-fault the pages. -EEXIST: the IOVA
 * is in use.
 */
int ioas_map(uint64_t va, uint64_t len, uint64_t iova);

/* Maps the pages at from a second time, at to. They stay pinned throughout. */
int ioas_copy(uint64_t from, uint64_t len, uint64_t to);

/* As ioas_copy(), at an IOVA that the kernel chooses. */
int ioas_copy_anywhere(uint64_t from, uint64_t len, uint64_t *to);

/* Removes all maps within [iova, iova + len). No map may cross its borders. */
int ioas_unmap(uint64_t iova, uint64_t len);

/* The physical address of iova. *len is reduced to what is physically contiguous. */
int ioas_physical(uint64_t iova, uint64_t *len, uint64_t *pa);

#endif
