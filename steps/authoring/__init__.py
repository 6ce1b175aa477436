"""Beginnings of files that people write: a case in YAML, a feature, a target card."""
