"""When the next write may leave: one pacer for all workers of a scope."""

from pipeline.pace.pacer import Pacer, Slots

__all__ = ["Pacer", "Slots"]
