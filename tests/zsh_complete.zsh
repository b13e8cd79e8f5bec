#!/bin/zsh -f
# usage: zsh_complete.zsh DIRECTORY LINE...
#
# Prints, as LINE, a tab and WORD, what zsh would offer at the end of each LINE with the completions in
# DIRECTORY: an interactive zsh on a terminal of its own completes it, and writes down what it is given
# to offer.
zmodload zsh/zpty
out=$(mktemp) || exit
export OUT=$out TERM=dumb

# Waits for the file $1, and reads meanwhile what the shell says.
wait_for()
{
    for ((i = 0; i < 1000; i++)); do
        [[ -e $1 ]] && return
        zpty -r -t shell rest
        sleep 0.01
    done
    print "no answer from zsh: $rest" >&2
    exit 1
}

zpty shell zsh -f -i
zpty -w shell "PROMPT= RPROMPT= fpath=(${(q)1} \$fpath); cd ${(q)PWD}"
zpty -w shell 'autoload -Uz compinit && compinit -u -D
compadd() {
    local -a offered
    builtin compadd -O offered "$@"
    (( $#offered )) && print -rl -- $offered >>$OUT
    builtin compadd "$@"
}
finish() { comppostfuncs=(finish); print >>$OUT.done }
comppostfuncs=(finish)
bindkey -e
bindkey "^I" list-choices
unsetopt beep; print ready >$OUT.ready'
wait_for $out.ready
for line in "${@[2,-1]}"; do
    : >$out
    rm -f $out.done
    zpty -w -n shell $'\025'"$line"$'\t'
    wait_for $out.done
    sort -u $out | while IFS= read -r word; do
        print -r -- "$line"$'\t'"$word"
    done
done
zpty -d shell
rm -f $out $out.ready $out.done
