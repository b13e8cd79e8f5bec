#!/usr/bin/env bats
# How the programs are built: what compiler and linker put in the way of who would make use of a bug. Each check
# is tried on a program that lacks it, too.

load helpers

PROGRAMS=("$BUILD/imgshare" "$BUILD/imgsharefs")

setup()
{
    skip_if_sanitized 'the sanitizers build otherwise'
}

# --- what a program is asked; PROGRAM is its path ---

is_pie()
{
    readelf -hW "$1" | grep -E '^ *Type: +DYN ' && readelf -dW "$1" | grep -E '\(FLAGS_1\).*\bPIE\b'
}

# All that the linker fills in is filled in at the start, and is read-only from then on.
has_full_relro()
{
    readelf -lW "$1" | grep -E '^ *GNU_RELRO ' && readelf -dW "$1" | grep -E '\(FLAGS\).*\bBIND_NOW\b' &&
        readelf -dW "$1" | grep -E '\(FLAGS_1\).*\bNOW\b'
}

# No stack with code on it, and no segment that can be written and executed.
has_no_writable_code()
{
    readelf -lW "$1" | grep -E '^ *GNU_STACK .* RW +0x' && ! readelf -lW "$1" | grep -E ' (RWE|WE) +0x'
}

has_stack_protector()
{
    readelf --dyn-syms -W "$1" | grep -F ' __stack_chk_fail@'
}

has_fortified_calls()
{
    readelf --dyn-syms -W "$1" | grep -E ' __(memcpy|snprintf|vsnprintf|vasprintf|printf|fprintf)_chk@'
}

# Neither relocations in the code nor a path of its own to libraries.
has_a_plain_dynamic_section()
{
    ! readelf -dW "$1" | grep -E '\((TEXTREL|RPATH|RUNPATH)\)|\(FLAGS\).*TEXTREL'
}

# Indirect branches and returns that the processor checks, where it can. A program is marked so if all its objects
# are, among them the C library's own.
has_cet()
{
    readelf -nW "$1" | grep -E 'x86 feature:.*IBT, SHSTK'
}

# all_are CHECK: both programs are, and the loose one is not.
all_are()
{
    local program

    for program in "${PROGRAMS[@]}"; do
        run -0 "$1" "$program"
    done
    make_loose
    run ! "$1" "$BATS_FILE_TMPDIR/loose"
}

# A program that is built without any of this.
make_loose()
{
    [ -e "$BATS_FILE_TMPDIR/loose" ] ||
        "${CC:-cc}" -O2 -no-pie -U_FORTIFY_SOURCE -fno-stack-protector -fcf-protection=none -z norelro -z lazy \
            -z execstack -Wl,-rpath,/nowhere -o "$BATS_FILE_TMPDIR/loose" -x c - <<<'
            #include <stdio.h>
            int main(int argc, char **argv) { char text[9]; return snprintf(text, (size_t)argc, "%s", argv[0]); }'
}

# --- the tests ---

@test "the programs can be loaded anywhere" {
    all_are is_pie
}

@test "what the linker fills in cannot be written later" {
    all_are has_full_relro
}

@test "no memory of the programs can be written and executed" {
    all_are has_no_writable_code
}

@test "a stack that overflows is noticed, and so is a buffer whose size is known" {
    all_are has_stack_protector
    all_are has_fortified_calls
}

@test "branches and returns are marked for processors that check them" {
    [ "$(uname -m)" = x86_64 ] || skip 'about x86-64'
    marked=0
    while IFS= read -r line; do
        case $line in
        File:*) marked=$((marked - 1)) ;;
        *IBT,\ SHSTK*) marked=$((marked + 1)) ;;
        esac
    done < <(readelf -nW "$BUILD/core/libcore.a")
    assert_equal $marked 0
    if has_cet "$("${CC:-cc}" -print-file-name=Scrt1.o)"; then
        all_are has_cet
    fi
}

@test "libraries are found where the system has them, and the code needs no relocation" {
    all_are has_a_plain_dynamic_section
}

@test "a mount has no memory that can be written and executed" {
    new_mount
    touch "$MNT/private/$IMG_GOLDEN/shares/alice"
    run writable_code "$(daemon_pid "$MNT")"
    assert_output ''
    # It does find some.
    mkfifo "$BATS_TEST_TMPDIR/hold"
    "$PYTHON" -IS -c 'import mmap; page = mmap.mmap(-1, 4096, prot=7); print("ready", flush=True); input()' \
        <"$BATS_TEST_TMPDIR/hold" >"$BATS_TEST_TMPDIR/ready" 3>&- &
    exec {hold}>"$BATS_TEST_TMPDIR/hold"
    wait_for 5 grep -q ready "$BATS_TEST_TMPDIR/ready"
    run writable_code $!
    exec {hold}>&-
    assert_output --partial rwx
}

# writable_code PID: its mappings that can be written and executed.
writable_code()
{
    grep -E '^[0-9a-f-]+ .wx' "/proc/$1/maps"
}
