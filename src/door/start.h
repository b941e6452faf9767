/* SPDX-License-Identifier: MIT */
/* Starts the library in a process. */
#ifndef DOOR_START_H
#define DOOR_START_H

/* Called once by the library's constructor. */
void start_init(char **envp);

#endif
