# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# Whether the kernel complained: in its log, in its taint flags, or in what
# kmemleak finds. Sourced, never run.

SPLAT='WARNING: |BUG[: ]|KASAN|UBSAN|KFENCE|KCSAN'
SPLAT+='|Oops|Call Trace.*cpblk|general protection|Unable to handle'
SPLAT+='|possible (circular|recursive|irq|unsafe)|lock held when returning'
SPLAT+='|suspicious RCU|bad unlock balance|held lock freed|lockdep'
SPLAT+='|INFO: task .* blocked|hung_task|soft lockup|hard LOCKUP'
SPLAT+='|rcu.*(stall|self-detected)|workqueue lockup|scheduling while atomic'
SPLAT+='|sleeping function called|ODEBUG|kmemleak: [0-9]+ new'
SPLAT+='|refcount_t|list_(add|del) corruption|Object .* overwritten'
SPLAT+='|Poison overwritten|Redzone|Bad page|bad page|stack segment'
SPLAT+='|still has [0-9]+ users|Objects remaining'

# Taint flags that only a bug sets: bad page, died, warning, soft lockup.
TAINT_MASK=$((1 << 5 | 1 << 7 | 1 << 9 | 1 << 14))

taint()
{
	echo $(($(</proc/sys/kernel/tainted) & TAINT_MASK))
}

# Forget what the kernel said so far.
health_mark()
{
	dmesg -c >/dev/null
	HEALTH_TAINT=$(taint)
}

# Fails, with HEALTH saying why, if the kernel complained since the mark. The
# console shows warnings as they come; the whole log follows a failure.
health_check()
{
	local rc=0

	dmesg >/tmp/dmesg
	HEALTH=$(grep -m 1 -E -e "$SPLAT" /tmp/dmesg) || rc=$?
	case $rc in
	0)	HEALTH="kernel says: ${HEALTH#*] }" ;;
	1)	[ "$(taint)" = "$HEALTH_TAINT" ] ||
			HEALTH="the kernel is tainted: $(taint)" ;;
	*)	HEALTH="cannot search the kernel log" ;;
	esac
	[ -n "$HEALTH" ] || return 0
	echo "----- kernel log"
	cat /tmp/dmesg
	return 1
}

# Fails if memory leaked. Two scans, since an object counts as leaked only
# when it is some seconds old, and one scan can meet pointers on the move.
leak_check()
{
	local file=/sys/kernel/debug/kmemleak

	echo scan >"$file"
	sleep 6
	echo scan >"$file"
	! grep . "$file"
}
