"""Operations that show images: describeImages and describeImage."""

import time

from fakecloud.rows import Refusal, to_json
from fakecloud.state import SOURCES_NEW, SOURCES_OLD

_SOURCES = ("public", "thirdparty", "private", "shared", "community")
_STATUSES = ("pending", "ready", "deleting", "error")
# Texts of images are kept for the next list, but not without bound.
_TEXTS_KEPT = 50000


class ImageTexts:
    """Records of images as JSON, as one account sees them."""

    def __init__(self, state, settings):
        self._state = state
        self._settings = settings
        self._texts = {}

    def text(self, image, viewer):
        """The record as JSON."""
        status = image.status(time.monotonic())
        permission = self._state.launch_permission(image)
        source = self.source(image, viewer)
        key = (image.id, image.version, status, permission, source)
        text = self._texts.get(key)
        if text is None:
            owner = self._state.accounts.get(image.owner)
            if len(self._texts) >= _TEXTS_KEPT:
                self._texts.clear()
            record = {**image.fields, "imageId": image.id, "imageSource": source,
                      "launchPermission": permission, "ownerPin": image.owner, "status": status}
            if owner:
                record["loginName"] = owner.login_name
            text = to_json(record)
            self._texts[key] = text
        return text

    def source(self, image, viewer):
        """Where the account has the image from, in the words that are in use."""
        word = image.source
        if word == "private" and image.owner != viewer:
            word = "community" if image.released else "shared"
        if self._settings.vocabulary == "old":
            word = SOURCES_OLD.get(word, word)
        return word


def may_see(state, image, pin):
    """Whether an account can see an image at all."""
    return (image.owner == pin or image.released or image.source != "private"
            or pin in state.visible_pins(image))


def find_image(context):
    """The image that the path names, if the account can see it."""
    image = context.state.images.get(context.call.image)
    if (image is None or image.region != context.call.region
            or not may_see(context.state, image, context.pin)):
        raise Refusal("image-not-found", image=context.call.image)
    return image


def _candidates(context, source, ids):
    state, region = context.state, context.call.region
    if ids:
        found = [state.images[image_id] for image_id in dict.fromkeys(ids)
                 if image_id in state.images]
        return [image for image in found
                if image.region == region and may_see(state, image, context.pin)]
    if source == "private":
        return state.owned(region, context.pin)
    if source == "shared":
        return state.received(region, context.pin)
    return state.offered(region, source)


def _boolean(call, name):
    text = call.one(name)
    if text is None:
        return None
    if text.lower() not in ("true", "false"):
        raise Refusal("parameter-invalid", parameter=name[0].upper() + name[1:])
    return text.lower() == "true"


def _filters(context, source, ids):
    """The conditions that the query sets, as functions of an image."""
    call, state = context.call, context.state
    conditions = []
    if ids and source:
        def is_from(image):
            own = image.owner == context.pin and image.source == "private"
            offered = "community" if image.released else image.source
            return source == ("private" if own else
                              "shared" if offered == "private" else offered)
        conditions.append(is_from)
    status = call.one("status")
    if status is not None:
        if status not in _STATUSES:
            raise Refusal("parameter-invalid", parameter="Status")
        now = time.monotonic()
        conditions.append(lambda image: image.status(now) == status)
    name = call.one("imageName")
    if name:
        conditions.append(lambda image: name in image.fields.get("name", ""))
    for parameter in ("platform", "rootDeviceType", "architecture", "bootMode"):
        value = call.one(parameter)
        if value:
            conditions.append(lambda image, parameter=parameter, value=value:
                              image.fields.get(parameter) == value)
    permission = call.one("launchPermission")
    if permission and source == "private":
        conditions.append(lambda image: state.launch_permission(image) == permission)
    instances = set(call.numbered("instanceIds"))
    if instances:
        conditions.append(lambda image: image.fields.get("instanceId") in instances)
    offline = _boolean(call, "offline")
    if offline is not None and not ids and source in ("public", "thirdparty"):
        conditions.append(lambda image: bool(image.fields.get("offline")) == offline)
    return conditions


def describe_images(context):
    """A page of the images that the query asks for."""
    call = context.call
    ids = call.numbered("ids")
    source = call.one("imageSource")
    if source is None and not ids:
        raise Refusal("source-missing")
    if source is not None:
        source = SOURCES_NEW.get(source, source)
        if source not in _SOURCES:
            raise Refusal("parameter-invalid", parameter="ImageSource")
    size = call.number("pageSize", 20)
    if not 10 <= size <= 100:
        raise Refusal("page-size")
    page = call.number("pageNumber", 1)
    if page < 1:
        raise Refusal("page-number")
    found = _candidates(context, source, ids)
    for condition in _filters(context, source, ids):
        found = [image for image in found if condition(image)]
    total = len(found)
    found = context.ordered(found)[(page - 1) * size:page * size]
    texts = [context.texts.text(image, context.pin) for image in found]
    return "{" + context.list_member("images", texts) + f'"totalCount":{total}}}'


def describe_image(context):
    """One image."""
    image = find_image(context)
    return f'{{"image":{context.texts.text(image, context.pin)}}}'
