#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A command that had to be refused, but was not.
#
# expect: ^FAIL .*: exit code 1
# timeout: 30
# module: no

. "${0%/*}/lib.sh"

expect_fail 'anything' true
