#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What can't be done is refused with a sentence, and nothing is lost by it.
#
# timeout: 120
# kernels: 6.1 6.12
# modules: null_blk loop ext4
# programs: setpriv noise

. "${0%/*}/lib.sh"

mnt=/tmp/mnt
mkdir -p $mnt

# usage_error COMMAND...: exit code 2, and where to read on.
usage_error()
{
	local rc=0 output

	output=$("$@" 2>&1) || rc=$?
	[ $rc = 2 ] || fail "exit code $rc, not 2: $*: $output"
	[[ $output =~ usage|--help ]] || fail "no help: $*: $output"
}

# ---- Devices ----

make_null_blk host 256
host=$REPLY
mkfs.ext4 -q -L precious "$host"
make_null_blk spare 64
spare=$REPLY
expect_fail "ext4 'precious'" cpblk format s "$host" "$spare"
expect_fail "ext4 'precious'" cpblk format s "$spare" "$host"
mount "$host" $mnt
at_exit umount $mnt
expect_fail "mounted on $mnt" cpblk format s "$host" "$spare"
expect_fail "mounted|in use" cpblk check "$host" "$spare"
expect_fail "one" cpblk format s "$spare" "$spare"
expect_fail "No such file" cpblk format s /dev/nosuch "$spare"
expect_fail "neither" cpblk format s /dev/null "$spare"
usage_error cpblk format "bad name" "$spare" "$spare"
usage_error cpblk format s "$spare"

# Two stores in files, to be mixed up and broken.
cd $mnt
for store in a b; do
	truncate -s 20M $store.meta
	truncate -s 32M $store.data
	cpblk format $store $store.meta $store.data
done
truncate -s 1M small
expect_fail "smaller than" cpblk format s small b.data --force
mkfs.ext4 -q -F -L kept a-filesystem 8M
expect_fail "smaller than" cpblk format s a-filesystem b.data --force
e2fsck -fn a-filesystem
cpblk check b.meta b.data
cpblk open a.meta a.data
cpblk create vm 16M
dd if=/usr/bin/bash of="$(dev_for vm)" bs=64k count=16 oflag=direct status=none
cpblk snap vm
cpblk close

expect_fail "cannot open the store" cpblk open a.data a.meta
expect_fail "cannot read the store" cpblk check a.data a.meta
expect_fail "belong" cpblk open a.meta b.data
expect_fail "belong" cpblk check a.meta b.data
expect_fail "holds no cpblk store" cpblk open "$spare" a.data
expect_fail "No such file" cpblk open a.meta nosuch
expect_fail "need a device each|in use" cpblk open a.meta a.meta
expect_fail "neither" cpblk check a.meta /dev/null
t=/tmp/t
cp a.meta $t.meta
cp a.data $t.data
truncate -s 16M $t.data
expect_fail "small" cpblk open $t.meta $t.data
expect_fail "small" cpblk check $t.meta $t.data
truncate -s 32M $t.data
truncate -s 12M $t.meta
expect_fail "small" cpblk open $t.meta $t.data
expect_fail "small" cpblk check $t.meta $t.data
: >$t.meta
expect_fail "." cpblk open $t.meta $t.data
expect_fail "." cpblk check $t.meta $t.data

# A superblock of someone else's, one with a bad checksum, and both copies bad.
# (The byte is behind the name: those of times may well be an x already.)
cp a.meta $t.meta
mkfs.ext4 -q -F $t.meta
expect_fail "no cpblk store" cpblk open $t.meta a.data
cp a.meta $t.meta
printf x | dd of=$t.meta bs=1 seek=150 conv=notrunc status=none
cpblk check $t.meta a.data
printf x | dd of=$t.meta bs=1 seek=$((256 * 4096 + 150)) conv=notrunc status=none
expect_fail "neither superblock is valid" cpblk check $t.meta a.data
expect_fail "neither superblock is valid" cpblk open $t.meta a.data
rm $t.meta $t.data
ok "devices"

# ---- Names ----

cpblk open a.meta a.data
dev=$(dev_for vm)
expect_fail "no volume 'nosuch'" cpblk resize nosuch 1G
expect_fail "nosuch" cpblk snap nosuch
expect_fail "nosuch" cpblk remove nosuch
for command in "restore vm@nosuch" "rm vm@nosuch" "attach vm@nosuch" \
	"detach vm@nosuch" "fork vm@nosuch new"; do
	# shellcheck disable=SC2086 # a command
	expect_fail "no checkpoint 'nosuch'" cpblk $command
done
expect_fail "beyond the first" cpblk restore vm@HEAD~7
expect_fail "number 77777" cpblk rm :77777
expect_fail "no store 'nosuch'" cpblk -s nosuch ls
expect_fail "exist|already" cpblk create vm 1M
expect_fail "exist|already" cpblk snap vm@v1
expect_fail "exist|already" cpblk fork vm@v1 vm
expect_fail "multiple" cpblk create odd 12345
expect_fail "not attached" cpblk detach vm@v1
expect_fail "no restore to undo" cpblk undo vm
usage_error cpblk create "a/b" 1M
usage_error cpblk create new lots
usage_error cpblk snap vm@HEAD
usage_error cpblk nosuch
usage_error cpblk snap --nosuch vm
ok "names"

# ---- Users ----

for command in "snap vm" "create new 1M" "restore vm@v1" "close" "rm vm@v1" \
	"attach vm@v1" "sync" "remove vm"; do
	# shellcheck disable=SC2086 # a command
	expect_fail "not permitted|root|CAP_SYS_ADMIN" setpriv --reuid=65534 \
		--regid=65534 --clear-groups cpblk $command
done
ok "users"

# ---- What is in use ----

exec 3<"$dev"
expect_fail "open in a program|in use" cpblk remove vm
expect_fail "open in a program|in use" cpblk close
exec 3<&-
cpblk attach vm@v1
expect_fail "attached|pinned|in use" cpblk rm vm@v1
expect_fail "attached|pinned|in use" cpblk remove vm
exec 3<"$(dev_for vm@v1)"
expect_fail "in use" cpblk detach vm@v1
if dd if=/dev/zero of="$(dev_for vm@v1)" bs=4k count=1 oflag=direct 2>/dev/null; then
	fail "a checkpoint was written to"
fi
exec 3<&-
cpblk detach vm@v1
cmp -n $((1 << 20)) "$dev" /usr/bin/bash
cpblk create fs 16M
mkfs.ext4 -q "$(dev_for fs)"
cpblk snap fs
mkdir -p "/tmp/some place"
mount "$(dev_for fs)" "/tmp/some place"
expect_fail "mounted on /tmp/some place" cpblk restore fs@v1
expect_fail "mounted on /tmp/some place" cpblk remove fs
expect_fail "mounted on /tmp/some place" cpblk close
echo kept >"/tmp/some place/file"
umount "/tmp/some place"
mount -o ro "$(dev_for fs)" "/tmp/some place"
grep -q kept "/tmp/some place/file"
umount "/tmp/some place"
cpblk remove fs
ok "what is in use"

# sum: of the first 8 MiB of the volume
sum()
{
	noise sum "$big" 0 8
}

# ---- A full store: 32 MiB ----

cpblk create big 1G
big=$(dev_for big)
noise write "$big" 0 8
sum=$(sum)
cpblk snap big
expect_fail "No space left" noise write "$big" 0 64
expect_fail "No space left" noise write "$dev" 0 1
# Nothing blocks what gives space back, and no checkpoint has changed.
cpblk snap big -n full
cpblk restore big@v1
[ "$(sum)" = "$sum" ] || fail "the checkpoint has changed"
cpblk rm big@before-restore-1 big@full
cpblk sync --reclaim
noise write "$big" 0 8
blkdiscard "$big"
cpblk restore --no-safety big@v1
[ "$(sum)" = "$sum" ] || fail "the checkpoint has changed"
expect_fail "No space left" noise write "$big" 0 64
blkdiscard "$big"
cpblk remove big
cpblk sync --reclaim
dd if=/usr/bin/bash of="$dev" bs=64k count=16 oflag=direct conv=notrunc status=none
cpblk restore vm@v1
cmp -n $((1 << 20)) "$dev" /usr/bin/bash
ok "a full store"

finish_store a a.meta a.data
check_store b.meta b.data
cd /
