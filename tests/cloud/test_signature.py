"""Which signatures the cloud accepts, and what it says to the others."""

import hashlib
import json
import unittest

from fakecloud.signature import Authorization, signature_matches
from signer import encode, sign
from support import ALICE, GOLDEN, LIMITED, OWNER, REGION, CloudTest, Response, reference

SHARE = f"{REGION}/images/{GOLDEN}:share"
MEMBERS = f"{REGION}/images/{GOLDEN}/members"
BODY = b'{"pins": ["alice"]}'
DIFFERENT = (401, "ACCESS_ERROR", "sign result is not same [gw]")


class Signature(CloudTest):
    """Requests as they arrive."""

    def send(self, method, target, headers, body=b""):
        """A request with the given headers."""
        self.connection.request(method, target, body or None, headers)
        return Response(self.connection.getresponse())

    def signed(self, method, target, body=b"", keys=None, **how):
        """Headers of a request."""
        host = f"{self.connection.host}:{self.connection.port}"
        return sign(method, host, target, body, **(keys or OWNER), **how)

    def test_both_algorithms_and_any_headers(self):
        for version in (2, 3):
            for signed in (("content-type", "host"), ("content-type", "host", "x-jdcloud-date"),
                           ("x-jdcloud-date", "x-jdcloud-nonce"),
                           ("content-type", "host", "x-jdcloud-date", "x-jdcloud-nonce")):
                with self.subTest(version=version, signed=signed):
                    headers = self.signed("POST", SHARE, BODY, version=version, signed=signed)
                    self.assertEqual(self.send("POST", SHARE, headers, BODY).status, 200)

    def test_colon_in_the_path(self):
        for version in (2, 3):
            for target in (SHARE, SHARE.replace(":", "%3A"), SHARE.replace(":", "%3a")):
                with self.subTest(version=version, target=target):
                    headers = self.signed("POST", SHARE, BODY, version=version)
                    self.assertEqual(self.send("POST", target, headers, BODY).status, 200)

    def test_queries(self):
        for query in ("?imageSource=private&pageSize=100&imageName=web%20%E9%95%9C%2B1",
                      "?pageSize=10&imageSource=private&ids.2=b&ids.1=a%2Fb",
                      "?imageSource=private&imageName=", "?imageName=a+b&imageSource=private"):
            with self.subTest(query=query):
                target = REGION + "/images" + query
                self.assertEqual(self.send("GET", target, self.signed("GET", target)).status, 200)

    def test_what_is_not_what_was_signed(self):
        headers = self.signed("POST", SHARE, BODY)
        for method, target, body, changes in (
                ("POST", SHARE.replace("share", "unshare"), BODY, {}),
                ("POST", SHARE, b'{"pins": ["bob"]}', {}),
                ("POST", SHARE + "?x=1", BODY, {}),
                ("POST", SHARE, BODY, {"x-jdcloud-nonce": "another"}),
                ("POST", SHARE, BODY, {"host": "vm.jdcloud-api.com"}),
                ("POST", SHARE, BODY, {"x-jdcloud-content-sha256": "0" * 64}),
                ("POST", SHARE, BODY, {"authorization": headers["authorization"][:-1] + "x"})):
            with self.subTest(target=target, body=body, changes=changes):
                answer = self.send(method, target, {**headers, **changes}, body)
                self.assertEqual(answer.error, DIFFERENT)
        self.assertEqual(self.truth(), [])
        self.assertEqual(self.send("POST", SHARE, headers, BODY).status, 200)

    def test_announced_hash_of_the_body(self):
        digest = hashlib.sha256(BODY).hexdigest()
        headers = self.signed("POST", SHARE, BODY,
                              headers={"x-jdcloud-content-sha256": digest})
        self.assertEqual(self.send("POST", SHARE, headers, BODY).status, 200)
        self.assertEqual(self.send("POST", SHARE, self.signed(
            "POST", SHARE, BODY, headers={"x-jdcloud-content-sha256": digest}),
            BODY + b" ").error, DIFFERENT)

    def test_what_is_missing_or_wrong(self):
        headers = self.signed("GET", MEMBERS)
        authorization = headers["authorization"]
        for changes, message in (
                ({"authorization": None}, "lack of header authorization [gw]"),
                ({"x-jdcloud-date": None}, "lack of header x-jdcloud-date [gw]"),
                ({"x-jdcloud-nonce": None}, "lack of header x-jdcloud-nonce [gw]"),
                ({"authorization": authorization.replace("Credential", "Cred")},
                 "lack of credential in the header authorization [gw]"),
                ({"authorization": authorization.replace("SignedHeaders", "Signed")},
                 "lack of header signedHeaders [gw]"),
                ({"authorization": authorization.replace("2-HMAC", "9-HMAC")},
                 "Invalid authentication credentials [gw]"),
                ({"authorization": authorization.replace("/vm/", "/disk/")},
                 "Invalid authentication credentials [gw]"),
                ({"x-jdcloud-date": "yesterday"}, "Invalid authentication credentials [gw]"),
                ({"authorization": authorization.replace(OWNER["access_key"], "AK")},
                 "Invalid accessKey [gw]")):
            with self.subTest(changes=changes):
                changed = {name: value for name, value in {**headers, **changes}.items()
                           if value is not None}
                self.assertEqual(self.send("GET", MEMBERS, changed).error,
                                 (401, "ACCESS_ERROR", message))
        self.assertEqual(self.send("GET", MEMBERS, headers).status, 200)

    def test_a_nonce_works_once(self):
        headers = self.signed("GET", MEMBERS)
        self.assertEqual(self.send("GET", MEMBERS, headers).status, 200)
        self.assertEqual(self.send("GET", MEMBERS, headers).error[2], "nonce has been used [gw]")
        self.set(nonce_window_s=0)
        self.assertEqual(self.send("GET", MEMBERS, headers).status, 200)

    def test_clocks(self):
        old = self.signed("GET", MEMBERS, date="20200101T000000Z")
        self.assertEqual(self.send("GET", MEMBERS, old).status, 200)
        self.set(skew_window_s=900)
        self.assertEqual(self.send("GET", MEMBERS, old).error[2],
                         "x-jdcloud-date is out of range [gw]")
        self.assertEqual(self.call("GET", f"/images/{GOLDEN}").status, 200)
        self.set(clock_offset_s=-1000)
        self.assertEqual(self.call("GET", f"/images/{GOLDEN}").status, 401)

    def test_a_key_that_may_not_ask_everything(self):
        target = "/v1/describeUser"
        how = {"service": "user", "region": "jdcloud-api"}
        answer = self.send("GET", target, self.signed("GET", target, keys=LIMITED, **how))
        self.assertEqual(answer.error, (403, "HTTP_FORBIDDEN", "api is disabled [gw]"))
        answer = self.send("GET", target, self.signed("GET", target, keys=ALICE, **how))
        self.assertEqual(answer.result["pin"], "alice")
        target = f"{REGION}/user:describeUserPin?accessKey={ALICE['access_key']}"
        answer = self.send("GET", target, self.signed("GET", target, service="iam"))
        self.assertEqual(answer.result, {"pin": "alice"})
        self.assertEqual(self.call("GET", f"/images/{GOLDEN}/members", keys=LIMITED).status, 200)


class Vectors(unittest.TestCase):
    """Signatures that were published, or recorded from clients."""

    def verify(self, vector):
        """Whether the verifier accepts a vector."""
        headers = {"host": vector["host"].removeprefix("http://")}
        for name, value in vector["headers"].items():
            values = value if isinstance(value, list) else [value]
            headers[name.lower()] = ",".join(each.strip() for each in values)
        query = vector["query"]
        if isinstance(query, dict):
            query = "&".join(f"{encode(name)}={encode(value)}" for name, value in query.items())
        # A wire carries bytes; the verifier sees each as one character.
        path, query = (text.encode().decode("latin-1") for text in (vector["path"], query))
        headers = {name: value.encode().decode("latin-1") for name, value in headers.items()}
        return signature_matches(Authorization(vector["expected_authorization"]),
                                 vector["secret_key"], vector["method"], path, query, headers,
                                 vector["body"].encode())

    def check_file(self, name, least):
        """Verifies all vectors of a file that are said to be right."""
        with open(reference(self, name), encoding="utf-8") as file:
            vectors = [vector for vector in json.load(file) if vector["verified"]]
        self.assertGreaterEqual(len(vectors), least)
        for vector in vectors:
            with self.subTest(vector["name"]):
                self.assertTrue(self.verify(vector))
                digit = "0" if vector["expected_authorization"][-1] != "0" else "1"
                self.assertFalse(self.verify({**vector, "expected_authorization": vector[
                    "expected_authorization"][:-1] + digit}))

    def test_published(self):
        self.check_file("signature-vectors.json", 65)

    def test_recorded(self):
        self.check_file("signature-vectors-recorded.json", 27)

    def test_worked_by_hand(self):
        """Two signatures that were computed with openssl(1), one of each algorithm."""
        for version, signature in (
                ("2", "614d00fa1274e4f436c8282976df0e7a2a0db79e04dd4699be15116568350498"),
                ("3", "cac3d774fd167648797729800c0dfebe690a71fb0ecf5b8c7df990751069b393")):
            authorization = Authorization(
                f"JDCLOUD{version}-HMAC-SHA256 Credential=AK/20260102/cn-north-1/vm/"
                f"jdcloud{version}_request, SignedHeaders=host;x-jdcloud-date, "
                f"Signature={signature}")
            self.assertTrue(signature_matches(
                authorization, "SK", "POST", "/v1/regions/cn-north-1/images/img-1:share",
                "b=2&a=x%20y", {"host": "localhost:443", "x-jdcloud-date": "20260102T030405Z"},
                b"{}"))


if __name__ == "__main__":
    unittest.main()
