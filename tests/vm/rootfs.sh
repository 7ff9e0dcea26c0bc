# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# Fills a folder with what a guest needs: programs with their shared
# libraries. Sourced, never run.

# new_root ROOT: an empty one, with /bin, /sbin and /lib as links into /usr. An
# archive that had folders there would take away another's links.
new_root()
{
	local dir

	rm -rf "$1"
	mkdir -p "$1"/usr/{bin,lib,lib64}
	for dir in bin lib lib64; do
		ln -s "usr/$dir" "$1/$dir"
	done
	ln -s usr/bin "$1/sbin"
	ln -s bin "$1/usr/sbin"
}

# libraries_of FILE: the shared libraries that a binary needs.
libraries_of()
{
	ldd "$1" 2>/dev/null | grep -o '/[^ )]*' || true
}

# add_libraries ROOT FILE...: copies the libraries of all files to where the
# dynamic linker looks for them.
add_libraries()
{
	local root=$1 file lib

	shift
	for file; do
		libraries_of "$file"
	done | sort -u | while read -r lib; do
		[ -e "$root$lib" ] || install -D "$lib" "$root$lib"
	done
}

# add_program ROOT PROGRAM...: by name or by path, into /usr/bin; a program
# that is another name of one (pvcreate of lvm) stays a link.
add_programs()
{
	local root=$1 program path real paths=()

	shift
	for program; do
		path=$(PATH=$PATH:/usr/sbin:/sbin:/lib/systemd command -v "$program") || {
			say "not installed, so not in the guest: $program"
			continue
		}
		real=$(readlink -f "$path")
		install "$real" "$root/usr/bin/"
		[ "${real##*/}" = "${path##*/}" ] ||
			ln -sf "${real##*/}" "$root/usr/bin/${path##*/}"
		paths+=("$real")
	done
	add_libraries "$root" "${paths[@]}"
}

# pack ROOT: writes the folder to stdout as an uncompressed cpio archive,
# which the kernel unpacks quickest.
pack()
{
	(cd "$1" && find . -print0 | cpio -0 -o -H newc -R 0:0 --quiet)
}
