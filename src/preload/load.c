/* SPDX-License-Identifier: MIT */
/*
 * dlopen() and dlmopen(). Some ways to load a plugin give it libc's functions before ours:
 * no preload is called there, and all that can be done is to say so when it happens.
 *
 * libc looks for the file as whoever calls it demands, and knows that by the address to
 * which it returns. So it is to return there: each call stands at the end and is a jump.
 */
#include <stdatomic.h>

#include "base/log.h"
#include "preload/next.h"

/* Of dlfcn.h, which declares both functions otherwise. */
#define DEEPBIND  0x8
#define NOLOAD	  0x4
#define NAMESPACE 0 /* the program's own */

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
