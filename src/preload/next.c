/* SPDX-License-Identifier: MIT */
#include "preload/next.h"

#include <dlfcn.h>
#include <unistd.h>

#include "legacy/legacy.h"

struct next next;

void next_find(void)
{
	int saved = errno;

#define SYM(type, name, params) *(void **)&next.name = dlsym(RTLD_NEXT, #name);
#include "preload/symbols.def"
#undef SYM
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
