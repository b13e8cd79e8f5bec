"""Accounts, keys, images and shares: what the cloud knows, in memory."""

import json
import time

REGIONS = ("cn-north-1", "cn-east-1", "cn-east-2", "cn-south-1")
_ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyz"

# What the record of an image says in every answer is computed; these are not kept in `fields`.
_COMPUTED = ("imageId", "ownerPin", "loginName", "imageSource", "launchPermission")
_OWN = ("owner", "region", "pins", "released", "task", "limit")

SOURCES_OLD = {"public": "jcloud", "thirdparty": "marketplace", "private": "self"}
SOURCES_NEW = {old: new for new, old in SOURCES_OLD.items()}

_TEMPLATE = {
    "architecture": "x86_64", "desc": "", "osType": "linux", "osVersion": "22.04",
    "platform": "Ubuntu", "progress": "100", "rootDeviceType": "cloudDisk", "sizeMB": 2494,
    "status": "ready", "systemDiskSizeGB": 40, "createTime": "2026-01-28 16:49:05",
}


class BadState(ValueError):
    """A state, or a change of it, that makes no sense."""


class Key:
    """An access key of an account, and the services or operations that it may not ask."""

    __slots__ = ("access_key", "secret_key", "account", "forbid")

    def __init__(self, access_key, secret_key, account, forbid=()):
        self.access_key = access_key
        self.secret_key = secret_key
        self.account = account
        self.forbid = frozenset(forbid)


class Account:
    """A user of the cloud. Others need the pin; the other names are no pins."""

    __slots__ = ("pin", "login_name", "account_id", "mobile")

    def __init__(self, pin, login_name=None, account_id=None, mobile=None):
        self.pin = pin
        self.login_name = login_name or pin
        self.account_id = account_id or str(243035305301 + sum(pin.encode()) * 7919)
        self.mobile = mobile


class Image:
    """One image. `pins` is the truth; `history` holds what lists show while they lag."""

    __slots__ = ("id", "region", "owner", "source", "fields", "released", "ready_at", "task",
                 "task_until", "limit", "pins", "history", "version")

    def __init__(self, image_id, region, owner, source, fields):
        self.id = image_id
        self.region = region
        self.owner = owner
        self.source = source
        self.fields = fields
        self.released = False
        self.ready_at = 0.0
        self.task = None
        self.task_until = 0.0
        self.limit = None
        self.pins = {}
        self.history = None
        self.version = 0

    def status(self, now):
        """pending until it is made, then what it is."""
        return "pending" if now < self.ready_at else self.fields.get("status", "ready")

    def encrypted_snapshot(self):
        """The id of an encrypted snapshot that the image references, or None."""
        disks = [self.fields.get("systemDisk") or {}] + (self.fields.get("dataDisks") or [])
        for disk in disks:
            cloud_disk = disk.get("cloudDisk") or {}
            if cloud_disk.get("encrypted"):
                return cloud_disk.get("snapshotId") or self.fields.get("snapshotId") or "xx"
        return None


def image_id_of(number):
    """An id of the usual form; numbers do not show in it, and no two numbers have the same."""
    value = number * 2654435761 % 36 ** 10
    digits = ""
    for _ in range(10):
        value, digit = divmod(value, 36)
        digits += _ALPHABET[digit]
    return "img-" + digits


class State:
    """Everything that there is, and the indexes that make lists cheap."""

    def __init__(self, settings, chance):
        self._settings = settings
        self._chance = chance
        # Never begins anew, so that no two records of images have the same.
        self.version = 0
        self.clear()

    def clear(self):
        """An empty cloud."""
        self.regions = list(REGIONS)
        self.accounts = {}
        self.logins = {}
        self.keys = {}
        self.images = {}
        self._numbers = 0
        # (region, pin) and (region, source) to the images, by id, in the order of their making.
        self._owned = {}
        self._offered = {}
        self._received = {}

    # --- accounts ---

    def add_account(self, record):
        """An account with its keys, or more keys for one that there is."""
        pin = record.get("pin")
        if not isinstance(pin, str) or not pin:
            raise BadState("an account needs a pin")
        account = self.accounts.get(pin)
        if account is None:
            account = Account(pin, record.get("login_name"), record.get("account_id"),
                              record.get("mobile"))
            self.accounts[pin] = account
            self.logins[account.login_name] = account
        for key in record.get("keys", ()):
            try:
                added = Key(key["access_key"], key["secret_key"], account, key.get("forbid", ()))
            except KeyError as error:
                raise BadState(f"a key of {pin} lacks {error}") from None
            self.keys[added.access_key] = added

    def remove_account(self, pin):
        """The account is closed; its keys do not work, shares with it stay in the lists."""
        account = self.accounts.pop(pin, None)
        if account is None:
            raise BadState(f"there is no account {pin}")
        self.logins.pop(account.login_name, None)
        for access_key in [key for key, held in self.keys.items() if held.account is account]:
            del self.keys[access_key]

    def remove_key(self, access_key):
        """The key does not work any more."""
        if self.keys.pop(access_key, None) is None:
            raise BadState(f"there is no key {access_key}")

    # --- images ---

    def new_image_id(self):
        """An id that no image has or had."""
        while True:
            self._numbers += 1
            image_id = image_id_of(self._numbers)
            if image_id not in self.images:
                return image_id

    def add_image(self, record):
        """An image from a record of describeImages, with owner, region, pins and more beside."""
        owner = record.get("owner") or record.get("ownerPin")
        if not owner:
            raise BadState("an image needs an owner")
        image_id = record.get("imageId") or self.new_image_id()
        if image_id in self.images:
            raise BadState(f"there is an image {image_id} already")
        source = record.get("imageSource", "private")
        source = SOURCES_NEW.get(source, source)
        if source == "community":
            source = "private"
        if source not in ("private", "public", "thirdparty"):
            raise BadState(f"image {image_id}: no image has the source {source}")
        region = record.get("region", self.regions[0])
        fields = {name: value for name, value in record.items()
                  if name not in _COMPUTED and name not in _OWN}
        for name in ("name", "status"):
            fields.setdefault(name, _TEMPLATE.get(name, image_id))
        image = Image(image_id, region, owner, source, fields)
        image.released = bool(record.get("released") or record.get("imageSource") == "community")
        image.task = record.get("task")
        image.limit = record.get("limit")
        self._insert(image)
        for pin in record.get("pins") or ():
            self._note_recipient(image, pin)
            image.pins[pin] = time.time()
        return image

    def add_images(self, count, record):
        """Many images that differ in id and name only; the ids."""
        owner = record.get("owner")
        if not owner:
            raise BadState("images need an owner")
        ids = []
        base = {**_TEMPLATE, **record}
        name = base.pop("name", "image")
        for _ in range(count):
            image_id = self.new_image_id()
            self.add_image({**base, "imageId": image_id, "name": f"{name}-{self._numbers}"})
            ids.append(image_id)
        return ids

    def _insert(self, image):
        self.images[image.id] = image
        if image.source == "private":
            self._owned.setdefault((image.region, image.owner), {})[image.id] = image
        self._index_offer(image)
        self._touch(image)

    def _touch(self, image):
        """The record of the image is another one than any before, also of one of the same id."""
        self.version += 1
        image.version = self.version

    def _index_offer(self, image):
        """Public images, those of others' shops, and released ones are offered to everybody."""
        for source in ("public", "thirdparty", "community"):
            offered = self._offered.setdefault((image.region, source), {})
            if source == image.source or source == "community" and image.released:
                offered[image.id] = image
            else:
                offered.pop(image.id, None)

    def remove_image(self, image):
        """The image is gone, and all shares of it."""
        del self.images[image.id]
        for index in (self._owned, self._offered, self._received):
            for held in index.values():
                held.pop(image.id, None)

    def update_image(self, image, changes):
        """Members of the record, or task, limit and released; null takes a member away."""
        for name, value in changes.items():
            if name == "released":
                image.released = bool(value)
                self._index_offer(image)
            elif name in ("task", "limit"):
                setattr(image, name, value)
            elif name in _COMPUTED or name in _OWN:
                raise BadState(f"{name} of an image cannot be set")
            elif value is None:
                image.fields.pop(name, None)
            else:
                image.fields[name] = value
        self._touch(image)

    def release_image(self, image, released):
        """Offers the image to everybody, which cancels its shares; or takes that back."""
        if released:
            for pin in list(image.pins):
                self.cancel(image, pin)
        self.update_image(image, {"released": released})

    def owned(self, region, pin):
        """Private images of an account."""
        return list(self._owned.get((region, pin), {}).values())

    def offered(self, region, source):
        """Images that everybody may use."""
        return list(self._offered.get((region, source), {}).values())

    def received(self, region, pin):
        """Images that others share with an account, as far as it shows."""
        return [image for image in self._received.get((region, pin), {}).values()
                if pin in self.visible_pins(image)]

    def received_count(self, region, pin):
        """How many images others share with an account, in truth."""
        return sum(pin in image.pins for image in self._received.get((region, pin), {}).values())

    # --- shares ---

    def _remember(self, image):
        """Keeps what the lists show until they have caught up with the change that follows."""
        if not self._settings.lag_ms:
            image.history = None
        else:
            now = time.monotonic()
            horizon = now - self._settings.lag_ms / 1000
            kept = [entry for entry in image.history or () if entry[0] > horizon]
            image.history = kept + [(now, tuple(image.pins))]

    def _note_recipient(self, image, pin):
        self._received.setdefault((image.region, pin), {})[image.id] = image

    def share(self, image, pin):
        """Adds a share; no rule is asked."""
        if pin not in image.pins:
            self._remember(image)
            image.pins[pin] = time.time()
            self._note_recipient(image, pin)

    def cancel(self, image, pin):
        """Takes a share away; no rule is asked."""
        if pin in image.pins:
            self._remember(image)
            del image.pins[pin]

    def visible_pins(self, image):
        """The accounts that an image is shared with, as the lists show it now."""
        if not image.history or not self._settings.lag_ms:
            return image.pins
        if self._settings.lag_mode == "flapping" and self._chance.random() < 0.5:
            return image.pins
        # Each entry holds what was there before its change: the oldest change that does not show
        # yet tells what does.
        horizon = time.monotonic() - self._settings.lag_ms / 1000
        for changed, before in image.history:
            if changed > horizon:
                return before
        return image.pins

    def launch_permission(self, image):
        """Who may use the image, as the lists show it now."""
        if image.released or image.source != "private":
            return "all"
        return "specifiedUsers" if self.visible_pins(image) else "ownerOnly"

    # --- as a whole ---

    def load(self, record):
        """What a state file holds, in addition to what is there."""
        if not isinstance(record, dict):
            raise BadState("a state is an object")
        unknown = set(record) - {"regions", "accounts", "images", "settings", "faults"}
        if unknown:
            raise BadState(f"no state holds {', '.join(sorted(unknown))}")
        if "regions" in record:
            self.regions = list(record["regions"])
        for account in record.get("accounts", ()):
            self.add_account(account)
        for image in record.get("images", ()):
            self.add_image(image)

    def image_as_told(self, image):
        """The whole truth about an image, in the form of a state file."""
        return {**image.fields, "imageId": image.id, "owner": image.owner,
                "region": image.region, "imageSource": image.source,
                "released": image.released, "task": image.task, "limit": image.limit,
                "pins": list(image.pins)}

    def accounts_as_told(self):
        """The accounts, without any secret."""
        keys = {}
        for key in self.keys.values():
            keys.setdefault(key.account.pin, []).append(
                {"access_key": key.access_key, "forbid": sorted(key.forbid)})
        return [{"pin": account.pin, "login_name": account.login_name,
                 "account_id": account.account_id, "mobile": account.mobile,
                 "keys": keys.get(account.pin, [])} for account in self.accounts.values()]


def read_state(path):
    """A state file."""
    with open(path, encoding="utf-8") as file:
        return json.load(file)
