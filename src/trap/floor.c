/* SPDX-License-Identifier: MIT */
/*
 * The libc functions that tests/unit/test-static-code.sh allows the library to call, for the
 * image, which has no libc.
 */
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/sys.h"
#include "trap/arch.h"
#include "trap/floor.h"
#include "trap/slot.h"

/* ---- memory ---- */

void *memcpy(void *restrict to, const void *restrict from, size_t len)
{
	arch_copy(to, from, len);
	return to;
}

void *memmove(void *to, const void *from, size_t len)
{
	char *t = to;
	const char *f = from;

	if ((uintptr_t)t - (uintptr_t)f >= len)
		return memcpy(to, from, len);
	while (len--)
		t[len] = f[len];
	return to;
}

void *memset(void *to, int byte, size_t len)
{
	arch_fill(to, byte, len);
	return to;
}

int memcmp(const void *a, const void *b, size_t len)
{
	const unsigned char *x = a, *y = b;

	for (; len; len--, x++, y++)
		if (*x != *y)
			return *x - *y;
	return 0;
}

void *memchr(const void *in, int byte, size_t len)
{
	for (const unsigned char *at = in; len; len--, at++)
		if (*at == (unsigned char)byte)
			return (void *)at;
	return NULL;
}

/* ---- strings ---- */

size_t strlen(const char *s)
{
	size_t len = 0;

	while (s[len])
		len++;
	return len;
}

char *strcpy(char *restrict to, const char *restrict from)
{
	return memcpy(to, from, strlen(from) + 1);
}

int strncmp(const char *a, const char *b, size_t len)
{
	for (; len; len--, a++, b++)
		if (*a != *b || !*a)
			return (unsigned char)*a - (unsigned char)*b;
	return 0;
}

int strcmp(const char *a, const char *b)
{
	return strncmp(a, b, SIZE_MAX);
}

char *strchr(const char *s, int c)
{
	for (; *s != (char)c; s++)
		if (!*s)
			return NULL;
	return (char *)s;
}

char *strrchr(const char *s, int c)
{
	const char *found = NULL;

	do
		if (*s == (char)c)
			found = s;
	while (*s++);
	return (char *)found;
}

char *strstr(const char *s, const char *what)
{
	size_t len = strlen(what);

	for (; strncmp(s, what, len); s++)
		if (!*s)
			return NULL;
	return (char *)s;
}

size_t strcspn(const char *s, const char *reject)
{
	size_t len = 0;

	while (s[len] && !strchr(reject, s[len]))
		len++;
	return len;
}

size_t strspn(const char *s, const char *accept)
{
	size_t len = 0;

	while (s[len] && strchr(accept, s[len]))
		len++;
	return len;
}

/* ---- numbers ---- */

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'z' ? c - 'a' + 10 : 99;
}

unsigned long strtoul(const char *restrict s, char **restrict end, int base)
{
	const char *at = s + strspn(s, " \t\n\v\f\r");
	bool minus = *at == '-';
	unsigned long value = 0;
	const char *first;

	at += *at == '-' || *at == '+';
	if ((!base || base == 16) && at[0] == '0' && (at[1] | 0x20) == 'x' && digit(at[2]) < 16) {
		at += 2;
		base = 16;
	}
	if (!base)
		base = *at == '0' ? 8 : 10;
	for (first = at; digit(*at) < base; at++) {
		unsigned long next;

		if (__builtin_mul_overflow(value, (unsigned long)base, &next) ||
		    __builtin_add_overflow(next, (unsigned long)digit(*at), &next))
			next = ULONG_MAX;
		value = value == ULONG_MAX ? value : next;
	}
	if (end)
		*end = (char *)(at == first ? s : at);
	return minus ? -value : value;
}

long strtol(const char *restrict s, char **restrict end, int base)
{
	unsigned long value = strtoul(s, end, base);
	bool minus = s[strspn(s, " \t\n\v\f\r")] == '-';

	if (minus)
		return -value > LONG_MAX ? LONG_MIN : (long)value;
	return value > LONG_MAX ? LONG_MAX : (long)value;
}

int atoi(const char *s)
{
	return (int)strtol(s, NULL, 10);
}

/* ---- the process and its threads ---- */

int *__errno_location(void)
{
	return &slot_here()->error;
}

/* Identifies the thread during one call only. A fork() child has the same value. */
pthread_t pthread_self(void)
{
	return (pthread_t)slot_here();
}

static const unsigned long *auxv;

void floor_set_auxv(const unsigned long *from)
{
	auxv = from;
}

unsigned long getauxval(unsigned long type)
{
	for (const unsigned long *at = auxv; at && at[0]; at += 2)
		if (at[0] == type)
			return at[1];
	return 0;
}

struct floor_fork floor_fork;

int pthread_atfork(void (*before)(void), void (*in_parent)(void), void (*in_child)(void))
{
	floor_fork = (struct floor_fork){before, in_parent, in_child};
	return 0;
}

/* ---- functions that glibc's headers call unless they inline them ---- */

#ifdef __GLIBC__
unsigned int gnu_dev_major(dev_t dev)
{
	return (unsigned int)((dev >> 8 & 0xfff) | (dev >> 32 & 0xfffff000));
}

unsigned int gnu_dev_minor(dev_t dev)
{
	return (unsigned int)((dev & 0xff) | (dev >> 12 & 0xffffff00));
}

dev_t gnu_dev_makedev(unsigned int major, unsigned int minor)
{
	const dev_t high = major, low = minor;

	return (high & 0xfffff000) << 32 | (high & 0xfff) << 8 | (low & 0xffffff00) << 12 |
	       (low & 0xff);
}

struct cmsghdr *__cmsg_nxthdr(struct msghdr *msg, struct cmsghdr *at)
{
	const char *end = (char *)msg->msg_control + msg->msg_controllen;
	struct cmsghdr *next = (void *)((char *)at + CMSG_ALIGN(at->cmsg_len));

	if (at->cmsg_len < sizeof(*at) || at->cmsg_len > (size_t)(end - (char *)at) ||
	    (char *)(next + 1) > end || next->cmsg_len > (size_t)(end - (char *)next))
		return NULL;
	return next;
}
#endif

/* ---- for src/preload ---- */

static long result(long ret)
{
	if (ret >= 0)
		return ret;
	errno = (int)-ret;
	return -1;
}

off_t lseek(int fd, off_t pos, int whence)
{
	return result(sys_lseek(fd, pos, whence));
}

int shmctl(int id, int cmd, struct shmid_ds *to)
{
	return (int)result(sys_call(SYS_shmctl, id, cmd, (long)to, 0, 0, 0));
}
