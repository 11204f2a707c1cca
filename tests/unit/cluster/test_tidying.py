"""Old builds go, under all of their names; new ones and those in use stay."""

from devcluster.images.tidying import find_newest, find_stale, read_tags

OLD, NEW, NEWEST, OTHER = (f"localhost/modelport/{name}" for name in ("store:a", "store:b", "store:c", "operator:a"))


def test_the_newest_two_builds_of_each_image_stay() -> None:
    assert find_newest([OLD, OTHER, NEW, NEWEST]) == {NEW, NEWEST, OTHER}


def test_a_stale_image_goes_under_all_of_its_names() -> None:
    digest, own = "localhost/modelport/store@sha256:1", "sha256:9"
    references = {OLD: "1", digest: "1", own: "1", NEW: "2", OTHER: "3", "localhost/modelport-cluster/pause:1": "4"}
    assert find_stale(references, {NEW, OTHER}) == [OLD, digest, own]
    assert find_stale(references, {NEW, digest}) == [OTHER]  # a container was made of the old one


def test_tags_are_read_in_the_order_of_their_builds() -> None:
    listed = f"2026-11-30 09:57:37.6 +0000 UTC   {NEW}\n2026-11-29 09:57:37 +0000 UTC   {OLD}\n2026-11-30 10:00:00 +0000 UTC   <none>:<none>\n"
    assert read_tags(listed) == [OLD, NEW]
