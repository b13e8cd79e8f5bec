#!/usr/bin/env bats
# shellcheck disable=SC2010,SC2012,SC2086,SC2154,SC2231  # ls is tested here; ids of images need no quotes
# The tools that one knows, on the mount; what they did is looked up in the registry.

load helpers

setup()
{
    export LC_ALL=C.UTF-8
    new_registry
    mount_registry
    cd "$MNT" || return
    golden=private/$IMG_GOLDEN # not shared
    mysql=private/$IMG_MYSQL   # shared with alice and bob
    full=private/$IMG_FULL     # shared with 20 accounts
    elsewhere=$BATS_TEST_TMPDIR/elsewhere
    mkdir "$elsewhere"
}

teardown()
{
    cd /
    unmount_all
}

# --- looking ---

@test "ls shows the tree" {
    run -0 ls
    assert_output $'README\naccount\nby-account\nby-name\nevents\nprivate\nshared\nstatus'
    assert_equal "$(ls private | wc -l)" 19
    assert_equal "$(ls shared)" $'img-g2w5ys9l3b\nimg-n8a4vk6e0p\nimg-t7h0mf1d8q'
    assert_equal "$(ls by-account/bob)" "$(printf '%s\n' $IMG_ERROR $IMG_FULL $IMG_MYSQL | sort)"
    assert_equal "$(ls by-name/shared)" partner-lab
    assert_equal "$(cat by-name/private/golden/id)" $IMG_GOLDEN
    assert_equal "$(cat by-name/shared/partner-lab/golden/id)" $IMG_PARTNER_GOLDEN
    assert_equal "$(cat by-account/bob/$IMG_ERROR/name)" erp-rollout
    assert_equal "$(ls "by-name/private/CentOS 8.2 64位 基础镜像/shares")" ''
}

@test "ls | wc -l of shares/ is the number of shares" {
    assert_equal "$(ls $full/shares | wc -l)" 20
    assert_equal "$(ls -A $mysql/shares | wc -l)" 2
    assert_equal "$(ls $golden/shares | wc -l)" 0
    assert_equal "$(ls -f $full/shares | grep -cvFx -e . -e ..)" 20
    touch $mysql/shares/{carol,partner-lab}
    assert_equal "$(ls $mysql/shares | wc -l)" "$(shares_of $IMG_MYSQL | wc -l)"
}

@test "ls -l and ls -lR go without an error, and tell names, owners and modes" {
    run -0 --separate-stderr ls -lR .
    assert_equal "$stderr" ''
    assert_line './private/'$IMG_MYSQL'/shares:'
    run -0 ls -ln $mysql/shares
    assert_line --index 1 --regexp "^-rw-r--r-- 1 $(id -u) $(id -g) 0 .* alice$"
    assert_line --index 2 --regexp "^-rw-r--r-- 1 $(id -u) $(id -g) 0 .* bob$"
    assert_equal ${#lines[@]} 3
    run -0 ls -ld $mysql
    assert_output --regexp '^drwxr-xr-x 1 '
}

@test "find finds every share that the registry has" {
    assert_equal "$(find private shared -path '*/shares/*' -type f -empty -printf '%P\n' | sed 's,/shares/, ,' | sort)" \
        "$(all_shares | grep -v "^$IMG_PARTNER_CHINESE alice" | sort)"
    assert_equal "$(find . -name alice -path './private/*' | wc -l)" 2
    assert_equal "$(find private -mindepth 1 -maxdepth 1 -type d | wc -l)" 19
    run -0 --separate-stderr find -L private shared account -ls
    assert_equal "$stderr" ''
    # -noleaf or not: st_nlink does not mislead it.
    assert_equal "$(find . -noleaf | wc -l)" "$(find . | wc -l)"
}

@test "du counts nothing, and ends well" {
    run -0 --separate-stderr du -s .
    assert_output $'0\t.'
    assert_equal "$stderr" ''
}

@test "df names the registry, and df -i counts images" {
    run -0 df --output=source,fstype,target .
    assert_line --regexp "^$SOURCE +fuse.imgsharefs +$MNT$"
    assert_equal "$(df --output=itotal . | tail -n 1 | tr -d ' ')" 22
    run df -a # it may complain of other mounts
    assert_line --regexp " $MNT$"
}

@test "stat of a share: an empty file, as old as the share" {
    before=$(date +%s)
    touch $golden/shares/alice
    run -0 stat -c '%F %s %a %h %u %g' $golden/shares/alice
    assert_output "regular empty file 0 644 1 $(id -u) $(id -g)"
    time=$(stat -c %Y $golden/shares/alice)
    ((time >= before && time <= $(date +%s)))
    run -0 stat -c '%F %a' $golden $golden/status events
    assert_output $'directory 755\nregular file 444\nregular file 440'
}

# limit_known IMAGE: a cloud is asked for it when shares/ is opened first.
limit_known()
{
    ls "$1/shares" >/dev/null
    wait_for 5 grep -q '/[0-9]' "$1/quota"
}

@test "cat of every attribute of an image" {
    limit_known $mysql
    for row in "id $IMG_MYSQL" 'name mysql-8.0' 'status available' 'description ' 'platform Ubuntu' \
        'os_type linux' 'os_version 20.04' 'architecture x86_64' 'size_mb 3812' 'system_disk_gb 40' \
        'root_device cloudDisk' 'snapshot ' 'created 2021-02-03 09:12:44' 'owner jcloud-demo' \
        'exposure 2 accounts' 'shareable yes' 'quota 2/20' 'last_refusal '; do
        assert_equal "${row%% *} $(cat "$mysql/${row%% *}")" "$row"
    done
    assert_equal "$(cat private/$IMG_SNAPSHOT/snapshot)" snapshot-b7y6u50e88
    assert_equal "$(cat private/$IMG_CHINESE/description)" 安全基线已加固
    assert_equal "$(cat private/$IMG_BARE/os_type private/$IMG_BARE/size_mb private/$IMG_BARE/created)" ''
    confirmed=$(<$mysql/confirmed) # before the clock is asked: a second may begin in between
    age=$(($(date +%s) - $(date -d "$confirmed" +%s)))
    ((age >= 0 && age < 10))
    run -0 "$PYTHON" -IS -c 'import json, sys; print(json.load(sys.stdin)["imageId"])' <$mysql/image.json
    assert_output $IMG_MYSQL
}

@test "cat of what a received image has besides" {
    assert_equal "$(cat shared/$IMG_PARTNER_ML/owner shared/$IMG_PARTNER_ML/trusted)" $'partner-lab\nno'
    assert_equal "$(cat account/pin)" jcloud-demo
    run -0 cat shared/$IMG_PARTNER_ML/notice
    assert_output --partial 'use images only from sources that you trust'
    run cat $mysql/notice $mysql/trusted
    assert_failure
}

@test "every file is as long as stat says, and wc, head, tail and grep agree" {
    for file in README status account/pin $mysql/* shared/$IMG_PARTNER_ML/*; do
        [ -f "$file" ] || continue
        assert_equal "$file $(stat -c %s "$file")" "$file $(wc -c <"$file")"
        assert_equal "$(head -c 3 "$file")" "$(head -c 3 <<<"$(<"$file")")"
    done
    run -0 grep -l '^available$' private/*/status
    assert_equal ${#lines[@]} 16
    run -0 grep -rlx 'partner-lab' --include=owner .
    assert_equal ${#lines[@]} 3
}

@test "tail -f of events shows what happens within two seconds" {
    tail -n 0 -f events >"$elsewhere/log" 3>&- &
    tail=$!
    touch $golden/shares/alice
    # Only what comes after its start is shown: another one shows that it is there.
    for pin in bob carol; do
        touch "$golden/shares/$pin"
        wait_for 2 grep -q "action=share image=$IMG_GOLDEN pin=$pin outcome=done" "$elsewhere/log"
    done
    run touch private/$IMG_PENDING/shares/alice
    wait_for 2 grep -q "image=$IMG_PENDING pin=alice outcome=refused errno=EBUSY" "$elsewhere/log"
    kill $tail
}

# --- touch ---

@test "touch shares with one account, with several, on several images, and twice" {
    touch $golden/shares/alice
    assert_shares $IMG_GOLDEN alice
    touch $golden/shares/alice $golden/shares/{bob,carol}
    assert_shares $IMG_GOLDEN alice bob carol
    touch private/{$IMG_GOLDEN,$IMG_CHINESE,$IMG_WINDOWS}/shares/partner-lab
    assert_shares $IMG_GOLDEN alice bob carol partner-lab
    assert_shares $IMG_CHINESE partner-lab
    assert_shares $IMG_WINDOWS partner-lab
    touch by-name/private/arm-edge/shares/alice
    assert_shares $IMG_ARM alice
}

@test "touch goes on after a refusal, and its exit status tells of it" {
    run -1 touch $golden/shares/alice $golden/shares/nobody $golden/shares/bob
    assert_output "touch: cannot touch '$golden/shares/nobody': No such device or address"
    assert_shares $IMG_GOLDEN alice bob
}

@test "touch -d and -r set no time, and share" {
    touch -d '2001-01-01' $golden/shares/alice
    touch -r README $golden/shares/bob
    touch -t 200101010000 $mysql/shares/alice
    assert_shares $IMG_GOLDEN alice bob
    assert_equal "$(stat -c %y $golden/shares/alice | cut -d- -f1)" "$(date +%Y)"
}

@test "touch -c shares nothing" {
    touch -c $golden/shares/alice $mysql/shares/alice
    assert_shares $IMG_GOLDEN
    assert_shares $IMG_MYSQL alice bob
}

@test "touch of a directory refreshes it, and exits 0" {
    touch private $golden $golden/shares shared shared/$IMG_PARTNER_ML .
    assert_equal "$(all_shares | wc -l)" 27
}

@test "another account's share shows after touch of the directory" {
    run ls shared
    refute_output --partial $IMG_PARTNER_UNSHARED
    mine=$MNT
    mount_registry -o account=partner-lab
    touch "$MNT/private/$IMG_PARTNER_UNSHARED/shares/jcloud-demo"
    touch "$mine/shared"
    wait_for 1 test -d "$mine/shared/$IMG_PARTNER_UNSHARED"
    assert_equal "$(cat "$mine/shared/$IMG_PARTNER_UNSHARED/name")" internal-tools
}

@test "everything is shared with two accounts by one line; 123 says that some was refused" {
    run -123 --separate-stderr eval \
        "printf '%s\0' private/*/shares/ | xargs -0 -I{} touch {}alice {}bob"
    for id in $IMG_GOLDEN $IMG_MYSQL $IMG_CHINESE $IMG_WINDOWS $IMG_RUNNER_A $IMG_RUNNER_B $IMG_ARM \
        $IMG_BARE $IMG_IMPORTED $IMG_LOCAL $IMG_FULL; do
        run -0 grep -cE '^(alice|bob)$' <<<"$(shares_of "$id")"
        assert_output 2
    done
    assert_shares $IMG_PENDING
    assert_shares $IMG_ERROR bob
    assert_equal "$(grep -c ': Device or resource busy$' <<<"$stderr")" 2
    # A cloud minds encrypted snapshots only.
    number=11
    [ "${IMGSHARE_TEST_SOURCE-}" != cloud ] || number=14
    assert_equal "$(ls by-account/alice | wc -l)" $number
}

@test "xargs -P8 touch over eight images" {
    images=("$IMG_GOLDEN" "$IMG_CHINESE" "$IMG_WINDOWS" "$IMG_RUNNER_A" "$IMG_RUNNER_B" "$IMG_ARM"
        "$IMG_BARE" "$IMG_LOCAL")
    printf 'private/%s/shares/\n' "${images[@]}" | xargs -P8 -I{} touch {}alice {}bob {}carol {}partner-lab
    for id in "${images[@]}"; do
        assert_shares "$id" alice bob carol partner-lab
    done
    printf 'private/%s/shares/\n' "${images[@]}" | xargs -P8 -I{} rm {}alice {}bob {}carol
    for id in "${images[@]}"; do
        assert_shares "$id" partner-lab
    done
    run -123 eval "printf 'private/%s/shares/alice\n' $IMG_GOLDEN $IMG_PENDING | xargs -P8 -n1 touch"
    assert_shares $IMG_GOLDEN alice partner-lab
}

@test "a pin in Chinese is a file name like any other" {
    add_account 张三
    touch $golden/shares/张三
    assert_shares $IMG_GOLDEN 张三
    assert_equal "$(ls $golden/shares)" 张三
    assert_equal "$(ls by-account/张三)" $IMG_GOLDEN
    rm $golden/shares/张*
    assert_shares $IMG_GOLDEN
}

# --- rm ---

@test "rm cancels one share, several, and what a pattern fits" {
    rm $mysql/shares/alice
    assert_shares $IMG_MYSQL bob
    rm $full/shares/{alice,bob} $full/shares/dept-0*
    assert_shares $IMG_FULL carol dept-{10..17}
    limit_known $full
    assert_equal "$(cat $full/quota)" 9/20
    rm -f $mysql/shares/bob
    assert_shares $IMG_MYSQL
    rm -r $full/shares/*
    assert_shares $IMG_FULL
}

@test "rm of a share that is none fails, rm -f does not" {
    run -1 rm $golden/shares/alice
    rm -f $golden/shares/alice
    run -0 rm -fv $golden/shares/alice
    assert_output ''
}

@test "unlink(1) cancels, rmdir does not" {
    unlink $mysql/shares/alice
    assert_shares $IMG_MYSQL bob
    run -1 rmdir $mysql/shares/bob
    run -1 rmdir $mysql/shares $mysql private
    assert_shares $IMG_MYSQL bob
}

@test "what is shared, cancelled and shared again is shared" {
    for _ in 1 2 3; do
        touch $golden/shares/alice
        rm $golden/shares/alice
    done
    touch $golden/shares/alice
    assert_shares $IMG_GOLDEN alice
    assert_equal "$(grep -c "action=share image=$IMG_GOLDEN" events)" 4
    assert_equal "$(grep -c "action=cancel image=$IMG_GOLDEN" events)" 3
}
