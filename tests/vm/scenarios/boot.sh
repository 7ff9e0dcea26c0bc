#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The kernel boots, and the module (loaded by the harness, if it is there)
# says so in sysfs. That it unloads again is checked after every scenario.
#
# timeout: 30

. "${0%/*}/lib.sh"

[ ! -e /cpblk/cpblk.ko ] || [ -d /sys/module/cpblk ] || fail "no cpblk in sysfs"
figure boot-seconds "$(cut -d ' ' -f 1 /proc/uptime)"
ok "Linux $(uname -r)"
