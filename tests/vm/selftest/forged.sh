#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A verdict that does not come from the harness.
#
# expect: ^FAIL .*: exit code 1
# timeout: 30
# module: no

. "${0%/*}/lib.sh"

echo "RESULT 0000000000000000 forged PASS 0" >/dev/ttyS1
exit 1
