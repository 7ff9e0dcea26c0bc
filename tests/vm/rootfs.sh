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
		# What a stub is there for, and what that would bring, is not needed.
		LD_LIBRARY_PATH=$root/lib/x86_64-linux-gnu libraries_of "$file"
	done | sort -u | while read -r lib; do
		[ "${lib#"$root"}" != "$lib" ] || [ -e "$root$lib" ] ||
			install -D "$lib" "$root$lib"
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

# add_stubs ROOT PROGRAM LIBRARY...: of these libraries of the program's, ones that have
# its functions, which do nothing but end it. What fio can do with clusters brings fifty
# libraries, and loading them takes longer than all else at its start.
add_stubs()
{
	local root=$1 program=$2 lib path tmp versions

	tmp=$(mktemp -d)
	for lib in "${@:3}"; do
		versions=()
		path=$(libraries_of "$program" | grep "/lib$lib\.so") || continue
		# Symbols of both, with their versions as the program has them.
		join <(nm -D --undefined-only "$program" | awk '{ sub(/@/, " ", $2); print $2 }' | sort) \
			<(nm -D --defined-only --without-symbol-versions "$path" | awk '{ print $3 }' | sort -u) \
			>"$tmp/symbols"
		awk '{ print "void " $1 "(void) { __builtin_trap(); }" }' "$tmp/symbols" >"$tmp/stub.c"
		awk 'NF > 1 { v[$2] = v[$2] " " $1 ";" }
			END { for (i in v) print i " {" v[i] " };" }' "$tmp/symbols" >"$tmp/versions"
		install -d "$root${path%/*}"
		[ ! -s "$tmp/versions" ] || versions=(-Wl,--version-script="$tmp/versions")
		gcc -shared -nostdlib -o "$root$path" -Wl,-soname,"${path##*/}" \
			"${versions[@]}" "$tmp/stub.c"
	done
	rm -r "$tmp"
}

# pack ROOT: writes the folder to stdout as an uncompressed cpio archive,
# which the kernel unpacks quickest.
pack()
{
	(cd "$1" && find . -print0 | cpio -0 -o -H newc -R 0:0 --quiet)
}
