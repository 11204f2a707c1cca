import onnx


def unroll(model: onnx.ModelProto) -> bool:
    return False
