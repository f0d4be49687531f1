"""Which sink an output is.

Must not know how one works.
"""

from __future__ import annotations

from collections.abc import Callable

from .container_sink import ContainerSink
from .program_sinks import CameraSink, NdiSink, SpoutSink, SyphonSink
from .records import OutputSpec
from .sink import Sink
from .target import OutputKind

SINKS: dict[OutputKind, Callable[[OutputSpec], Sink]] = {
    OutputKind.FILE: ContainerSink,
    OutputKind.URL: ContainerSink,
    OutputKind.CAMERA: CameraSink,
    OutputKind.SPOUT: SpoutSink,
    OutputKind.SYPHON: SyphonSink,
    OutputKind.NDI: NdiSink,
}


def sink_of(spec: OutputSpec) -> Sink:
    """Open what a spec asks for.

    Raises:
        SinkError: it can't be.
    """
    return SINKS[spec.kind](spec)
