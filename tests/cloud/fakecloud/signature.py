"""What a signed request has to look like: JDCLOUD2-HMAC-SHA256 and JDCLOUD3-HMAC-SHA256.

The verifier builds the canonical request anew from exactly the headers that the signature names,
and takes day, region and service from the credential. Where signers in use differ in details
(query names without a value, spaces within headers), each of their forms is accepted.
"""

import functools
import hashlib
import hmac
import itertools
import re
from calendar import timegm
from time import strptime
from urllib.parse import quote, unquote_to_bytes

from fakecloud.rows import Refusal

_ALGORITHM = re.compile(r"JDCLOUD([23])-HMAC-SHA256\s+(.*)", re.S)
_SPACES = re.compile(r" +")


class Authorization:
    """An Authorization header, taken apart."""

    __slots__ = ("version", "access_key", "day", "region", "service", "signed", "signature")

    def __init__(self, value):
        match = _ALGORITHM.fullmatch(value.strip())
        if not match:
            raise Refusal("credentials")
        parts = {}
        for part in match[2].split(","):
            name, _, text = part.strip().partition("=")
            parts[name.lower()] = text.strip()
        if not parts.get("credential"):
            raise Refusal("credential-missing")
        if not parts.get("signedheaders"):
            raise Refusal("signed-headers-missing")
        scope = parts["credential"].split("/")
        self.version = match[1]
        if len(scope) != 5 or scope[4] != f"jdcloud{self.version}_request":
            raise Refusal("credentials")
        self.access_key, self.day, self.region, self.service = scope[:4]
        self.signed = parts["signedheaders"].lower().split(";")
        self.signature = parts.get("signature", "")


@functools.lru_cache(4096)
def canonical_path(path, version):
    """The path as it is signed: decoded and encoded again, so that ':' and '%3A' are one."""
    if version == "3":
        path = re.sub(r"/+", "/", path.replace("+", " "))
    raw = unquote_to_bytes(path.encode("latin-1")) or b"/"
    if not raw.startswith(b"/"):
        raw = b"/" + raw
    if version == "3":
        # An encoded slash counts as a slash, also next to another one.
        raw = re.sub(rb"/+", b"/", raw)
    return quote(raw, safe="/")


@functools.lru_cache(4096)
def canonical_queries(query):
    """The forms in which signers write a query: names without '=' are left out, or get one."""
    given, bare = [], []
    for part in query.split("&"):
        name, equals, value = part.partition("=")
        pair = tuple(quote(unquote_to_bytes(text.replace("+", " ").encode("latin-1")), safe="")
                     for text in (name, value))
        if pair[0]:
            (given if equals else bare).append(pair)
    forms = [given] + ([given + bare] if bare else [])
    return tuple("&".join(f"{name}={value}" for name, value in sorted(form)) for form in forms)


def host_to_sign(host):
    """The host with its port, unless that goes without saying."""
    for port in (":80", ":443"):
        if host.endswith(port):
            return host[:-len(port)]
    return host


def _header_forms(headers, signed):
    """The header lines of the canonical request, with spaces as given and with them collapsed."""
    values = []
    for name in signed:
        value = headers.get(name, "")
        values.append(host_to_sign(value) if name == "host" else value)
    lines = "".join(f"{name}:{value}\n" for name, value in zip(signed, values))
    if "  " not in lines:
        return (lines,)
    collapsed = "".join(f"{name}:{_SPACES.sub(' ', value)}\n"
                        for name, value in zip(signed, values))
    return (lines, collapsed)


@functools.lru_cache(1024)
def seconds_of(date):
    """x-jdcloud-date in seconds, or None if it is no such date."""
    try:
        return timegm(strptime(date, "%Y%m%dT%H%M%SZ"))
    except ValueError:
        return None


@functools.lru_cache(1024)
def signing_key(secret_key, version, day, region, service):
    """The key that a day's requests to one service are signed with."""
    key = f"JDCLOUD{version}{secret_key}".encode()
    for part in (day, region, service, f"jdcloud{version}_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


def _signature(authorization, secret_key, date, canonical):
    scope = (f"{authorization.day}/{authorization.region}/{authorization.service}"
             f"/jdcloud{authorization.version}_request")
    to_sign = (f"JDCLOUD{authorization.version}-HMAC-SHA256\n{date}\n{scope}\n"
               f"{hashlib.sha256(canonical.encode('latin-1')).hexdigest()}")
    key = signing_key(secret_key, authorization.version, authorization.day,
                      authorization.region, authorization.service)
    return hmac.digest(key, to_sign.encode(), "sha256").hex()


def signature_matches(authorization, secret_key, method, path, query, headers, body):
    """Whether the signature is that of the request, in any of the forms that signers use.

    headers: lower-case name to value, several values of one name joined by commas.
    """
    date = headers["x-jdcloud-date"]
    hashes = [hashlib.sha256(body).hexdigest()]
    if "x-jdcloud-content-sha256" in headers:
        # Some signers sign the hash that this header announces.
        hashes.append(headers["x-jdcloud-content-sha256"])
    forms = itertools.product(canonical_queries(query),
                              _header_forms(headers, authorization.signed),
                              dict.fromkeys(hashes))
    where = f"{method.upper()}\n{canonical_path(path, authorization.version)}\n"
    names = ";".join(authorization.signed)
    for canonical_query, lines, body_hash in forms:
        canonical = f"{where}{canonical_query}\n{lines}\n{names}\n{body_hash}"
        if hmac.compare_digest(_signature(authorization, secret_key, date, canonical),
                               authorization.signature):
            return True
    return False


def body_hash_true(headers, body, tls):
    """Whether the announced hash of the body, if any, is that of the body."""
    announced = headers.get("x-jdcloud-content-sha256")
    if announced is None or announced == hashlib.sha256(body).hexdigest():
        return True
    return tls and announced == "UNSIGNED-PAYLOAD"
