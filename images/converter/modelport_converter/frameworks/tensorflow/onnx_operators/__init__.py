"""ONNX's operators in TensorFlow's, one small function each; `building` runs a graph of them within a function of TensorFlow.

`node` says what an operator is given, `lengths` computes with lengths of which some are known, and the folders hold the
operators by families.
"""
