#!/usr/bin/env bats
# shellcheck disable=SC2010,SC2012,SC2016,SC2086  # ls is tested here; scripts of bash -c; ids of images need no quotes
# imgshare graph: the picture of who has what.

load helpers
load cloud_helpers

# node NAME_OF_IMAGE_OR_PIN: the names of the nodes in DOT whose label has that line.
node()
{
    grep -E "label=\"(.*\\\\n)?$1( \(img-[^)]*\))?(\\\\n.*)?\"\]" <<<"$DOT" | grep -oE '^ +[a-z]+[0-9]*' | tr -d ' '
}

# assert_arrow FROM TO [WORDS]: there is an arrow between nodes of these labels, with WORDS among what it is like.
assert_arrow()
{
    local from to

    for from in $(node "$1"); do
        for to in $(node "$2"); do
            ! grep -E "^  $from -> $to( .*${3-}|\$)" <<<"$DOT" || return 0
        done
    done
    fail "no arrow from $1 ($(node "$1" | tr '\n' ' ')) to $2 ($(node "$2" | tr '\n' ' ')) in: $DOT"
}

# nodes_drawn: how many nodes Graphviz draws of DOT.
nodes_drawn()
{
    dot -Tplain <<<"$DOT" | grep -c '^node '
}

@test "graph of a registry: all accounts, whose images, and who can use them" {
    new_registry
    DOT=$("$IMGSHARE" graph "$REGISTRY")
    [[ $DOT == *"label=\"$REGISTRY: 24 images, 27 shares, 22 accounts"* ]] || fail "$DOT"
    assert_arrow jcloud-demo mysql-8.0 arrowhead=none
    assert_arrow mysql-8.0 alice
    assert_arrow mysql-8.0 bob
    assert_arrow partner-lab ml-base arrowhead=none
    assert_arrow ml-base jcloud-demo
    grep -qE "label=\"hadoop-3 \($IMG_EVERYONE\)\"" <<<"$DOT"
    grep -qE "office-desktop \($IMG_FULL\)..full" <<<"$DOT"
    grep -qE "release-2.4 \($IMG_PENDING\)..pending" <<<"$DOT"
    # The same again.
    assert_equal "$("$IMGSHARE" graph "$REGISTRY")" "$DOT"
    assert_equal "$(nodes_drawn)" "$(grep -cE '^  (owner|images|account|everyone|others)[0-9]* \[' <<<"$DOT")"
}

@test "graph of a mount: what its account has, and what was refused" {
    new_registry
    mount_registry
    run -1 touch "$MNT/private/$IMG_GOLDEN/shares/nobody"
    run -1 touch "$MNT/private/$IMG_FULL/shares/partner-lab"
    DOT=$("$IMGSHARE" graph "$MNT")
    [[ $DOT == *"label=\"$SOURCE: 22 images, "* ]] || fail "$DOT"
    assert_arrow golden nobody 'color="#cc0000".*label="ENXIO"'
    assert_arrow office-desktop partner-lab 'color="#cc0000".*label="EDQUOT"'
    assert_arrow mysql-8.0 alice
    assert_arrow ml-base jcloud-demo
    # The mounted account stands out.
    assert_equal "$(grep -c penwidth=3 <<<"$DOT")" 2
    # The registry knows the refusals, too.
    DOT=$("$IMGSHARE" graph "$REGISTRY")
    assert_arrow golden nobody 'color="#cc0000".*label="ENXIO"'
    [ "$(nodes_drawn)" -gt 10 ]
}

@test "graph of a mount whose path has blanks and a backslash, which the kernel's list of mounts escapes" {
    new_mount
    bound=$BATS_TEST_TMPDIR/$'a b\\c\td'
    mkdir "$bound"
    mount --bind "$MNT" "$bound" || skip 'nothing can be bound here'
    run --separate-stderr "$IMGSHARE" graph "$bound"
    umount "$bound"
    DOT=$output
    assert_arrow mysql-8.0 alice
    run -1 "$IMGSHARE" graph "$bound"
    assert_output --partial 'not inside a mount of imgsharefs'
}

@test "graph of a mount: ids that begin alike, and go on with any letter" {
    new_registry
    for id in img-m5s0abcd29é img-m5s0abcd29-1 img-m5s0abcd2; do
        import_image "$id" ownerPin jcloud-demo pins '["alice"]'
    done
    mount_registry
    touch "$MNT/private/$IMG_GOLDEN/shares/alice"
    DOT=$("$IMGSHARE" graph "$MNT")
    wanted=$(ls "$MNT"/private/*/shares | grep -vc -e : -e '^$')
    # What others share with this account is there, too.
    wanted=$((wanted + $(ls "$MNT/shared" | wc -l)))
    [[ $DOT == *" images, $wanted shares, "* ]] || fail "not $wanted shares: $DOT"
}

@test "graph of 2,000 images has as many nodes as a page takes" {
    new_registry
    "$TESTS/generate" --images 2000 --pins 3 --accounts 40 | "$IMGSHARE" import "$REGISTRY" - >/dev/null
    DOT=$("$IMGSHARE" graph "$REGISTRY")
    [[ $DOT == *': 2024 images, 6027 shares, '* ]]
    drawn=$(nodes_drawn)
    echo "# $drawn nodes" >&3
    [ "$drawn" -le 120 ]
    assert_equal "$(grep -cF 'label="50 images\n' <<<"$DOT")" 40
}

@test "graph of 2,000 images that are all different shows numbers" {
    new_registry
    "$PYTHON" -IS -c '
import json
for number in range(2000):
    pins = ["p%02d" % (number * step % 97) for step in (1, 3, 7)]
    print(json.dumps({"imageId": "img-%04d" % number, "name": "web", "ownerPin": "jcloud-demo", "status": "ready",
                      "pins": sorted(set(pins))}))
' | "$IMGSHARE" import "$REGISTRY" - >/dev/null
    DOT=$("$IMGSHARE" graph "$REGISTRY")
    [[ $DOT == *'how many images an account can use'* ]]
    [ "$(nodes_drawn)" -le 90 ]
    assert_equal "$(grep -cF 'label="jcloud-demo\n2019 images\n' <<<"$DOT")" 1
}

@test "graph --svg is a picture where graphviz is, and says so where it is not" {
    new_registry
    "$IMGSHARE" graph --svg "$REGISTRY" >"$BATS_TEST_TMPDIR/picture.svg"
    "$PYTHON" -IS -c '
import sys, xml.etree.ElementTree as tree
root = tree.parse(sys.argv[1]).getroot()
assert root.tag.endswith("}svg"), root.tag
assert "mysql-8.0" in "".join(root.itertext())
' "$BATS_TEST_TMPDIR/picture.svg"
    run -1 --separate-stderr env PATH=/nowhere "$IMGSHARE" graph --svg "$REGISTRY"
    assert_output ''
    # shellcheck disable=SC2154
    assert_equal "$stderr" 'imgshare: --svg needs the program dot; install the package graphviz'
    # One that fails, one that is killed, and one that may not be run.
    mkdir "$BATS_TEST_TMPDIR/bin"
    printf '#!/bin/sh\nexit 3\n' >"$BATS_TEST_TMPDIR/bin/dot"
    chmod +x "$BATS_TEST_TMPDIR/bin/dot"
    run -1 env "PATH=$BATS_TEST_TMPDIR/bin" "$IMGSHARE" graph --svg "$REGISTRY"
    assert_output 'imgshare: dot: exit status 3'
    printf '#!/bin/sh\nkill -KILL $$\n' >"$BATS_TEST_TMPDIR/bin/dot"
    run -1 env "PATH=$BATS_TEST_TMPDIR/bin" "$IMGSHARE" graph --svg "$REGISTRY"
    assert_output 'imgshare: dot: ended by signal 9'
    chmod -x "$BATS_TEST_TMPDIR/bin/dot"
    run -1 env "PATH=$BATS_TEST_TMPDIR/bin" "$IMGSHARE" graph --svg "$REGISTRY"
    assert_output 'imgshare: dot: Permission denied'
}

@test "graph of a mount that dies between two looks says so, and draws nothing" {
    new_mount
    assert_told_when_mount_dies 1 "$IMGSHARE" graph "$MNT"
    assert_equal "$ANSWERS" ''
}

@test "graph of what is no registry and no mount" {
    run -1 "$IMGSHARE" graph "$BATS_TEST_TMPDIR"
    assert_output "imgshare: $BATS_TEST_TMPDIR: not inside a mount of imgsharefs"
    run -1 "$IMGSHARE" graph "$BATS_TEST_TMPDIR/none"
    assert_output --partial "imgshare: $BATS_TEST_TMPDIR/none: No such file or directory"
    echo nothing >"$BATS_TEST_TMPDIR/file"
    run -1 "$IMGSHARE" graph "$BATS_TEST_TMPDIR/file"
    assert_output --partial "imgshare: $BATS_TEST_TMPDIR/file: "
    new_registry
    mount_registry
    run -1 "$IMGSHARE" graph "$MNT/private"
    assert_output "imgshare: $MNT/private: not where imgsharefs is mounted; that is $MNT"
    run -1 bash -c '"$1" graph "$2" >/dev/full' bash "$IMGSHARE" "$REGISTRY"
    assert_output 'imgshare: standard output: No space left on device'
}

@test "graph of a cloud, and of its replica: what was not confirmed lately is dashed" {
    start_cloud
    mount_read
    DOT=$("$IMGSHARE" graph "$MNT")
    assert_arrow web alice
    [[ $DOT != *dashed* ]] || fail "$DOT"
    unmount "$MNT"
    replica=$(echo "$BATS_TEST_TMPDIR"/state/*.replica)
    DOT=$("$IMGSHARE" graph "$replica")
    assert_arrow web alice
    [[ $DOT != *dashed* ]] || fail "$DOT"
    # Six minutes later.
    sqlite3 "$replica" "UPDATE image SET confirmed_ns = confirmed_ns - 360000000000 WHERE image_id = '$CLOUD_WEB'"
    DOT=$("$IMGSHARE" graph "$replica")
    assert_equal "$(grep -cF ',dashed' <<<"$DOT")" 1
    grep -F ',dashed' <<<"$DOT" | grep -qF "web ($CLOUD_WEB)"
}
