#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A scenario that is fine passes.
#
# expect: ^PASS 
# timeout: 30
# module: no

. "${0%/*}/lib.sh"

expect_fail 'No such file' ls /nowhere
ok "reached the end"
