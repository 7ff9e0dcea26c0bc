# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# What a test VM needs to run guests of its own: QEMU, a small kernel, and the
# image of a disk that this boots from. Sourced, never run. Uses BUILD.

# nested_image: makes the disk image if it is not there; prints its path.
nested_image()
{
	local image=$BUILD/nested/disk root=$BUILD/nested/root sources=("$VM"/nested/*.[ch] "$VM/nested.sh")

	mkdir -p "$BUILD/nested"
	exec {NESTED_LOCK}>"$BUILD/nested/lock"
	flock "$NESTED_LOCK"
	if [ ! -e "$image" ] || [ -n "$(find "${sources[@]}" -newer "$image")" ]; then
		new_root "$root"
		mkdir -p "$root"/{data,dev,etc,proc,run,sys,tmp}
		gcc -static -O2 -std=gnu11 -D_GNU_SOURCE -Wall -Wextra -Werror \
			-o "$root/recorder" "$VM/nested/recorder.c"
		add_programs "$root" busybox qemu-ga >&2
		ln -s busybox "$root/bin/sh"
		rm -f "$image"
		mkfs.ext4 -q -b 4096 -J size=4 -d "$root" "$image.new" 32M >/dev/null
		mv "$image.new" "$image"
	fi
	exec {NESTED_LOCK}>&-
	echo "$image"
}

# add_nested ROOT: puts all of it into /cpblk/nested.
add_nested()
{
	local root=$1 file

	mkdir -p "$root/cpblk/nested"
	cp "$VM/nested/lib.sh" "$root/cpblk/nested/"
	cp "$("$VM/build-nested-kernel")" "$root/cpblk/nested/kernel"
	cp --sparse=always "$(nested_image)" "$root/cpblk/nested/disk"
	add_programs "$root" qemu-system-x86_64
	# Not linked with it, but looked for when it starts.
	for file in /usr/lib/*/qemu/accel-tcg-x86_64.so /usr/share/qemu/{qboot.rom,pvh.bin,kvmvapic.bin}; do
		[ ! -e "$file" ] || install -D -m 644 "$file" "$root$file"
	done
}
