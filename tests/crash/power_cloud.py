"""Loses power while a cloud is served: what is acknowledged is in the replica, or its journal says that
the cloud has to be asked.

usage: power_cloud.py DIRECTORY RECORDER STATES OPTIONS SOURCE PIN...

Shares the images that SOURCE owns with the PINs, and cancels that. Prints what it found; exit status 1
if something was wrong."""

import os
import sqlite3
import sys
import threading

import losses
import support
from history import possible
from support import Mount, check, require, told


def write(recorded, mount, images, pin, count, rng):
    there = set()
    for _ in range(count):
        image = rng.choice(images)
        path = mount.path("private", image, "shares", pin)
        if image in there:
            recorded.change(lambda path=path: os.unlink(path), [False, image, pin])
        else:
            recorded.change(lambda path=path: os.close(os.open(path, os.O_WRONLY | os.O_CREAT)),
                            [True, image, pin])
        there ^= {image}


def work(recorded, place, options, source, pins, count, rng):
    mount = Mount(source, os.path.join(place, "mnt"),
                  "%s,state=%s" % (options, recorded.named("here/state")), recorded.environment)
    try:
        mount.start()
        support.wait_for_lists(mount)
        images = [image for image in sorted(os.listdir(mount.path("private")))
                  if support.text_of(mount.path("private", image, "shareable")).startswith("yes")]
        threads = [threading.Thread(target=write, args=(recorded, mount, images, pin, count,
                                                        type(rng)(rng.random()))) for pin in pins]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        mount.unmount()
    finally:
        mount.force()


def replica_in(place):
    for where, _, names in os.walk(place):
        for name in names:
            if name.endswith(".replica"):
                return os.path.join(where, name)
    return None


def look(place, expectation, _number):
    path = replica_in(place)
    shares = set()
    asked = set()
    if path:
        check(path)
        connection = sqlite3.connect(path)
        shares = set(connection.execute(
            "SELECT image_id, pin FROM share JOIN image i ON i.id = image"))
        asked = set(connection.execute(
            "SELECT image_id, pin FROM journal JOIN image i ON i.id = image"))
        connection.close()
    for key, changes in expectation.changes.items():
        require(key in asked or (key in shares) in possible(False, changes),
                "%s with %s is %s, and the journal does not have it, after: %s", *key,
                "there" if key in shares else "missing", ", ".join(map(str, changes)))


def main():
    place = os.path.realpath(sys.argv[1])
    states = int(sys.argv[3])
    rng = support.seeded()
    recorded = losses.Recorded(place, os.path.realpath(sys.argv[2]))

    def lose():
        work(recorded, place, sys.argv[4], sys.argv[5], sys.argv[6:], max(20, states // 20), rng)
        told("%s", losses.lose_power(recorded, states, rng, look))

    return losses.run(recorded, lose)


if __name__ == "__main__":
    sys.exit(main())
