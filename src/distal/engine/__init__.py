"""Many processes or machines behind one method, `Engine.map`; knows no biology and nothing of what is computed."""

from distal.engine.local import LocalEngine
from distal.engine.ray import RayEngine
from distal.engine.schedule import RETRIES, Engine, ItemFailedError, SetupFailedError

__all__ = ["RETRIES", "Engine", "ItemFailedError", "LocalEngine", "RayEngine", "SetupFailedError"]
