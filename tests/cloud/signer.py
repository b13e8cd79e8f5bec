"""Signs requests as a client does; written apart from the fake cloud's verifier."""

import datetime
import hashlib
import hmac
import urllib.parse
import uuid


def encode(text, keep=""):
    """Percent-encoding as signatures need it."""
    return urllib.parse.quote(text, safe=keep + "-._~")


def canonical_query(query):
    """Sorted names and values of a query that is encoded already."""
    pairs = urllib.parse.parse_qsl(query, keep_blank_values=True)
    return "&".join(f"{encode(name)}={encode(value)}" for name, value in sorted(pairs))


def utc_now():
    """The time in the form of x-jdcloud-date."""
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")


def sign(method, host, target, body=b"", *, access_key, secret_key, service="vm",
         region="cn-north-1", version=2, date=None, nonce=None, headers=None,
         signed=("content-type", "host", "x-jdcloud-date", "x-jdcloud-nonce")):
    """The headers that a request has to be sent with, Authorization among them."""
    date = date or utc_now()
    headers = {"host": host, "content-type": "application/json", "x-jdcloud-date": date,
               "x-jdcloud-nonce": nonce or str(uuid.uuid4()), **(headers or {})}
    path, _, query = target.partition("?")
    names = sorted(signed)
    canonical = "\n".join([
        method.upper(),
        encode(urllib.parse.unquote(path), keep="/"),
        canonical_query(query),
        *(f"{name}:{headers[name].strip()}" for name in names),
        "",
        ";".join(names),
        hashlib.sha256(body).hexdigest(),
    ])
    algorithm = f"JDCLOUD{version}-HMAC-SHA256"
    scope = f"{date[:8]}/{region}/{service}/jdcloud{version}_request"
    to_sign = "\n".join([algorithm, date, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = f"JDCLOUD{version}{secret_key}".encode()
    for part in scope.split("/") + [to_sign]:
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    headers["authorization"] = (f"{algorithm} Credential={access_key}/{scope}, "
                                f"SignedHeaders={';'.join(names)}, Signature={key.hex()}")
    return headers
