#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What must be undone at the end, but cannot be.
#
# expect: ^FAIL .*: exit code 1
# timeout: 30
# module: no

. "${0%/*}/lib.sh"

at_exit umount /nowhere
