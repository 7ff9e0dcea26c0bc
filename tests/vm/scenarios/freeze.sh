#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Filesystems of the host: frozen for a checkpoint and thawed whatever happens;
# taken off for a restore and mounted again as they were, or not touched.
#
# timeout: 180
# kernels: 6.1 6.12
# modules: null_blk ext4 xfs dm-mod
# programs: unshare

. "${0%/*}/lib.sh"

mnt=/tmp/mnt
mkdir -p $mnt $mnt.too $mnt.part $mnt.lv /tmp/look

# writable PATH: a write there is not held back
writable()
{
	timeout -s KILL 5 dd if=/dev/zero of="$1/writable" bs=4K count=1 \
		conv=fsync status=none
}

# options PATH: what is mounted there, and how
options()
{
	findmnt -n -o SOURCE,TARGET,FSTYPE,OPTIONS "$1"
}

make_store host 64 768
cpblk create a 64M
cpblk create b 320M
cpblk create parts 64M
a=$(dev_for a) b=$(dev_for b) parts=$(dev_for parts)
mkfs.ext4 -q "$a"
mkfs.xfs -q "$b"
sfdisk -q "$parts" <<<'size=32M'
wait_for 5 test -b "${parts}p1"
mkfs.ext4 -q "${parts}p1"
mount -o noatime,nodev,commit=7 "$a" $mnt
mount "$b" $mnt.too
mount "${parts}p1" $mnt.part

# ---- Freezing

# What no program has synced is in the checkpoint, and nothing is to recover.
echo "not synced" >$mnt/file
echo "not synced" >$mnt.too/file
cpblk snap --freeze a b parts | tee /tmp/said
for where in $mnt $mnt.too $mnt.part; do
	grep -qw "$where" /tmp/said || fail "$where was not frozen"
	writable "$where"
done
cpblk attach a@v1 b@v1
e2fsck -fn "$(dev_for a@v1)"
! dumpe2fs -h "$(dev_for a@v1)" 2>/dev/null | has needs_recovery ||
	fail "there is something to recover"
mount -o ro,noload "$(dev_for a@v1)" /tmp/look
[ "$(</tmp/look/file)" = "not synced" ] || fail "the checkpoint lacks the file on ext4"
umount /tmp/look
mount -o ro,norecovery,nouuid "$(dev_for b@v1)" /tmp/look
[ "$(</tmp/look/file)" = "not synced" ] || fail "the checkpoint lacks the file on XFS"
umount /tmp/look
cpblk detach a@v1 b@v1
ok "a frozen filesystem is whole in the checkpoint"

# Logical volumes upon a volume are frozen too.
cpblk create lvm 128M
pvcreate -qq -y "$(dev_for lvm)"
vgcreate -qq vg "$(dev_for lvm)"
lvcreate -qq -y -n lv -L 64M vg
mkfs.ext4 -q /dev/vg/lv
mount /dev/vg/lv $mnt.lv
cpblk snap --freeze lvm | has -w $mnt.lv || fail "the logical volume was not frozen"
writable $mnt.lv
expect_fail "used by dm-" cpblk restore --remount lvm@v1
umount $mnt.lv
vgchange -qq -an vg
cpblk snap --freeze lvm | grep "nothing was frozen"

# All ways out thaw: a refusal by the driver, by the tool, ...
expect_fail "a checkpoint a@v1 already" cpblk snap --freeze a@v1
writable $mnt
expect_fail "no volume 'nope'" cpblk snap --freeze a nope
writable $mnt
# ... a filesystem that someone else has frozen, and who keeps it so, ...
fsfreeze -f $mnt
expect_fail "$mnt is frozen already" cpblk snap --freeze a b
writable $mnt.too
(sleep 0.5; echo held back >/tmp/thawing; fsfreeze -u $mnt) &
writable $mnt
[ -e /tmp/thawing ] || fail "what another has frozen was thawed"
# ... death while frozen, ...

# frozen PATH: writing there is held back: it sleeps, and goes on sleeping
frozen()
{
	local writer asleep=0 stat

	dd if=/dev/zero of="$1/frozen" bs=4K count=1 status=none &
	writer=$!
	while [ $asleep -lt 5 ] && read -r stat <"/proc/$writer/stat"; do
		case ${stat##*) } in
		D*)	asleep=$((asleep + 1)) ;;
		Z*)	break ;;
		*)	asleep=0 ;;
		esac
		sleep 0.1
	done 2>/dev/null
	[ $asleep -lt 5 ] || return 0
	wait $writer
	return 1
}

# A hook keeps it so: it is asked when the filesystem is frozen, and takes its time.
cat >/tmp/hook <<'END'
#!/bin/bash
[ "$CPBLK_STEP" = prepare ] || exit 0
: >/tmp/asked
while [ -e /tmp/hold ]; do sleep 0.1; done
rm /tmp/asked
END
chmod +x /tmp/hook
cpblk hook exec --timeout 100 b -- /tmp/hook >/tmp/agent 2>&1 &
agent=$!
wait_for 30 grep -q '^answering for b of store host' /tmp/agent

# snap_slowly LIMIT: a snap that keeps $mnt.too frozen: $SNAP
snap_slowly()
{
	: >/tmp/hold
	cpblk snap --freeze --freeze-limit "$1" b >/dev/null &
	SNAP=$!
	wait_for 30 test -e /tmp/asked
	frozen $mnt.too || fail "not frozen when hooks are asked"
}

let_hook_go()
{
	rm /tmp/hold
	wait_for 30 test ! -e /tmp/asked
}
for signal in TERM KILL; do
	snap_slowly 60
	kill -$signal $SNAP
	! wait $SNAP || fail "SIG$signal did not end it"
	wait_for 30 writable $mnt.too
	let_hook_go
	ok "thawed after SIG$signal"
done

# ... and the time limit, when the command itself cannot do anything.
limit=$(by_speed 5 30)
snap_slowly $limit
kill -STOP $SNAP
wait_for $((limit + 30)) writable $mnt.too
let_hook_go
kill -CONT $SNAP
! wait $SNAP || fail "it was not frozen until the end, and nothing is said of it"
ok "thawed when the time limit had passed"
kill $agent
wait $agent || true

# ---- Restoring beneath a mount

expect_fail "mounted on $mnt; .*--force or --remount" cpblk restore a@v1
options $mnt >/tmp/before
echo "after the checkpoint" >$mnt/file
cpblk restore --remount a@v1 | tee /tmp/said
grep -q "mounted again: $mnt\$" /tmp/said || fail "it does not say what was mounted"
options $mnt | diff /tmp/before -
[ "$(<$mnt/file)" = "not synced" ] || fail "not restored"
cpblk undo --remount a
options $mnt | diff /tmp/before -
[ "$(<$mnt/file)" = "after the checkpoint" ] || fail "not undone"
cpblk restore --remount --json parts@v1 | grep "$mnt.part"
mountpoint -q $mnt.part || fail "the partition is not mounted again"

# held HOW COMMAND...: with somebody on the filesystem nothing happens
held()
{
	local generation

	generation=$(<"/sys/block/${a#/dev/}/cpblk/generation")
	expect_fail "cannot unmount $mnt: $1" cpblk restore --remount a@v1
	options $mnt | diff /tmp/before -
	[ "$(</sys/block/"${a#/dev/}"/cpblk/generation)" = "$generation" ] ||
		fail "it was restored all the same"
}
exec 5>$mnt/open
held "process $$ \(bash\) has a file open there"
exec 5>&-
cd $mnt
held "process $$ \(bash\) has its working directory there"
cd /
mkdir $mnt/upon
mount -t tmpfs tmpfs $mnt/upon
held "$mnt/upon is mounted upon it"
umount $mnt/upon

# Two mounts of one filesystem; the second one can be unmounted, the first not.
mkdir -p $mnt.again
mount -o ro "$a" $mnt.again 2>/dev/null || mount "$a" $mnt.again
options $mnt.again >/tmp/again
cd $mnt
held "process $$ \(bash\) has its working directory there"
cd /
options $mnt.again | diff /tmp/again -
cpblk restore --remount a@v1
options $mnt | diff /tmp/before -
options $mnt.again | diff /tmp/again -
umount $mnt.again

# Another namespace has it mounted: unmounting works and yet is not enough.
unshare -m sleep 100 &
sleeper=$!
wait_for 5 grep -q $mnt /proc/$sleeper/mountinfo
sleep 0.5
expect_fail "process $sleeper \(sleep\) has it mounted" cpblk restore --remount a@v1
kill $sleeper
wait $sleeper || true
options $mnt | diff /tmp/before -
cpblk restore --remount a@v1
ok "mounted again as it was"

umount $mnt $mnt.too $mnt.part
e2fsck -fn "$a"
xfs_repair -n "$b"
finish_store host "$META" "$DATA"
