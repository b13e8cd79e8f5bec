#!/usr/bin/env bats
# shellcheck disable=SC2012,SC2016,SC2034  # ls of names that are simple; scripts of bash -c; helpers use it
# Completions for bash and zsh: commands, options, and pins.

load helpers

COMPLETIONS=$PROJECT/mountscripts/completions

# One mount for all tests: they only read, but for the one event that is made here.
setup_file()
{
    BATS_TEST_TMPDIR=$BATS_FILE_TMPDIR
    new_registry
    mount_registry
    rm "$MNT/private/$IMG_MYSQL/shares/bob"
    export MNT REGISTRY
    mkdir "$BATS_FILE_TMPDIR/empty"
}

teardown_file()
{
    BATS_TEST_TMPDIR=$BATS_FILE_TMPDIR
    unmount_all
}

teardown()
{
    :
}

setup()
{
    cd "$BATS_FILE_TMPDIR" || return
    PATH=$(cd "$BUILD" && pwd -P):$PATH
    export PATH
}

# in_bash FILE LINE: what bash would offer at the end of LINE, one a line, sorted.
in_bash()
{
    bash --norc -c '
        . "$1" || exit
        COMP_LINE=$2 COMP_POINT=${#2}
        # As readline splits it, without quotes.
        line=${2//=/ = }
        line=${line//:/ : }
        read -ra COMP_WORDS <<<"$line"
        [[ $2 != *[[:space:]] ]] || COMP_WORDS+=("")
        COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
        function=$(complete -p "${COMP_WORDS[0]}" | sed "s/.*-F \([^ ]*\) .*/\1/")
        "$function" "${COMP_WORDS[0]}" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
        [ ${#COMPREPLY[@]} -eq 0 ] || printf "%s\n" "${COMPREPLY[@]}"
    ' bash "$1" "$2" | LC_ALL=C sort
}

# offers LINE WORD...: bash offers these at the end of LINE, and no others.
offers()
{
    local line=$1 file=$COMPLETIONS/imgshare.bash

    shift
    [[ $line != imgsharefs* ]] || file=$COMPLETIONS/imgsharefs.bash
    assert_equal "$line: $(in_bash "$file" "$line")" "$line: $([ $# -eq 0 ] || printf '%s\n' "$@" | LC_ALL=C sort)"
}

# zsh_offers <<END: lines of a LINE, a tab and a WORD: zsh offers that word at the end of that line.
zsh_offers()
{
    local line found wanted
    local -a lines

    wanted=$(cat)
    mapfile -t lines < <(cut -f 1 <<<"$wanted" | uniq)
    found=$(zsh -f "$TESTS/zsh_complete.zsh" "$COMPLETIONS" "${lines[@]}" 3>&-)
    while IFS= read -r line; do
        grep -qxF -- "$line" <<<"$found" || fail "zsh does not offer: $line; but: $found"
    done <<<"$wanted"
}

commands()
{
    imgshare --help | sed -nE 's/^  ([a-z]+)( [a-z]+)?  +[A-Z].*/\1/p' | sort -u
}

@test "bash completes the commands of imgshare, and every option of each" {
    # shellcheck disable=SC2046
    offers 'imgshare ' --help --version $(commands)
    offers 'imgshare ex' explain export
    offers 'imgshare account ' add list
    local command count=0
    for command in $(commands | grep -v account) 'account add'; do
        # shellcheck disable=SC2046,SC2086
        offers "imgshare $command -" --help $(imgshare $command --help | sed -nE 's/^  (--[a-z-]+).*/\1/p')
        ((count += 1))
    done
    [ $count -ge 12 ]
}

@test "bash completes the values of options" {
    offers 'imgshare init x --snapshots ' any encrypted none
    offers "imgshare import $REGISTRY --owner jc" jcloud-demo
    offers "imgshare undo $MNT --since 1" 10m 1h 1d
    offers "imgshare undo $MNT --pid " "$(sed -n 's/.*action=cancel.* pid=\([0-9]*\).*/\1/p' "$MNT/events")"
    offers "imgshare plan $MNT --max-cancel "
    offers "imgshare audit $MNT --allow /etc/host" /etc/host*
}

@test "bash completes pins: those of the image, and those of others" {
    local shares=$MNT/private/$IMG_MYSQL/shares
    offers "imgshare explain $shares/ali" "$shares/alice"
    offers "imgshare explain $shares/bo" "$shares/bob" # who has other images
    # shellcheck disable=SC2046
    offers "imgshare explain $shares/" $(ls "$MNT/by-account" | sed "s,^,$shares/,")
    # By name, and from inside.
    offers "imgshare explain $MNT/by-name/private/golden/shares/bo" "$MNT/by-name/private/golden/shares/bob"
    cd "$MNT/private"
    offers "imgshare explain $IMG_GOLDEN/shares/bo" "$IMG_GOLDEN/shares/bob"
    # Elsewhere: files, and words of the table.
    cd "$BATS_FILE_TMPDIR"
    offers 'imgshare explain EDQ' EDQUOT
    offers 'imgshare explain image-p' image-pending
    offers "imgshare explain $MNT/private/$IMG_GOLDEN/na" "$MNT/private/$IMG_GOLDEN/name"
}

@test "bash completes pins after touch and rm, where that was asked for" {
    run -0 bash --norc -c '
        . "$1"
        complete -o bashdefault -o default -F _imgshare_pins touch
        pins() {
            COMP_WORDS=(touch "$1") COMP_CWORD=1
            _imgshare_pins
            printf "%s\n" "${COMPREPLY[@]}"
        }
        pins "$2/private/$3/shares/bo"
        pins "$2/priv"
        pins /tmp/
        cd "$2/private/$3/shares" && pins bo
        cd "$2" && pins bo
        echo end
    ' bash "$COMPLETIONS/imgshare.bash" "$MNT" "$IMG_GOLDEN"
    assert_output "$MNT/private/$IMG_GOLDEN/shares/bob"$'\n\n\nbob\n\nend'
}

@test "bash completes mounts, registries and directories" {
    offers "imgshare audit ${MNT%/*}/mn" "$MNT"
    offers "imgshare graph ${REGISTRY%/*}/reg" "$REGISTRY"*
    offers "imgshare plan $BATS_FILE_TMPDIR/emp" "$BATS_FILE_TMPDIR/empty"
    offers "imgshare plan $BATS_FILE_TMPDIR/empty ${MNT%?}" "$MNT"
    offers "imgshare check ${REGISTRY%/*}/registry-l" "$REGISTRY-lock"
}

@test "bash completes imgsharefs: options behind -o, their values, and sources" {
    offers 'imgsharefs -o allow' allow= allow_other
    offers 'imgsharefs -o ro,maxc' ro,maxcancel=
    offers "imgsharefs $REGISTRY -o account=jc" jcloud-demo
    offers "imgsharefs $REGISTRY -o ro,account=jc" jcloud-demo
    offers 'imgsharefs -o allow=/etc/hostn' /etc/hostname
    offers 'imgsharefs -o ro,loglevel=' error warning info debug
    offers 'imgsharefs -' -o -f -d -s --check --help --version
    offers 'imgsharefs jdc' jdcloud:
    offers 'imgsharefs jdcloud:cn-s' cn-south-1
    offers "imgsharefs ${REGISTRY%/*}/registry-" "$REGISTRY"-*
    local option
    for option in $(imgsharefs --help | sed -nE 's/^  ([a-z_]+=?)[A-Z]*  +.*/\1/p'); do
        in_bash "$COMPLETIONS/imgsharefs.bash" 'imgsharefs -o ' | grep -qx "$option" || fail "$option"
    done
}

@test "zsh completes commands, options, pins, mounts and sources" {
    command -v zsh >/dev/null || skip 'zsh is not installed'
    zsh_offers <<END
$(commands | sed 's/^/imgshare \t/')
imgshare apply --	--max-cancel
imgshare apply --	--allow-empty
imgshare apply --	--help
imgshare account add --	--mobile
imgshare import $REGISTRY --owner 	jcloud-demo
imgshare explain $MNT/private/$IMG_MYSQL/shares/	alice
imgshare explain $MNT/private/$IMG_MYSQL/shares/	bob
imgshare explain $MNT/by-name/private/golden/shares/b	bob
imgshare audit 	$MNT
imgshare undo $MNT --pid 	$(sed -n 's/.*action=cancel.* pid=\([0-9]*\).*/\1/p' "$MNT/events")
imgsharefs -o ro,max	maxcancel=
imgsharefs $REGISTRY -o account=	jcloud-demo
imgsharefs jdcloud:	jdcloud:cn-north-1
imgsharefs -	--version
END
}
