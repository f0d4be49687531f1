"""The regions in OpenVINO, for CPUs: the same pictures as PyTorch's eager mode, two to three times as fast.

Where the CPU calculates in half precision by itself, OpenVINO may: bfloat16 takes half the time of float32. Networks
serve all sizes at once; those that are in use get compilations of their own, by and by.

Must not know rows, or when it is a good choice.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import torch

from ...backend import PlainBackend
from ...denoiser import Conditions, Denoiser, RowEncoder
from ...networks import Networks
from ...recipe import Recipe
from ...regions import Call, Kind, Outputs, Regions, Run
from ...staging import join
from ...state import RungState
from ..builder import Task
from ..exactness import fault
from ..specialise import Demand, Signature, made
from .conversion import Traced, conversions, converted, key_of, ov, traced_networks
from .known import FLOAT32, FORMATS, Known
from .network import Network

if TYPE_CHECKING:
    from ... import Progress
    from ...models.load import Model

_log = logging.getLogger(__name__)


class OpenVinoBackend(PlainBackend):
    """A `Backend` on OpenVINO's CPU plug-in, and a `Specialiser` of itself: networks are compiled for calls in use.

    Encode and decode run there whole: PyTorch's threads spin for a while behind each operation on a whole picture, and
    the encoder behind the conversion took 8 ms for 4. Of a step only the denoiser does: the rest is a few thousand
    numbers, and depends on how many rows are guided.

    Args:
        model: on the CPU, in float32. Unless it must be exact, half precision is taken where the CPU has it. A network
            whose results suffer by that stays in float32.
        progress: told about the stages.

    Attributes:
        demand: calls that are in use and that nothing is compiled for.

    Raises:
        RuntimeError: the results differ from PyTorch's. (The converter raises whatever it likes.)
    """

    def __init__(self, model: Model, progress: Progress) -> None:
        core = ov.Core()
        traced = traced_networks(model)
        key = key_of(model, traced)
        models = converted(core, key, traced, progress)
        native = native_precision(core)
        wanted = FLOAT32 if model.exact or native not in FORMATS else native
        self.demand = Demand()
        self._model = model
        self._known = Known(conversions().path(key), f"{core.get_property('CPU', 'FULL_DEVICE_NAME')}, {wanted}")
        self._networks: dict[Kind, Network] = {}
        for one, network in zip(traced, models, strict=True):
            build = partial(Network, core, network, one.kind, model.latent_scale_px, self.demand)
            known = self._known.precisions.get(one.kind)
            tried = map(build, (known,) if known else dict.fromkeys((wanted, FLOAT32)))
            self._networks[one.kind] = next(tried) if known else _first_exact(tried, one)
        taken = {kind.value: network.precision for kind, network in self._networks.items()}
        self._known.keep(taken)
        version = str(ov.__version__).partition("-")[0]
        what = f"openvino {version} on cpu, {torch.get_num_threads()} threads, {_said(taken, native, model.exact)}"
        in_half = [precision for precision in taken.values() if precision != FLOAT32]
        denoiser = _OpenVinoDenoiser(Regions.of_model(model, fold=False).denoiser, self._networks[Kind.STEP])
        super().__init__(
            Regions(Networks(model), denoiser),
            model.device,
            RungState("openvino", what, FORMATS[in_half[0] if in_half else FLOAT32]),
        )

    @property
    def rung(self) -> RungState:
        """What runs, in which number format, and what it is made for; what serves all sizes answers all other calls."""
        rung = super().rung
        made_for = tuple(one.call for network in self._networks.values() for one in network.fixed)
        sizes = dict.fromkeys(f"{one.width}×{one.height}" for one in made_for if one.kind == Kind.ENCODE)
        what = f"{rung.what}, made for {' and '.join(sizes)}" if sizes else rung.what
        return replace(rung, what=what, made_for=made_for)

    def run(self, call: Call) -> Outputs:
        """See `Backend`."""
        if call.kind is Kind.STEP:
            return super().run(call)
        inputs = {name: join(column, torch.device("cpu")) for name, column in call.columns.items()}
        return self._networks[call.kind](**inputs)

    @property
    def name(self) -> str:
        """See `Specialiser`."""
        return super().rung.name

    def has(self, signature: Signature) -> bool:
        """See `Specialiser`: whether a compilation for these calls gave PyTorch's results before."""
        return signature in self._known.proven

    def task(self, signatures: Sequence[Signature]) -> Task:
        """See `Specialiser`: not in a server's process, as OpenVINO has crashed there."""
        return Task(prove, {"signatures": [signature.wire() for signature in signatures]})

    def keep(self, signature: Signature) -> None:
        """See `Specialiser`: the proof is kept, as compiling takes a third of a second."""
        self._known.keep(proven=frozenset([signature]))

    def take(self, signature: Signature) -> bool:
        """See `Specialiser`."""
        if self._network(signature).take(signature):
            return True
        _log.info("%s stays with what serves all sizes, slower: too many sizes are in use", signature)
        return False

    def prove(self, signature: Signature) -> None:
        """Compile for these calls and compare.

        Raises:
            RuntimeError: the results differ, or it can't be compiled.
        """
        network, call, scale_px = self._network(signature), signature.call, self._model.latent_scale_px
        every = traced_networks(self._model, call.batch, call.height // scale_px, call.width // scale_px)
        traced = next(one for one in every if one.kind == call.kind)
        if found := _differs(network.compile(signature), traced, network.precision):
            raise RuntimeError(f"results of the {signature} {found}")

    def _network(self, signature: Signature) -> Network:
        return self._networks[Kind(signature.call.kind)]


def prove(model: Model, signatures: Sequence[Mapping[str, Any]]) -> Iterable[Mapping[str, Any]]:
    """A builder's task: try compilations, and tell of each that is right."""
    backend = OpenVinoBackend(model, lambda stage, percent: None)
    for signature in map(Signature.parse, signatures):
        backend.prove(signature)
        yield made(signature)


class _OpenVinoDenoiser(Denoiser):
    """A `Denoiser` whose UNet runs in OpenVINO; the conditions are those of the denoiser that was converted.

    Args:
        whole: the denoiser in PyTorch.
        network: `whole`, converted: its output is named `prediction`.
    """

    def __init__(self, whole: Denoiser, network: Network) -> None:
        super().__init__()
        self._whole, self._network = whole, network

    def row_encoder(self) -> RowEncoder:
        """See `Denoiser`."""
        return self._whole.row_encoder()

    def conditions(self, recipe: Recipe, step: int, is_second: bool) -> Conditions:
        """See `Denoiser`."""
        return self._whole.conditions(recipe, step, is_second)

    def forward(self, sample: torch.Tensor, timestep: torch.Tensor, conditions: Conditions) -> torch.Tensor:
        """See `Denoiser`."""
        return self._network(sample=sample, timestep=timestep, **conditions)["prediction"]


def native_precision(core: ov.Core) -> str:
    """What OpenVINO takes on this CPU where it is free to: the fastest format that the CPU has circuits for."""
    return str(core.get_property("CPU", "INFERENCE_PRECISION_HINT").get_type_name())


def _said(taken: dict[str, str], native: str, exact: bool) -> str:
    """The number formats, and why, for the log."""
    if exact:
        return "float32 as asked for"
    if native == FLOAT32:
        return "float32: this CPU has no half precision"
    single = [name for name, precision in taken.items() if precision == FLOAT32]
    if len(single) == len(taken):
        return f"float32: {FORMATS[native]} would change the pictures"
    kept = f", {' and '.join(single)} in float32 for exactness" if single else ""
    return f"{FORMATS[native]}, which this CPU has{kept}"


def _first_exact(networks: Iterable[Network], traced: Traced) -> Network:
    """The first whose results are near enough to PyTorch's.

    Raises:
        RuntimeError: there is none.
    """
    one_row = traced._replace(example={name: tensor[:1] for name, tensor in traced.example.items()})  # of two
    found = ""
    for network in networks:
        if not (found := _differs(network.any, one_row, network.precision)):
            return network
        _log.info("openvino: results of the %s in %s %s", traced.kind, FORMATS[network.precision], found)
    raise RuntimeError(f"results of the {traced.kind} {found}")


def _differs(run: Run, traced: Traced, precision: str) -> str:
    """How far results are from PyTorch's, in words; empty where that is near enough."""
    with torch.no_grad():
        expected = traced.network(**traced.example)
    return fault(run(**traced.example), expected, FORMATS[precision])
