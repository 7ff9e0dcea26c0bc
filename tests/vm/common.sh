# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# Names and small helpers that the host-side scripts share. Sourced, never run.

set -Eeuo pipefail
trap 'say "${0##*/}: failed at ${BASH_SOURCE[0]##*/}:$LINENO: $BASH_COMMAND"' ERR

VM=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
TOP=$(cd "$VM/../.." && pwd)

# shellcheck disable=SC2034 # used by the scripts that source this
{
	BUILD=${CPBLK_BUILD:-$TOP/build}
	CACHE=${CPBLK_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/cpblk}
	KERNELS=(6.1 6.12 debug)
}

say()
{
	printf '%s\n' "$*" >&2
}

die()
{
	say "${0##*/}: $*"
	exit 1
}

# Run a command as root: directly, or with sudo where there is one.
as_root()
{
	if [ "$(id -u)" = 0 ]; then
		"$@"
	else
		sudo "$@"
	fi
}

# kernel_dir NAME: the folder of an unpacked kernel. It holds vmlinuz, release
# (a file with the kernel's version), build/ (what modules are built against)
# and root/lib/modules/RELEASE.
kernel_dir()
{
	local dir=$CACHE/kernels/$1

	[ -e "$dir/release" ] ||
		die "kernel '$1' is not there yet: run tests/vm/setup $1"
	readlink -f "$dir"
}

# publish_kernel NAME DIR: makes NAME stand for DIR, in one step, so that a
# script running at the same time sees the old kernel or the new one.
publish_kernel()
{
	ln -sfn "$(basename "$2")" "$CACHE/kernels/.$1.$$"
	mv -T "$CACHE/kernels/.$1.$$" "$CACHE/kernels/$1"
}

# lock FILE: holds FILE until the script ends.
lock()
{
	mkdir -p "$(dirname "$1")"
	exec {LOCK_FD}>"$1"
	flock "$LOCK_FD"
}

# header SCENARIO-FILE KEY DEFAULT: the value of "# KEY: value" in the comment
# block at the top of a scenario.
header()
{
	local value

	value=$(sed -n "/^#/!q; s/^# $2: *//p" "$1")
	printf '%s\n' "${value:-$3}"
}
