"""The detector that the settings describe: rules, and beside them recognisers of one's own and a model."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

from classifiers.detector import PatternDetector
from classifiers.extra import ExtendedDetector, OwnRecognizers, extended
from governance.errors import ConfigInvalid
from governance.settings import MODEL_OFF, SHIPPED_MODELS, Classifiers

if TYPE_CHECKING:
    from classifiers.ensemble import Ensemble
    from classifiers.model.detector import ModelDetector
    from classifiers.model.manifest import ModelFiles
    from classifiers.model.session import Execution

# Of one worker to its server: while some run, others go there.
_CALLS_AT_ONCE: Final = 4
SHIPPED: Final = Path(__file__).parents[1] / "models"


Composed: TypeAlias = "PatternDetector | ExtendedDetector | Ensemble"


def composed(
    rules: PatternDetector, own: OwnRecognizers, models: Mapping[str, ModelDetector | None], held: ExitStack
) -> Mapping[str, Composed]:
    """`rules` and what is left of `own`, and beside them each of `models`, by its name, until `held` ends. Raises ConfigInvalid."""
    detector = extended(rules, own)
    if isinstance(detector, ExtendedDetector):
        held.callback(detector.close)
    return {name: detector if model is None else _beside(detector, model, held) for name, model in models.items()}


def _beside(detector: PatternDetector | ExtendedDetector, model: ModelDetector, held: ExitStack) -> Ensemble:
    from classifiers.ensemble import Ensemble  # noqa: PLC0415

    both = Ensemble(detector, model)
    held.callback(both.close)
    return both


def chosen_models(settings: Classifiers) -> Mapping[str, ModelDetector | None]:
    """Every model that requests may have, here or on the server of `settings`, loaded and tried; None for `off`.

    By its name in `settings`; directories that hold the same are one model. Raises ConfigInvalid.
    """
    from classifiers.model.manifest import read_model  # noqa: PLC0415

    loaded: dict[str, ModelDetector] = {}
    chosen: dict[str, ModelDetector | None] = {}
    for name in settings.models:
        if name == MODEL_OFF:
            chosen[name] = None
            continue
        files = read_model(model_directory(name))
        if files.version not in loaded:
            loaded[files.version] = _loaded(files, settings)
        chosen[name] = loaded[files.version]
    return chosen


def chosen_model(settings: Classifiers) -> ModelDetector | None:
    """The `model` of `settings`, as `chosen_models` has it. Raises ConfigInvalid."""
    return chosen_models(replace(settings, tenants={}))[settings.model]


def _loaded(files: ModelFiles, settings: Classifiers) -> ModelDetector:
    # Slow to import, and not everyone has a model.
    from classifiers.model.detector import ModelDetector, tried  # noqa: PLC0415

    if settings.server is None:
        return tried(files, execution=execution(settings))
    from classifiers.model.batching import BatchLimits  # noqa: PLC0415
    from classifiers.model.pieces import piece_reader  # noqa: PLC0415
    from classifiers.model.remote import RemoteModel  # noqa: PLC0415

    limits = BatchLimits(workers=_CALLS_AT_ONCE)
    return ModelDetector(files, piece_reader(files), RemoteModel(settings.server, files), limits=limits)


def verify_models(settings: Classifiers) -> None:
    """Returns where the files of all models in `settings` are what their manifests say. Raises ConfigInvalid."""
    from classifiers.model.manifest import read_model  # noqa: PLC0415

    for name in settings.models:
        if name != MODEL_OFF:
            read_model(model_directory(name))


def execution(settings: Classifiers) -> Execution:
    """On what `settings` have a model run."""
    from classifiers.model.session import Execution, Provider  # noqa: PLC0415

    return Execution(provider=Provider(settings.provider), threads=settings.threads, device=settings.device)


def model_directory(name: str) -> Path:
    """Where the model is that `name` stands for: one that comes with Ringfence, or a directory. Raises ConfigInvalid."""
    if name == MODEL_OFF:
        raise ConfigInvalid(f"`{name}` is no model: name {', '.join(SHIPPED_MODELS)} or a directory")
    directory = SHIPPED / name if name in SHIPPED_MODELS else Path(name)
    if not directory.is_dir():
        known = ", ".join((MODEL_OFF, *SHIPPED_MODELS))
        raise ConfigInvalid(f"`classifiers`: there is no directory `{directory}`; a model is {known} or a directory")
    return directory


def shipped() -> tuple[str, ...]:
    """The names of the models that come with this installation."""
    return tuple(name for name in SHIPPED_MODELS if (SHIPPED / name).is_dir())


def serve_model(settings: Classifiers, listen: str) -> None:
    """Runs the model of `settings` for others at `listen` until SIGTERM. Raises ConfigInvalid."""
    import asyncio  # noqa: PLC0415

    from classifiers.model.detector import limits_for  # noqa: PLC0415
    from classifiers.model.manifest import read_model  # noqa: PLC0415
    from classifiers.model.pieces import piece_reader  # noqa: PLC0415
    from classifiers.model.serving import serve  # noqa: PLC0415
    from classifiers.model.session import ModelSession  # noqa: PLC0415

    files = read_model(model_directory(settings.model))
    session = ModelSession(files, piece_reader(files), execution(settings))
    ran = session.report

    def started(where: str) -> None:
        print(
            f"{files.version} on {ran.device} ({ran.provider}, {ran.precision}), listening on {where}", file=sys.stderr
        )

    asyncio.run(serve(listen, files, session, limits_for(ran), started=started))
