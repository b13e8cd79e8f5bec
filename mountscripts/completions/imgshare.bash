# shellcheck shell=bash
# Completion of imgshare for bash. Commands and options come from its --help; pins from the shares of the
# image, from by-account/ of the mount, and from the registry on the line.
#
# Who wants pins after touch and rm, too, adds to ~/.bashrc:
#
#   . /usr/share/bash-completion/completions/imgshare
#   complete -o bashdefault -o default -F _imgshare_pins touch rm

# Adds those of the lines on standard input that begin with $1, each behind $2, to COMPREPLY.
_imgshare_take()
{
    local line

    while IFS= read -r line; do
        [[ -z $line || $line != "$1"* ]] || COMPREPLY+=("$2$line")
    done
}

# Where imgsharefs is mounted, one a line.
_imgshare_mounts()
{
    local point type

    while read -r _ point type _; do
        [ "$type" != fuse.imgsharefs ] || printf '%b\n' "${point//\\/\\0}"
    done </proc/self/mounts
}

# The pins that go into the directory $1 of shares: those that are there, and those of other images.
_imgshare_known_pins()
{
    local path

    for path in "$1"/* "$1"/../../../by-account/*; do
        [ ! -e "$path" ] || printf '%s\n' "${path##*/}"
    done | sort -u
}

# If the word at the cursor is a path into a directory of shares: its pins. Else nothing, for bash to do
# what it does.
_imgshare_pins()
{
    local cur=${COMP_WORDS[COMP_CWORD]} directory

    COMPREPLY=()
    [[ $cur == */* ]] || [[ $PWD == */shares ]] || return 0
    if [[ $cur == */* ]]; then
        directory=${cur%/*}/
    else
        directory=
    fi
    local real=${directory//\\/}
    # shellcheck disable=SC2088 # as it stands on the line
    [[ $real != '~/'* ]] || real=$HOME/${real#'~/'}
    real=${real:-.}
    [[ $(cd "$real" 2>/dev/null && pwd -P) == */private/*/shares ]] || return 0
    _imgshare_take "${cur##*/}" "$directory" < <(_imgshare_known_pins "${real%/}")
}

# The pins of the first registry on the line.
_imgshare_accounts()
{
    local word

    for word in "${COMP_WORDS[@]:2}"; do
        [ ! -f "$word" ] || {
            imgshare account list "$word" 2>/dev/null | cut -f 1
            return
        }
    done
}

# The processes that cancelled something, of the first mount on the line.
_imgshare_processes()
{
    local word

    for word in "${COMP_WORDS[@]:2}"; do
        [ ! -r "$word/events" ] || {
            sed -n 's/.* action=cancel .* outcome=done .*pid=\([0-9]*\).*/\1/p' "$word/events" | sort -nu
            return
        }
    done
}

# Adds files (-f) or directories (-d) that begin with $2.
_imgshare_files()
{
    local path

    compopt -o filenames 2>/dev/null
    while IFS= read -r path; do
        [[ " ${COMPREPLY[*]} " == *" $path "* ]] || COMPREPLY+=("$path")
    done < <(compgen "$1" -- "$2")
}

_imgshare()
{
    local cur=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} command=${COMP_WORDS[1]-}
    local first=2

    COMPREPLY=()
    if [ "$COMP_CWORD" -eq 1 ]; then
        _imgshare_take "$cur" '' < <(
            imgshare --help 2>/dev/null | sed -nE 's/^  ([a-z]+)( [a-z]+)?  +[A-Z].*/\1/p' | sort -u
            printf '%s\n' --help --version
        )
        return
    fi
    if [ "$command" = account ]; then
        if [ "$COMP_CWORD" -eq 2 ]; then
            _imgshare_take "$cur" '' <<<$'add\nlist'
            return
        fi
        command="account ${COMP_WORDS[2]}"
        first=3
    fi
    case $previous in
    --account | --owner)
        _imgshare_take "$cur" '' < <(_imgshare_accounts)
        return
        ;;
    --snapshots)
        _imgshare_take "$cur" '' <<<$'any\nencrypted\nnone'
        return
        ;;
    --pid)
        _imgshare_take "$cur" '' < <(_imgshare_processes)
        return
        ;;
    --since)
        _imgshare_take "$cur" '' <<<$'10m\n1h\n1d'
        return
        ;;
    --allow | --trust)
        _imgshare_files -f "$cur"
        return
        ;;
    --limit | --mobile | --max-cancel) return ;;
    esac
    if [[ $cur == -* ]]; then
        # shellcheck disable=SC2086 # "account add" is two words
        _imgshare_take "$cur" '' < <(
            imgshare $command --help 2>/dev/null | sed -nE 's/^  (--[a-z-]+).*/\1/p'
            echo --help
        )
        return
    fi
    case $command in
    explain)
        _imgshare_pins
        [ ${#COMPREPLY[@]} -gt 0 ] || _imgshare_files -f "$cur"
        _imgshare_take "$cur" '' < <(imgshare explain 2>/dev/null | sed -nE 's/^(E[A-Z]+) +([a-z-]+) .*/\1\n\2/p' | sort -u)
        ;;
    plan | apply)
        # What is not the list's directory is the mount.
        [ "$COMP_CWORD" -eq "$first" ] || _imgshare_take "$cur" '' < <(_imgshare_mounts)
        _imgshare_files -d "$cur"
        ;;
    audit | undo)
        _imgshare_take "$cur" '' < <(_imgshare_mounts)
        _imgshare_files -d "$cur"
        ;;
    graph)
        _imgshare_take "$cur" '' < <(_imgshare_mounts)
        _imgshare_files -f "$cur"
        ;;
    'account add') [ "$COMP_CWORD" -gt "$first" ] || _imgshare_files -f "$cur" ;;
    *) _imgshare_files -f "$cur" ;;
    esac
}

complete -F _imgshare imgshare
