/* SPDX-License-Identifier: MIT */
/* The library begins in a process. */
#ifndef DOOR_START_H
#define DOOR_START_H

/* Once, by the library's constructor. */
void start_init(char **envp);

#endif
