"""The control interface: JSON over HTTP below /_control, for tests, unsigned, loopback only.

GET reads, POST changes: {"do": NAME, ...} or a list of such objects, carried out in order.
"""

import json
from urllib.parse import unquote

from fakecloud.calls import OPERATIONS, parse_query
from fakecloud.faults import ACTIONS
from fakecloud.rows import ROWS
from fakecloud.settings import SWITCHES, BadValue
from fakecloud.state import BadState


class Control:
    """What can be asked and told."""

    def __init__(self, cloud):
        self._cloud = cloud

    def answer(self, request):
        """HTTP status and body."""
        try:
            if request.method == "GET":
                result = self._read(request.path, parse_query(request.query))
            elif request.method == "POST":
                result = self._post(json.loads(request.body))
            else:
                raise BadValue("GET reads, POST changes")
            status = 200
        except (BadValue, BadState, ValueError, TypeError, KeyError) as error:
            what = f"lacks {error}" if isinstance(error, KeyError) else str(error)
            status, result = 400, {"error": what}
        return status, json.dumps(result).encode() + b"\n"

    # --- reading ---

    def _read(self, path, query):
        parts = [unquote(part) for part in path.split("/")[2:] if part]
        subject, rest = (parts + ["overview"])[0], parts[1:]
        reader = getattr(self, "_read_" + subject.replace("-", "_"), None)
        if reader is None or len(rest) > 1:
            raise BadValue(f"there is nothing to read at {path}")
        return reader(*rest, **({"query": query} if subject == "requests" else {}))

    def _image(self, image_id):
        image = self._cloud.state.images.get(image_id)
        if image is None:
            raise BadValue(f"there is no image {image_id}")
        return image

    def _read_overview(self):
        return {"settings": self._read_settings(), "faults": self._read_faults(),
                "counts": self._read_counts(), "connections": self._read_connections(),
                "images": len(self._cloud.state.images),
                "accounts": len(self._cloud.state.accounts)}

    def _read_settings(self):
        return self._cloud.settings.as_dict()

    def _read_switches(self):
        return {name: {"default": switch.default, "values": switch.describe(),
                       "about": switch.about} for name, switch in SWITCHES.items()}

    def _read_faults(self):
        return self._cloud.faults.as_list()

    def _read_actions(self):
        return ACTIONS

    def _read_rows(self):
        return {name: dict(zip(("http", "status", "message"), row)) for name, row in ROWS.items()}

    def _read_operations(self):
        return OPERATIONS

    def _read_counts(self):
        return self._cloud.journal.counts()

    def _read_requests(self, query):
        after = int(query.pop("after", 0))
        count = query.pop("count", None)
        found = self._cloud.journal.select(query, after)
        return {"count": len(found)} if count else found

    def _read_connections(self):
        return {"open": len(self._cloud.connections),
                "idle": sum(each.idle for each in self._cloud.connections),
                "held requests": self._cloud.held,
                "each": [{"number": each.number, "requests": each.requests, "idle": each.idle}
                         for each in sorted(self._cloud.connections,
                                            key=lambda each: each.number)]}

    def _read_members(self, image_id):
        image = self._image(image_id)
        return {"pins": list(image.pins), "visible": list(self._cloud.state.visible_pins(image))}

    def _read_image(self, image_id):
        return self._cloud.state.image_as_told(self._image(image_id))

    def _read_images(self):
        return list(self._cloud.state.images)

    def _read_accounts(self):
        return self._cloud.state.accounts_as_told()

    def _read_state(self):
        state = self._cloud.state
        return {"regions": state.regions, "accounts": state.accounts_as_told(),
                "images": [state.image_as_told(image) for image in state.images.values()]}

    # --- changing ---

    def _post(self, commands):
        if isinstance(commands, list):
            return [self._do(command) for command in commands]
        return self._do(commands)

    def _do(self, command):
        if not isinstance(command, dict) or "do" not in command:
            raise BadValue('a command is an object with "do"')
        arguments = dict(command)
        name = arguments.pop("do")
        doer = getattr(self, "_do_" + str(name).replace("-", "_"), None)
        if doer is None:
            raise BadValue(f"there is no command {name}")
        return {"done": name, **(doer(**arguments) or {})}

    def _do_set(self, settings):
        self._cloud.set(settings)

    def _do_reset(self):
        self._cloud.reset()

    def _do_reset_requests(self):
        self._cloud.journal.reset()

    def _do_fault(self, fault):
        return {"number": self._cloud.faults.add(fault).number}

    def _do_clear_faults(self, number=None):
        self._cloud.faults.remove(number)

    def _do_resume(self):
        return {"resumed": self._cloud.resume()}

    def _do_drop_connections(self, how="close", idle_only=False):
        if how not in ("close", "reset"):
            raise BadValue(f"how: close or reset, not {how!r}")
        return {"dropped": self._cloud.drop_connections(how == "reset", idle_only)}

    def _do_share(self, image, pin):
        self._cloud.state.share(self._image(image), pin)

    def _do_cancel(self, image, pin):
        self._cloud.state.cancel(self._image(image), pin)

    def _do_release(self, image, released=True):
        self._cloud.state.release_image(self._image(image), released)

    def _do_add_image(self, image):
        return {"image": self._cloud.state.add_image(image).id}

    def _do_add_images(self, count, image):
        return {"images": self._cloud.state.add_images(count, image)}

    def _do_update_image(self, image, changes):
        self._cloud.state.update_image(self._image(image), changes)

    def _do_remove_image(self, image):
        self._cloud.state.remove_image(self._image(image))

    def _do_add_account(self, account):
        self._cloud.state.add_account(account)

    def _do_remove_account(self, pin):
        self._cloud.state.remove_account(pin)

    def _do_remove_key(self, access_key):
        self._cloud.state.remove_key(access_key)

    def _do_load(self, state, replace=False):
        if replace:
            self._cloud.state.clear()
        self._cloud.load(state)
