#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A scenario that never ends.
#
# expect: ^FAIL .*: timeout after
# timeout: 3
# module: no

. "${0%/*}/lib.sh"

trap '' TERM INT HUP
sleep 1000
