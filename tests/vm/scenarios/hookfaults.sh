#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Every fault in the handshake with hooks: messages that are lost, late, repeated
# or forged, sockets that are wrong or unprivileged, deaths at each step.
#
# timeout: 60
# modules: null_blk
# programs: hookfaults

. "${0%/*}/lib.sh"

make_store tank 64 256
cpblk create vm1 32M
cpblk create vm2 32M

hookfaults tank vm1 vm2 >/tmp/faults
head -n 1 /tmp/faults
sed -n '/^handshake_/p' /tmp/faults | while read -r name value; do
	figure "$name" "$value"
done
ok "no fault leaves anything stuck or in between"
finish_store tank "$META" "$DATA"
