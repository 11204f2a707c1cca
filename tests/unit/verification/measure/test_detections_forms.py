"""Detections in the forms of real detectors: noise passes in all of them, and mistakes in none."""

import functools
import tracemalloc

import numpy as np
import pytest

from modelport.api.reasons import Reason
from modelport.api.spec import Tolerance
from modelport.errors import ModelportError
from modelport.verification.answers import Company
from modelport.verification.measure.detection_rows import Place
from modelport.verification.measure.detectors import find_detector
from modelport.verification.verdict.companies import MOST_ELEMENTS, find_companies
from modelport.verification.verdict.golden import check_golden, read_golden, write_golden
from unit.verification.answered import measured, reference_of, signature_of
from unit.verification.detecting import (
    ASKED,
    FORMS,
    FULL,
    KEPT,
    MANY,
    chosen,
    faces,
    in_columns,
    look,
    named,
    of_one_class,
    one_by_one,
    padded,
    swapped,
    take,
)


def asked_of(form):
    return (
        [{"x": each["x"][:1]} for each in ASKED] + [{"x": each["x"][-1:]} for each in ASKED] if form is named else ASKED
    )


@functools.cache
def reference(form):
    return reference_of(lambda inputs: form(look(inputs)), asked_of(form))


def verdict(form, change):
    """Return the reason for which a detector that differs so is refused; `change` gets each image and its number."""

    def candidate(inputs):
        return form([change(image, number) for number, image in enumerate(look(inputs))])

    return reason_of(form, candidate)


def reason_of(form, candidate):
    try:
        finding = measured(reference(form), candidate)[1]
    except ModelportError as error:
        return error.reason
    return finding.reason if finding else ""


def unchanged(image, _):
    return image


def without_last(image, _):
    """Those next to the threshold are lost."""
    return take(image, image.scores > KEPT * (1 + 1e-5))


def rounded(image, _):
    return image._replace(boxes=image.boxes * np.float32(1 + 1e-7), scores=image.scores * np.float32(1 - 1e-7))


@pytest.mark.parametrize("form", [form for form in FORMS if form is not chosen])
@pytest.mark.parametrize(
    "noise",
    [unchanged, rounded, swapped, without_last, lambda image, number: without_last(swapped(image, number), number)],
    ids=["unchanged", "rounded", "swapped", "without last", "swapped without last"],
)
def test_noise_passes(form, noise):
    assert find_detector(asked_of(form), [form(look(each)) for each in asked_of(form)]) is not None
    assert verdict(form, noise) == ""


def one(field, change, number=0):
    """Return a change of one detection, the third of the first image."""

    def changed(image, at):
        if at != number or len(image.scores) < 4:
            return image
        array = getattr(image, field).copy()
        array[2] = change(array[2])
        return image._replace(**{field: array})

    return changed


def additional(image, _):
    return take(image, [0, *range(len(image.scores))][:12]) if len(image.scores) else image


WRONG = {
    "class": one("classes", lambda each: 3 - each),
    "all classes": lambda image, _: image._replace(classes=image.classes - 1),
    "score": one("scores", lambda each: each * np.float32(0.99)),
    "scores": lambda image, _: image._replace(scores=image.scores * np.float32(0.99)),
    "box": one("boxes", lambda each: each + np.float32(1)),
    "far box": one("boxes", lambda each: each + np.float32(500)),
    "boxes": lambda image, _: image._replace(boxes=image.boxes * np.float32(1.001)),
    "axes": lambda image, _: image._replace(boxes=image.boxes[:, [1, 0, 3, 2]]),
    "without first": lambda image, _: take(image, slice(1, None)),
    "without third": lambda image, number: (
        take(image, [0, 1, *range(3, len(image.scores))]) if len(image.scores) > 3 and not number else image
    ),
    "additional": additional,
    "reversed": lambda image, _: take(image, slice(None, None, -1)),
    "none": lambda image, _: take(image, slice(0, 0)),
    "other order": lambda image, _: (
        take(image, [0, 2, 1, *range(3, len(image.scores))]) if len(image.scores) > 3 else image
    ),
    "last moved": lambda image, _: image._replace(boxes=np.concatenate([image.boxes[:-1], image.boxes[-1:] + 300])),
}


WITHOUT = {"class": (of_one_class, faces), "all classes": (of_one_class, faces)}
"""Forms that have no such thing."""


@pytest.mark.parametrize(
    ("form", "mistake"), [(form, name) for form in FORMS for name in WRONG if form not in WITHOUT.get(name, ())]
)
def test_mistakes_do_not(form, mistake):
    assert verdict(form, WRONG[mistake]) == Reason.VERIFICATION_FAILED


@pytest.mark.parametrize("form", [padded, of_one_class, faces, named])
def test_what_goes_along_changes_places_too(form):
    assert verdict(form, lambda *each: swapped(*each)._replace(points=each[0].points)) == Reason.VERIFICATION_FAILED


def neighbours(indices, scores):
    """Exchange those of one image and class whose scores are next to each other."""
    order = np.arange(len(indices))
    is_near = np.all(indices[1:, :2] == indices[:-1, :2], axis=1) & (np.abs(np.diff(scores)) < 1e-5)
    for place in np.flatnonzero(is_near):
        order[[place, place + 1]] = order[[place + 1, place]]
    return indices[order]


def changed(indices, column, value):
    result = indices.copy()
    result[:1, column] = value
    return result


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (neighbours, ""),
        (lambda indices, scores: indices[scores > KEPT * (1 + 1e-5)], ""),
        (lambda indices, _: indices[1:], Reason.VERIFICATION_FAILED),
        (lambda indices, _: indices[::-1], Reason.VERIFICATION_FAILED),
        (lambda indices, _: np.concatenate([indices, indices[-1:]]), Reason.VERIFICATION_FAILED),
        (lambda indices, _: changed(indices, 0, 1), Reason.VERIFICATION_FAILED),
        (lambda indices, _: changed(indices, 1, 0), Reason.VERIFICATION_FAILED),
        (lambda indices, _: changed(indices, 2, indices[:1, 2] + 1), Reason.VERIFICATION_FAILED),
        (lambda indices, _: changed(indices, 2, 1 << 62), Reason.VERIFICATION_FAILED),
        (lambda indices, _: changed(indices, 0, -1), Reason.VERIFICATION_FAILED),
    ],
    ids=[
        "neighbours",
        "without last",
        "without first",
        "reversed",
        "twice",
        "image",
        "class",
        "box",
        "no box",
        "no image",
    ],
)
def test_chosen_ones_are_known_by_their_numbers(change, reason):
    def candidate(inputs):
        outputs = chosen(look(inputs))
        scores = outputs["scores"][tuple(outputs["indices"].T)]
        return outputs | {"indices": change(outputs["indices"], scores)}

    assert reason_of(chosen, candidate) == reason


# --- as many as there is room for ---------------------------------------------------------------------------------------


def best(inputs):
    """Answer with the best few of each image, with no threshold."""
    images = [take(image, slice(0, FULL)) for image in look(inputs, kept=0, ties=False)]
    return in_columns(images, FULL)


def replaced(inputs, images, *, score=1.0, rows=1):
    """Return the best few, the last of which are others in some of the images."""
    output = best(inputs)["output"].copy()
    output[images, -rows:, :4] += 300
    output[images, -rows:, 4] *= np.float32(score)
    return {"output": output}


@pytest.mark.parametrize(
    ("candidate", "reason"),
    [
        (lambda inputs: replaced(inputs, [0], score=1 - 1e-6) if len(inputs["x"]) == 11 else best(inputs), ""),
        (lambda inputs: replaced(inputs, slice(None)), Reason.VERIFICATION_FAILED),
        (lambda inputs: replaced(inputs, [0]), Reason.VERIFICATION_FAILED),
        (
            lambda inputs: replaced(inputs, [0], score=0.99) if len(inputs["x"]) == 11 else best(inputs),
            Reason.VERIFICATION_FAILED,
        ),
        (
            lambda inputs: replaced(inputs, [0], rows=2) if len(inputs["x"]) == 11 else best(inputs),
            Reason.VERIFICATION_FAILED,
        ),
    ],
    ids=["in one image", "in all", "in one of each call", "of another score", "two"],
)
def test_the_last_may_be_another_of_the_same_score_by_chance_alone(candidate, reason):
    finding = measured(reference_of(best, ASKED), candidate)[1]
    assert (finding.reason if finding else "") == reason


def test_few_images_have_one_more_next_to_the_threshold():
    """What the source has not is next to the lowest score, but there by chance only if it is there now and then."""

    def more(inputs, images):
        found = look(inputs)
        for number in images(len(found)):
            added = take(found[number], [*range(len(found[number].scores)), 0])
            added.scores[-1] = KEPT * (1 + 2e-6)
            added.boxes[-1] += 300
            found[number] = added
        return padded(found)

    assert reason_of(padded, lambda inputs: more(inputs, lambda count: [0] if count == 11 else [])) == ""
    assert reason_of(padded, lambda inputs: more(inputs, lambda _: [0])) == Reason.VERIFICATION_FAILED


# --- what is left of the answers ------------------------------------------------------------------------------------


def test_a_number_that_does_not_count_what_is_there_is_wrong():
    def miscounted(inputs):
        outputs = padded(look(inputs))
        return outputs | {"count": outputs["count"] - (outputs["count"] > MANY).astype(np.int32)}

    assert reason_of(padded, miscounted) == Reason.VERIFICATION_FAILED


def test_what_pads_is_compared_too():
    def filled(inputs):
        outputs = padded(look(inputs))
        outputs["boxes"][outputs["scores"] == 0] = 7
        return outputs

    assert reason_of(padded, filled) == Reason.VERIFICATION_FAILED


@pytest.mark.parametrize("name", ["boxes", "scores", "classes", "points"])
def test_another_shape_of_one_of_them_is_refused(name):
    def shorter(inputs):
        outputs = named(look(inputs)) | {"points": look(inputs)[0].points}
        return outputs | {name: outputs[name][:-1]} if name in outputs else outputs | {"labels": outputs["labels"][:-1]}

    source = lambda inputs: named(look(inputs)) | {"points": look(inputs)[0].points}  # noqa: E731
    with pytest.raises(
        ModelportError, match=r"detections \(boxes, scores, labels, masks, names, points\): \d"
    ) as caught:
        measured(reference_of(source, asked_of(named)), shorter)
    assert caught.value.reason == Reason.VERIFICATION_FAILED


@pytest.mark.parametrize("number", [np.nan, np.inf, 3e38, -3e38])
@pytest.mark.parametrize("form", [padded, in_columns, one_by_one])
def test_numbers_of_the_candidate_are_not_believed(form, number):
    def wild(inputs):
        outputs = form(look(inputs))
        return {name: np.full_like(each, number) if each.dtype.kind == "f" else each for name, each in outputs.items()}

    assert reason_of(form, wild) == Reason.VERIFICATION_FAILED


def test_all_is_told_as_detections():
    statuses = measured(reference(padded), lambda inputs: padded(look(inputs)), tolerance=Tolerance(iou=0.5))[
        0
    ].facts.outputs
    assert {each.name: each.comparison for each in statuses} == dict.fromkeys(padded(look(ASKED[0])), "Detections")
    assert {each.name: each.metrics.get("iou") for each in statuses}["boxes"] == "1"


def test_rows_are_independent_where_noise_swaps_detections():
    """A server may join requests although two detections change places in company."""

    def in_company(inputs):
        return padded([swapped(image, 0) if len(inputs["x"]) > 1 else image for image in look(inputs)])

    reference_ = reference(padded)
    signature = signature_of(reference_)
    companies = find_companies(in_company, reference_, signature)
    assert measured(reference_, in_company, companies=companies)[0].has_independent_rows
    wrong = find_companies(lambda inputs: padded(look(inputs)[::-1]), reference_, signature)
    assert not measured(reference_, in_company, companies=wrong)[0].has_independent_rows


@pytest.mark.parametrize(
    "change",
    [
        lambda outputs: {},
        lambda outputs: dict(list(outputs.items())[1:]),
        lambda outputs: {name: np.full(each.shape, "a", object) for name, each in outputs.items()},
        lambda outputs: {name: each.ravel() for name, each in outputs.items()},
        lambda outputs: {
            name: np.zeros((3, MOST_ELEMENTS), each.dtype) if name == "scores" else each
            for name, each in outputs.items()
        },
    ],
    ids=["nothing", "not all", "strings", "other axes", "some elements"],
)
@pytest.mark.parametrize("form", [padded, chosen])
def test_rows_of_other_kinds_prove_nothing(form, change):
    outputs = form(look(ASKED[0]))
    candidate, companies = lambda inputs: form(look(inputs)), [Company(change(outputs), outputs)]
    assert not measured(reference(form), candidate, companies=companies)[0].has_independent_rows
    companies = [Company(change(outputs), change(outputs))]
    found = measured(reference(form), candidate, companies=companies)[0]
    assert found.facts == measured(reference(form), candidate)[0].facts


@pytest.mark.parametrize("form", [padded, in_columns, one_by_one, named])
def test_golden_samples_know_the_detector(form, tmp_path):
    write_golden(tmp_path, measured(reference(form), lambda inputs: form(look(inputs)))[0].golden)
    golden = read_golden(tmp_path)
    check_golden(golden, lambda inputs: form([swapped(each, 0) for each in look(inputs)]), [])
    with pytest.raises(ModelportError) as caught:
        check_golden(golden, lambda inputs: form([take(each, slice(1, None)) for each in look(inputs)]), [])
    assert caught.value.reason == Reason.GOLDEN_MISMATCH


def test_a_great_many_take_little_time_and_memory():
    """Of 40,000 detections in another order nothing is compared in pairs."""
    random = np.random.default_rng(0)
    scores = np.sort(random.random(40_000).astype(np.float32))[::-1] * np.float32(0.9) + np.float32(0.05)
    corner = random.random((40_000, 2)).astype(np.float32) * 600
    answer = {"output": np.concatenate([corner, corner + 30, scores[:, None], scores[:, None] * 0], -1)[None]}
    detector = find_detector([{}], [answer])
    assert detector is not None
    other = {"output": random.permutation(answer["output"], axis=1)}
    tracemalloc.start()
    assert detector.align(answer, answer)["output"].shape == answer["output"].shape
    assert detector.align(answer, other) is other
    assert tracemalloc.get_traced_memory()[1] < 64 << 20
    tracemalloc.stop()


def test_a_long_name_takes_no_more_than_its_own_memory():
    answers = [named(look(each)) for each in asked_of(named)]
    detector = find_detector(asked_of(named), answers)._replace(classes=Place("names"))
    names = np.array(["a" * 1_000_000] * len(answers[0]["names"]), object)
    tracemalloc.start()
    assert detector.align(answers[0], answers[0] | {"names": names})["names"] is names
    assert tracemalloc.get_traced_memory()[1] < 4_000_000
    tracemalloc.stop()
