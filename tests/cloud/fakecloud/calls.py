"""Which operation a request asks for, and what it passes to it."""

import json
import re
from urllib.parse import unquote

from fakecloud.rows import Refusal

_REGION = r"/v1/regions/(?P<region>[^/:]+)"
_IMAGE = _REGION + r"/images/(?P<image>[^/:]+)"

# Method, path, service, operation. The path is matched with percent-encoding undone.
_ROUTES = [
    ("GET", _REGION + r"/images", "vm", "describeImages"),
    ("GET", _IMAGE, "vm", "describeImage"),
    ("POST", _IMAGE + r":share", "vm", "shareImage"),
    ("POST", _IMAGE + r":unshare", "vm", "unShareImage"),
    ("GET", _IMAGE + r"/members", "vm", "describeImageMembers"),
    ("GET", _REGION + r"/quotas", "vm", "describeQuotas"),
    ("POST", _IMAGE + r":modifyImageAttribute", "vm", "modifyImageAttribute"),
    ("DELETE", _IMAGE, "vm", "deleteImage"),
    ("POST", _IMAGE + r":release", "vm", "releaseImage"),
    ("POST", _IMAGE + r":unrelease", "vm", "unReleaseImage"),
    ("POST", _REGION + r"/images:copyImages", "vm", "copyImages"),
    ("POST", _REGION + r"/instances/(?P<instance>[^/:]+):createImage", "vm", "createImage"),
    ("GET", _REGION + r"/user:describeUserPin", "iam", "describeUserPin"),
    ("GET", r"/v1/describeUser", "user", "describeUser"),
]
_MATCHERS = [(method, re.compile(path), service, operation)
             for method, path, service, operation in _ROUTES]

OPERATIONS = tuple(operation for _, _, _, operation in _ROUTES)


class Call:
    """A request, understood as far as its path goes. Without operation: no route fits."""

    __slots__ = ("operation", "service", "region", "image", "instance", "query", "body")

    def __init__(self, operation=None, service=None, names=None, query=None):
        names = names or {}
        self.operation = operation
        self.service = service
        self.region = names.get("region")
        self.image = names.get("image")
        self.instance = names.get("instance")
        self.query = query or {}
        self.body = {}

    def one(self, name):
        """A parameter of the query, or None."""
        return self.query.get(name)

    def numbered(self, name):
        """The values of name.1, name.2 and so on, up to the first gap."""
        values = []
        while f"{name}.{len(values) + 1}" in self.query:
            values.append(self.query[f"{name}.{len(values) + 1}"])
        return values

    def number(self, name, default):
        """An integer of the query."""
        text = self.query.get(name)
        if text is None:
            return default
        if not re.fullmatch(r"-?[0-9]{1,9}", text):
            raise Refusal("parameter-invalid", parameter=name[0].upper() + name[1:])
        return int(text)

    def pins_wanted(self):
        """What the body names under pins, as far as that is a list; for logs and faults."""
        pins = self.body.get("pins") if isinstance(self.body, dict) else None
        return pins if isinstance(pins, list) else []

    def read_body(self, raw):
        """Understands the body of a request that has one."""
        if not raw or self.operation is None:
            return
        try:
            self.body = json.loads(raw)
        except (ValueError, RecursionError):
            self.body = None


def parse_query(query):
    """Names and values, decoded."""
    values = {}
    for part in query.split("&") if query else ():
        name, _, value = part.partition("=")
        values[unquote(name.replace("+", " "))] = unquote(value.replace("+", " "))
    return values


def find_call(method, path, query):
    """The operation that a request asks for."""
    path = unquote(path)
    for wanted, matcher, service, operation in _MATCHERS:
        if method == wanted:
            match = matcher.fullmatch(path)
            if match:
                return Call(operation, service, match.groupdict(), parse_query(query))
    return Call()
