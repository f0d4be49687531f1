"""The backend of the rung `openvino`, for CPUs: eager mode's results within `exactness`, two to three times as fast.

On a CPU with native half precision OpenVINO calculates in it: bfloat16 takes half the time of float32. Networks are
compiled for all batches and sizes at once, and later for those in use alone.

Must not know rows, or when the rung is chosen.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import torch

from ...backend import PlainBackend
from ...denoisers.contexts import CONTEXTS
from ...denoisers.denoiser import Conditions, Contexts, Denoiser
from ...networks import Networks
from ...recipe import Recipe
from ...regions import Call, Kind, Outputs, Regions, Run
from ...staging import join
from ...state import RungState
from ..builder import Task
from ..exactness import fault
from ..specialise import Demand, Signature, made
from .conversion import Traced, conversions, converted, key_of, ov, traced_networks
from .known import FLOAT32, FORMATS, INT8, Known
from .network import Network
from .shipped import shipped
from .unconverted import Unconverted

if TYPE_CHECKING:
    from ... import Progress
    from ...models.load import Model

_log = logging.getLogger(__name__)


class OpenVinoBackend(PlainBackend):
    """A `Backend` on OpenVINO's CPU plug-in, and the `Specialiser` of its networks.

    Encode and decode regions run in OpenVINO as a whole: PyTorch's threads spin for a while after an operation on a
    picture, which slowed the encoder from 4 to 8 ms. Of a step only the denoiser does: the rest is a few thousand
    numbers, and depends on the number of guided rows. A call in a form that was not converted, because it has inputs
    beyond those of a plain frame, is answered by the PyTorch regions of the same model, and `rung` says so.

    Args:
        model: on the CPU, in float32. Unless `Model.exact`, networks calculate in half precision where the CPU has it
            natively, elsewhere in int8 where they ship in it, if their results are within the tolerance; else in
            float32.
        progress: called with the stages.

    Attributes:
        demand: notes the calls for which no network is compiled alone.

    Raises:
        RuntimeError: the results differ from PyTorch's. The converter may raise any exception.
    """

    def __init__(self, model: Model, progress: Progress) -> None:
        core = ov.Core()
        traced = traced_networks(model)
        native = native_precision(core)
        wanted = FLOAT32 if model.exact or native not in FORMATS else native
        self.demand = Demand()
        self._unconverted = Unconverted()
        self._model = model
        build = partial(Network, core, latent_scale_px=model.latent_scale_px, demand=self.demand)
        self._networks: dict[str, Network] = {}
        small = quantised(core, model, traced)
        for one in traced:
            if one.kind in small:
                try:
                    self._networks[one.kind] = _first_exact([build(small[one.kind], one.kind, precision=INT8)], one)
                except RuntimeError as error:
                    _log.warning("the %s that ships in int8 is not used: %s", one.kind, str(error).splitlines()[0])
        others = [one for one in traced if one.kind not in self._networks]
        key = key_of(model, others)
        self._known = Known(conversions().path(key), f"{core.get_property('CPU', 'FULL_DEVICE_NAME')}, {wanted}")
        for one, network in zip(others, converted(core, key, others, progress), strict=True):
            known = self._known.precisions.get(one.kind)
            formats = (known,) if known else dict.fromkeys((wanted, FLOAT32))
            tried = (build(network, one.kind, precision=precision) for precision in formats)
            self._networks[one.kind] = next(tried) if known else _first_exact(tried, one)
        taken = {one.kind.value: self._networks[one.kind].precision for one in traced}
        self._known.keep({one.kind.value: taken[one.kind] for one in others})
        version = str(ov.__version__).partition("-")[0]
        what = f"openvino {version} on cpu, {torch.get_num_threads()} threads, {_said(taken, native, model.exact)}"
        in_less = [precision for precision in taken.values() if precision != FLOAT32]
        whole = Regions.of_model(model, fold=False).denoiser
        folded = Regions.of_model(model).denoiser
        denoiser = _OpenVinoDenoiser(whole, folded, self._networks[Kind.STEP], self._unconverted)
        super().__init__(
            Regions(Networks(model), denoiser),
            model.device,
            RungState("openvino", what, FORMATS[in_less[0] if in_less else FLOAT32]),
        )

    @property
    def rung(self) -> RungState:
        """See `Backend`; `made_for` are the calls that a network is compiled for alone."""
        rung = super().rung
        made_for = tuple(one.call for network in self._networks.values() for one in network.fixed)
        sizes = dict.fromkeys(f"{one.width}×{one.height}" for one in made_for if one.kind == Kind.ENCODE)
        made = f"made for {' and '.join(sizes)}" if sizes else ""
        what = ", ".join(filter(None, (rung.what, made, str(self._unconverted))))
        return replace(rung, what=what, made_for=made_for)

    def run(self, call: Call) -> Outputs:
        """See `Backend`."""
        if call.kind is Kind.STEP:
            return super().run(call)
        network = self._networks.get(call.kind)
        names = frozenset(call.columns)
        if network is None or network.names != names:
            self._unconverted.note(call.kind, names - network.names if network else ())
            return super().run(call)
        return network(**{name: join(column, torch.device("cpu")) for name, column in call.columns.items()})

    @property
    def name(self) -> str:
        """See `Specialiser`."""
        return super().rung.name

    def has(self, signature: Signature) -> bool:
        """See `Specialiser`: True if a network compiled for these calls was proven on this machine."""
        return signature in self._known.proven

    def task(self, signatures: Sequence[Signature]) -> Task:
        """See `Specialiser`: proves them in a child process, as OpenVINO has crashed the process while compiling."""
        return Task(prove, {"signatures": [signature.wire() for signature in signatures]})

    def keep(self, signature: Signature) -> None:
        """See `Specialiser`: keeps the fact that it is proven; compiling again takes a third of a second."""
        self._known.keep(proven=frozenset([signature]))

    def take(self, signature: Signature) -> bool:
        """See `Specialiser`: compiles here; False while `SHAPES_KEPT` others are in use."""
        if self._network(signature).take(signature):
            return True
        _log.info("%s stays with what serves all sizes, slower: too many sizes are in use", signature)
        return False

    def prove(self, signature: Signature) -> None:
        """Compile a network for these calls alone, and compare its results with PyTorch's.

        Raises:
            RuntimeError: they differ, or it can't be compiled.
        """
        network, call, scale_px = self._network(signature), signature.call, self._model.latent_scale_px
        every = traced_networks(self._model, call.batch, call.height // scale_px, call.width // scale_px)
        traced = next(one for one in every if one.kind == call.kind)
        if found := _differs(network.compile(signature), traced, network.precision):
            raise RuntimeError(f"results of the {signature} {found}")

    def _network(self, signature: Signature) -> Network:
        return self._networks[Kind(signature.call.kind)]


def prove(model: Model, signatures: Sequence[Mapping[str, Any]]) -> Iterable[Mapping[str, Any]]:
    """A builder's task: prove networks compiled for these signatures alone.

    Args:
        signatures: as `Signature.wire` gives them.

    Yields:
        `made(signature)` for each; ends with an exception at the first that fails.
    """
    backend = OpenVinoBackend(model, lambda stage, percent: None)
    for signature in map(Signature.parse, signatures):
        backend.prove(signature)
        yield made(signature)


class _OpenVinoDenoiser(Denoiser):
    """A `Denoiser` whose UNet runs in OpenVINO; the conditions are those of the denoiser that was converted.

    Args:
        whole: the denoiser in PyTorch, which answers where there are conditions that `network` does not take.
        folded: on the same weights, which answers where there are contexts; it is told its own conditions beside.
        network: `whole`, converted: its output is named `prediction`.
        unconverted: notes those calls.
    """

    def __init__(self, whole: Denoiser, folded: Denoiser, network: Network, unconverted: Unconverted) -> None:
        super().__init__()
        self.takes_source = whole.takes_source
        self.hears_contexts = folded.hears_contexts
        self._whole, self._folded, self._network, self._unconverted = whole, folded, network, unconverted

    def conditions(self, recipe: Recipe, step: int, is_second: bool) -> Conditions:
        """See `Denoiser`."""
        return self._whole.conditions(recipe, step, is_second)

    def contexts(self, recipe: Recipe, step: int, is_second: bool, contexts: Contexts) -> Conditions:
        """See `Denoiser`."""
        more = self._folded.contexts(recipe, step, is_second, contexts)
        return {**more, **self._folded.conditions(recipe, step, is_second)}

    def forward(self, sample: torch.Tensor, timestep: torch.Tensor, conditions: Conditions) -> torch.Tensor:
        """See `Denoiser`."""
        if told := conditions.keys() & CONTEXTS:
            self._unconverted.note(Kind.STEP, [CONTEXTS[name] for name in told])
            return self._folded(sample, timestep, conditions)
        if beyond := conditions.keys() - self._network.names:
            self._unconverted.note(Kind.STEP, beyond)
            return self._whole(sample, timestep, conditions)
        return self._network(sample=sample, timestep=timestep, **conditions)["prediction"]


def native_precision(core: ov.Core) -> str:
    """OpenVINO's name of the number format that it prefers on this CPU: the fastest with native instructions."""
    return str(core.get_property("CPU", "INFERENCE_PRECISION_HINT").get_type_name())


def quantised(core: ov.Core, model: Model, traced: Sequence[Traced]) -> dict[Kind, ov.Model]:
    """The int8 networks to run, by region: those that ship, where the CPU would else calculate in float32.

    With half precision in hardware bfloat16 is as fast and more exact; where float32 was asked for, nothing is.
    """
    if model.exact or native_precision(core) != FLOAT32:
        return {}
    return shipped(core, model, traced)


def is_converted(model: Model) -> bool:
    """True if all networks that don't ship in int8 are in the cache, so that making an `OpenVinoBackend` takes about a
    second.
    """
    traced = traced_networks(model)
    small = quantised(ov.Core(), model, traced)
    return conversions().find(key_of(model, [one for one in traced if one.kind not in small])) is not None


def _said(taken: dict[str, str], native: str, exact: bool) -> str:
    """The number formats and the reason for them, for people.

    Args:
        taken: number format by region.
        native: see `native_precision`.
        exact: see `Model`.
    """
    if exact:
        return "float32 as asked for"
    single = [name for name, precision in taken.items() if precision == FLOAT32]
    if native == FLOAT32:
        small = [name for name, precision in taken.items() if precision == INT8]
        formats = [f"int8 ({' and '.join(small)})"] * bool(small) + ["float32"] * bool(single)
        return f"{' and '.join(formats)}: this CPU has no half precision"
    if len(single) == len(taken):
        return f"float32: {FORMATS[native]} would change the pictures"
    kept = f", {' and '.join(single)} in float32 for exactness" if single else ""
    return f"{FORMATS[native]}, which this CPU has{kept}"


def _first_exact(networks: Iterable[Network], traced: Traced) -> Network:
    """The first network whose results are within the tolerance of PyTorch's.

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
    """The fault of the results of `run` on the example, see `exactness.fault`; empty where there is none."""
    with torch.no_grad():
        expected = traced.network(**traced.example)
    return fault(run(**traced.example), expected, FORMATS[precision])
