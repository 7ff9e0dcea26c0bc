#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A warning in the kernel log, though all commands succeed.
#
# expect: ^FAIL .*: kernel says: WARNING: CPU
# timeout: 30
# module: no

. "${0%/*}/lib.sh"

echo 'WARNING: CPU: 0 PID: 1 at fs/nothing.c:1 nothing+0x1/0x2' >/dev/kmsg
