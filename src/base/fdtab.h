/* SPDX-License-Identifier: MIT */
/*
 * What the host's descriptor numbers refer to, as far as it concerns us.
 *
 * A number here is a hint: a descriptor can be closed behind our back and its
 * number be used again. fdtab_get() therefore asks the kernel what stands
 * under the number before it returns the object.
 *
 * fdtab_kind() needs no lock and is async-signal-safe: it is what a call on a
 * descriptor that is not ours costs. All else needs the lock.
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
	FD_HIDDEN, /* ours, and to the host it is not there */
	FD_CONTAINER,
	FD_GROUP,
	FD_DEVICE,
	FD_RECEIVED, /* a group or its device: the first ioctl will tell */
	FD_PAGEMAP,
	FD_STANDIN, /* for a name that only our view has */
	FD_NATIVE,  /* the kernel's own container, group or device, entered while traced */
};

/* What descriptors refer to. The owner embeds it first in a larger struct. */
struct object {
	const struct object_operations *ops;
	unsigned int refs; /* descriptors, and objects that point to this one */
	dev_t dev;	   /* identity of the open file, as fstat() tells it */
	ino_t ino;
	int flags; /* of F_GETFL, those in own_flags */
};

/*
 * What objects of one kind have in common. The table stands in the file that makes
 * them, and the functions need the lock.
 */
struct object_operations {
	enum fd_kind kind;
	enum trace_object traced; /* what it is in a trace */
	/* A container, group or device: it keeps the iommufd, and has locks of ours on its file. */
	bool is_vfio;
	/* The flags of F_GETFL that are the object's, whose file others share; the rest are the
	 * file's. */
	int own_flags;

	/* refs fell to 0. */
	void (*release)(struct object *object);

	/* The others may be NULL: there is nothing that differs from other files. */

	/*
	 * True when it is answered, with a value or a negative errno in *ret; else the
	 * kernel is asked.
	 */
	bool (*ioctl)(struct object *object, int fd, unsigned int cmd, unsigned long arg,
		      long *ret);

	/* The object that stands under fd, now that cmd shows what it is. NULL: no memory. */
	struct object *(*resolve)(struct object *object, int fd, unsigned int cmd);

	/*
	 * What its link in /proc/self/fd reads natively: the name that it was opened
	 * under, or what does not begin with '/' where no name leads there. Returns the
	 * length.
	 */
	size_t (*name)(const struct object *object, char *to, size_t size);

	/*
	 * That link was opened, by which the kernel opened the file behind the object,
	 * as fd, or failed with that errno. Returns the descriptor or a negative errno;
	 * the caller closes fd when it is not that. NULL: by its name again.
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
 * The kinds of the numbers below FDTAB_LOW. Higher ones share their places, of
 * which each says whether one is of ours.
 */
#define FDTAB_SHARED 0x80
/*
 * Of a number that was expected to be of its kind when it was opened: nobody
 * has looked yet. Closing it changes nothing; what is opened there next does.
 */
#define FDTAB_EXPECTED 0x40
#define FDTAB_DOUBTED  0x20 /* somebody looks at this moment */
extern _Atomic(unsigned char) fdtab_kinds[FDTAB_LOW] __attribute__((visibility("hidden")));

/* 0: neither the number nor one that shares its place is ours. */
static inline unsigned char fdtab_place(int fd)
{
	return atomic_load_explicit(&fdtab_kinds[(unsigned int)fd % FDTAB_LOW],
				    memory_order_relaxed);
}

/* The kind that the number had when last seen. Above FDTAB_LOW: any of ours. */
static inline enum fd_kind fdtab_kind(int fd)
{
	unsigned char kind = fdtab_place(fd);

	if (__builtin_expect(!kind, 1))
		return FD_NOT_OURS;
	if ((unsigned int)fd < FDTAB_LOW)
		return (enum fd_kind)(kind & ~(FDTAB_SHARED | FDTAB_EXPECTED | FDTAB_DOUBTED));
	return kind & FDTAB_SHARED ? FD_PAGEMAP : FD_NOT_OURS;
}

/* True when nothing but its kind is known of the number. */
static inline bool fdtab_is_expected(int fd)
{
	return fdtab_place(fd) & FDTAB_EXPECTED && (unsigned int)fd < FDTAB_LOW;
}

/*
 * fd was opened just now by a name that promises a file of that kind: to be
 * looked at when something depends on it. False where it cannot be left at
 * that. Needs no lock.
 */
bool fdtab_expect(int fd, enum fd_kind kind);

/*
 * Looks at a descriptor that was expected to be of ours. 1: it is, and has been
 * entered; 0: it is not; a negative errno: it cannot be told.
 */
extern int (*fdtab_prove)(int fd);

/* Sets the identity of object from the open file under fd. 0 or a negative errno. */
int object_identify(struct object *object, int fd);

/* What F_GETFL tells of a file that was opened with these flags. */
int object_file_flags(int flags);

/* What F_SETFL can change: SETFL_MASK in fs/fcntl.c. */
#define OBJECT_SETTABLE (O_APPEND | O_NONBLOCK | O_DIRECT | O_NOATIME | O_ASYNC)

/* The name of object->ops; 0: it has none. */
size_t object_name(const struct object *object, char *to, size_t size);

/* True where no name leads to the object, natively: for a device. */
bool object_is_nameless(const struct object *object);

/* A reference more, a reference less. object may be NULL. */
void object_hold(struct object *object);
void object_release(struct object *object);

/*
 * Enters fd, which takes a reference. Replaces what stood there. 0 or -ENOMEM: then
 * an object to which nothing refers is released.
 */
int fdtab_install(int fd, struct object *object);

/*
 * The object under fd, without a reference, or NULL when fd is none of ours.
 * An entry that is no longer true is dropped. What was expected is proved; NULL
 * with the expectation still there when that cannot be done.
 */
struct object *fdtab_get(int fd);

/* The same as it was when last seen, without a system call; NULL when it was only expected. */
struct object *fdtab_known(int fd);

/* fd is closed or about to be: forgets it and gives its reference back. */
void fdtab_drop(int fd);

/* Forgets what is no longer true of the numbers first..last. */
void fdtab_drop_stale(unsigned int first, unsigned int last);

/* Calls what(fd, arg) for every descriptor entered for object. */
void fdtab_each(const struct object *object, void (*what)(int fd, void *arg), void *arg);

/* The lowest number above after that is entered with an object of the kind, or -1. */
int fdtab_next(enum fd_kind kind, int after);

/* True while a container, group or device is entered. */
bool fdtab_has_vfio(void);

/*
 * The objects may be damaged: none is entered any more, nor released. Then calls
 * what() for each number below FDTAB_LOW with the kind that it had, hidden ones
 * first.
 */
void fdtab_rebuild(void (*what)(int fd, enum fd_kind kind));

/* True while a descriptor is entered for object. */
bool fdtab_has(const struct object *object);

#endif
