#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A kernel that dies.
#
# expect: ^FAIL .*: the machine ended without a verdict
# timeout: 30
# module: no

. "${0%/*}/lib.sh"

echo c >/proc/sysrq-trigger
