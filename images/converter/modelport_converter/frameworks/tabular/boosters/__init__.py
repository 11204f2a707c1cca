"""Models of XGBoost, LightGBM and CatBoost: read, and as ONNX."""
