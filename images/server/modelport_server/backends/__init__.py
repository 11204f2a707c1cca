"""What runs models: one module per runtime, found by the runtime's name; `base` says what such a module is."""
