#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Hooks: they are asked, hear how it ended, and can refuse; with the example
# client that users are shown.
#
# timeout: 120
# modules: null_blk
# programs: hookclient

. "${0%/*}/lib.sh"

make_store tank 64 256
cpblk create vm1 32M
cpblk create vm2 32M
dev=$(dev_for vm1)

# stop PID: it may have gone by itself.
stop()
{
	kill -KILL "$1" 2>/dev/null || true
}

# client NAME ARGUMENT...: the example client, with what it says in /tmp/NAME.
client()
{
	local name=$1

	shift
	hookclient "$@" >"/tmp/$name" 2>&1 &
	eval "$name=$!"
	at_exit stop "$!"
	wait_for 10 grep -q '^hook ' "/tmp/$name"
}

heard()
{
	wait_for 10 grep -qx "$2" "/tmp/$1" || fail "$1 heard: $(cat "/tmp/$1")"
}

client one tank vm1
cpblk snap vm1@a
heard one 'prepare checkpoint vm1@a generation 0'
heard one 'committed checkpoint vm1@a generation 0'
echo new | dd of="$dev" oflag=direct bs=512 conv=sync status=none
cpblk restore vm1@a
heard one 'prepare restore vm1@a generation 0'
heard one 'committed restore vm1@a generation 1'
cpblk snap vm2@a
grep vm2 /tmp/one && fail "a hook was asked about another's volume"
ok "a hook is asked about its volume, and hears how it ended"

# One that refuses; the other one hears that nothing was done.
client two -r "not now" tank
expect_fail 'hook 2 \(hookclient\) of process [0-9]+ refuses: not now' \
	cpblk snap vm1@b
heard two 'prepare checkpoint vm1@b generation 1'
heard one 'aborted checkpoint: hook 2 .* refuses: not now vm1@b generation 1'
cpblk ls vm1 | grep '@b ' && fail "a checkpoint was taken that was refused"
kill "$two"
wait "$two" || true
wait_for 10 cpblk snap vm1@b
ok "who refuses aborts the operation"
finish_store tank "$META" "$DATA"
