/* SPDX-License-Identifier: MIT */
/*
 * The process's iommufd, the IOAS in it and the IOAS's no-IOMMU page table.
 *
 * Lengths, IOVAs, virtual and physical addresses are in bytes. Functions
 * return 0 or a negative errno. Needs the lock.
 */
#ifndef IOMMUFD_IOAS_H
#define IOMMUFD_IOAS_H

#include <stdbool.h>
#include <stdint.h>

/* Makes sure that the iommufd and its IOAS exist. Errors are open("/dev/iommu")'s. */
int ioas_open(void);

/*
 * Takes the iommufd open under fd, which another process made with
 * ioas_open(), for this process's own, if it has not pinned anything in one
 * yet. fd stays the caller's. False when fd is no such iommufd.
 */
bool ioas_adopt(int fd);

/* This process is the child of the one that had it. */
void ioas_in_child(void);

/* True when there is one and another process made it. */
bool ioas_is_inherited(void);

/* Lets go of it. */
void ioas_close(void);

/* It is forgotten, with its page table. The descriptor is not closed. */
void ioas_abandon(void);

/*
 * A number that only this iommufd has on this machine, and that all who share it
 * are told. Needs a page table.
 */
int ioas_identity(uint64_t *identity);

/* The descriptor of the iommufd, valid after ioas_open(). */
int ioas_fd(void);

/* Changes whenever a new iommufd had to be made: what was pinned in another is gone. */
unsigned int ioas_generation(void);

/*
 * Makes the IOAS's page table with the device open under fd, which is not bound
 * and is after that. The page table stays when the device is closed.
 */
int ioas_make_table(int fd);

/*
 * True when the IOAS had a page table the last time. That does not look at the descriptor:
 * when it was closed or replaced behind the library's back, IOMMU_IOAS_MAP
 * fails, which no other file knows, and then ioas_check() tells.
 */
bool ioas_has_table(void);

/* False, and its page table is forgotten, when the iommufd is there no more. */
bool ioas_check(void);

/*
 * Binds the device open under fd to the iommufd and attaches it to the page
 * table. token is a VF token of 16 bytes or NULL. -EINVAL or -EBUSY when it is
 * bound elsewhere.
 */
int ioas_attach(int fd, const unsigned char *token);

/* True when the kernel knows IOMMU_IOAS_NOIOMMU_GET_PA. Needs ioas_open(). */
bool ioas_has_get_pa(void);

/*
 * Pins [va, va + len) under iova, for reading: without an IOMMU it means nothing
 * to a device, and the page is not written to for it. -EEXIST: something is
 * mapped there already.
 */
int ioas_map(uint64_t va, uint64_t len, uint64_t iova);

/* Maps what is under from once more, without unpinning it in between. */
int ioas_copy(uint64_t from, uint64_t len, uint64_t to);

/* As ioas_copy(), at an IOVA that the kernel chooses. */
int ioas_copy_anywhere(uint64_t from, uint64_t len, uint64_t *to);

/* Undoes all maps within [iova, iova + len). A map may not reach out of it. */
int ioas_unmap(uint64_t iova, uint64_t len);

/* The physical address of iova; *len is cut to what is contiguous there. */
int ioas_physical(uint64_t iova, uint64_t *len, uint64_t *pa);

#endif
