/* SPDX-License-Identifier: MIT */
#include "vfio/match.h"

#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "base/sys.h"

static int parse_hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

#define UUID_STRING_LEN 36

/* As lib/uuid.c: 8-4-4-4-12 digits; ignores what follows. */
static bool parse_uuid(const char *text, unsigned char uuid[16])
{
	int n = 0;

	for (int i = 0; i < UUID_STRING_LEN; i++) {
		int digit = parse_hex(text[i]);

		if (i == 8 || i == 13 || i == 18 || i == 23) {
			if (text[i] != '-')
				return false;
			continue;
		}
		if (digit < 0)
			return false;
		uuid[n / 2] = (unsigned char)(n % 2 ? uuid[n / 2] | digit : digit << 4);
		n++;
	}
	return true;
}

/*
 * vfio_pci_core_match() in drivers/vfio/pci/vfio_pci_core.c: the device's name,
 * optionally followed by " vf_token=UUID".
 */
int match_device(const char *name, const char *text, unsigned char uuid[16], bool *has_token)
{
	static const char option[] = "vf_token=";
	size_t len = strlen(name);

	*has_token = false;
	if (strncmp(text, name, len) || (text[len] && text[len] != ' '))
		return -ENODEV;
	for (text += len; *text;) {
		if (*text == ' ') {
			text++;
			continue;
		}
		if (*has_token || strncmp(text, option, strlen(option)))
			return -EINVAL;
		text += strlen(option);
		if (strlen(text) < UUID_STRING_LEN || !parse_uuid(text, uuid))
			return -EINVAL;
		*has_token = true;
		text += UUID_STRING_LEN;
	}
	return 0;
}

static bool has_attribute(const struct cdev *cdev, const char *name)
{
	struct stat st;
	static char path[320];

	format(path, sizeof(path), "/sys%s/%s", cdev->sysfs, name);
	return !sys_fstatat(AT_FDCWD, path, &st, AT_SYMLINK_NOFOLLOW);
}

/* vfio_pci_validate_vf_token(): only physical and virtual functions have a token. */
bool match_takes_token(const struct cdev *cdev)
{
	return has_attribute(cdev, "sriov_totalvfs") || has_attribute(cdev, "physfn");
}
