"""Images made larger, regions, boxes."""

from typing import Any

import mxnet as mx
from operator_cases import Case, Given, case

S = mx.sym
IMAGE = ("n", 3, 6, 7)
BOXES = Given((5, 5), 0, 9)


def regions(y: Any) -> Any:
    """Boxes of images 0 and 1, with corners in order."""
    image = S.slice_axis(S.round(y / 9), axis=1, begin=0, end=1)
    first = S.slice_axis(y, axis=1, begin=1, end=3)
    return S.Concat(image, first, first + S.slice_axis(y, axis=1, begin=3, end=5), dim=1)


def detected(label: str, **more: Any) -> Case:
    def make(x: Any, y: Any, z: Any) -> Any:
        corner = S.slice_axis(z, axis=2, begin=0, end=2)
        anchors = S.Concat(corner, corner + 0.2 + 0.3 * S.slice_axis(z, axis=2, begin=2, end=4), dim=2)
        return S.contrib.MultiBoxDetection(S.softmax(x, axis=1), y, anchors, **more)

    return case(f"detection-{label}", make, Given(("n", 4, 40)), ("n", 160), Given((1, 40, 4), 0, 0.7))


def suppressed(label: str, **more: Any) -> Case:
    def make(x: Any) -> Any:
        corner = S.slice_axis(x, axis=2, begin=2, end=4)
        parts = [
            S.floor(S.slice_axis(x, axis=2, begin=0, end=1) * 3),
            S.slice_axis(x, axis=2, begin=1, end=2),
            corner,
            corner + 0.3 + S.slice_axis(x, axis=2, begin=4, end=6),
        ]
        return S.contrib.box_nms(S.Concat(*parts, dim=2), **more)[0]

    return case(f"suppressed-{label}", make, Given(("n", 30, 6), 0, 1))


CASES: list[Case] = [
    case("up-nearest", lambda x: S.UpSampling(x, scale=2, sample_type="nearest"), ("n", 3, "t", "t")),
    case("up-three", lambda x: S.UpSampling(x, scale=3, sample_type="nearest"), IMAGE),
    case(
        "up-many", lambda x, y: S.UpSampling(x, y, scale=2, sample_type="nearest", num_args=2), IMAGE, ("n", 2, 12, 14)
    ),
    case(
        "up-sum",
        lambda x, y: S.UpSampling(x, y, scale=2, sample_type="nearest", num_args=2, multi_input_mode="sum"),
        IMAGE,
        ("n", 3, 12, 14),
    ),
    *(
        case(
            f"up-bilinear-{scale}",
            lambda x, scale=scale: S.UpSampling(x, S.Variable("w"), scale=scale, sample_type="bilinear", num_filter=3),
            IMAGE,
        )
        for scale in (2, 3)
    ),
    case("resize", lambda x: S.contrib.BilinearResize2D(x, height=11, width=5), IMAGE),
    case(
        "resize-scale",
        lambda x: S.contrib.BilinearResize2D(x, scale_height=2.0, scale_width=1.5, mode="odd_scale"),
        IMAGE,
    ),
    case("resize-apart", lambda x: S.contrib.BilinearResize2D(x, height=11, width=5, align_corners=False), IMAGE),
    case("resize-like", lambda x, y: S.contrib.BilinearResize2D(x, y, mode="like"), IMAGE, ("n", 2, 9, 13)),
    case(
        "roi-pool", lambda x, y: S.ROIPooling(x, regions(y), pooled_size=(3, 2), spatial_scale=0.4), (2, 3, 9, 8), BOXES
    ),
    case(
        "roi-align",
        lambda x, y: S.contrib.ROIAlign(x, regions(y), pooled_size=(3, 2), spatial_scale=0.4, sample_ratio=2),
        (2, 3, 9, 8),
        BOXES,
    ),
    case(
        "roi-align-free",
        lambda x, y: S.contrib.ROIAlign(x, regions(y), pooled_size=(2, 2), spatial_scale=0.5),
        (2, 3, 9, 8),
        BOXES,
    ),
    case("sampler", S.BilinearSampler, IMAGE, Given(("n", 2, 4, 5), -1.3, 1.3)),
    case(
        "transformer",
        lambda x, y: S.SpatialTransformer(x, y, target_shape=(4, 5), transform_type="affine", sampler_type="bilinear"),
        IMAGE,
        Given(("n", 6), -0.8, 0.8),
    ),
    case("grid-affine", lambda x: S.GridGenerator(x, transform_type="affine", target_shape=(4, 5)), ("n", 6)),
    case("grid-warp", lambda x: S.GridGenerator(x, transform_type="warp"), ("n", 2, 4, 5)),
    case(
        "prior",
        lambda x: S.Group(
            [
                S.contrib.MultiBoxPrior(x, sizes=(0.3, 0.5), ratios=(1, 2, 0.5)),
                S.contrib.MultiBoxPrior(
                    x, sizes=(0.9,), ratios=(2, 3), clip=True, steps=(0.2, 0.1), offsets=(0.3, 0.6)
                ),
                S.sum(x, axis=1),
            ]
        ),
        IMAGE,
    ),
    detected("default"),
    detected("forced", force_suppress=True, nms_threshold=0.3),
    detected("top", nms_topk=10, threshold=0.3),
    detected("strict", threshold=0.5, clip=False, variances=(0.2, 0.1, 0.3, 0.1)),
    detected("all", nms_threshold=2.0, threshold=0.4),
    suppressed("default"),
    suppressed("classes", id_index=0, overlap_thresh=0.3),
    suppressed("forced", id_index=0, force_suppress=True, topk=12, valid_thresh=0.2),
    suppressed("background", id_index=0, background_id=1, topk=9, valid_thresh=0.1),
    suppressed("centres", in_format="center", out_format="center"),
    *(
        case(
            f"decode-{form}",
            lambda x, y, form=form: S.contrib.box_decode(x, y, 0.1, 0.1, 0.2, 0.2, format=form, clip=1.5),
            ("n", 8, 4),
            Given((1, 8, 4), 0.1, 1),
        )
        for form in ("center", "corner")
    ),
]
