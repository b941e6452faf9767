/* SPDX-License-Identifier: MIT */
/*
 * dlopen() and dlmopen(). Some ways to load a plugin bind it to libc's functions without
 * the preload. The library is not called there; all it can do is to log it.
 *
 * libc searches the file on behalf of its caller, which it knows by the return address.
 * That must remain the program's: each call is a tail call, compiled to a jump.
 */
#include <stdatomic.h>

#include "base/log.h"
#include "preload/next.h"

/* From dlfcn.h, which declares the functions differently. */
#define DEEPBIND  0x8
#define NOLOAD	  0x4
#define NAMESPACE 0 /* the program's */

static __attribute__((noinline, cold)) void say_bypassed(const char *file, const char *how)
{
	static atomic_flag said = ATOMIC_FLAG_INIT;

	if (!atomic_flag_test_and_set(&said))
		log_warn("%s is loaded %s: what it opens and looks up goes around the library, "
			 "and its memory is not pinned; see noiommu-shim(7)",
			 file, how);
}

void *dlopen(const char *file, int mode)
{
#ifdef __GLIBC__
	if (__builtin_expect(file && mode & DEEPBIND && !(mode & NOLOAD), 0))
		say_bypassed(file, "with RTLD_DEEPBIND");
#endif
	return NEXT(dlopen)(file, mode);
}

void *dlmopen(long space, const char *file, int mode)
{
	if (__builtin_expect(file && space != NAMESPACE && !(mode & NOLOAD), 0))
		say_bypassed(file, "into a namespace of its own");
	return NEXT(dlmopen)(space, file, mode);
}
