#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A machine that runs, but on which nothing gets anywhere.
#
# expect: ^FAIL .*: no word for too long
# timeout: 3
# module: no

. "${0%/*}/lib.sh"

# The harness's own script stops: only the host is left to notice.
kill -STOP "$PPID" $(pgrep -f run-plan)
sleep 1000
