/* SPDX-License-Identifier: MIT */
/*
 * Static probes for bpftrace, SystemTap, perf and gdb: a no-op instruction each,
 * and an ELF note. They are listed in noiommu-shim(7).
 */
#ifndef BASE_PROBE_H
#define BASE_PROBE_H

#include <config.h>

#ifdef HAVE_SYS_SDT_H
#define SDT_USE_VARIADIC
#include <sys/sdt.h>
#define probe(name, ...) STAP_PROBEV(noiommu_shim, name, __VA_ARGS__)
#else
#define probe(name, ...) ((void)0)
#endif

#endif
