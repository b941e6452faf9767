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

struct settings {
	enum settings_mode mode;
};

extern struct settings settings;

/*
 * Reads the environment. Called by the library's constructor; until then the
 * defaults hold. envp may be NULL.
 */
void settings_read(char **envp);

#endif
