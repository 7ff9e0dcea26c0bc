# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# A tree of Linux's source, and its configuration, for those kernels that are
# built here. Sourced, never run.

# What no kernel here has, which is more than half of it; what describes its options
# stays.
LEFT_OUT=()
for part in drivers/gpu drivers/media drivers/net/ethernet drivers/net/wireless sound \
	arch/{alpha,arm,arm64,loongarch,mips,parisc,powerpc,riscv,s390,sh,sparc} \
	Documentation tools/testing; do
	LEFT_OUT+=(--exclude="*/$part/*."{c,h,S,dts,dtsi,rst,yaml,json})
done

# unpack_source DIR KEY: unpacks it to DIR/linux and goes there. What a build
# with the same KEY left there stays: it goes on where it was interrupted.
unpack_source()
{
	local dir=$1 key=$2 tarball

	tarball=$("$VM/fetch-source")
	if [ "$(cat "$dir/.key" 2>/dev/null)" != "$key" ]; then
		say "unpacking the kernel's source"
		rm -rf "$dir"
		mkdir -p "$dir/linux"
		xz -dc -T 0 "$tarball" |
			tar -C "$dir/linux" --strip-components 1 "${LEFT_OUT[@]}" -x
		echo "$key" >"$dir/.key"
	fi
	cd "$dir/linux" || exit
}

# configure FILE: "make tinyconfig" with FILE over it. Merging warns of what it
# cannot set but does not fail, and an option whose dependencies are not met
# disappears without a word.
configure()
{
	local option bad=0

	make -s tinyconfig
	scripts/kconfig/merge_config.sh -m .config "$1" >/dev/null
	make -s olddefconfig
	while read -r option; do
		case $option in
		*=n)	! grep "^${option%=n}=" .config || bad=1 ;;
		*)	grep -qxF "$option" .config || {
				say "not set: $option"
				bad=1
			} ;;
		esac
	done < <(grep '^CONFIG' "$1")
	[ $bad = 0 ] || die "${1##*/} does not fit this kernel"
}
