"""Sharing and cancelling, and what the cloud tells of shares."""

import time
import unittest

from support import ALICE, GOLDEN, WEB, CloudTest

ENCRYPTED = "img-e2n3crypt4"
PENDING = "img-p7e1nd5g3a"
RELEASED = "img-c0mmunity1"
FROM_ALICE = "img-a1s2hared3"


class Shares(CloudTest):
    """The rules of sharing."""

    def test_share_and_cancel(self):
        answer = self.share("alice")
        self.assertEqual(answer.status, 200)
        self.assertEqual(list(answer.json), ["requestId"])
        self.assertEqual(answer.headers["x-jdcloud-request-id"], answer.json["requestId"])
        self.assertEqual(self.members(), ["alice"])
        self.assertEqual(self.cancel("alice").status, 200)
        self.assertEqual(self.members(), [])

    def test_refusals_of_a_share(self):
        words = "FAILED_PRECONDITION"
        for pin, image, error in (
                ("owner", GOLDEN, (400, words, "Invalid pin 'owner'")),
                ("", GOLDEN, (400, words, "Invalid pin ''")),
                ("nobody", GOLDEN, (400, words, "Pin 'nobody' not found")),
                ("13800000002", GOLDEN, (400, words, "Pin '13800000002' not found")),
                ("alice", "img-nosuch", (404, "NOT_FOUND", "Image 'img-nosuch' not found")),
                ("bob", FROM_ALICE, (400, words, "Can't use this image")),
                ("bob", "img-0ff1c1al00", (400, words, "Can't use this image")),
                ("bob", RELEASED, (400, words, "Community image can't be shared")),
                ("bob", ENCRYPTED, (400, words, "Share encrypted snapshot "
                                                "'snapshot-e2n3crypt4' is not support.")),
                ("bob", PENDING, (400, words, "Conflict with underlay image task "
                                              "'task-p7e1nd5g3a'"))):
            with self.subTest(pin=pin, image=image):
                self.assertEqual(self.share(pin, image).error, error)
                self.assertNotIn(pin, self.truth(image) if image != "img-nosuch" else [])

    def test_a_pin_of_digits_and_one_in_chinese(self):
        for pin in ("594035263019", "京东用户"):
            self.assertEqual(self.share(pin).status, 200)
        self.assertEqual(self.members(), ["594035263019", "京东用户"])

    def test_login_names(self):
        answer = self.call("POST", f"/images/{GOLDEN}:share", {"loginNames": ["alice"]})
        self.assertEqual(answer.status, 200)
        answer = self.call("GET", f"/images/{GOLDEN}/members")
        self.assertEqual(answer.result, {"pins": ["alice"], "loginNames": ["alice"]})
        self.set(login_names=False)
        answer = self.call("GET", f"/images/{GOLDEN}/members")
        self.assertEqual(answer.result, {"pins": ["alice"]})

    def test_bodies_that_make_no_sense(self):
        for body in ({}, {"pins": "alice"}, {"pins": [1]}, {"pins": []}, ["alice"]):
            with self.subTest(body=body):
                answer = self.call("POST", f"/images/{GOLDEN}:share", body)
                self.assertEqual(answer.error[:2], (400, "INVALID_ARGUMENT"))

    def test_limit_of_an_image(self):
        self.set(share_limit=2)
        for pin, status in (("alice", 200), ("bob", 200), ("alice", 200), ("carol", 429)):
            self.assertEqual(self.share(pin).status, status)
        self.assertEqual(self.share("carol").error,
                         (429, "QUOTA_EXCEEDED", "Image share quota limit exceeded"))
        quota = "/quotas?filters.1.name=resourceTypes&filters.1.values.1=imageShare"
        self.assertEqual(self.call("GET", f"{quota}&imageId={GOLDEN}").result["quotas"],
                         [{"resourceType": "imageShare", "limit": 2, "used": 2}])
        self.assertEqual(self.call("GET", quota).error,
                         (400, "INVALID_ARGUMENT", "Parameter ImageId missing"))

    def test_limit_of_a_recipient(self):
        self.set(recipient_limit=1)
        self.assertEqual(self.share("alice").status, 429)
        self.assertEqual(self.share("carol").status, 200)

    def test_what_is_so_already(self):
        self.assertEqual(self.share("alice", WEB).status, 200)
        self.assertEqual(self.cancel("carol", WEB).status, 200)
        self.set(double_share="strict", double_cancel="strict")
        self.assertEqual(self.share("alice", WEB).error[:2], (409, "ALREADY_EXISTS"))
        self.assertEqual(self.cancel("carol", WEB).error[:2], (400, "FAILED_PRECONDITION"))
        self.set(double_cancel="pin-not-found")
        self.assertEqual(self.cancel("carol", WEB).error[2], "Pin 'carol' not found")

    def test_several_pins(self):
        def share_two():
            return self.call("POST", f"/images/{GOLDEN}:share", {"pins": ["nobody", "alice"]})
        self.assertEqual(share_two().status, 400)
        self.assertEqual(self.truth(), [])
        self.set(several_pins="partial")
        self.assertEqual(share_two().error[2], "Pin 'nobody' not found")
        self.assertEqual(self.truth(), ["alice"])

    def test_a_recipient_sees_the_image_but_not_its_shares(self):
        self.share("alice")
        answer = self.call("GET", "/images?imageSource=shared", keys=ALICE)
        images = {image["imageId"]: image for image in answer.result["images"]}
        self.assertEqual(sorted(images), [GOLDEN, WEB])
        self.assertEqual(images[GOLDEN]["imageSource"], "shared")
        self.assertEqual(images[GOLDEN]["ownerPin"], "owner")
        for target in (f"/images/{GOLDEN}/members", f"/images/{GOLDEN}:share"):
            answer = (self.call("GET", target, keys=ALICE) if target.endswith("members")
                      else self.call("POST", target, {"pins": ["bob"]}, keys=ALICE))
            self.assertEqual(answer.error[2], "Can't use this image")

    def test_a_change_shows_late(self):
        self.set(lag_ms=300)
        self.share("alice")
        self.assertEqual((self.members(), self.truth()), ([], ["alice"]))
        image = self.call("GET", f"/images/{GOLDEN}").result["image"]
        self.assertEqual(image["launchPermission"], "ownerOnly")
        self.assertEqual(self.call("GET", f"/images/{GOLDEN}", keys=ALICE).status, 404)
        self.cancel("alice", WEB)
        self.assertEqual(self.members(WEB), ["alice", "bob"])
        time.sleep(0.35)
        self.assertEqual((self.members(), self.members(WEB)), (["alice"], ["bob"]))

    def test_lists_that_go_to_and_fro(self):
        self.set(lag_ms=60000, lag_mode="flapping")
        self.share("alice")
        seen = {tuple(self.members()) for _ in range(30)}
        self.assertEqual(seen, {(), ("alice",)})

    def test_a_change_keeps_others_away(self):
        self.set(conflict_ms=5000)
        self.assertEqual(self.share("alice").status, 200)
        self.assertIn("Conflict with underlay image task", self.share("bob").error[2])
        self.assertEqual(self.share("carol", WEB).status, 200)

    def test_another_client(self):
        self.cloud.control([{"do": "share", "image": GOLDEN, "pin": "a stranger"},
                            {"do": "cancel", "image": WEB, "pin": "bob"}])
        self.assertEqual(self.members(), ["a stranger"])
        self.assertEqual(self.members(WEB), ["alice"])
        self.assertEqual(self.cancel("a stranger").status, 200)


if __name__ == "__main__":
    unittest.main()
