"""Importing this module joins every operation to the catalog."""

from . import cases, leads

__all__ = ["cases", "leads"]
