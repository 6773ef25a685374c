#!/bin/sh
# Installs what is missing to build, run and test ews; silent where nothing is.
#
# One list: "what shows that it is here | Debian's package | Homebrew's".
# A "pc:" is a pkg-config module, "cmd:" a command, "file:" a file anywhere
# under the library folders, "zone:" a time zone; "-" means that the system
# needs none.
set -eu

list='
cmd:cc | gcc | -
file:stdio.h | libc6-dev | -
cmd:make | make | make
cmd:pkg-config | pkg-config | pkg-config
cmd:jq | jq | jq
cmd:bats | bats | bats-core
cmd:parallel | parallel | parallel
cmd:ps | procps | -
cmd:col | bsdextrautils | -
cmd:openssl | openssl | openssl@3
cmd:curl | curl | curl
cmd:mandoc | mandoc | -
cmd:shellcheck | shellcheck | shellcheck
cmd:zsh | zsh | -
cmd:fish | fish | fish
cmd:sqlite3 | sqlite3 | sqlite
pc:libwebsockets | libwebsockets-dev | libwebsockets
pc:libuv | libuv1-dev | libuv
pc:libcurl | libcurl4-openssl-dev | curl
pc:jansson | libjansson-dev | jansson
pc:sqlite3 | libsqlite3-dev | sqlite
pc:inih | libinih-dev | inih
pc:libcrypto | libssl-dev | openssl@3
pc:cmocka | libcmocka-dev | cmocka
file:uthash.h | uthash-dev | uthash
zone:Europe/Berlin | tzdata | -
file:libwebsockets-evlib_uv.so | libwebsockets-evlib-uv | -
'

here() {
	case $1 in
	cmd:*) command -v "${1#cmd:}" >/dev/null 2>&1 ;;
	zone:*) [ -e "/usr/share/zoneinfo/${1#zone:}" ] ;;
	pc:*) pkg-config --exists "${1#pc:}" 2>/dev/null ;;
	file:*)
		for dir in /usr/include /usr/local/include /opt/homebrew/include \
		    /usr/lib/*-linux-gnu /usr/lib /usr/lib64 /usr/local/lib; do
			[ -e "$dir/${1#file:}" ] && return 0
		done
		return 1 ;;
	esac
}

# Prints the packages of column $1 that are missing.
missing() {
	printf '%s' "$list" | while IFS='| ' read -r what debian brew; do
		[ -n "$what" ] || continue
		package=$debian
		[ "$1" = brew ] && package=$brew
		if [ "$package" != - ] && ! here "$what"; then
			printf ' %s' "$package"
		fi
	done
}

if [ "$(uname -s)" = Darwin ]; then
	if brew=$(command -v brew); then
		prefix=$("$brew" --prefix)
		for keg in openssl@3 curl sqlite; do
			PKG_CONFIG_PATH=$prefix/opt/$keg/lib/pkgconfig:${PKG_CONFIG_PATH-}
		done
		export PKG_CONFIG_PATH
	fi
	packages=$(missing brew)
	[ -n "$packages" ] || exit 0
	if [ -z "${brew-}" ]; then
		echo "deps: install Homebrew (brew.sh), then: brew install$packages" >&2
		exit 1
	fi
	# shellcheck disable=SC2086 # a list of words
	exec "$brew" install -q $packages
fi

packages=$(missing debian)
[ -n "$packages" ] || exit 0
if ! command -v apt-get >/dev/null 2>&1; then
	echo "deps: install the counterparts of these Debian packages:$packages" >&2
	exit 1
fi
as=
if [ "$(id -u)" != 0 ]; then
	if ! sudo -n true 2>/dev/null && { [ ! -t 0 ] || ! command -v sudo >/dev/null 2>&1; }; then
		echo "deps: run as root: apt-get install$packages" >&2
		exit 1
	fi
	as=sudo
fi
echo "deps: installing$packages" >&2
export DEBIAN_FRONTEND=noninteractive
$as apt-get update -qq >&2 || true
# shellcheck disable=SC2086 # a list of words
$as apt-get install -y -qq --no-install-recommends $packages >/dev/null
