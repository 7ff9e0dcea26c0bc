#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# cpblk hook exec: a program is run before and after operations, can refuse
# them, and whether it dies, hangs, or its agent does, the operation ends.
#
# timeout: 120
# kernels: 6.1 6.12
# modules: null_blk

. "${0%/*}/lib.sh"

# Seconds: for what needs no time at all, and for a program that must not be cut short.
PATIENCE=$(by_speed 10 60)
TIMEOUT=$(by_speed 5 15)

make_store tank 64 256
cpblk create vm1 32M
dev=$(dev_for vm1)

# What it does at the step "prepare" is in /tmp/answer.
cat >/tmp/program <<'END'
#!/bin/bash
echo "$CPBLK_STEP $CPBLK_OPERATION $CPBLK_STORE $CPBLK_VOLUMES $CPBLK_DEVICES" \
	"$CPBLK_CHECKPOINT $CPBLK_GENERATION $*" >>/tmp/steps
[ "$CPBLK_STEP" != prepare ] || . /tmp/answer
END
chmod +x /tmp/program
: >/tmp/answer
: >/tmp/steps

# stop PID: it may have gone by itself.
stop()
{
	kill -KILL "$1" 2>/dev/null || true
	wait "$1" 2>/dev/null || true
}

# agent OPTION...: answers for vm1 from now on; what it says is in /tmp/agent.
agent()
{
	cpblk hook exec "$@" vm1 -- /tmp/program -x >/tmp/agent 2>&1 &
	AGENT=$!
	at_exit stop $AGENT
	wait_for "$PATIENCE" grep -q '^answering for vm1 of store tank' /tmp/agent
}

# step LINE: it was run for this.
step()
{
	wait_for "$PATIENCE" grep -qx "$1 -x" /tmp/steps || fail "no '$1': $(cat /tmp/steps /tmp/agent)"
}

write()
{
	echo "$1" | dd of="$dev" oflag=direct bs=512 conv=sync status=none
}

# reads WORD: what the disk begins with.
reads()
{
	local has

	has=$(dd if="$dev" iflag=direct bs=512 count=1 status=none | tr -d '\0')
	[ "$has" = "$1" ] || fail "the disk has '$has', not '$1'"
}

agent --timeout "$TIMEOUT"
write old
cpblk snap vm1@a
step "prepare checkpoint tank vm1 $dev a 0"
step "committed checkpoint tank vm1 $dev a 0"
write new
cpblk restore vm1@a
step "prepare restore tank vm1 $dev a 0"
step "committed restore tank vm1 $dev a 1"
reads old
ok "the program hears each step, and the operation is done"

write new
echo 'echo "busy until noon"; exit 3' >/tmp/answer
expect_fail 'cpblk hook exec.* refuses: busy until noon' cpblk restore vm1@a
step "aborted restore tank vm1 $dev a 1"
reads new
echo 'exit 3' >/tmp/answer
expect_fail 'refuses: /tmp/program ended with exit code 3' cpblk restore vm1@a
# shellcheck disable=SC2016 # for the program
echo 'kill -KILL $$' >/tmp/answer
expect_fail 'refuses: /tmp/program died of signal 9' cpblk restore vm1@a
echo 'sleep 60' >/tmp/answer
start=$SECONDS
expect_fail 'refuses: /tmp/program took too long' cpblk restore vm1@a
[ $((SECONDS - start)) -lt $((TIMEOUT + 15)) ] || fail "it took $((SECONDS - start)) s to refuse"
reads new
ok "the program refuses by its exit code, also if it dies or hangs"

# ended PID: no such process runs; its parent may not have seen that
ended()
{
	! grep -q '^State:.*[^Z] (' "/proc/$1/status" 2>/dev/null
}

# caught SIGNAL: the agent gets it while its program runs for a restore, which fails
caught()
{
	local restore rc=0

	write new
	rm -f /tmp/asked
	: >/tmp/steps
	cpblk restore vm1@a >/tmp/said 2>&1 &
	restore=$!
	wait_for "$PATIENCE" test -e /tmp/asked
	kill "-$1" $AGENT
	wait $restore || rc=$?
	[ $rc = 1 ] || fail "exit code $rc without the agent: $(cat /tmp/said)"
	reads new
}

# shellcheck disable=SC2016 # for the program
echo 'sleep 1000 & echo $$ $! >/tmp/running; touch /tmp/asked; wait' >/tmp/answer
caught TERM
grep "refuses: /tmp/program was interrupted" /tmp/said
step "aborted restore tank vm1 $dev a 1"
wait $AGENT || fail "exit code $? of an agent that was interrupted"
read -r program child </tmp/running
wait_for "$PATIENCE" ended "$program"
wait_for "$PATIENCE" ended "$child"
ok "an agent that is interrupted ends its program, and that hears so"

agent --timeout "$TIMEOUT"
caught KILL
read -r program child </tmp/running
wait_for "$PATIENCE" ended "$program"
kill "$child"
cpblk restore vm1@a
reads old
ok "if the agent dies, the operation is aborted, and the next one is free"

: >/tmp/answer
: >/tmp/steps
write new
agent --on restore --timeout "$(by_speed 1 8)" --go-on
kill -STOP $AGENT
cpblk restore vm1@a
kill -CONT $AGENT
reads old
cpblk snap vm1@b
wait_for "$PATIENCE" grep -q '^committed restore' /tmp/steps
! grep checkpoint /tmp/steps || fail "asked about what it did not want to hear of"
stop $AGENT
ok "a silent agent does not stop what it wants to go on"
finish_store tank "$META" "$DATA"
