#!/usr/bin/env bats
# What meson installs, and where; updatedb's configuration.

load helpers
load home_helpers

setup_file()
{
    export DEST=$BATS_FILE_TMPDIR/dest
    DESTDIR=$DEST meson install -C "$BUILD" --no-rebuild >"$BATS_FILE_TMPDIR/log" 2>&1 || {
        cat "$BATS_FILE_TMPDIR/log"
        return 1
    }
    PREFIX=$(meson introspect --buildoptions "$BUILD" |
        "$PYTHON" -IS -c 'import json, sys; print(*[o["value"] for o in json.load(sys.stdin) if o["name"] == "prefix"])')
    export PREFIX
}

setup()
{
    PLACE=$DEST$PREFIX
    CONF=$BATS_TEST_TMPDIR/updatedb.conf
    UPDATEDB=$PROJECT/mountscripts/updatedb
}

@test "everything is installed in its place, and nothing else" {
    local name expected

    expected='bin/imgshare
bin/imgsharefs
lib/systemd/system/imgsharefs@.service
libexec/imgsharefs/updatedb
sbin/mount.imgsharefs
share/doc/imgsharefs/README.md
share/doc/imgsharefs/examples/images.automount
share/doc/imgsharefs/examples/images.mount
share/man/man1/imgshare.1
share/man/man8/imgsharefs.8
share/man/man8/mount.imgsharefs.8'
    for name in "$PROJECT"/docs/*.{md,png,svg}; do
        expected+=$'\n'share/doc/imgsharefs/${name##*/}
    done
    for name in "$PROJECT"/docs/examples/*; do
        expected+=$'\n'share/doc/imgsharefs/examples/${name##*/}
    done
    for name in "$PROJECT"/mountscripts/completions/*; do
        case ${name##*/} in
        *.bash) name=${name##*/} expected+=$'\n'share/bash-completion/completions/${name%.bash} ;;
        _*) expected+=$'\n'share/zsh/site-functions/${name##*/} ;;
        esac
    done
    run diff <(LC_ALL=C sort <<<"$expected") \
        <(cd "$PLACE" && find . ! -type d -printf '%P\n' | LC_ALL=C sort)
    assert_output ''
    # All may read it, nobody but root may write it, and what is a program can be executed.
    run find "$DEST" ! -type l \( -perm /022 -o ! -perm -444 \)
    assert_output ''
    run -0 sort <(cd "$PLACE" && find . -type f -perm /111 -printf '%P\n')
    assert_output $'bin/imgshare\nbin/imgsharefs\nlibexec/imgsharefs/updatedb\nsbin/mount.imgsharefs'
}

@test "what is installed works: programs, manual, mount helper, unit" {
    need_root
    new_registry
    mkdir "$BATS_TEST_TMPDIR/home"
    cp "$REGISTRY" "$BATS_TEST_TMPDIR/home/r"
    [ "$PREFIX" = /usr/local ] || skip "the prefix is $PREFIX"
    run at_home "
        umount /usr/local/bin && rm /usr/sbin/mount.imgsharefs
        mount --bind '$PLACE' /usr/local
        imgshare --version && imgsharefs --version
        mkdir m
        # As README says of other prefixes than /usr.
        ln -s /usr/local/sbin/mount.imgsharefs /sbin/
        mount -t imgsharefs -o account=jcloud-demo r m && cat m/account/pin && umount m
        [ -z \"\$(type -p man)\" ] || man -w imgshare imgsharefs mount.imgsharefs
        [ -z \"\$(type -p systemd-analyze)\" ] || systemd-analyze verify --man=no imgsharefs@images.service"
    assert_success
    assert_line --regexp '^imgshare [0-9.]+$'
    assert_line --regexp '^imgsharefs [0-9.]+$'
    assert_line jcloud-demo
    refute_output --partial 'No manual entry'
    refute_output --partial imgsharefs@images.service
}

@test "README says how to install, and the command is the one that is tested" {
    grep -F 'meson install -C build' "$PROJECT/README.md"
    grep -F 'ln -s /usr/local/sbin/mount.imgsharefs /sbin/' "$PROJECT/README.md"
    grep -F 'mountscripts/package' "$PROJECT/README.md"
}

@test "the package has the version of the programs, and what it is built with" {
    local version package packages

    version=$("$IMGSHAREFS" --version)
    run head -n 1 "$PROJECT/mountscripts/debian/changelog"
    assert_output --partial "imgsharefs (${version#imgsharefs })"
    # What quickstart installs for building is what the package asks for.
    packages=$(grep -oE '(lib[a-z0-9-]+-dev|meson|pkg-config)$' "$PROJECT/mountscripts/lib/packages.sh")
    for package in $packages; do
        [ "$package" = libc6-dev ] || grep -E "^ $package( |,)" "$PROJECT/mountscripts/debian/control"
    done
}

# prunefs: the words of the last PRUNEFS line of CONF.
prunefs()
{
    sed -nE 's/^[[:space:]]*PRUNEFS[[:space:]]*=[[:space:]]*"?([^"]*)"?[[:space:]]*$/\1/p' "$CONF" | tail -n 1
}

@test "updatedb's configuration gets fuse.imgsharefs once, keeps all else, and can lose it again" {
    printf 'PRUNE_BIND_MOUNTS="yes"\n# PRUNEFS="none"\nPRUNEPATHS="/tmp"\nPRUNEFS="NFS fuse.sshfs"\n' >"$CONF"
    chmod 0640 "$CONF"
    cp "$CONF" "$CONF.before"
    run -1 "$UPDATEDB" --check "$CONF"
    for _ in 1 2; do
        run -0 "$UPDATEDB" "$CONF"
        assert_output ''
        assert_equal "$(prunefs)" 'fuse.imgsharefs NFS fuse.sshfs'
    done
    run -0 "$UPDATEDB" --check "$CONF"
    assert_equal "$(diff "$CONF.before" "$CONF" | grep -c '^[<>]')" 2
    assert_equal "$(stat -c %a "$CONF")" 640
    run -0 "$UPDATEDB" --remove "$CONF"
    run -1 "$UPDATEDB" --check "$CONF"
    assert_equal "$(prunefs | tr -s ' ' | sed 's/^ //')" 'NFS fuse.sshfs'
    run -0 "$UPDATEDB" --remove "$CONF"
    # Other ways to write it, through a link.
    for line in 'PRUNEFS = "nfs"' 'PRUNEFS=nfs' 'PRUNEFS=""' '  PRUNEFS = nfs  ' ''; do
        echo "$line" >"$CONF"
        ln -sf "$CONF" "$CONF.link"
        run -0 "$UPDATEDB" "$CONF.link"
        [[ " $(prunefs) " == *' fuse.imgsharefs '* ]] || fail "$line became $(cat "$CONF")"
        [[ $line != *nfs* || " $(prunefs) " == *' nfs '* ]] || fail "$line became $(cat "$CONF")"
        assert [ -L "$CONF.link" ]
    done
    assert_equal "$(ls -A "$BATS_TEST_TMPDIR")" "$(printf '%s\n' updatedb.conf{,.before,.link})"
    run -2 "$UPDATEDB" "$CONF.none"
    assert_output --partial "$CONF.none cannot be read"
    run -2 "$UPDATEDB" --bogus
    assert_output --partial 'unknown option: --bogus'
}

@test "updatedb then keeps out of mounts" {
    need_root
    type -P updatedb.plocate >/dev/null || skip 'plocate is not installed'
    new_registry
    mkdir "$BATS_TEST_TMPDIR/home"
    cp "$REGISTRY" "$BATS_TEST_TMPDIR/home/r"
    # shellcheck disable=SC2016
    run at_home "
        mkdir m && imgsharefs -o account=jcloud-demo r m
        mount --rbind \$PWD /srv && cd /srv
        grep -v ^PRUNEPATHS /etc/updatedb.conf | sed 's/^PRUNE_BIND_MOUNTS.*/PRUNE_BIND_MOUNTS=\"no\"/' >updatedb.conf
        mount --bind updatedb.conf /etc/updatedb.conf
        look() { updatedb.plocate -U /srv -o db -l no --prunepaths '' && plocate -d db -c /srv/m/; }
        look
        umount /etc/updatedb.conf && '$UPDATEDB' updatedb.conf && mount --bind updatedb.conf /etc/updatedb.conf
        look"
    assert_equal "${#lines[@]}" 2
    [ "${lines[0]}" -gt 100 ]
    assert_equal "${lines[1]}" 0
}
