/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The engine's port to userspace: what port.h takes from the kernel, for the
 * tools and the tests. Included by port.h only.
 *
 * Locks are real (pthreads), so that the engine can be measured and tested
 * with threads. RCU is not: what would be freed after a grace period waits on
 * a list until port_rcu_barrier(), which the caller runs when no lookup is
 * under way.
 */
#ifndef CPB_PORT_USER_H
#define CPB_PORT_USER_H

#include <endian.h>
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int64_t s64;

#define le16_to_cpu(x)	le16toh((u16)(x))
#define le32_to_cpu(x)	le32toh((u32)(x))
#define le64_to_cpu(x)	le64toh((u64)(x))
#define cpu_to_le16(x)	htole16(x)
#define cpu_to_le32(x)	htole32(x)
#define cpu_to_le64(x)	htole64(x)

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define BITS_PER_LONG	((unsigned int)(8 * sizeof(long)))
#define BIT(n)		(1UL << (n))
#define likely(x)	__builtin_expect(!!(x), 1)
#define unlikely(x)	__builtin_expect(!!(x), 0)
#define __acquires(l)
#define __must_hold(l)
#define __printf(a, b)	__attribute__((format(printf, a, b)))
#define __aligned(n)	__attribute__((aligned(n)))
#define __maybe_unused	__attribute__((unused))
#define fallthrough	__attribute__((fallthrough))
#define static_assert	_Static_assert

#define min(a, b) \
	({ __typeof__(a) min_a = (a); __typeof__(b) min_b = (b); \
	   min_a < min_b ? min_a : min_b; })
#define max(a, b) \
	({ __typeof__(a) max_a = (a); __typeof__(b) max_b = (b); \
	   max_a > max_b ? max_a : max_b; })
#define min3(a, b, c)	min(a, min(b, c))
#define min_t(t, a, b)	min((t)(a), (t)(b))
#define max_t(t, a, b)	max((t)(a), (t)(b))
#define swap(a, b) \
	do { __typeof__(a) swap_tmp = (a); (a) = (b); (b) = swap_tmp; } while (0)
#define DIV_ROUND_UP(n, d)	(((n) + (d) - 1) / (d))
#define round_up(x, a)	(DIV_ROUND_UP(x, a) * (a))
#define div64_u64(a, b)	((a) / (b))
#define container_of(p, type, member) \
	((type *)((char *)(p) - offsetof(type, member)))

#define READ_ONCE(x)	(*(const volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, v)	(*(volatile __typeof__(x) *)&(x) = (v))
#define smp_load_acquire(p)	__atomic_load_n(p, __ATOMIC_ACQUIRE)
#define smp_rmb()	__atomic_thread_fence(__ATOMIC_ACQUIRE)
#define smp_wmb()	__atomic_thread_fence(__ATOMIC_RELEASE)
#define smp_store_release(p, v)	__atomic_store_n(p, v, __ATOMIC_RELEASE)

static inline int fls64(u64 x)
{
	return x ? 64 - __builtin_clzll(x) : 0;
}

#define __ffs(x)	((unsigned int)__builtin_ctzl(x))
#define hweight_long(x)	((u32)__builtin_popcountl(x))

static inline u32 hash_64(u64 v, unsigned int bits)
{
	return (u32)((v * 0x61c8864680b583ebULL) >> (64 - bits));
}

typedef struct {
	long counter;
} atomic_long_t;

#define atomic_long_read(a)	__atomic_load_n(&(a)->counter, __ATOMIC_RELAXED)
#define atomic_long_set(a, v)	__atomic_store_n(&(a)->counter, v, __ATOMIC_RELAXED)
#define atomic_long_add(v, a)	__atomic_fetch_add(&(a)->counter, v, __ATOMIC_SEQ_CST)
#define atomic_long_inc(a)	atomic_long_add(1, a)
#define atomic_long_sub_return(v, a)	__atomic_sub_fetch(&(a)->counter, v, __ATOMIC_SEQ_CST)

/* ---- Lists ---- */

struct list_head {
	struct list_head *next, *prev;
};

static inline void INIT_LIST_HEAD(struct list_head *l)
{
	l->next = l;
	l->prev = l;
}

static inline bool list_empty(const struct list_head *l)
{
	return l->next == l;
}

static inline void list_add_tail(struct list_head *n, struct list_head *l)
{
	n->prev = l->prev;
	n->next = l;
	l->prev->next = n;
	l->prev = n;
}

static inline void list_add(struct list_head *n, struct list_head *l)
{
	list_add_tail(n, l->next);
}

static inline void list_del_init(struct list_head *n)
{
	n->prev->next = n->next;
	n->next->prev = n->prev;
	INIT_LIST_HEAD(n);
}

#define list_del(n)	list_del_init(n)

static inline void list_move_tail(struct list_head *n, struct list_head *l)
{
	list_del_init(n);
	list_add_tail(n, l);
}

static inline void list_splice_tail_init(struct list_head *from,
					 struct list_head *to)
{
	if (list_empty(from))
		return;
	from->next->prev = to->prev;
	to->prev->next = from->next;
	from->prev->next = to;
	to->prev = from->prev;
	INIT_LIST_HEAD(from);
}

#define list_entry(p, type, member)	container_of(p, type, member)
#define list_first_entry(l, type, member) \
	list_entry((l)->next, type, member)
#define list_last_entry(l, type, member) \
	list_entry((l)->prev, type, member)
#define list_first_entry_or_null(l, type, member) \
	(list_empty(l) ? NULL : list_first_entry(l, type, member))
#define list_next_entry(p, member) \
	list_entry((p)->member.next, __typeof__(*(p)), member)
#define list_for_each_entry(p, l, member)				\
	for (p = list_first_entry(l, __typeof__(*p), member);		\
	     &p->member != (l); p = list_next_entry(p, member))
#define list_for_each_entry_safe(p, n, l, member)			\
	for (p = list_first_entry(l, __typeof__(*p), member),		\
	     n = list_next_entry(p, member);				\
	     &p->member != (l); p = n, n = list_next_entry(n, member))

typedef int (*list_cmp_func_t)(void *priv, const struct list_head *a,
			       const struct list_head *b);
void list_sort(void *priv, struct list_head *l, list_cmp_func_t cmp);

/* ---- Locks ---- */

typedef pthread_mutex_t port_lock_t;
#define port_lock_init(l)	pthread_mutex_init(l, NULL)
#define port_lock(l)		((unsigned long)pthread_mutex_lock(l))
#define port_unlock(l, flags)	((void)(flags), (void)pthread_mutex_unlock(l))
#define port_assert_held(l)	((void)(l))

typedef pthread_mutex_t port_mutex_t;
#define port_mutex_init(m)	pthread_mutex_init(m, NULL)
#define port_mutex_lock(m)	((void)pthread_mutex_lock(m))
#define port_mutex_trylock(m)	(!pthread_mutex_trylock(m))
#define port_mutex_unlock(m)	((void)pthread_mutex_unlock(m))
#define port_mutex_destroy(m)	((void)pthread_mutex_destroy(m))

typedef sem_t port_sem_t;
#define port_sem_init(m)	sem_init(m, 0, 1)
#define port_sem_lock(m)	do { } while (sem_wait(m))
#define port_sem_trylock(m)	(!sem_trywait(m))
#define port_sem_unlock(m)	((void)sem_post(m))
#define port_sem_destroy(m)	((void)sem_destroy(m))

typedef int port_wait_t;
#define port_wait_init(w)	((void)(w))
#define port_wait_wake(w)	((void)(w))
#define port_wait_active(w)	((void)(w), false)
#define port_wait_event(w, c)	do { while (!(c)) sched_yield(); } while (0)

typedef unsigned int port_seq_t;
#define port_seq_init(s)	((void)(*(s) = 0))
#define port_seq_begin(s)	__atomic_load_n(s, __ATOMIC_ACQUIRE)

static inline bool port_seq_retry(const port_seq_t *s, unsigned int v)
{
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return (v & 1) || __atomic_load_n(s, __ATOMIC_RELAXED) != v;
}

static inline void port_seq_write(port_seq_t *s)
{
	__atomic_store_n(s, *s + 1, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

static inline void port_seq_done(port_seq_t *s)
{
	__atomic_store_n(s, *s + 1, __ATOMIC_RELEASE);
}

typedef struct port_rcu {
	struct port_rcu *next;
	void (*fn)(struct port_rcu *head);
} port_rcu_t;

#define port_rcu_lock()		((void)0)
#define port_rcu_unlock()	((void)0)
void port_rcu_call(port_rcu_t *head, void (*fn)(port_rcu_t *head));
void port_rcu_barrier(void);

typedef struct port_ref {
	long count;		/* one for the owner until it is killed */
	bool dead;
	void (*fn)(struct port_ref *r);
} port_ref_t;

static inline int port_ref_init(port_ref_t *r, void (*fn)(port_ref_t *r))
{
	r->count = 1;
	r->dead = false;
	r->fn = fn;
	return 0;
}

static inline bool port_ref_tryget(port_ref_t *r)
{
	if (__atomic_load_n(&r->dead, __ATOMIC_ACQUIRE))
		return false;
	__atomic_fetch_add(&r->count, 1, __ATOMIC_ACQ_REL);
	return true;
}

static inline void port_ref_put(port_ref_t *r)
{
	if (__atomic_fetch_sub(&r->count, 1, __ATOMIC_ACQ_REL) == 1)
		r->fn(r);
}

static inline void port_ref_kill(port_ref_t *r)
{
	__atomic_store_n(&r->dead, true, __ATOMIC_RELEASE);
	port_ref_put(r);
}

#define port_ref_exit(r)	((void)(r))

/* ---- Memory ---- */

/* What the next allocations answer; for tests of what follows a refusal. */
extern long port_alloc_budget;	/* < 0: no limit */

void *port_alloc(size_t size);
void *port_alloc_must(size_t size);
void port_free(void *p);
void *port_alloc_block(void);
void port_free_block(void *p);
u32 port_crc(u32 crc, const void *p, size_t len);

#define port_sort(base, nr, size, cmp)	qsort(base, nr, size, cmp)
#define port_cond_resched()		((void)0)

/* ---- Bitmaps of longs, as the kernel has them ---- */

static inline bool test_bit(u64 nr, const unsigned long *map)
{
	return (map[nr / BITS_PER_LONG] >> (nr % BITS_PER_LONG)) & 1;
}

#endif /* CPB_PORT_USER_H */
