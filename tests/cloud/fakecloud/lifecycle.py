"""Operations that make, change and delete images."""

import re
import time

from fakecloud.images import find_image
from fakecloud.rows import Refusal, to_json
from fakecloud.shares import check_no_task, own_image

_NAME = re.compile(r"[\w.-]{2,32}")


def _body(context):
    if not isinstance(context.call.body, dict):
        raise Refusal("parameter-invalid", parameter="body")
    return context.call.body


def _text(body, name, missing_allowed=True):
    value = body.get(name)
    if value is None and missing_allowed:
        return None
    if not isinstance(value, str):
        raise Refusal("parameter-invalid" if value is not None else "parameter-missing",
                      parameter=name)
    return value


def _check_name(name):
    if name is not None and not _NAME.fullmatch(name):
        raise Refusal("parameter-invalid", parameter="name")


def _check_description(description):
    if description is not None and len(description) > 256:
        raise Refusal("parameter-invalid", parameter="description")


def _new_image(context, record, region):
    """A private image that is pending for a while."""
    limit = context.settings.image_limit
    if limit and len(context.state.owned(region, context.pin)) >= limit:
        raise Refusal("image-quota")
    created = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(time.time() + 8 * 3600))
    image = context.state.add_image({**record, "owner": context.pin, "region": region,
                                     "createTime": created, "status": "ready"})
    image.ready_at = time.monotonic() + context.settings.pending_ms / 1000
    return image


def modify_image_attribute(context):
    """Another name, another description."""
    body = _body(context)
    name, description = _text(body, "name"), _text(body, "description")
    if name is None and description is None:
        raise Refusal("attribute-missing")
    _check_name(name)
    _check_description(description)
    image = own_image(context)
    changes = {"name": name, "desc": description}
    context.state.update_image(image, {member: value for member, value in changes.items()
                                       if value is not None})


def delete_image(context):
    """Deletes a private image that nobody else uses."""
    image = find_image(context)
    if image.owner != context.pin or image.source != "private":
        raise Refusal("delete-this")
    if image.released:
        raise Refusal("delete-community")
    if image.pins:
        raise Refusal("delete-shared")
    check_no_task(context, image)
    if image.status(time.monotonic()) not in ("ready", "error"):
        raise Refusal("image-busy", image=image.id)
    context.state.remove_image(image)


def release_image(context):
    """Offers an image to everybody, which cancels its shares."""
    image = own_image(context)
    check_no_task(context, image)
    if image.status(time.monotonic()) != "ready":
        raise Refusal("image-not-yours")
    context.state.release_image(image, True)


def unrelease_image(context):
    """Takes an image back from the community."""
    image = own_image(context)
    check_no_task(context, image)
    context.state.release_image(image, False)


def copy_images(context):
    """Copies of own or received images, private ones of the account, here or in another region."""
    body = _body(context)
    region = _text(body, "destinationRegion", missing_allowed=False)
    if region not in context.state.regions:
        raise Refusal("region", region=region)
    ids = body.get("sourceImageIds")
    if not isinstance(ids, list) or not 1 <= len(ids) <= 10:
        raise Refusal("parameter-invalid", parameter="sourceImageIds")
    name, description = _text(body, "name"), _text(body, "description")
    _check_name(name)
    _check_description(description)
    sources = []
    for image_id in ids:
        context.call.image = image_id
        source = find_image(context)
        if source.encrypted_snapshot() or source.fields.get("rootDeviceType") == "localDisk":
            raise Refusal("image-not-yours")
        sources.append(source)
    copies = []
    for source in sources:
        record = {**source.fields, "name": name or source.fields["name"]}
        if description is not None:
            record["desc"] = description
        image = _new_image(context, record, region)
        copies.append({"destinationImageId": image.id, "sourceImageId": source.id})
    return to_json({"copyImages": copies})


def create_image(context):
    """An image of an instance; any instance there may be."""
    body = _body(context)
    name = _text(body, "name", missing_allowed=False)
    description = _text(body, "description")
    _check_name(name)
    _check_description(description)
    if any(image.fields.get("name") == name
           for image in context.state.owned(context.call.region, context.pin)):
        raise Refusal("name-duplicate", name=name)
    record = {"name": name, "desc": description or "", "instanceId": context.call.instance,
              "platform": "Ubuntu", "osType": "linux", "osVersion": "22.04",
              "architecture": "x86_64", "rootDeviceType": "cloudDisk", "systemDiskSizeGB": 40,
              "sizeMB": 0}
    image = _new_image(context, record, context.call.region)
    return to_json({"imageId": image.id})
