#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The protocol of the running driver is the one that is specified, and changes
# are for the administrator only.
#
# timeout: 60
# modules: null_blk
# programs: speccheck setpriv

. "${0%/*}/lib.sh"

speccheck --kernel
ok "operations, policies and groups are as in include/cpblk.yaml"

make_store s 32 64
cpblk create vm 1G
cpblk snap vm@one

# As nobody: looking is allowed, changing anything is not.
nobody=(setpriv --reuid 65534 --regid 65534 --clear-groups)
"${nobody[@]}" cpblk ls vm | has 'vm@one' || fail "nobody cannot look"
"${nobody[@]}" cpblk status >/dev/null
for change in "create more 1G" "remove vm" "resize vm 2G" "snap vm" \
	"restore vm@one" "fork vm@one more" "rm vm@one" "attach vm@one" \
	"detach vm@one" "sync" "close" "open $META $DATA"; do
	# shellcheck disable=SC2086 # words
	expect_fail 'only root \(CAP_NET_ADMIN\) may do this|cannot open .*: Permission denied' \
		"${nobody[@]}" cpblk $change
done
[ "$(cpblk ls vm | grep -c vm@)" = 1 ] || fail "something changed"
ok "nobody can look, and change nothing"
finish_store s "$META" "$DATA"
