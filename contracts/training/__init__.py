"""The contracts of the training APIs: the wire of each dialect, as the reference server reads it."""
