"""Lists of images, their pages and filters, and the life of an image."""

import unittest

from support import ALICE, GOLDEN, WEB, CloudTest, call


class Lists(CloudTest):
    """describeImages and describeImage."""

    def ids(self, query, **how):
        """The ids of a page."""
        answer = self.call("GET", "/images?" + query, **how)
        self.assertEqual(answer.status, 200, answer.raw)
        return [image["imageId"] for image in answer.result["images"]]

    def add(self, count, **image):
        """Adds images."""
        return self.cloud.control({"do": "add-images", "count": count,
                                   "image": {"owner": "alice", **image}})["images"]

    def test_sources_in_both_vocabularies(self):
        private = [GOLDEN, WEB, "img-p7e1nd5g3a", "img-e2n3crypt4", "img-c0mmunity1"]
        for source, ids in (("private", private), ("self", private),
                            ("shared", ["img-a1s2hared3"]), ("public", ["img-0ff1c1al00"]),
                            ("jcloud", ["img-0ff1c1al00"]), ("thirdparty", []),
                            ("marketplace", []), ("community", ["img-c0mmunity1"])):
            with self.subTest(source):
                self.assertEqual(self.ids("imageSource=" + source), ids)
        self.set(vocabulary="old")
        image = self.call("GET", f"/images/{GOLDEN}").result["image"]
        self.assertEqual(image["imageSource"], "self")

    def test_what_a_record_says(self):
        image = self.call("GET", f"/images/{GOLDEN}").result["image"]
        for name, value in (("imageId", GOLDEN), ("imageSource", "private"), ("status", "ready"),
                            ("launchPermission", "ownerOnly"), ("ownerPin", "owner"),
                            ("loginName", "owner-login"), ("name", "golden"), ("sizeMB", 2494)):
            self.assertEqual(image[name], value)
        for image_id, permission in ((WEB, "specifiedUsers"), ("img-c0mmunity1", "all")):
            image = self.call("GET", f"/images/{image_id}").result["image"]
            self.assertEqual(image["launchPermission"], permission)
        self.assertNotIn("pins", image)

    def test_refusals(self):
        for query, error in (
                ("pageSize=10", (400, "FAILED_PRECONDITION", "Parameter ImageSource missing")),
                ("imageSource=private&pageSize=9",
                 (400, "OUT_OF_RANGE", "PageSize out of range")),
                ("imageSource=private&pageSize=101",
                 (400, "OUT_OF_RANGE", "PageSize out of range")),
                ("imageSource=private&pageNumber=0",
                 (400, "OUT_OF_RANGE", "PageNumber out of range")),
                ("imageSource=private&pageSize=many",
                 (400, "INVALID_ARGUMENT", "Parameter PageSize invalid")),
                ("imageSource=mine", (400, "INVALID_ARGUMENT", "Parameter ImageSource invalid"))):
            with self.subTest(query):
                self.assertEqual(self.call("GET", "/images?" + query).error, error)
        self.assertEqual(self.call("GET", "/images/img-nosuch").error,
                         (404, "NOT_FOUND", "Image 'img-nosuch' not found"))
        self.assertEqual(self.call("GET", f"/images/{GOLDEN}", keys=ALICE).status, 404)

    def test_pages(self):
        added = self.add(45)
        seen = []
        for page in (1, 2, 3, 4, 5):
            answer = self.call("GET", f"/images?imageSource=private&pageSize=10&pageNumber={page}",
                               keys=ALICE)
            self.assertEqual(answer.result["totalCount"], 46)
            seen += [image["imageId"] for image in answer.result["images"]]
        self.assertEqual(seen, ["img-a1s2hared3"] + added)
        self.assertEqual(self.ids("imageSource=private&pageNumber=9", keys=ALICE), [])
        self.assertEqual(len(self.ids("imageSource=private", keys=ALICE)), 20)

    def test_order(self):
        self.add(40)
        first = self.ids("imageSource=private&pageSize=100", keys=ALICE)
        self.set(order="reversed")
        self.assertEqual(self.ids("imageSource=private&pageSize=100", keys=ALICE), first[::-1])
        self.set(order="random")
        one, other = (self.ids("imageSource=private&pageSize=100", keys=ALICE) for _ in range(2))
        self.assertNotEqual(one, other)
        self.assertEqual(sorted(one), sorted(first))

    def test_filters(self):
        for query, ids in (
                (f"ids.1={WEB}&ids.2=img-nosuch&ids.3=img-a1s2hared3", [WEB, "img-a1s2hared3"]),
                (f"ids.1={WEB}&ids.2=img-a1s2hared3&imageSource=shared", ["img-a1s2hared3"]),
                ("imageSource=private&status=pending", ["img-p7e1nd5g3a"]),
                ("imageSource=private&launchPermission=specifiedUsers", [WEB]),
                ("imageSource=private&imageName=old", [GOLDEN]),
                ("imageSource=private&rootDeviceType=localDisk", [WEB]),
                ("imageSource=private&platform=CentOS&architecture=x86_64", [WEB]),
                ("imageSource=shared&platform=Windows%20Server", ["img-a1s2hared3"]),
                ("imageSource=public&offline=False", ["img-0ff1c1al00"]),
                ("imageSource=public&offline=true", [])):
            with self.subTest(query):
                self.assertEqual(self.ids(query), ids)

    def test_regions(self):
        self.add(2, region="cn-east-2", pins=["owner"])
        self.assertEqual(len(self.ids("imageSource=shared")), 1)
        answer = self.call("GET", "/images?imageSource=private")
        self.assertEqual(answer.result["totalCount"], 5)
        answer = call(self.connection, "GET", "/v1/regions/mars/images?imageSource=private",
                      region="mars")
        self.assertEqual(answer.error, (400, "INVALID_ARGUMENT", "Invalid RegionId 'mars'"))

    def test_empty_lists(self):
        for form, result in (("array", {"images": [], "totalCount": 0}),
                             ("null", {"images": None, "totalCount": 0}),
                             ("absent", {"totalCount": 0})):
            self.set(empty_lists=form)
            answer = self.call("GET", "/images?imageSource=thirdparty")
            self.assertEqual(answer.result, result)


class Life(CloudTest):
    """Making, changing, releasing and deleting images."""

    def image(self, image_id):
        """The record of an image."""
        return self.call("GET", f"/images/{image_id}").result["image"]

    def test_modify(self):
        target = f"/images/{GOLDEN}:modifyImageAttribute"
        self.assertEqual(self.call("POST", target, {"name": "silver"}).status, 200)
        self.assertEqual(self.image(GOLDEN)["name"], "silver")
        self.assertEqual(self.call("POST", target, {"name": None}).error[2],
                         "Parameter name、description missing")
        self.assertEqual(self.call("POST", target, {"name": "a b"}).status, 400)

    def test_create(self):
        self.set(pending_ms=60000)
        target = "/instances/i-eumm00d6:createImage"
        image = self.call("POST", target, {"name": "new"}).result["imageId"]
        self.assertEqual(self.image(image)["status"], "pending")
        self.assertIn("Conflict", self.share("alice", image).error[2])
        self.assertEqual(self.call("POST", target, {"name": "new"}).error[1], "DUPLICATE")
        self.set(pending_ms=0)
        image = self.call("POST", target, {"name": "newer"}).result["imageId"]
        self.assertEqual(self.image(image)["status"], "ready")

    def test_copy(self):
        self.set(pending_ms=0)
        body = {"sourceImageIds": [GOLDEN, "img-a1s2hared3"], "destinationRegion": "cn-north-1"}
        copies = self.call("POST", "/images:copyImages", body).result["copyImages"]
        self.assertEqual([copy["sourceImageId"] for copy in copies], body["sourceImageIds"])
        for copy in copies:
            self.assertEqual(self.image(copy["destinationImageId"])["ownerPin"], "owner")
        body["sourceImageIds"] = ["img-e2n3crypt4"]
        self.assertEqual(self.call("POST", "/images:copyImages", body).status, 400)

    def test_release_cancels_shares(self):
        self.assertEqual(self.call("POST", f"/images/{WEB}:release").status, 200)
        self.assertEqual(self.truth(WEB), [])
        self.assertEqual(self.image(WEB)["launchPermission"], "all")
        self.assertEqual(self.call("POST", f"/images/{WEB}:unrelease").status, 200)
        self.assertEqual(self.image(WEB)["launchPermission"], "ownerOnly")

    def test_delete(self):
        for image, message in ((WEB, "Can't delete shared image"),
                               ("img-c0mmunity1", "Can't delete community image"),
                               ("img-a1s2hared3", "Can't delete this image")):
            self.assertEqual(self.call("DELETE", f"/images/{image}").error[2], message)
        target = f"/images/{GOLDEN}?deleteSnapshot=True"
        self.assertEqual(self.call("DELETE", target).status, 200)
        self.assertEqual(self.call("DELETE", target).status, 404)


if __name__ == "__main__":
    unittest.main()
