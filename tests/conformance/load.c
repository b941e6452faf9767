/* SPDX-License-Identifier: MIT */
#include "conformance.h"

#include <dlfcn.h>

CASE(dlopen)
{
	const char *module = getenv("CONFORMANCE_MODULE");

	CALL_POINTER(the.dlopen(module, RTLD_NOW | RTLD_NOLOAD), NULL);
	CALL_POINTER(the.dlopen(module, RTLD_NOW), NULL);
	CALL_POINTER(the.dlopen(module, RTLD_NOW | RTLD_NOLOAD), NULL);
	CALL_POINTER(the.dlopen(NULL, RTLD_LAZY), NULL);
	CALL_POINTER(the.dlopen(module, 0), NULL);
	CALL_POINTER(the.dlopen("no-such-file.so", RTLD_NOW), NULL);
}

CASE(dlmopen)
{
#ifdef __GLIBC__
	const char *module = getenv("CONFORMANCE_MODULE");

	CALL_POINTER(the.dlmopen(LM_ID_BASE, module, RTLD_NOW), NULL);
	CALL_POINTER(the.dlmopen(LM_ID_BASE, "no-such-file.so", RTLD_NOW), NULL);
	CALL_POINTER(the.dlmopen(LM_ID_NEWLM, "no-such-file.so", RTLD_NOW), NULL);
	CALL_POINTER(the.dlmopen(12345, module, RTLD_NOW), NULL);
#endif
}
