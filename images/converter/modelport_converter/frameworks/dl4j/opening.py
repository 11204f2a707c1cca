"""A model as it lies in its file, whole: the network, its parameters, and its inputs as far as they are known."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from modelport.api.spec import Input
from modelport.verification.arrays import Array
from modelport_converter.frameworks.dl4j.inputs.signatures import describe_inputs
from modelport_converter.frameworks.dl4j.reading.archives import read_coefficients, read_configuration
from modelport_converter.frameworks.dl4j.reading.networks import DATA_TYPES, Network, read_network
from modelport_converter.frameworks.dl4j.reading.parameters import count_parameters


class Model(NamedTuple):
    """A network with all its parameters in a row, float16, float32 or float64: the type that it computes with."""

    network: Network
    vector: Array
    inputs: list[Input]


def read_model(path: Path) -> tuple[Network, Array]:
    """Return network and parameters of a file. Raises ModelportError (SourceCorrupt, ConversionFailed)."""
    network = read_network(read_configuration(path))
    return network, read_coefficients(path, count_parameters(network), DATA_TYPES[network.data_type or "FLOAT"])


def open_model(path: Path, declared: Sequence[Input]) -> Model:
    """Return the model of a file, with inputs as the user declares them where the file does not tell.

    Raises ModelportError (SourceCorrupt, ConversionFailed, InputsNeeded).
    """
    network, vector = read_model(path)
    return Model(network, vector, describe_inputs(network, str(vector.dtype), declared))
