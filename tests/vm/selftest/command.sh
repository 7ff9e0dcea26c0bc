#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A command that fails ends the scenario.
#
# expect: ^FAIL .*: exit code 1
# timeout: 30
# module: no

. "${0%/*}/lib.sh"

false
ok "went on"
