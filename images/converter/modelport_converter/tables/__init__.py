"""Models of tables, whatever library trained them: columns, questions, trees, and how they become ONNX."""
