/* SPDX-License-Identifier: MIT */
/*
 * What the user chose by NOIOMMU_SHIM_ variables, read once.
 *
 * With AT_SECURE set (a set-user-id program) the environment is not read.
 */
#ifndef BASE_SETTINGS_H
#define BASE_SETTINGS_H

enum settings_mode {
	MODE_AUTO,  /* the cdev path where it exists, else the group path untouched */
	MODE_CDEV,  /* the cdev path, or a clear refusal */
	MODE_GROUP, /* never redirect, observe only */
};

/* What a lookup of a page comes to that cannot be pinned. */
enum settings_unpinned {
	UNPINNED_REFUSE,   /* it fails */
	UNPINNED_FALLBACK, /* the kernel's own entry, as without the library */
};

/* What pins memory. */
enum settings_backend {
	BACKEND_AUTO,	 /* iommufd on the cdev path, where a device lends; else io_uring */
	BACKEND_IOMMUFD, /* never io_uring */
	BACKEND_URING,	 /* always io_uring */
};

struct settings {
	enum settings_mode mode;
	enum settings_unpinned unpinned;
	enum settings_backend backend;
};

extern struct settings settings;

/*
 * Reads the environment. Called by the library's constructor; until then the
 * defaults hold. envp may be NULL.
 */
void settings_read(char **envp);

#endif
