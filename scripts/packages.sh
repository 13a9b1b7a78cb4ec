# Sourced by demo and check: installs the Debian packages that are missing.
# shellcheck shell=bash

BUILD_PACKAGES="gcc make autoconf automake libtool pkg-config libc6-dev linux-libc-dev libssl-dev \
liblmdb-dev libgsasl-dev libcrypt-dev libargon2-dev libconfuse-dev libevent-dev libseccomp-dev libutf8proc-dev"
DEMO_PACKAGES="openssl"
CHECK_PACKAGES="check clang clang-format libclang-rt-14-dev llvm-14 universal-ctags python3 \
python3-pytest python3-pexpect curl mutt isync dovecot-imapd strace openssl procps util-linux \
xz-utils git iproute2"

# packages_need NAME...: installs those that are not there; an ordinary user without sudo is told.
packages_need() {
	local missing= package sudo
	for package in "$@"; do
		case $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) in
		installed) ;;
		*) missing="$missing $package" ;;
		esac
	done
	[ -n "$missing" ] || return 0
	if [ "$(id -u)" = 0 ]; then
		sudo=
	elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
		sudo=sudo
	else
		echo "these Debian packages are missing:$missing" >&2
		echo "install them as root: apt-get install$missing" >&2
		exit 1
	fi
	echo "installing:$missing" >&2
	# A reference server that a package brings must not start by itself.
	# shellcheck disable=SC2086
	$sudo env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 sh -c '
		apt-get update -qq && apt-get install -y -qq --no-install-recommends "$@"' sh $missing \
		>&2 </dev/null
}

# reachable DIR: whether accounts other than ours can get to DIR. In a subshell: no variable of the
# caller is touched.
reachable() (
	at=$(cd "$1" && pwd -P) || exit 1
	while [ "$at" != / ]; do
		case $(stat -c %A "$at") in
		?????????[xt]) ;;
		*) exit 1 ;;
		esac
		at=$(dirname "$at")
	done
)
