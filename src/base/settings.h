/* SPDX-License-Identifier: MIT */
/*
 * The NOIOMMU_SHIM_ variables, read once.
 *
 * With AT_SECURE set (a set-user-id program) the environment is ignored.
 */
#ifndef BASE_SETTINGS_H
#define BASE_SETTINGS_H

enum settings_mode {
	MODE_AUTO,  /* the cdev path where it exists, else the kernel's group path */
	MODE_CDEV,  /* the cdev path, or the open is refused */
	MODE_GROUP, /* the kernel's group path; only observe */
};

/* The result of a lookup of a page that cannot be pinned. */
enum settings_unpinned {
	UNPINNED_REFUSE,   /* it fails */
	UNPINNED_FALLBACK, /* the kernel's own entry, as without the library */
};

/* The backend that pins memory. */
enum settings_backend {
	BACKEND_AUTO,	 /* io_uring where iommufd cannot pin */
	BACKEND_IOMMUFD, /* never io_uring */
	BACKEND_URING,	 /* always io_uring */
};

/* Which process keeps what was looked up, where a program forks by hand: so many forks on. */
enum settings_keeper {
	KEEPER_PARENT,
	KEEPER_CHILD,
	KEEPER_GRANDCHILD,
};

struct settings {
	enum settings_mode mode;
	enum settings_unpinned unpinned;
	enum settings_backend backend;
	enum settings_keeper keeper;
};

extern struct settings settings;

/*
 * Reads the environment. Called by the library's constructor; the defaults apply until
 * then. envp may be NULL.
 */
void settings_read(char **envp);

#endif
