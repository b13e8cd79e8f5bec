"""The fake cloud as a whole: state, switches, and what every request goes through."""

import asyncio
import itertools
import random
import time

from fakecloud import answers, images, lifecycle, shares, users
from fakecloud.calls import find_call
from fakecloud.control import Control
from fakecloud.faults import Faults
from fakecloud.journal import Journal
from fakecloud.limits import MinuteLimiter, NonceRecord
from fakecloud.rows import Refusal
from fakecloud.settings import Settings
from fakecloud.signature import Authorization, body_hash_true, seconds_of, signature_matches
from fakecloud.state import State

_ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyz"
_HANDLERS = {
    "describeImages": images.describe_images,
    "describeImage": images.describe_image,
    "shareImage": shares.share_image,
    "unShareImage": shares.unshare_image,
    "describeImageMembers": shares.describe_image_members,
    "describeQuotas": shares.describe_quotas,
    "modifyImageAttribute": lifecycle.modify_image_attribute,
    "deleteImage": lifecycle.delete_image,
    "releaseImage": lifecycle.release_image,
    "unReleaseImage": lifecycle.unrelease_image,
    "copyImages": lifecycle.copy_images,
    "createImage": lifecycle.create_image,
    "describeUserPin": users.describe_user_pin,
    "describeUser": users.describe_user,
}
# Where a path has no region, its requests are signed for this one.
_NO_REGION = "jdcloud-api"


class Context:
    """What an operation works with: the cloud's state, and who asks for what."""

    __slots__ = ("state", "settings", "texts", "chance", "call", "account", "pin")

    def __init__(self, cloud, call, account):
        self.state = cloud.state
        self.settings = cloud.settings
        self.texts = cloud.texts
        self.chance = cloud.chance
        self.call = call
        self.account = account
        self.pin = account.pin

    def ordered(self, items):
        """A list in the order that is in use."""
        if self.settings.order == "reversed":
            return items[::-1]
        if self.settings.order == "random":
            items = list(items)
            self.chance.shuffle(items)
        return items

    def list_member(self, name, texts):
        """A member of a result that is a list, with a comma behind it."""
        if not texts and self.settings.empty_lists != "array":
            return f'"{name}":null,' if self.settings.empty_lists == "null" else ""
        return f'"{name}":[{",".join(texts)}],'


class Cloud:
    """Everything together."""

    def __init__(self):
        self.settings = Settings()
        self.chance = random.Random(self.settings.seed)
        self.state = State(self.settings, self.chance)
        self.texts = images.ImageTexts(self.state, self.settings)
        self.faults = Faults(self.chance)
        self.journal = Journal()
        self.control = Control(self)
        self.connections = set()
        self.listener = None
        self._limiter = MinuteLimiter(self.settings)
        self._nonces = NonceRecord(self.settings)
        self._held = []
        self._connection_numbers = itertools.count(1)
        self._request_numbers = itertools.count(1)
        self._request_prefix = "".join(random.choices(_ALPHABET, k=20))

    # --- set-up ---

    def load(self, record):
        """A state file: accounts and images, switches and faults."""
        self.state.load(record)
        self.set(record.get("settings", {}))
        for fault in record.get("faults", ()):
            self.faults.add(fault)

    def set(self, values):
        """Switches, with all that follows from them."""
        self.settings.update(values)
        if "seed" in values:
            self.chance.seed(self.settings.seed)
        if self.listener:
            self.listener.set_mode(self.settings.connections)

    def reset(self):
        """Switches, faults, counts and records as at the start; images and shares stay."""
        self.settings.reset()
        self.chance.seed(self.settings.seed)
        self.faults.remove()
        self.journal.reset()
        self._limiter.reset()
        self._nonces.reset()
        self.resume()
        self.listener.set_mode(self.settings.connections)

    # --- time ---

    def latency(self):
        """Seconds that an answer takes."""
        jitter = self.settings.latency_jitter_ms
        return (self.settings.latency_ms + (self.chance.random() * jitter if jitter else 0)) / 1000

    @staticmethod
    def later(seconds, then, *arguments):
        """Calls after a time; at once if there is none."""
        if seconds <= 0:
            return then(*arguments)
        return asyncio.get_running_loop().call_later(seconds, then, *arguments)

    def hold(self, then, *arguments):
        """Keeps the rest of a request until it is resumed."""
        self._held.append((then, arguments))

    def resume(self):
        """Goes on with the requests that hang; how many there were."""
        held, self._held = self._held, []
        for then, arguments in held:
            then(*arguments)
        return len(held)

    @property
    def held(self):
        """How many requests hang."""
        return len(self._held)

    # --- connections ---

    def connection_opened(self, connection):
        """The number of a new connection."""
        self.connections.add(connection)
        return next(self._connection_numbers)

    def connection_closed(self, connection):
        """The connection is gone."""
        self.connections.discard(connection)

    def drop_connections(self, reset, idle_only):
        """Ends connections; how many."""
        chosen = [each for each in self.connections if each.idle or not idle_only]
        for connection in chosen:
            if reset:
                connection.reset()
            else:
                connection.end()
        return len(chosen)

    # --- requests ---

    def new_request_id(self):
        """32 characters that no other request has."""
        number, digits = next(self._request_numbers), ""
        for _ in range(12):
            number, digit = divmod(number, 36)
            digits = _ALPHABET[digit] + digits
        return self._request_prefix + digits

    def understand(self, request):
        """What is asked and by whom, the gateway's refusal if any, requests left, a record."""
        call = find_call(request.method, request.path, request.query)
        call.read_body(request.body)
        authorization, account, refused, left = None, None, None, None
        try:
            if "authorization" not in request.headers:
                raise Refusal("authorization-missing")
            authorization = Authorization(request.headers["authorization"])
            key = self.state.keys.get(authorization.access_key)
            if key is None:
                raise Refusal("access-key")
            self._verify(request, call, authorization, key)
            account = key.account
            if call.operation in key.forbid or call.service in key.forbid:
                raise Refusal("api-disabled")
        except Refusal as refusal:
            refused = refusal
        verdict = refused.row if account is None else "ok"
        entry = self.journal.open(request, call, authorization, account and account.pin, verdict)
        if account is not None:
            left = self._limiter.count(authorization.access_key, time.monotonic())
        if call.operation is None:
            refused = Refusal("no-route")
        elif refused is None and left < 0 and self.settings.limit_enforced:
            refused = Refusal(self.settings.limit_row)
        return call, account, refused, left, entry

    def _verify(self, request, call, authorization, key):
        headers = request.headers
        date = headers.get("x-jdcloud-date")
        if date is None:
            raise Refusal("date-missing")
        if "x-jdcloud-nonce" not in headers:
            raise Refusal("nonce-missing")
        signed_at = seconds_of(date)
        if signed_at is None:
            raise Refusal("credentials")
        window = self.settings.skew_window_s
        now = time.time() + self.settings.clock_offset_s
        if window and abs(now - signed_at) > window:
            raise Refusal("clock-skew")
        if self.settings.scope_checked and call.operation:
            if (authorization.day != date[:8] or authorization.service != call.service
                    or authorization.region != (call.region or _NO_REGION)):
                raise Refusal("credentials")
        if not (signature_matches(authorization, key.secret_key, request.method, request.path,
                                  request.query, headers, request.body)
                and body_hash_true(headers, request.body, request.tls)):
            raise Refusal("signature")
        if not self._nonces.is_new(key.access_key, headers["x-jdcloud-nonce"], time.monotonic()):
            raise Refusal("nonce-used")

    def carry_out(self, call, account, refused, request_id):
        """The right answer to a request, which takes effect."""
        try:
            if refused:
                raise refused
            if call.region is not None and call.region not in self.state.regions:
                raise Refusal("region", region=call.region)
            result = _HANDLERS[call.operation](Context(self, call, account))
            return answers.success(request_id, result)
        except Refusal as refusal:
            return answers.refusal(request_id, refusal.row, refusal.names)
