/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Tracepoints, in /sys/kernel/tracing/events/cpblk: where ios part from the
 * short way, and what makes a device stand still.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM cpblk

#if !defined(CPBLK_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define CPBLK_TRACE_H

#include <linux/kdev_t.h>
#include <linux/tracepoint.h>

/* Something isn't in memory, or there is no space: a worker goes on. */
DECLARE_EVENT_CLASS(cpblk_punt,
	TP_PROTO(dev_t dev, u64 vchunk),
	TP_ARGS(dev, vchunk),
	TP_STRUCT__entry(
		__field(dev_t, dev)
		__field(u64, vchunk)
	),
	TP_fast_assign(
		__entry->dev = dev;
		__entry->vchunk = vchunk;
	),
	TP_printk("%d,%d chunk %llu", MAJOR(__entry->dev), MINOR(__entry->dev),
		  __entry->vchunk)
);

DEFINE_EVENT(cpblk_punt, cpblk_read_punt,
	TP_PROTO(dev_t dev, u64 vchunk), TP_ARGS(dev, vchunk));
DEFINE_EVENT(cpblk_punt, cpblk_write_punt,
	TP_PROTO(dev_t dev, u64 vchunk), TP_ARGS(dev, vchunk));
DEFINE_EVENT(cpblk_punt, cpblk_write_end_punt,
	TP_PROTO(dev_t dev, u64 vchunk), TP_ARGS(dev, vchunk));

/* One round of merging partial writes into a chunk. */
TRACE_EVENT(cpblk_merge,
	TP_PROTO(dev_t dev, u64 vchunk, int err),
	TP_ARGS(dev, vchunk, err),
	TP_STRUCT__entry(
		__field(dev_t, dev)
		__field(u64, vchunk)
		__field(int, err)
	),
	TP_fast_assign(
		__entry->dev = dev;
		__entry->vchunk = vchunk;
		__entry->err = err;
	),
	TP_printk("%d,%d chunk %llu err %d", MAJOR(__entry->dev),
		  MINOR(__entry->dev), __entry->vchunk, __entry->err)
);

/* All who waited for a flush were served by one. */
TRACE_EVENT(cpblk_flush,
	TP_PROTO(u64 store, unsigned int nr, u64 ns, int err),
	TP_ARGS(store, nr, ns, err),
	TP_STRUCT__entry(
		__field(u64, store)
		__field(unsigned int, nr)
		__field(u64, ns)
		__field(int, err)
	),
	TP_fast_assign(
		__entry->store = store;
		__entry->nr = nr;
		__entry->ns = ns;
		__entry->err = err;
	),
	TP_printk("store %llu bios %u ns %llu err %d", __entry->store,
		  __entry->nr, __entry->ns, __entry->err)
);

/* The gate of a device was closed for so long. */
TRACE_EVENT(cpblk_switch,
	TP_PROTO(dev_t dev, u64 ns, int err),
	TP_ARGS(dev, ns, err),
	TP_STRUCT__entry(
		__field(dev_t, dev)
		__field(u64, ns)
		__field(int, err)
	),
	TP_fast_assign(
		__entry->dev = dev;
		__entry->ns = ns;
		__entry->err = err;
	),
	TP_printk("%d,%d ns %llu err %d", MAJOR(__entry->dev),
		  MINOR(__entry->dev), __entry->ns, __entry->err)
);

/* What ios take while there is reclaiming, or a pause in it, and what follows. */
TRACE_EVENT(cpblk_pace,
	TP_PROTO(u64 store, bool paused, unsigned int ios, u64 us, u64 may,
		 unsigned int rest),
	TP_ARGS(store, paused, ios, us, may, rest),
	TP_STRUCT__entry(
		__field(u64, store)
		__field(bool, paused)
		__field(unsigned int, ios)
		__field(u64, us)
		__field(u64, may)
		__field(unsigned int, rest)
	),
	TP_fast_assign(
		__entry->store = store;
		__entry->paused = paused;
		__entry->ios = ios;
		__entry->us = us;
		__entry->may = may;
		__entry->rest = rest;
	),
	TP_printk("store %llu %s: %u ios, 99 %% within %llu us of %llu; rest %u",
		  __entry->store, __entry->paused ? "paused" : "working",
		  __entry->ios, __entry->us, __entry->may, __entry->rest)
);

#endif /* CPBLK_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
