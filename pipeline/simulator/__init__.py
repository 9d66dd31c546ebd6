"""The local Graph stand-in: a real server on a socket, as strict as Graph, with quota and faults to order.

`app` owns the socket, `service` decides what each request is answered, and the other modules hold one rule each:
`paths`, `call`, `batch`, `entity`, `quota`, `faults`, `writes`, `reads`, `store`, `answers`, `settings`.
"""

from pipeline.simulator.app import RunningSimulator, Simulator, running, serve
from pipeline.simulator.settings import (
    ErrorShape,
    Fault,
    FaultRates,
    Profile,
    ReadFault,
    RetryAfterForm,
    SimulatorSettings,
    Window,
)
from pipeline.simulator.store import CollectionCount, SimulatorState, StoredObject

__all__ = [
    "CollectionCount",
    "ErrorShape",
    "Fault",
    "FaultRates",
    "Profile",
    "ReadFault",
    "RetryAfterForm",
    "RunningSimulator",
    "Simulator",
    "SimulatorSettings",
    "SimulatorState",
    "StoredObject",
    "Window",
    "running",
    "serve",
]
