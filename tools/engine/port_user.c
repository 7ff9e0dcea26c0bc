// SPDX-License-Identifier: GPL-2.0
/*
 * The engine's port to userspace: the functions behind port_user.h.
 */
#include <nmmintrin.h>

#include "../../kmod/core/port.h"

long port_alloc_budget = -1;

/* Aligned as the strictest of the engine's structures asks for. */
static void *alloc_zeroed(size_t size)
{
	void *p;

	if (posix_memalign(&p, 64, size))
		return NULL;
	return memset(p, 0, size);
}

void *port_alloc(size_t size)
{
	if (!port_alloc_budget)
		return NULL;
	if (port_alloc_budget > 0)
		port_alloc_budget--;
	return alloc_zeroed(size);
}

void *port_alloc_must(size_t size)
{
	void *p = alloc_zeroed(size);

	if (!p)
		abort();
	return p;
}

void port_free(void *p)
{
	free(p);
}

void *port_alloc_block(void)
{
	void *p = aligned_alloc(4096, 4096);

	if (!p)
		abort();
	return p;
}

void port_free_block(void *p)
{
	free(p);
}

static u32 crc_table[256];

static void crc_init(void)
{
	u32 i, j, c;

	for (i = 0; i < 256; i++) {
		for (c = i, j = 0; j < 8; j++)
			c = c & 1 ? c >> 1 ^ 0x82f63b78 : c >> 1;
		crc_table[i] = c;
	}
}

static u32 crc_bytes(u32 crc, const u8 *p, size_t len)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, crc_init);
	while (len--)
		crc = crc_table[(crc ^ *p++) & 0xff] ^ crc >> 8;
	return crc;
}

__attribute__((target("sse4.2")))
static u32 crc_words(u32 crc, const u8 *p, size_t len)
{
	u64 c = crc, w;

	for (; len >= 8; len -= 8, p += 8) {
		memcpy(&w, p, 8);
		c = _mm_crc32_u64(c, w);
	}
	for (; len; len--)
		c = _mm_crc32_u8(c, *p++);
	return c;
}

u32 port_crc(u32 crc, const void *p, size_t len)
{
	if (__builtin_cpu_supports("sse4.2"))
		return ~crc_words(~crc, p, len);
	return ~crc_bytes(~crc, p, len);
}

/* Merge sort, stable, as the kernel's. */
void list_sort(void *priv, struct list_head *l, list_cmp_func_t cmp)
{
	struct list_head left, right, *at;
	size_t n = 0, i;

	for (at = l->next; at != l; at = at->next)
		n++;
	if (n < 2)
		return;
	INIT_LIST_HEAD(&left);
	INIT_LIST_HEAD(&right);
	for (i = 0; i < n; i++) {
		at = l->next;
		list_move_tail(at, i < n / 2 ? &left : &right);
	}
	list_sort(priv, &left, cmp);
	list_sort(priv, &right, cmp);
	while (!list_empty(&left) && !list_empty(&right)) {
		at = cmp(priv, left.next, right.next) <= 0 ? left.next : right.next;
		list_move_tail(at, l);
	}
	list_splice_tail_init(&left, l);
	list_splice_tail_init(&right, l);
}

/* ---- RCU ---- */

static pthread_mutex_t rcu_lock = PTHREAD_MUTEX_INITIALIZER;
static port_rcu_t *rcu_list;

void port_rcu_call(port_rcu_t *head, void (*fn)(port_rcu_t *head))
{
	pthread_mutex_lock(&rcu_lock);
	head->fn = fn;
	head->next = rcu_list;
	rcu_list = head;
	pthread_mutex_unlock(&rcu_lock);
}

void port_rcu_barrier(void)
{
	port_rcu_t *head, *next;

	pthread_mutex_lock(&rcu_lock);
	head = rcu_list;
	rcu_list = NULL;
	pthread_mutex_unlock(&rcu_lock);
	for (; head; head = next) {
		next = head->next;
		head->fn(head);
	}
}
