#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A kernel tainted by a warning whose text got lost.
#
# expect: ^FAIL .*: the kernel is tainted
# timeout: 30
# module: no

. "${0%/*}/lib.sh"

echo 512 >/proc/sys/kernel/tainted
