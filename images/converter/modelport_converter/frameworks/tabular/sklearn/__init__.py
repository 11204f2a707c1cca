"""Estimators of scikit-learn as ONNX."""
