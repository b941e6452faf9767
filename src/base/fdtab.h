/* SPDX-License-Identifier: MIT */
/*
 * The table of the program's descriptors that the library has to know about.
 *
 * An entry is a hint: the program can close a descriptor unseen, by a raw system call,
 * and the kernel can reuse its number. fdtab_get() therefore compares the open file under
 * the number with the object before it returns it.
 *
 * fdtab_kind() needs no lock and is async-signal-safe. It is the whole cost of a call on
 * a descriptor that does not concern the library. All other functions need the lock.
 */
#ifndef BASE_FDTAB_H
#define BASE_FDTAB_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "shim/trace.h"

enum fd_kind {
	FD_NOT_OURS,
	FD_HIDDEN, /* the library's own (base/hidden.h) */
	FD_CONTAINER,
	FD_GROUP,
	FD_DEVICE,
	FD_RECEIVED, /* received; a group or its device, decided by the first ioctl */
	FD_PAGEMAP,
	FD_STANDIN, /* a name that only the view has (tree/standin.h) */
	FD_NATIVE,  /* the kernel's own container, group or device; only while traced */
};

/* What descriptors refer to. The first member of a larger struct of its owner. */
struct object {
	const struct object_operations *ops;
	unsigned int refs; /* from descriptors and from other objects */
	dev_t dev;	   /* identity of the open file, from fstat() */
	ino_t ino;
	int flags; /* those flags of F_GETFL that are in own_flags */
};

/*
 * The operations of one kind of object. The table is in the file that creates such
 * objects. The functions need the lock.
 */
struct object_operations {
	enum fd_kind kind;
	enum trace_object traced; /* the type that a trace shows */
	/*
	 * A container, group or device: it keeps the iommufd, and the library has locks
	 * on its file.
	 */
	bool is_vfio;
	/*
	 * The F_GETFL flags that belong to the object, because other objects share its
	 * open file. The other flags are the open file's.
	 */
	int own_flags;

	/* Called when refs drops to 0. */
	void (*release)(struct object *object);

	/* The other operations may be NULL: the object then behaves like its open file. */

	/*
	 * True when the request was answered here, with a value or a negative errno in
	 * *ret. False: the kernel answers.
	 */
	bool (*ioctl)(struct object *object, int fd, unsigned int cmd, unsigned long arg,
		      long *ret);

	/* For FD_RECEIVED: the object that fd is, as cmd shows. NULL: no memory. */
	struct object *(*resolve)(struct object *object, int fd, unsigned int cmd);

	/*
	 * The text of the link in /proc/self/fd without the library: the name that the
	 * file was opened by, or a text that does not begin with '/' where no name leads
	 * to the file. Returns the length.
	 */
	size_t (*name)(const struct object *object, char *to, size_t size);

	/*
	 * The program opened that link. fd is the kernel's result: a descriptor of the
	 * file behind the object, or -errno. Returns the descriptor that the program
	 * gets, or a negative errno; the caller closes fd if another one is returned.
	 * NULL: the name is opened again instead.
	 */
	int (*open_again)(const struct object *object, int fd, int flags);
};

/* FD_NOT_OURS for NULL. */
static inline enum fd_kind object_kind(const struct object *object)
{
	return object ? object->ops->kind : FD_NOT_OURS;
}

#define FDTAB_LOW 65536

/*
 * The kinds of the numbers below FDTAB_LOW. A higher number shares the place of a low
 * one; FDTAB_SHARED marks a place in which any higher number is entered.
 */
#define FDTAB_SHARED 0x80
/*
 * "Expected": opened under a name that promises this kind, and not verified yet
 * (fdtab_expect()). A close() leaves the mark; the next open that returns this number
 * clears it.
 */
#define FDTAB_EXPECTED 0x40
#define FDTAB_DOUBTED  0x20 /* being verified at this moment */
extern _Atomic(unsigned char) fdtab_kinds[FDTAB_LOW] __attribute__((visibility("hidden")));

/* 0: neither the number nor one that shares its place is entered. */
static inline unsigned char fdtab_place(int fd)
{
	return atomic_load_explicit(&fdtab_kinds[(unsigned int)fd % FDTAB_LOW],
				    memory_order_relaxed);
}

/*
 * The kind that the number had when it was last looked at. Above FDTAB_LOW FD_PAGEMAP
 * stands for any kind.
 */
static inline enum fd_kind fdtab_kind(int fd)
{
	unsigned char kind = fdtab_place(fd);

	if (__builtin_expect(!kind, 1))
		return FD_NOT_OURS;
	if ((unsigned int)fd < FDTAB_LOW)
		return (enum fd_kind)(kind & ~(FDTAB_SHARED | FDTAB_EXPECTED | FDTAB_DOUBTED));
	return kind & FDTAB_SHARED ? FD_PAGEMAP : FD_NOT_OURS;
}

/* True when the number is expected: only its kind is known. */
static inline bool fdtab_is_expected(int fd)
{
	return fdtab_place(fd) & FDTAB_EXPECTED && (unsigned int)fd < FDTAB_LOW;
}

/*
 * fd was just opened by a name that promises a file of this kind. It is verified once
 * something depends on it, which saves fstat() and the lock for a descriptor that is
 * closed before. False where it has to be verified now. Needs no lock.
 */
bool fdtab_expect(int fd, enum fd_kind kind);

/*
 * Verifies an expected descriptor. 1: it is of that kind and is entered now; 0: it is
 * not; a negative errno: unknown.
 */
extern int (*fdtab_prove)(int fd);

/* Sets the identity of object to the file open under fd. 0 or a negative errno. */
int object_identify(struct object *object, int fd);

/* The flags that F_GETFL returns for a file opened with these flags. */
int object_file_flags(int flags);

/* The flags that F_SETFL can change: SETFL_MASK in fs/fcntl.c. */
#define OBJECT_SETTABLE (O_APPEND | O_NONBLOCK | O_DIRECT | O_NOATIME | O_ASYNC)

/* object->ops->name(), or 0 where there is none. */
size_t object_name(const struct object *object, char *to, size_t size);

/* True for a device: without the library no name leads to one. */
bool object_is_nameless(const struct object *object);

/* Takes a reference, drops a reference. object may be NULL. */
void object_hold(struct object *object);
void object_release(struct object *object);

/*
 * Enters fd for object and takes a reference. Replaces a former entry. 0 or -ENOMEM; then
 * object is released if nothing else refers to it.
 */
int fdtab_install(int fd, struct object *object);

/*
 * The object under fd, without taking a reference, or NULL when fd has none. Drops an
 * entry that has become stale. Verifies an expected number; if that fails, returns NULL
 * and leaves the number expected.
 */
struct object *fdtab_get(int fd);

/* The same without a system call, as last seen. NULL for an expected number. */
struct object *fdtab_known(int fd);

/* Logs why the child of a vfork() gets no answer. */
void fdtab_refuse_guest(void);

/* fd is closed or about to be: removes its entry and drops the reference. */
void fdtab_drop(int fd);

/* Removes the stale entries among the numbers first..last. */
void fdtab_drop_stale(unsigned int first, unsigned int last);

/* Calls what(fd, arg) for every descriptor entered for object. */
void fdtab_each(const struct object *object, void (*what)(int fd, void *arg), void *arg);

/* The lowest number above after with an object of this kind, or -1. */
int fdtab_next(enum fd_kind kind, int after);

/* True while any container, group or device is entered. */
bool fdtab_has_vfio(void);

/*
 * Empties the table without releasing the objects, which may be damaged. Then calls
 * what() for each number below FDTAB_LOW with its former kind, FD_HIDDEN first.
 */
void fdtab_rebuild(void (*what)(int fd, enum fd_kind kind));

/* True while any descriptor is entered for object. */
bool fdtab_has(const struct object *object);

#endif
