#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A machine that goes away without a word.
#
# expect: ^FAIL .*: the machine ended without a verdict
# timeout: 30
# module: no

. "${0%/*}/lib.sh"

echo b >/proc/sysrq-trigger
