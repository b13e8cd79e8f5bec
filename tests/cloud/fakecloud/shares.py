"""Operations on shares: shareImage, unShareImage, describeImageMembers, describeQuotas."""

import time

from fakecloud.images import find_image
from fakecloud.rows import Refusal, to_json

# In two parts what a spelling checker takes for a slip.
_QUOTA_TYPES = ("instance", "instance_cpu", "instance_memory", "instance_local_disk",
                "key" + "pair", "image", "instanceTemplate", "imageShare")


def own_image(context):
    """The image that the path names, which must be a private one of the account's own."""
    image = context.state.images.get(context.call.image)
    if image is None or image.region != context.call.region:
        raise Refusal("image-not-found", image=context.call.image)
    if image.owner != context.pin or image.source != "private":
        raise Refusal("image-not-yours")
    return image


def check_no_task(context, image):
    """Refuses while another job works on the image."""
    now = time.monotonic()
    if image.task is not None:
        raise Refusal("task-conflict", task=image.task)
    if now < image.task_until or image.status(now) == "pending":
        raise Refusal("task-conflict", task=f"task-{image.id[4:]}")


def _wanted_pins(context):
    """The pins that the body names, directly or by login names, and each once."""
    body = context.call.body
    if not isinstance(body, dict):
        raise Refusal("parameter-invalid", parameter="body")
    pins = []
    for parameter in ("pins", "loginNames"):
        values = body.get(parameter)
        if values is None:
            continue
        if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
            raise Refusal("parameter-invalid", parameter=parameter)
        if parameter == "loginNames":
            for name in values:
                account = context.state.logins.get(name)
                if account is None:
                    raise Refusal("pin-not-found", pin=name)
                pins.append(account.pin)
        else:
            pins.extend(values)
    if not pins:
        raise Refusal("parameter-missing", parameter="pins")
    return list(dict.fromkeys(pins))


def _row_of(setting, strict):
    return strict if setting == "strict" else setting


def _check_share(context, image, pin, more):
    """Refuses a share that the rules forbid; whether it is a new one. more: new ones before it."""
    state, settings = context.state, context.settings
    if not pin or pin == context.pin:
        raise Refusal("pin-invalid", pin=pin)
    if pin in image.pins:
        if settings.double_share != "quiet":
            raise Refusal(_row_of(settings.double_share, "already-shared"), image=image.id,
                          pin=pin)
        return False
    if pin not in state.accounts:
        raise Refusal("pin-not-found", pin=pin)
    limit = settings.share_limit if image.limit is None else image.limit
    if len(image.pins) + more >= limit:
        raise Refusal("share-quota")
    if (settings.recipient_limit
            and state.received_count(image.region, pin) >= settings.recipient_limit):
        raise Refusal("share-quota")
    return True


def _check_cancel(context, image, pin):
    """Refuses a cancel that the rules forbid; whether there is something to cancel."""
    settings = context.settings
    if not pin or pin == context.pin:
        raise Refusal("pin-invalid", pin=pin)
    if pin in image.pins:
        return True
    if pin not in context.state.accounts:
        raise Refusal("pin-not-found", pin=pin)
    if settings.double_cancel != "quiet":
        raise Refusal(_row_of(settings.double_cancel, "not-shared"), image=image.id, pin=pin)
    return False


def _change(context, image, check, apply):
    """Checks each pin and changes all of them, or those before and after a bad one as well."""
    refused = None
    accepted = []
    for pin in _wanted_pins(context):
        try:
            if check(pin, len(accepted)):
                accepted.append(pin)
        except Refusal as refusal:
            if context.settings.several_pins == "atomic":
                raise
            refused = refused or refusal
    for pin in accepted:
        apply(image, pin)
    if accepted and context.settings.conflict_ms:
        image.task_until = time.monotonic() + context.settings.conflict_ms / 1000
    if refused:
        raise refused


def share_image(context):
    """Shares an image with accounts."""
    image = own_image(context)
    if image.released:
        raise Refusal("community")
    check_no_task(context, image)
    if image.status(time.monotonic()) != "ready":
        raise Refusal("image-not-yours")
    snapshot = image.encrypted_snapshot()
    if snapshot:
        raise Refusal("encrypted", snapshot=snapshot)
    _change(context, image, lambda pin, more: _check_share(context, image, pin, more),
            context.state.share)


def unshare_image(context):
    """Cancels shares of an image."""
    image = own_image(context)
    check_no_task(context, image)
    _change(context, image, lambda pin, _more: _check_cancel(context, image, pin),
            context.state.cancel)


def describe_image_members(context):
    """The accounts that an image is shared with, in one list without pages."""
    image = own_image(context)
    pins = context.ordered(list(context.state.visible_pins(image)))
    members = context.list_member("pins", [to_json(pin) for pin in pins])
    if context.settings.login_names:
        accounts = context.state.accounts
        names = [accounts[pin].login_name if pin in accounts else pin for pin in pins]
        members += context.list_member(
            "loginNames", [to_json(name) for name in names])
    return "{" + members.rstrip(",") + "}"


def _filter_values(call, wanted):
    """The values of the filter of a name, or None."""
    number = 1
    while call.one(f"filters.{number}.name") is not None:
        if call.one(f"filters.{number}.name") == wanted:
            return call.numbered(f"filters.{number}.values")
        number += 1
    return None


def describe_quotas(context):
    """Limits and how much of each is used; that of shares is one of an image."""
    call, settings = context.call, context.settings
    types = _filter_values(call, "resourceTypes")
    if types is None:
        types = [name for name in _QUOTA_TYPES if name != "imageShare" or call.one("imageId")]
    quotas = []
    for resource in types:
        if resource not in _QUOTA_TYPES:
            raise Refusal("parameter-invalid", parameter="resourceTypes")
        limit, used = 0, 0
        if resource == "imageShare":
            call.image = call.one("imageId")
            if not call.image:
                raise Refusal("image-id-missing")
            find_image(context)
            image = own_image(context)
            limit = settings.share_limit if image.limit is None else image.limit
            used = len(image.pins)
        elif resource == "image":
            limit = settings.image_limit
            used = len(context.state.owned(call.region, context.pin))
        quotas.append({"resourceType": resource, "limit": limit, "used": used})
    return to_json({"quotas": quotas})
