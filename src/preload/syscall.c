/* SPDX-License-Identifier: MIT */
/* syscall(). Each file handles the numbers of its own calls. */
#include <stdarg.h>

#include "preload/next.h"

long syscall(long nr, ...)
{
	long a[6], ret;
	va_list args;

	va_start(args, nr);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(args, long);
	va_end(args);
	if (io_by_number(nr, a, &ret) || file_by_number(nr, a, &ret) ||
	    names_by_number(nr, a, &ret) || stat_by_number(nr, a, &ret) ||
	    owner_by_number(nr, a, &ret) || dir_by_number(nr, a, &ret) ||
	    memory_by_number(nr, a, &ret) || process_by_number(nr, a, &ret))
		return ret;
	return BY_NUMBER(nr, a);
}
