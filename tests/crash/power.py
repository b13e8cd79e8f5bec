"""Loses power at many moments: records what the programs do to a registry, builds what the disk may hold
after a loss at each of many points of the record, and looks whether all that was acknowledged before is
in it.

usage: power.py DIRECTORY RECORDER STATES

RECORDER is the library that record.c makes. Prints what it found; exit status 1 if something was wrong:
the state is then kept, in DIRECTORY/wrong."""

import json
import os
import sqlite3
import sys
import threading

import losses
import support
from history import possible
from support import Mount, check, require, told

OWNER = "jcloud-demo"
IMAGES = ["img-power%05d" % number for number in range(3)]
WRITERS = 4
ACCOUNTS = ["w%d-%d" % (writer, pin) for writer in range(WRITERS) for pin in range(3)]


def write(recorded, mount, number, count, rng):
    """A writer: COUNT changes of shares that are its own, and now and then one that is refused."""
    pins = ACCOUNTS[number * 3:number * 3 + 3]
    keys = [(image, pin) for image in IMAGES for pin in pins]
    there = set()
    for _ in range(count):
        key = rng.choice(keys)
        path = mount.path("private", key[0], "shares", key[1])
        if rng.random() < 0.1:
            path = mount.path("private", key[0], "shares", "nobody-%d" % rng.randrange(1000))
            recorded.change(lambda path=path: os.close(os.open(path, os.O_WRONLY | os.O_CREAT)),
                            [True, "share", key[0], os.path.basename(path)])
        elif key in there:
            recorded.change(lambda path=path: os.unlink(path), [False, "share", *key])
            there.discard(key)
        else:
            recorded.change(lambda path=path: os.close(os.open(path, os.O_WRONLY | os.O_CREAT)),
                            [True, "share", *key])
            there.add(key)
    for key in sorted(there):  # so that the next one finds what this one began with
        path = mount.path("private", key[0], "shares", key[1])
        recorded.change(lambda path=path: os.unlink(path), [False, "share", *key])


def serve(recorded, directory, count, rng, meanwhile):
    """Mounts; changes by all writers, and MEANWHILE something else."""
    mount = Mount(recorded.named("registry"), directory, "account=" + OWNER, recorded.environment)
    try:
        mount.start()
        threads = [threading.Thread(target=write, args=(recorded, mount, number, count,
                                                        type(rng)(rng.random())))
                   for number in range(WRITERS)]
        for thread in threads:
            thread.start()
        meanwhile()
        for thread in threads:
            thread.join()
        mount.unmount()
    finally:
        mount.force()


def images_of(first, count):
    """Images with shares, as JSON for import, and the keys that it makes."""
    names = ["img-bulk%06d" % number for number in range(first, first + count)]
    pins = ["bulk-0", "bulk-1"]
    text = json.dumps([{"imageId": name, "name": name, "ownerPin": OWNER, "status": "ready",
                        "pins": pins} for name in names]).encode()
    keys = [[True, "image", name] for name in names]
    keys += [[True, "share", name, pin] for name in names for pin in pins]
    return text, keys


def work(recorded, place, rng, changes):
    """Everything that writes a registry."""
    registry = recorded.named("registry")
    mnt = os.path.join(place, "mnt")
    recorded.change(lambda: recorded.imgshare("init", registry, "--limit", "1000", "--account",
                                              OWNER),
                    [True, "file", "registry"], [True, "account", OWNER])
    for account in ACCOUNTS:
        recorded.change(lambda account=account: recorded.imgshare("account", "add", registry, account),
                        [True, "account", account])
    text = json.dumps([{"imageId": image, "name": image, "ownerPin": OWNER, "status": "ready"}
                       for image in IMAGES]).encode()
    recorded.change(lambda: recorded.imgshare("import", registry, "-", data=text),
                    *[[True, "image", image] for image in IMAGES])

    def meanwhile():
        for number in range(3):
            copy = "copy-%d" % number
            text, keys = images_of(number * 40, 40)
            recorded.change(lambda text=text: recorded.imgshare("import", registry, "-", data=text),
                            *keys)
            recorded.change(lambda copy=copy: recorded.imgshare("backup", registry,
                                                                recorded.named(copy)),
                            [True, "file", copy])

    serve(recorded, mnt, changes // WRITERS // 2, rng, meanwhile)
    text, keys = images_of(1000, 100)
    recorded.change(lambda: recorded.imgshare("import", registry, "-", data=text), *keys)
    serve(recorded, mnt, changes // WRITERS // 2, rng, lambda: None)


def found_in(path):
    """The keys that are in a registry, and by key what the log says of it last."""
    keys = set()
    logged = {}
    connection = sqlite3.connect(path)
    try:
        for (pin,) in connection.execute("SELECT pin FROM account"):
            keys.add(("account", pin))
        for (image,) in connection.execute("SELECT image_id FROM image"):
            keys.add(("image", image))
        for key in connection.execute("SELECT image_id, pin FROM share JOIN image i ON i.id = image"):
            keys.add(("share", *key))
        for (line,) in connection.execute("SELECT line FROM event ORDER BY account, start"):
            words = dict(word.partition("=")[::2] for word in line.split(" ") if "=" in word)
            if words.get("outcome") == "done" and words["action"] in ("share", "cancel"):
                logged["share", words["image"], words["pin"]] = words["action"] == "share"
    finally:
        connection.close()
    return keys, logged


def look(place, expectation):
    """Whether the state in PLACE is right."""
    found = {("file", name) for name in os.listdir(place)}
    for name in sorted(os.listdir(place)):
        if name == "registry" or (name.startswith("copy-") and not name.endswith(".partial")):
            check(os.path.join(place, name))  # whole, whenever it is there
    path = os.path.join(place, "registry")
    logged = {}
    if os.path.exists(path):
        keys, logged = found_in(path)
        found |= keys
    for key, changes in expectation.changes.items():
        require((key in found) in possible(False, changes), "%s is %s after: %s", " ".join(key),
                "there" if key in found else "missing", ", ".join(map(str, changes)))
    for key, there in logged.items():
        require(there == (key in found), "the log of %s does not end in what is true", " ".join(key))
    for key in found:
        require(key in expectation.changes or key[0] == "file" or key[1].startswith("bulk-"),
                "%s is there, and nobody asked for it", " ".join(key))


def look_through_mount(place, directory):
    """Mounts the registry of a state, which has to show what the state holds."""
    mount = Mount(os.path.join(place, "registry"), directory, "account=" + OWNER)
    try:
        mount.start()
        shares = {(key[1], key[2]) for key in found_in(os.path.join(place, "registry"))[0]
                  if key[0] == "share"}
        listed = {(image, pin) for image in os.listdir(mount.path("private"))
                  for pin in mount.shares(image)}
        require(listed == shares, "the mount lists %d shares, and the registry has %d", len(listed),
                len(shares))
        mount.unmount()
    finally:
        mount.force()


def main():
    place = os.path.realpath(sys.argv[1])
    states = int(sys.argv[3])
    rng = support.seeded()
    recorded = losses.Recorded(place, os.path.realpath(sys.argv[2]))
    mounted = [0]

    def look_at(state, expectation, number):
        registry = os.path.join(state, "registry")
        if rng.random() < 0.3:  # it is never synced: anything may be in it
            with open(registry + "-shm", "wb") as file:
                file.write(rng.randbytes(32768))
        look(state, expectation)
        if number % 25 == 0 and os.path.exists(registry) and ("account", OWNER) in found_in(registry)[0]:
            look_through_mount(state, os.path.join(state, "mnt"))
            mounted[0] += 1

    def lose():
        work(recorded, place, rng, max(400, states // 2))
        told("%s; %d of them mounted", losses.lose_power(recorded, states, rng, look_at), mounted[0])

    return losses.run(recorded, lose)


if __name__ == "__main__":
    sys.exit(main())
