/* SPDX-License-Identifier: MIT */
#include "preload/next.h"

#include <dlfcn.h>
#include <unistd.h>

#include "legacy/legacy.h"

/*
 * glibc 2.34 moved these into libc and gave them a new version. By the old one
 * they are found wherever they are, so that a library built today loads on
 * glibc 2.17.
 */
#if defined(__GLIBC__) && defined(__x86_64__)
__asm__(".symver dlsym, dlsym@GLIBC_2.2.5");
__asm__(".symver dlvsym, dlvsym@GLIBC_2.2.5");
#elif defined(__GLIBC__) && defined(__aarch64__)
__asm__(".symver dlsym, dlsym@GLIBC_2.17");
__asm__(".symver dlvsym, dlvsym@GLIBC_2.17");
#endif

struct next next;

void next_find(void)
{
	int saved = errno;

#define SYM(type, name, params) *(void **)&next.name = dlsym(RTLD_NEXT, #name);
#include "preload/symbols.def"
#undef SYM
#ifdef __GLIBC__
	/* Before glibc 2.36 the above finds the oldest version. */
#define SYM(type, name, params)
#define NEWEST(name, version)                                                                      \
	*(void **)&next.name = dlvsym(RTLD_NEXT, #name, version) ?: *(void **)&next.name;
#include "preload/symbols.def"
#undef SYM
#endif
	errno = saved;
}

/*
 * The order of start-up: the next functions first, for a constructor before
 * ours may have needed them already; then the environment.
 */
__attribute__((constructor)) static void start(void)
{
	next_find();
	legacy_init(environ);
}
