# shellcheck shell=bash
# Finds what is missing and installs it, on Debian and its kin. Sourced, not run:
#
#   packages_need KIND NAME PACKAGE   notes PACKAGE unless NAME is there
#   packages_need_build               notes all that building the project takes
#   packages_install [-y]             installs what was noted; -y asks no question
#
# KIND is module (pkg-config), program (NAME may be a|b: any of them), header or file.

PACKAGES_MISSING=()

packages_need()
{
    local kind=$1 name=$2 package=$3 each

    case $kind in
    program)
        for each in ${name//|/ }; do
            command -v "$each" >/dev/null && return
        done
        ;;
    module)
        # Without pkg-config the package database is the next best witness: naming an installed
        # package to apt-get would upgrade it.
        if command -v pkg-config >/dev/null; then
            pkg-config --exists "$name" && return
        elif [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ]; then
            return
        fi
        ;;
    header)
        echo "#include <$name>" | cc -E -x c -o /dev/null - 2>/dev/null && return
        ;;
    file)
        [ -e "$name" ] && return
        ;;
    esac
    for each in "${PACKAGES_MISSING[@]}"; do
        [ "$each" != "$package" ] || return 0
    done
    PACKAGES_MISSING+=("$package")
}

packages_need_build()
{
    packages_need program 'gcc|cc' gcc
    packages_need header stdio.h libc6-dev
    packages_need program meson meson
    packages_need program ninja ninja-build
    packages_need program pkg-config pkg-config
    packages_need program fusermount3 fuse3
    packages_need module fuse3 libfuse3-dev
    packages_need module sqlite3 libsqlite3-dev
    packages_need module jansson libjansson-dev
    packages_need module libcurl libcurl4-openssl-dev
    packages_need module libcrypto libssl-dev
    packages_need module inih libinih-dev
}

# Whether packages_as_root has a way.
packages_can_be_root()
{
    [ "$(id -u)" -eq 0 ] || command -v sudo >/dev/null || { [ -t 0 ] && command -v su >/dev/null; }
}

packages_as_root()
{
    if [ "$(id -u)" -eq 0 ]; then
        env DEBIAN_FRONTEND=noninteractive "$@"
    elif command -v sudo >/dev/null; then
        sudo env DEBIAN_FRONTEND=noninteractive "$@"
    else
        # This su keeps the caller's PATH, and dpkg wants the directories for root in it.
        su -c "PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive \
            $(printf '%q ' "$@")" root
    fi
}

packages_apt()
{
    packages_as_root apt-get install -y --no-install-recommends --no-remove "$@"
}

packages_tell()
{
    echo "$1 By hand, as root:" >&2
    echo "    apt-get update && apt-get install ${PACKAGES_MISSING[*]}" >&2
}

packages_install()
{
    local answer package update=

    [ ${#PACKAGES_MISSING[@]} -gt 0 ] || return 0
    echo "Missing packages: ${PACKAGES_MISSING[*]}" >&2
    if ! command -v apt-get >/dev/null; then
        echo 'This system has no apt-get: install what they are called here, and try again.' >&2
        return 1
    fi
    if [ "${1-}" != -y ] && [ -t 0 ]; then
        read -rp 'Install them now? [Y/n] ' answer || answer=n
        case $answer in
        '' | [Yy]*) ;;
        *)
            packages_tell 'Nothing was installed.'
            return 1
            ;;
        esac
    fi
    packages_can_be_root || {
        packages_tell 'Root is needed, and there is neither sudo, nor su and a terminal to ask for a password.'
        return 1
    }
    for package in "${PACKAGES_MISSING[@]}"; do
        [ -n "$(apt-cache show --no-all-versions "$package" 2>/dev/null)" ] || update=yes
    done
    if [ -n "$update" ]; then
        packages_as_root apt-get update || true
    fi
    packages_apt "${PACKAGES_MISSING[@]}" || {
        # An old package list names files that the mirror has dropped: fetch it and try once more.
        [ -z "$update" ] && packages_as_root apt-get update && packages_apt "${PACKAGES_MISSING[@]}"
    } || {
        packages_tell 'Installing failed.'
        return 1
    }
    PACKAGES_MISSING=()
    hash -r
}
