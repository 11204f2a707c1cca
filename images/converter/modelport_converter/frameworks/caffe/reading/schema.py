"""Messages of caffe.proto, as far as they are read.

Text says the names of fields and bytes their numbers. Dialects agree on names (BVLC/caffe, weiliu89/caffe for SSD,
opencv/modules/dnn) but not on numbers: 148 is clip_param here and permute_param there. So the architecture is read by names
from text alone, where numbers mean nothing, and of bytes only what all have in common.
"""

from functools import cache
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

ENUMS = {
    "Phase": {"TRAIN": 0, "TEST": 1},
    "Pool": {"MAX": 0, "AVE": 1, "STOCHASTIC": 2},
    "Round": {"CEIL": 0, "FLOOR": 1},
    "Operation": {"PROD": 0, "SUM": 1, "MAX": 2},
    "Region": {"ACROSS_CHANNELS": 0, "WITHIN_CHANNEL": 1},
    "Reduce": {"SUM": 1, "ASUM": 2, "SUMSQ": 3, "MEAN": 4},
    "Variance": {"FAN_IN": 0, "FAN_OUT": 1, "AVERAGE": 2},
    "Share": {"STRICT": 0, "PERMISSIVE": 1},
    "Code": {"CORNER": 1, "CENTER_SIZE": 2, "CORNER_SIZE": 3},
    "Old": {
        "NONE": 0, "ACCURACY": 1, "BNLL": 2, "CONCAT": 3, "CONVOLUTION": 4, "DATA": 5, "DROPOUT": 6,
        "EUCLIDEAN_LOSS": 7, "FLATTEN": 8, "HDF5_DATA": 9, "HDF5_OUTPUT": 10, "IM2COL": 11, "IMAGE_DATA": 12,
        "INFOGAIN_LOSS": 13, "INNER_PRODUCT": 14, "LRN": 15, "MULTINOMIAL_LOGISTIC_LOSS": 16, "POOLING": 17, "RELU": 18,
        "SIGMOID": 19, "SOFTMAX": 20, "SOFTMAX_LOSS": 21, "SPLIT": 22, "TANH": 23, "WINDOW_DATA": 24, "ELTWISE": 25,
        "POWER": 26, "SIGMOID_CROSS_ENTROPY_LOSS": 27, "HINGE_LOSS": 28, "MEMORY_DATA": 29, "ARGMAX": 30,
        "THRESHOLD": 31, "DUMMY_DATA": 32, "SLICE": 33, "MVN": 34, "ABSVAL": 35, "SILENCE": 36, "CONTRASTIVE_LOSS": 37,
        "EXP": 38, "DECONVOLUTION": 39,
    },
}  # fmt: skip
PARAMETERS = {
    "argmax": "out_max_val:bool top_k:uint32 axis:int32",
    "batch_norm": "use_global_stats:bool moving_average_fraction:float eps:float scale_bias:bool",
    "bias": "axis:int32 num_axes:int32 filler:Filler",
    "bn": "slope_filler:Filler bias_filler:Filler momentum:float eps:float frozen:bool",
    "clip": "min:float max:float",
    "concat": "axis:int32 concat_dim:uint32",
    "convolution": (
        "num_output:uint32 bias_term:bool pad:uint32* kernel_size:uint32* stride:uint32* dilation:uint32* pad_h:uint32"
        " pad_w:uint32 kernel_h:uint32 kernel_w:uint32 stride_h:uint32 stride_w:uint32 group:uint32"
        " weight_filler:Filler bias_filler:Filler axis:int32 force_nd_im2col:bool"
    ),
    "crop": "axis:int32 offset:uint32*",
    "detection_output": (
        "num_classes:uint32 share_location:bool background_label_id:int32 nms_param:Suppression"
        " save_output_param:Saving code_type:Code variance_encoded_in_target:bool keep_top_k:int32"
        " confidence_threshold:float normalized_bbox:bool visualize:bool visualize_threshold:float clip:bool"
    ),
    "dropout": "dropout_ratio:float scale_train:bool",
    "eltwise": "operation:Operation coeff:float* stable_prod_grad:bool",
    "elu": "alpha:float",
    "embed": "num_output:uint32 input_dim:uint32 bias_term:bool weight_filler:Filler bias_filler:Filler",
    "exp": "base:float scale:float shift:float",
    "flatten": "axis:int32 end_axis:int32",
    "inner_product": "num_output:uint32 bias_term:bool weight_filler:Filler bias_filler:Filler axis:int32 transpose:bool",
    "input": "shape:Shape*",
    "interp": "height:int32 width:int32 zoom_factor:int32 shrink_factor:int32 pad_beg:int32 pad_end:int32",
    "log": "base:float scale:float shift:float",
    "lrn": "local_size:uint32 alpha:float beta:float norm_region:Region k:float",
    "mvn": "normalize_variance:bool across_channels:bool eps:float",
    "norm": "across_spatial:bool scale_filler:Filler channel_shared:bool eps:float",
    "permute": "order:uint32*",
    "pooling": (
        "pool:Pool pad:uint32 pad_h:uint32 pad_w:uint32 kernel_size:uint32 kernel_h:uint32 kernel_w:uint32 stride:uint32"
        " stride_h:uint32 stride_w:uint32 global_pooling:bool round_mode:Round ceil_mode:bool"
    ),
    "power": "power:float scale:float shift:float",
    "prelu": "filler:Filler channel_shared:bool",
    "prior_box": (
        "min_size:float* max_size:float* aspect_ratio:float* flip:bool clip:bool variance:float* img_size:uint32"
        " img_h:uint32 img_w:uint32 step:float step_h:float step_w:float offset:float offset_h:float* offset_w:float*"
        " width:float* height:float*"
    ),
    "reduction": "operation:Reduce axis:int32 coeff:float",
    "relu": "negative_slope:float",
    "reshape": "shape:Shape axis:int32 num_axes:int32",
    "scale": "axis:int32 num_axes:int32 filler:Filler bias_term:bool bias_filler:Filler",
    "shuffle_channel": "group:uint32",
    "sigmoid": "",
    "slice": "axis:int32 slice_point:uint32* slice_dim:uint32",
    "softmax": "axis:int32",
    "swish": "beta:float",
    "tanh": "",
    "threshold": "threshold:float",
    "upsample": "scale:int32",
    "tile": "axis:int32 tiles:int32",
}
"""Messages of layers' parameters by what stands before `_param`; `*`: any number of them."""
_COMMON = " ".join(f"{name}_param:{name}" for name in PARAMETERS)
_TRAINED = "bottom:string* top:string* include:Rule* exclude:Rule* loss_weight:float* propagate_down:bool*"
TEXT = {
    **PARAMETERS,
    "Shape": "dim:int64*",
    "Filler": "type:string value:float min:float max:float mean:float std:float sparse:int32 variance_norm:Variance",
    "Suppression": "nms_threshold:float top_k:int32 eta:float",
    "Saving": (
        "output_directory:string output_name_prefix:string output_format:string label_map_file:string"
        " name_size_file:string num_test_image:uint32"
    ),
    "Rule": "phase:Phase min_level:int32 max_level:int32 stage:string* not_stage:string*",
    "State": "phase:Phase level:int32 stage:string*",
    "Spec": "name:string lr_mult:float decay_mult:float share_mode:Share",
    "Layer": f"name:string type:string phase:Phase param:Spec* {_TRAINED} {_COMMON}",
    "OldestLayer": "name:string type:string",
    "OldLayer": (
        f"name:string type:Old param:string* blob_share_mode:Share* blobs_lr:float* weight_decay:float* layer:OldestLayer {_TRAINED} {_COMMON}"
    ),
    "Net": (
        "name:string input:string* input_shape:Shape* input_dim:int64* force_backward:bool state:State debug_info:bool"
        " layer:Layer* layers:OldLayer*"
    ),
}
BYTES = {
    "Shape": "dim:int64*=1",
    # numbers in a row are written as one field of bytes, which no list has to be made of
    "Blob": (
        "num:int32=1 channels:int32=2 height:int32=3 width:int32=4 data:bytes*=5 shape:Shape=7 double_data:bytes*=8"
        " raw_data_type:int32=10 raw_data:bytes=12"
    ),
    "Layer": "name:bytes=1 type:bytes=2 blobs:Blob*=7",
    "OldLayer": "name:bytes=4 type:int32=5 blobs:Blob*=6 layer:OldestLayer=1",
    "OldestLayer": "name:bytes=1 blobs:Blob*=50",
    "Net": "name:bytes=1 layer:Layer*=100 layers:OldLayer*=2",
}
SCALARS = frozenset({"int32", "int64", "uint32", "float", "bool", "string", "bytes"})
_Field = descriptor_pb2.FieldDescriptorProto


def new_architecture() -> Any:
    """Return an empty net, to be read from text."""
    return _class("text")()


def new_weights() -> Any:
    """Return an empty net, to be read from bytes."""
    return _class("bytes")()


@cache
def _class(package: str) -> Any:
    file = descriptor_pb2.FileDescriptorProto(name=f"{package}.proto", package=package)
    for name, values in ENUMS.items():  # each in a message of its own, because their values have the same names
        enum = file.message_type.add(name=name).enum_type.add(name="Values")
        for value, number in values.items():
            enum.value.add(name=value, number=number)
    for name, fields in (TEXT if package == "text" else BYTES).items():
        message = file.message_type.add(name=name)
        for index, field in enumerate(fields.split(), 1):
            _add(message, package, field, index)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{package}.Net"))


def _add(message: descriptor_pb2.DescriptorProto, package: str, text: str, index: int) -> None:
    """Add a field `name:type`, `name:type*` for any number of them, and `=number` where bytes are read."""
    name, _, rest = text.partition(":")
    kind, _, number = rest.partition("=")
    single = kind.removesuffix("*")
    field = message.field.add(name=name, number=int(number or index))
    field.label = _Field.LABEL_OPTIONAL if single == kind else _Field.LABEL_REPEATED
    if single in SCALARS:
        field.type = _Field.Type.Value(f"TYPE_{single.upper()}")
    else:
        field.type = _Field.TYPE_ENUM if single in ENUMS else _Field.TYPE_MESSAGE
        field.type_name = f".{package}.{single}{'.Values' if single in ENUMS else ''}"
