"""The detector that the settings describe: rules, and beside them recognisers of one's own and a model."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Final

from classifiers.detector import PatternDetector
from classifiers.extra import ExtendedDetector, OwnRecognizers, extended
from governance.errors import ConfigInvalid
from governance.settings import MODEL_OFF, SHIPPED_MODELS, Classifiers

if TYPE_CHECKING:
    from classifiers.ensemble import Ensemble
    from classifiers.model.detector import ModelDetector
    from classifiers.model.session import Execution

# Of one worker to its server: while some run, others go there.
_CALLS_AT_ONCE: Final = 4
SHIPPED: Final = Path(__file__).parents[1] / "models"


def composed(
    rules: PatternDetector, own: OwnRecognizers, model: ModelDetector | None, held: ExitStack
) -> PatternDetector | ExtendedDetector | Ensemble:
    """`rules`, and beside them what is left of `own` and `model`, until `held` ends. Raises ConfigInvalid."""
    detector = extended(rules, own)
    if isinstance(detector, ExtendedDetector):
        held.callback(detector.close)
    if model is None:
        return detector
    # Slow to import, and not everyone has a model.
    from classifiers.ensemble import Ensemble  # noqa: PLC0415

    both = Ensemble(detector, model)
    held.callback(both.close)
    return both


def chosen_model(settings: Classifiers) -> ModelDetector | None:
    """The model that `settings` choose, here or on their server, loaded and tried. Raises ConfigInvalid."""
    if settings.model == MODEL_OFF:
        return None
    from classifiers.model.detector import ModelDetector, load_model  # noqa: PLC0415
    from classifiers.model.manifest import read_model  # noqa: PLC0415
    from classifiers.model.pieces import piece_reader  # noqa: PLC0415

    directory = model_directory(settings.model)
    if settings.server is None:
        return load_model(directory, execution=execution(settings))
    from classifiers.model.batching import BatchLimits  # noqa: PLC0415
    from classifiers.model.remote import RemoteModel  # noqa: PLC0415

    files = read_model(directory)
    limits = BatchLimits(workers=_CALLS_AT_ONCE)
    return ModelDetector(files, piece_reader(files), RemoteModel(settings.server, files), limits=limits)


def verify_model(settings: Classifiers) -> None:
    """Returns where the files of the model that `settings` choose are what its manifest says. Raises ConfigInvalid."""
    from classifiers.model.manifest import read_model  # noqa: PLC0415

    if settings.model != MODEL_OFF:
        read_model(model_directory(settings.model))


def execution(settings: Classifiers) -> Execution:
    """On what `settings` have a model run."""
    from classifiers.model.session import Execution, Provider  # noqa: PLC0415

    return Execution(provider=Provider(settings.provider), threads=settings.threads, device=settings.device)


def model_directory(name: str) -> Path:
    """Where the model is that `name` stands for: one that comes with Ringfence, or a directory. Raises ConfigInvalid."""
    directory = SHIPPED / name if name in SHIPPED_MODELS else Path(name)
    if not directory.is_dir():
        known = ", ".join((MODEL_OFF, *SHIPPED_MODELS))
        raise ConfigInvalid(f"`classifiers.model`: there is no directory `{directory}`; it is {known} or a directory")
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
