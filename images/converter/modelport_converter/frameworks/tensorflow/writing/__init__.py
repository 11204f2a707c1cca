"""What writes models: ONNX, SavedModels, flatbuffers, files of Keras."""
