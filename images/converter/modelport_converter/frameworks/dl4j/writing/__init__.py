"""Networks of DL4J as ONNX: what each layer computes when it answers, in the layout that DL4J has."""
