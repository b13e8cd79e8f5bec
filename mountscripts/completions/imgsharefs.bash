# shellcheck shell=bash
# Completion of imgsharefs for bash. Options come from its --help, the pins of account= from the registry
# on the line.

# Prints the words of the options behind -o: "account=", "ro", ...
_imgsharefs_options()
{
    imgsharefs --help 2>/dev/null | sed -nE 's/^  ([a-z_]+=?)[A-Z]*  +.*/\1/p'
}

# The values of option $1.
_imgsharefs_values()
{
    local word

    case $1 in
    account)
        for word in "${COMP_WORDS[@]:1}"; do
            [ ! -f "$word" ] || {
                imgshare account list "$word" 2>/dev/null | cut -f 1
                return
            }
        done
        ;;
    profile) sed -nE 's/^\[([^]]+)\].*/\1/p' "$HOME/.jdc/config" 2>/dev/null ;;
    allow | trust | cacert) compgen -f -- "$2" ;;
    loglevel) printf '%s\n' error warning info debug ;;
    state) compgen -d -- "$2" ;;
    uid) getent passwd | cut -d : -f 3 ;;
    gid) getent group | cut -d : -f 3 ;;
    esac
}

# Puts $1 before each line.
_imgsharefs_behind()
{
    local line

    while IFS= read -r line; do
        printf '%s%s\n' "$1" "$line"
    done
}

# The word at the cursor is split at = and : for bash: from the last of them on it is replaced.
_imgsharefs_take()
{
    local token=$1 line before=
    local tail=${token##*[=:]}

    before=${token%"$tail"}
    while IFS= read -r line; do
        [[ -z $line || $line != "$token"* ]] || COMPREPLY+=("${line#"$before"}")
    done
}

_imgsharefs()
{
    local line=${COMP_LINE:0:COMP_POINT} token rest previous option list

    token=${line##*[[:space:]]}
    rest=${line%"$token"}
    rest=${rest%"${rest##*[![:space:]]}"}
    previous=${rest##*[[:space:]]}
    COMPREPLY=()
    if [ "$previous" = -o ]; then
        list=${token%"${token##*,}"}
        option=${token##*,}
        if [[ $option == *=* ]]; then
            _imgsharefs_take "$token" < <(
                _imgsharefs_values "${option%%=*}" "${option#*=}" | _imgsharefs_behind "$list${option%%=*}="
            )
        else
            _imgsharefs_take "$token" < <(_imgsharefs_options | _imgsharefs_behind "$list")
            compopt -o nospace 2>/dev/null
        fi
        return
    fi
    case $token in
    -*) _imgsharefs_take "$token" < <(printf '%s\n' -o -f -d -s --check --help --version) ;;
    jdcloud:*) _imgsharefs_take "$token" < <(printf 'jdcloud:%s\n' cn-north-1 cn-east-1 cn-east-2 cn-south-1) ;;
    *)
        compopt -o filenames 2>/dev/null
        local -a found
        mapfile -t found < <(compgen -f -- "$token")
        COMPREPLY=("${found[@]}")
        [[ -z $token || jdcloud: != "$token"* ]] || {
            COMPREPLY+=(jdcloud:)
            compopt -o nospace 2>/dev/null
        }
        ;;
    esac
}

complete -F _imgsharefs imgsharefs
