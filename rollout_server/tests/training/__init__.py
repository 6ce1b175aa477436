"""Tests of the reference training server."""
