/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Everything that the engine takes from the world it runs in: types, locks,
 * memory, checksums. The kernel's half is here, the one for userspace in
 * port_user.h; nothing else in this folder includes a system header.
 *
 * Names that mean the same in both worlds are the kernel's (list_head, u64,
 * READ_ONCE). What needs more than a name begins with port_.
 */
#ifndef CPB_PORT_H
#define CPB_PORT_H

#ifdef __KERNEL__

#include <linux/align.h>
#include <linux/bitmap.h>
#include <linux/bitops.h>
#include <linux/bug.h>
#include <linux/crc32c.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/list.h>
#include <linux/list_sort.h>
#include <linux/math64.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/semaphore.h>
#include <linux/percpu-refcount.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/seqlock.h>
#include <linux/slab.h>
#include <linux/sort.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/types.h>
#include <linux/vmalloc.h>
#include <linux/wait.h>

/* A lock that any context may take; the caller keeps the flags. */
typedef spinlock_t port_lock_t;
#define port_lock_init(l)	spin_lock_init(l)
#define port_lock(l)							\
({									\
	unsigned long port_flags;					\
	spin_lock_irqsave(l, port_flags);				\
	port_flags;							\
})
#define port_unlock(l, flags)	spin_unlock_irqrestore(l, flags)
#define port_assert_held(l)	lockdep_assert_held(l)

/* A lock for process context. */
typedef struct mutex port_mutex_t;
#define port_mutex_init(m)	mutex_init(m)
#define port_mutex_lock(m)	mutex_lock(m)
#define port_mutex_trylock(m)	mutex_trylock(m)
#define port_mutex_unlock(m)	mutex_unlock(m)
#define port_mutex_destroy(m)	mutex_destroy(m)

/* As a mutex, but who gives it back is not who took it, and may not sleep. */
typedef struct semaphore port_sem_t;
#define port_sem_init(m)	sema_init(m, 1)
#define port_sem_lock(m)	down(m)
#define port_sem_trylock(m)	(!down_trylock(m))
#define port_sem_unlock(m)	up(m)
#define port_sem_destroy(m)	((void)(m))

/* A sequence count; its writers hold a port_lock_t. */
typedef seqcount_t port_seq_t;
#define port_seq_init(s)	seqcount_init(s)
#define port_seq_begin(s)	raw_read_seqcount(s)
#define port_seq_retry(s, v)	(unlikely((v) & 1) || read_seqcount_retry(s, v))
#define port_seq_write(s)	write_seqcount_begin(s)
#define port_seq_done(s)	write_seqcount_end(s)

#define port_rcu_lock()		rcu_read_lock()
#define port_rcu_unlock()	rcu_read_unlock()
#define port_rcu_barrier()	rcu_barrier()
typedef struct rcu_head port_rcu_t;
#define port_rcu_call(head, fn)	call_rcu(head, fn)

/* A count that many CPUs raise and lower, until it is killed and drains. */
typedef struct percpu_ref port_ref_t;
#define port_ref_init(r, fn)	percpu_ref_init(r, fn, 0, GFP_NOIO)
#define port_ref_tryget(r)	percpu_ref_tryget_live(r)
#define port_ref_put(r)		percpu_ref_put(r)
#define port_ref_kill(r)	percpu_ref_kill(r)
#define port_ref_exit(r)	percpu_ref_exit(r)

typedef wait_queue_head_t port_wait_t;
#define port_wait_init(w)	init_waitqueue_head(w)
#define port_wait_wake(w)	wake_up_all(w)
/* Behind a full barrier: see cpb_write_ended(). */
#define port_wait_active(w)	waitqueue_active(w)
#define port_wait_event(w, c)	wait_event(*(w), c)

/* Zeroed memory; may sleep, never for I/O of this device. NULL if there is none. */
static inline void *port_alloc(size_t size)
{
	return kvzalloc(size, GFP_NOIO | __GFP_NOWARN);
}

static inline void port_free(void *p)
{
	kvfree(p);
}

/*
 * The same for what must not fail: small, and in the hands of workers that
 * write dirty blocks back, which is what frees memory in the end.
 */
static inline void *port_alloc_must(size_t size)
{
	return kzalloc(size, GFP_NOIO | __GFP_NOFAIL);
}

/* A block of CPB_BLOCK_SIZE, not zeroed, fit for I/O; does not fail either. */
static inline void *port_alloc_block(void)
{
	return (void *)__get_free_page(GFP_NOIO | __GFP_NOFAIL);
}

static inline void port_free_block(void *p)
{
	free_page((unsigned long)p);
}

static inline u32 port_crc(u32 crc, const void *p, size_t len)
{
	return ~crc32c(~crc, p, len);
}

#define port_sort(base, nr, size, cmp)	sort(base, nr, size, cmp, NULL)
#define port_cond_resched()		cond_resched()

#else /* !__KERNEL__ */

#include "port_user.h"

#endif /* __KERNEL__ */
#endif /* CPB_PORT_H */
