/* SPDX-License-Identifier: MIT */
#include "base/format.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>

struct out {
	char *to;
	size_t size;
	size_t len;
};

static void put_char(struct out *out, char c)
{
	if (out->len + 1 < out->size)
		out->to[out->len++] = c;
}

static void put_string(struct out *out, const char *s)
{
	while (*s)
		put_char(out, *s++);
}

static void put_number(struct out *out, uint64_t value, unsigned int base)
{
	char digits[20];
	int n = 0;

	do
		digits[n++] = "0123456789abcdef"[value % base];
	while (value /= base);
	while (n)
		put_char(out, digits[--n]);
}

static void put_signed(struct out *out, int64_t value)
{
	if (value < 0)
		put_char(out, '-');
	put_number(out, value < 0 ? -(uint64_t)value : (uint64_t)value, 10);
}

/* strerror() may allocate and translate. These are the errnos that messages contain. */
static void put_errno(struct out *out, int err)
{
	static const struct {
		int value;
		const char *name;
	} names[] = {
		{EPERM, "EPERM"},   {ENOENT, "ENOENT"},		{EACCES, "EACCES"},
		{EBUSY, "EBUSY"},   {ENODEV, "ENODEV"},		{EINVAL, "EINVAL"},
		{ENOMEM, "ENOMEM"}, {EFAULT, "EFAULT"},		{EMFILE, "EMFILE"},
		{ENOTTY, "ENOTTY"}, {EOPNOTSUPP, "EOPNOTSUPP"}, {EAGAIN, "EAGAIN"},
		{ENFILE, "ENFILE"}, {EBADF, "EBADF"},		{EEXIST, "EEXIST"},
		{ELOOP, "ELOOP"},
	};

	if (err < 0)
		err = -err;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (names[i].value == err) {
			put_string(out, names[i].name);
			return;
		}
	}
	put_string(out, "errno ");
	put_number(out, (uint64_t)err, 10);
}

static void put_format(struct out *out, const char *f, va_list args)
{
	for (; *f; f++) {
		bool is_long;

		if (*f != '%') {
			put_char(out, *f);
			continue;
		}
		is_long = *++f == 'l';
		if (is_long)
			f++;
		switch (*f) {
		case 's':
			put_string(out, va_arg(args, const char *));
			break;
		case 'd':
			put_signed(out, is_long ? va_arg(args, long) : va_arg(args, int));
			break;
		case 'u':
		case 'x':
			put_number(out,
				   is_long ? va_arg(args, unsigned long)
					   : va_arg(args, unsigned int),
				   *f == 'x' ? 16 : 10);
			break;
		case 'e':
			put_errno(out, va_arg(args, int));
			break;
		default:
			put_char(out, '%');
			f--;
		}
	}
	out->to[out->len] = '\0';
}

size_t format_args(char *to, size_t size, const char *f, va_list args)
{
	struct out out = {to, size, 0};

	put_format(&out, f, args);
	return out.len;
}

size_t format(char *to, size_t size, const char *f, ...)
{
	va_list args;
	size_t len;

	va_start(args, f);
	len = format_args(to, size, f, args);
	va_end(args);
	return len;
}
