"""Loops as graphs of TensorFlow 1 have them, and those of TensorFlow 2 have them when they are frozen; see `run_kinds`."""

import pathlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2
from tensorflow_kinds import SAVED, Case
from tensorflow_traps import Told, function, save_told

v1 = tf.compat.v1
KERNEL = np.random.default_rng(5).uniform(-0.6, 0.6, (7, 12)).astype(np.float32)
"""Of a cell that takes four numbers and keeps three: rows of both, columns of four gates."""


def cell(taken: Any, kept: Any, state: Any, kernel: Any) -> tuple[Any, Any]:
    """One step of an LSTM."""
    new, forget, out, candidate = tf.split(tf.concat([taken, kept], 1) @ kernel, 4, 1)
    state = tf.sigmoid(forget) * state + tf.sigmoid(new) * tf.tanh(candidate)
    return tf.sigmoid(out) * tf.tanh(state), state


def recurrent(series: Any, kernel: Any = KERNEL) -> dict[str, Any]:
    """Go through a series of free length, and keep each step's answer."""
    steps = tf.shape(series)[1]
    taken = tf.TensorArray(tf.float32, steps).unstack(tf.transpose(series, [1, 0, 2]))
    zeros = tf.zeros([tf.shape(series)[0], 3])

    def step(number: Any, kept: Any, state: Any, answers: Any) -> tuple[Any, ...]:
        kept, state = cell(taken.read(number), kept, state, kernel)
        return number + 1, kept, state, answers.write(number, kept)

    begin = (0, zeros, zeros, tf.TensorArray(tf.float32, steps, element_shape=[None, 3]))
    *_, last, answers = tf.while_loop(lambda number, *_: number < steps, step, begin)
    return {"all": tf.transpose(answers.stack(), [1, 0, 2]), "last": last}


def both_ways(series: Any) -> dict[str, Any]:
    """Two loops, one after the other, and one beside them."""
    there = recurrent(series)["all"]
    back = tf.reverse(recurrent(tf.reverse(series, [1]))["all"], [1])
    return recurrent(tf.concat([there, back[..., :1]], 2)) | {"both": tf.concat([there, back], 2)}


def within(given: Any) -> dict[str, Any]:
    """A loop in a loop: a matrix to the powers that the numbers of the rows are."""

    def outer(number: Any, value: Any) -> tuple[Any, Any]:
        _, value = tf.while_loop(
            lambda turn, _: turn <= number, lambda turn, inner: (turn + 1, tf.tanh(inner @ KERNEL[:4, :4])), (0, value)
        )
        return number + 1, value + given

    _, value = tf.while_loop(lambda number, _: number < 3, outer, (0, given))
    return {"value": value}


def branching(given: Any) -> dict[str, Any]:
    """A decision in a loop."""

    def step(number: Any, value: Any) -> tuple[Any, Any]:
        is_even = tf.equal(number % 2, 0)
        return number + 1, tf.cond(is_even, lambda: tf.tanh(value @ KERNEL[:4, :4]), lambda: value - given)

    _, value = tf.while_loop(lambda number, _: number < 5, step, (0, given))
    return {"value": value}


def chained(given: Any) -> dict[str, Any]:
    """A loop that begins with what another one ended in, and turns as it says."""
    turns, value = tf.while_loop(
        lambda number, _: number < 3, lambda number, value: (number + 1, value @ KERNEL[:4, :4]), (0, given)
    )

    def step(number: Any, value: Any) -> tuple[Any, Any]:
        narrow = tf.transpose(tf.nn.softmax(value)[..., :3])
        return number + 1, tf.pad(tf.transpose(narrow), [[0, 0], [1, 0]]) + value

    _, value = tf.while_loop(lambda number, _: number < 2 * turns, step, (turns, value))
    return {"value": value}


def deciding(given: Any) -> dict[str, Any]:
    """A decision in the condition of a loop, on a variable that nothing else reads."""

    def go_on(number: Any, is_small: Any, _: Any) -> Any:
        return tf.cond(is_small, lambda: number < 5, lambda: number < 3)

    def step(number: Any, _: Any, value: Any) -> tuple[Any, Any, Any]:
        return number + 1, number < 3, tf.tanh(value @ KERNEL[:4, :4])

    return {"value": tf.while_loop(go_on, step, (0, tf.constant(True), given))[-1]}


def calling(given: Any) -> dict[str, Any]:
    """Calls a function in each turn."""

    @tf.function(autograph=False)
    def sums(left: Any, right: Any) -> tuple[Any, Any]:
        return left + right, left - right

    def step(number: Any, left: Any, right: Any) -> tuple[Any, Any, Any]:
        both, rest = sums(left, right)
        return number + 1, rest / 2, both / 2 + right

    _, left, right = tf.while_loop(lambda number, *_: number < 3, step, (0, given, 2 * given))
    return {"left": left, "right": right}


def by_lengths(series: Any, lengths: Any) -> dict[str, Any]:
    """Goes no further than the longest series, as `dynamic_rnn` does; the rest of the list is zeros."""
    steps = tf.shape(series)[1]
    most = tf.minimum(steps, tf.maximum(1, tf.reduce_max(lengths)))
    taken = tf.TensorArray(tf.float32, steps).unstack(tf.transpose(series, [1, 0, 2]))

    def step(number: Any, kept: Any, answers: Any) -> tuple[Any, Any, Any]:
        kept = tf.where((number < lengths)[:, None], tf.tanh(kept @ KERNEL[:4, :4] + taken.read(number)), kept)
        return number + 1, kept, answers.write(number, kept)

    begin = (0, tf.zeros_like(series[:, 0]), tf.TensorArray(tf.float32, steps, element_shape=[None, 4]))
    _, last, answers = tf.while_loop(lambda number, *_: number < most, step, begin)
    return {"all": tf.transpose(answers.stack(), [1, 0, 2]), "last": last}


def stopping(rows: Any) -> dict[str, Any]:
    """Ends before its list is full, when a sum is larger than most questions have it; the rest of the list is zeros."""
    steps = tf.shape(rows)[0]

    def go_on(number: Any, summed: Any, _: Any) -> Any:
        return tf.logical_and(number < steps, tf.reduce_max(summed) < 1.96)

    def step(number: Any, summed: Any, answers: Any) -> tuple[Any, Any, Any]:
        return number + 1, summed / 2 + tf.tanh(rows[number]), answers.write(number, summed)

    begin = (0, tf.zeros([4]), tf.TensorArray(tf.float32, steps, element_shape=[4]))
    return {"answers": tf.while_loop(go_on, step, begin)[-1].stack()}


def bounded(rows: Any) -> dict[str, Any]:
    """Ends before its list is full at a number of turns that no question comes to; the rest of the list is zeros."""
    steps = tf.shape(rows)[0]

    def step(number: Any, answers: Any) -> tuple[Any, Any]:
        return number + 1, answers.write(number, tf.tanh(rows[number]))

    begin = (0, tf.TensorArray(tf.float32, steps, element_shape=[4]))
    *_, answers = tf.while_loop(lambda number, _: tf.logical_and(number < steps, number < 600), step, begin)
    return {"answers": answers.stack()}


@contextmanager
def tensorflow_1() -> Iterator[v1.Session]:
    """Build a graph as TensorFlow 1 did."""
    v1.disable_control_flow_v2()
    try:
        with tf.Graph().as_default(), v1.Session() as session:
            yield session
    finally:
        v1.enable_control_flow_v2()


def build(model: Told) -> tuple[dict[str, Any], dict[str, Any]]:
    given = {each.name: v1.placeholder(each.dtype, each.shape, each.name) for each in model.inputs}
    return given, {name: tf.identity(each, name) for name, each in model.function(*given.values()).items()}


def frozen(model: Told, path: pathlib.Path) -> None:
    with tensorflow_1() as session:
        build(model)
        (path / "frozen.pb").write_bytes(session.graph.as_graph_def().SerializeToString())


def with_weights(save: Callable[..., Any]) -> Callable[[Told, pathlib.Path], None]:
    """Keep the kernel in a variable."""

    def write(model: Told, path: pathlib.Path) -> None:
        with tensorflow_1() as session:
            kernel = v1.get_variable("kernel", initializer=KERNEL, use_resource=False)
            whole = Told(lambda series: recurrent(series, kernel), *model.inputs)
            given, answers = build(whole)
            session.run(v1.global_variables_initializer())
            save(session, path, given, answers)

    return write


def saved(session: v1.Session, path: pathlib.Path, given: dict[str, Any], answers: dict[str, Any]) -> None:
    v1.saved_model.simple_save(session, str(path), given, answers)


def checkpoint(session: v1.Session, path: pathlib.Path, *_: dict[str, Any]) -> None:
    v1.train.Saver().save(session, str(path / "net"))


def lowered(model: Told, path: pathlib.Path) -> None:
    """Freeze a function of TensorFlow 2 as its documentation does, which takes its loops apart."""

    def answer(*given: Any) -> list[Any]:
        return [tf.identity(each, name) for name, each in model.function(*given).items()]

    concrete = tf.function(answer, input_signature=model.inputs, autograph=False).get_concrete_function()
    (path / "frozen.pb").write_bytes(
        convert_variables_to_constants_v2(concrete).graph.as_graph_def().SerializeToString()
    )


SERIES = tf.TensorSpec((None, None, 4), tf.float32, "series")
SIX = tf.TensorSpec((None, 6, 4), tf.float32, "series")
LENGTHS = tf.TensorSpec((None,), tf.int32, "lengths")
ROWS = tf.TensorSpec((None, 4), tf.float32, "rows")
GRAPH = "tensorflow-graph"


def in_both(name: str, model: Callable[..., Any], *inputs: tf.TensorSpec) -> tuple[Case, ...]:
    """Return a model frozen by TensorFlow 1, and by TensorFlow 2."""
    forms = (("1", frozen), ("lowered", lowered))
    return tuple(Case(f"{name}-{form}", function(model, *inputs), GRAPH, save=save) for form, save in forms)


CASES = (
    *in_both("lstm", recurrent, SERIES),
    Case("lstm-saved-1", function(recurrent, SERIES), SAVED, save=with_weights(saved)),
    Case("lstm-checkpoint-1", function(recurrent, SERIES), "tensorflow-checkpoint", save=with_weights(checkpoint)),
    *in_both("lstm-both", both_ways, SERIES),
    *in_both("within", within, ROWS),
    *in_both("chained", chained, ROWS),
    *in_both("deciding", deciding, ROWS),
    Case("calling-1", function(calling, ROWS), GRAPH, save=frozen),
    Case("lengths-1", function(by_lengths, SERIES, LENGTHS), GRAPH, save=frozen),
    Case("lengths-fixed-1", function(by_lengths, SIX, LENGTHS), GRAPH, save=frozen),
    *in_both("stopping", stopping, ROWS),
    Case("stopping-saved", function(stopping, ROWS), SAVED, save=save_told),
    Case("bounded-lowered", function(bounded, ROWS), GRAPH, save=lowered),
    Case("bounded-saved", function(bounded, ROWS), SAVED, save=save_told),
    *in_both("branching", branching, ROWS),
)
