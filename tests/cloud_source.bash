# shellcheck shell=bash disable=SC2034
# With IMGSHARE_TEST_SOURCE=cloud, helpers.bash reads this: suites that are about the tree and not about a
# registry then meet the fake cloud, with the accounts and images of docs/examples.

# shellcheck source-path=SCRIPTDIR source=cloud_helpers.bash
. "$TESTS/cloud_helpers.bash"

# make_cloud_sample FILE: the sample of docs/examples as a state of the fake cloud. The keys of an account
# are AK and SK and its pin.
make_cloud_sample()
{
    "$PYTHON" -IS - "$SAMPLE" >"$1" <<'END'
import json, sys

with open(sys.argv[1] + "/images.json", encoding="utf-8") as file:
    images = json.load(file)["result"]["images"]
accounts = {}
with open(sys.argv[1] + "/accounts.txt", encoding="utf-8") as file:
    for line in file:
        pin, _, mobile = line.rstrip("\n").partition("\t")
        if pin and not pin.startswith("#"):
            accounts[pin] = {"pin": pin, "mobile": mobile} if mobile else {"pin": pin}
for image in images:
    image["owner"] = image["ownerPin"]
    image["released"] = image.get("launchPermission") == "all"
    image["imageSource"] = "private"
    for pin in [image["owner"], *image.get("pins", [])]:
        accounts.setdefault(pin, {"pin": pin})
for pin, account in accounts.items():
    account["keys"] = [{"access_key": "AK" + pin, "secret_key": "SK" + pin}]
json.dump({"regions": ["cn-north-1"], "accounts": list(accounts.values()), "images": images}, sys.stdout)
END
}

new_registry()
{
    local state=$BATS_FILE_TMPDIR/sample.cloud

    [ $# -eq 0 ] || skip 'about a registry'
    if [ ! -e "$state" ]; then
        make_cloud_sample "$state.new" && mv -- "$state.new" "$state" || return
    fi
    start_cloud --state "$state" || return
    SOURCE=jdcloud:$REGION
}

mount_registry()
{
    local options='' pin

    if [ "${1-}" = -o ]; then
        options=$2
        shift 2
    fi
    [[ ,$options, == *,account=* ]] || options=account=jcloud-demo${options:+,$options}
    pin=,$options,
    pin=${pin#*,account=}
    KEY=AK${pin%%,*} SECRET=SK${pin%%,*}
    mount_cloud -o "$options" "$@"
}

add_account()
{
    tell add-account "$1"
}

all_shares()
{
    local state

    state=$(control get state) || return
    "$PYTHON" -IS -c '
import json, sys
for image in sorted(json.load(sys.stdin)["images"], key=lambda image: image["imageId"]):
    for pin in sorted(image.get("pins", [])):
        sys.stdout.buffer.write(("%s %s\n" % (image["imageId"], pin)).encode())
' <<<"$state"
}

shares_of()
{
    cloud_shares "$1"
}

import_image()
{
    skip 'imports into a registry'
}

unmount_all()
{
    unmount_all_mounts
    end_cloud KILL
}
