"""What detectors end in: the best boxes of each class, and parts of an image under regions."""

import tensorflow as tf

from modelport_converter.frameworks.tensorflow.onnx_operators.node import Node, Results, operator, to_int32

MOST_WRITTEN = 100
"""Up to so many classes of all rows are written one after the other."""


@operator("NonMaxSuppression")
def _suppress(node: Node) -> Results:
    """Return (selected, 3): batch, class, box; of each batch and class those of the highest scores first."""
    boxes, scores = node.tensor(0), node.tensor(1)
    most = to_int32(tf.reshape(node.tensor(2), [])) if node.has(2) else tf.constant(0)
    overlap = tf.reshape(node.tensor(3), []) if node.has(3) else tf.constant(0.0)
    lowest = tf.reshape(node.tensor(4), []) if node.has(4) else tf.constant(-float("inf"))
    if node.attributes["center_point_box"]:
        x, y, width, height = tf.split(boxes, 4, -1)
        boxes = tf.concat([y - height / 2, x - width / 2, y + height / 2, x + width / 2], -1)
    most = tf.minimum(most, node.scope.length(boxes, 1))

    def select(batch: int | tf.Tensor, kind: int | tf.Tensor) -> tf.Tensor:
        best = tf.image.non_max_suppression(boxes[batch], scores[batch, kind], most, overlap, lowest)
        pair = tf.stack([tf.cast(batch, tf.int32), tf.cast(kind, tf.int32)])
        told = tf.tile(pair[tf.newaxis], tf.stack([tf.shape(best)[0], 1]))
        return tf.cast(tf.concat([told, best[:, tf.newaxis]], 1), tf.int64)

    batches, kinds = node.scope.length(scores, 0), node.scope.length(scores, 1)
    if isinstance(batches, int) and isinstance(kinds, int) and batches * kinds <= MOST_WRITTEN:
        return tf.concat([select(batch, kind) for batch in range(batches) for kind in range(kinds)], 0)
    kept = tf.zeros([0, 3], tf.int64)
    _, kept = tf.while_loop(
        lambda number, _: number < batches * kinds,
        lambda number, kept: (number + 1, tf.concat([kept, select(number // kinds, number % kinds)], 0)),
        (tf.constant(0), kept),
        shape_invariants=(tf.TensorShape([]), tf.TensorShape([None, 3])),
    )
    return kept
