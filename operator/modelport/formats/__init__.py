"""The formats and converters that Modelport knows; a framework is one file here and one line in FRAMEWORKS."""

from modelport.formats import onnx, pytorch
from modelport.formats.base import Converter, Format

FRAMEWORKS = (onnx, pytorch)
FORMATS: dict[str, Format] = {each.name: each for framework in FRAMEWORKS for each in framework.FORMATS}
CONVERTERS: dict[str, Converter] = {each.name: each for framework in FRAMEWORKS for each in framework.CONVERTERS}
