/* SPDX-License-Identifier: MIT */
/*
 * Preloaded behind the library, makes the libc look as old as 2.17 to it: what
 * came later is not found. As in libcs of that age a look in vain allocates.
 */
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

static const char *const younger[] = {
	"stat",	    "stat64",	   "lstat",	  "lstat64",	 "fstat",     "fstat64",
	"fstatat",  "fstatat64",   "statx",	  "getdents64",	 "preadv2",   "preadv64v2",
	"pwritev2", "pwritev64v2", "pidfd_getfd", "close_range", "closefrom",
};

#ifdef __x86_64__
#define VERSION "GLIBC_2.2.5"
#else
#define VERSION "GLIBC_2.17"
#endif

void *dlsym(void *restrict handle, const char *restrict name)
{
	void *(*next)(void *, const char *) = dlvsym(RTLD_NEXT, "dlsym", VERSION);

	for (size_t i = 0; i < sizeof(younger) / sizeof(younger[0]); i++)
		if (handle == RTLD_NEXT && !strcmp(name, younger[i])) {
			free(malloc(1));
			return NULL;
		}
	return next(handle, name);
}
