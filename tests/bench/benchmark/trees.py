"""The data: the same images and shares in a registry and as a tree of files for the peers."""

import functools
import os

DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


def image_id(number):
    """As tests/generate names them."""
    text = ""
    for _ in range(10):
        number, digit = divmod(number, 36)
        text = DIGITS[digit] + text
    return "img-" + text


def pin(number):
    """As tests/generate names them."""
    return "account-%04d" % number


class Trees:
    """Makes each registry and each tree once."""

    def __init__(self, place):
        self.place = place

    @functools.lru_cache(maxsize=None)
    def registry(self, images, pins=0, accounts=0, copy=""):
        """A registry of IMAGES, each shared with PINS of ACCOUNTS (which are there also if none is
        shared with). COPY makes one more of the same."""
        place = self.place
        path = place.path("registry-%d-%d-%d%s" % (images, pins, accounts, copy))
        place.imgshare("init", path, "--account", "jcloud-demo", "--limit", "100000")
        if accounts > pins:
            names = place.write_list('{"account":"%s"}' % pin(n) for n in range(accounts))
            place.imgshare("import", path, names)
        place.imgshare("import", path, place.generate(
            "--images", images, "--pins", pins, "--accounts", max(pins, accounts)))
        return path

    @functools.lru_cache(maxsize=None)
    def tree(self, images, pins=0, files=(), copy=""):
        """The directory in tmpfs that looks like such a registry: private/ID/shares/PIN, and the
        FILES (name, size) in each ID/. Without pins and files just private/ID."""
        place = self.place
        base = os.path.join(place.tmpfs, "tree-%d-%d-%d%s" % (images, pins, len(files), copy))
        private = os.path.join(base, "private")
        os.makedirs(private)
        ids = [os.path.join(private, image_id(n)) for n in range(images)]
        self.make("mkdir", ids)
        if pins or files:
            self.make("mkdir", [each + "/shares" for each in ids])
        at = 0
        shares = []
        for each in ids:
            # As in tests/generate the pins go round.
            shares += ["%s/shares/%s" % (each, pin((at + n) % max(pins, 1))) for n in range(pins)]
            at += pins
        self.make("create", shares)
        for name, size in files:
            for each in ids:
                with open(os.path.join(each, name), "w") as file:
                    file.write("x" * size)
        return base

    def make(self, call, paths):
        """mkdir or create."""
        if not paths:
            return
        names = self.place.write_list(paths)
        self.place.load(call, 1, names)
        os.unlink(names)

    def shares(self, base, pins, image=0):
        """A list file of the paths of one image's shares below the mount or tree BASE."""
        return self.place.write_list(
            os.path.join(base, "private", image_id(image), "shares", pin(n)) for n in range(pins))
