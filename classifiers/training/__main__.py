"""From raw data to the models that Ringfence ships, in one command: `python -m classifiers.training all --data DIR --out DIR`.

It is five steps, each of which can be run alone, again, or elsewhere; each takes up what the one before left in --out:

  prepare   cuts all sets, and texts made from the templates, into arrays (kept in OUT/corpus)
  teacher   trains the base encoder with its two heads (OUT/teacher)
  student   trains the small model for CPUs, without a teacher (OUT/student)
  distil    trains the small model beside the teacher, from OUT/student where that is there (OUT/distilled)
  export    writes OUT/models/NAME: ONNX in 8 bits, temperatures and thresholds from the dev split, figures from the test
            split, manifest
  mean      writes the mean of the weights of several trainings, to be exported as those of one
  speed     measures an exported model on one thread

Training stops when its --minutes (or --steps) are spent, and can be stopped at any time: the same command goes on from the
last checkpoint. Where the one before left no checkpoint, --begin takes the weights of an exported model; a checkpoint that
did not begin with them is an error. On two CPU cores the teacher takes an hour where they multiply in bfloat16 (AMX,
AVX-512 BF16), else hours; with CUDA minutes.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from classifiers.model.case import CASES
from classifiers.model.manifest import WEIGHTS_FILE
from classifiers.training.tuning import MAX_ALARMS_PER_THOUSAND

MODELS: Final = ("teacher", "student", "distilled")
# Pieces that are read at once. The student knows no positions: what it learned on shorter texts holds in longer ones.
_WINDOWS: Final = {"teacher": 256, "student": 512}
_SHAPES: Final = ((1, 32), (1, 128), (1, 500), (8, 128), (32, 32))


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status of the command."""
    chosen = _parser().parse_args(arguments)
    try:
        _COMMANDS[chosen.command](chosen)
    except (FileNotFoundError, ValueError) as error:
        print(f"training: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m classifiers.training", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--out", type=Path, required=True, help="folder for arrays, checkpoints and models")
    common.add_argument("--data", type=Path, help="folder with the raw sets, one folder each")
    common.add_argument("--base", type=Path, help="folder of the base encoder (default: the installed package)")
    common.add_argument("--only", nargs="+", default=[], metavar="SET", help="these sets only (`templates` is one)")
    common.add_argument(
        "--texts", type=int, default=300_000, help="how many texts to make from templates (%(default)s)"
    )
    common.add_argument("--seed", type=int, default=0, help="of everything that is drawn (%(default)s)")
    common.add_argument("--threads", type=int, default=2, help="CPU threads (%(default)s)")
    common.add_argument("--device", default="auto", help="cpu, cuda, or auto: cuda where there is one (%(default)s)")
    fitting = argparse.ArgumentParser(add_help=False)
    fitting.add_argument("--minutes", type=float, help="time in training steps, over all runs (default 60)")
    fitting.add_argument("--steps", type=int, help="number of steps instead of minutes")
    fitting.add_argument(
        "--learning-rate", type=float, help="at its highest (teacher 2e-4, on CUDA 3e-4; student 2e-3)"
    )
    fitting.add_argument("--pieces", type=int, help="pieces of a batch (teacher 1024, on CUDA 32768; student 6144)")
    fitting.add_argument("--evaluate-every", type=float, default=240, metavar="S", help="seconds between evaluations")
    beginning = argparse.ArgumentParser(add_help=False)
    beginning.add_argument("--begin", type=Path, metavar="DIR", help="begin with the weights of this exported model")
    writing = argparse.ArgumentParser(add_help=False)
    writing.add_argument("--model", choices=MODELS, default="student", help="which training to write (%(default)s)")
    writing.add_argument("--version", default="0", help="of the model, in its manifest (%(default)s)")
    writing.add_argument(
        "--windows", type=int, default=4_000, help="of each set and split, so many are measured (%(default)s)"
    )
    writing.add_argument(
        "--alarms",
        type=float,
        default=MAX_ALARMS_PER_THOUSAND,
        help="of 1,000 clean windows, so many may alarm at the thresholds (%(default)s)",
    )
    writing.add_argument("--half", action="store_true", help="also in float16, for GPUs")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("prepare", parents=[common], help="cut all texts into arrays")
    for name in ("teacher", "student", "distil"):
        commands.add_parser(name, parents=[common, fitting, beginning], help=f"train: see above ({name})")
    commands.add_parser("export", parents=[common, writing], help="write the directory of a trained model")
    mean = commands.add_parser("mean", help="the mean of the weights of several trainings")
    mean.add_argument("folders", type=Path, nargs="+", help="folders with weights of trainings, such as OUT/teacher")
    mean.add_argument("--to", type=Path, required=True, help="folder for their mean, such as OTHER/teacher")
    speed = commands.add_parser("speed", help="measure an exported model on one thread")
    speed.add_argument("directory", type=Path, help="a model directory")
    everything = commands.add_parser("all", parents=[common, fitting, writing], help="everything, in order")
    everything.set_defaults(begin=None)
    return parser


def _prepare(chosen: argparse.Namespace) -> None:
    _corpus(chosen)


def _teacher(chosen: argparse.Namespace) -> None:
    from classifiers.training.encoder import load_teacher  # noqa: PLC0415 - torch takes seconds
    from classifiers.training.fit import device_of, hard_loss  # noqa: PLC0415

    # Few cores make few steps: they have to be small ones.
    pieces, rate = (32_768, 3e-4) if device_of(chosen.device) == "cuda" else (1_024, 2e-4)
    _seeded(chosen)
    _fit(chosen, "teacher", _begun(chosen, load_teacher(_base(chosen))), hard_loss, rate=rate, pieces=pieces)


def _student(chosen: argparse.Namespace) -> None:
    from classifiers.training.fit import hard_loss  # noqa: PLC0415

    _fit(chosen, "student", _begun(chosen, _new_student(chosen)), hard_loss, rate=2e-3, pieces=6_144)


def _distil(chosen: argparse.Namespace) -> None:
    from classifiers.training.altered import alterer  # noqa: PLC0415
    from classifiers.training.corpus import load_tokenizer  # noqa: PLC0415
    from classifiers.training.distil import distilled_loss  # noqa: PLC0415
    from classifiers.training.fit import WEIGHTS, device_of  # noqa: PLC0415

    student = _begun(chosen, _new_student(chosen))
    begun = (chosen.out / "student" / WEIGHTS).is_file()
    if begun and chosen.begin is None:
        _restore(student, chosen.out / "student")
    loss = distilled_loss(_trained(chosen, "teacher"), device=device_of(chosen.device))
    alter = alterer(load_tokenizer(_base(chosen)), _word_vectors(chosen))
    rate = 1e-3 if begun or chosen.begin else 2e-3
    _fit(chosen, "distilled", student, loss, rate=rate, pieces=6_144, alter=alter)


def _export(chosen: argparse.Namespace) -> None:
    from classifiers.training.corpus import base_directory, load_tokenizer  # noqa: PLC0415
    from classifiers.training.export import Described, write_model  # noqa: PLC0415
    from classifiers.training.known import names_file  # noqa: PLC0415
    from classifiers.training.scoring import continuations  # noqa: PLC0415

    corpus, base = _corpus(chosen), base_directory(chosen.base)
    _seeded(chosen)
    model = _trained(chosen, chosen.model)
    name = "teacher" if chosen.model == "teacher" else "student"
    directory = chosen.out / "models" / chosen.model
    metrics = write_model(
        model,
        Described(name=f"ringfence-{name}", version=chosen.version, window=_WINDOWS[name]),
        directory,
        corpus=corpus,
        continues=continuations(load_tokenizer(base)),
        tokenizer_file=base / "tokenizer.json",
        names=names_file(),
        half=chosen.half,
        most=chosen.windows,
        most_alarms=chosen.alarms,
    )
    for split in ("dev", "dev_float32", "test", "test_other_languages"):
        own = metrics[split]
        types = "  ".join(f"{kind} {count['f1']:.3f}" for kind, count in own["types"].items())
        print(f"{split:20} {types}")
        print(
            f"{'':20} word recall {own['word_recall']:.3f}"
            f"  alarms {own['alarms_per_thousand_clean']:.1f} of 1,000 clean"
        )
    for split, topics in metrics["topics"].items():
        print(f"topics, {split:12} macro F1 {topics['topics_macro_f1']:.3f}")
    print(f"written: {directory}")


def _mean(chosen: argparse.Namespace) -> None:
    from classifiers.training.fit import mean_weights  # noqa: PLC0415

    mean_weights(chosen.folders, chosen.to)


def _speed(chosen: argparse.Namespace) -> None:
    from classifiers.training.quantise import onnx_run  # noqa: PLC0415

    content = (chosen.directory / "model.onnx").read_bytes()
    run, chance = onnx_run(content), np.random.default_rng(0)
    print(f"{len(content) / 1e6:.1f} MB; one thread, the best of a second each, time of this thread")
    for shape in _SHAPES:
        feeds = {
            "input_ids": chance.integers(1_000, 30_000, shape),
            "attention_mask": np.ones(shape, np.int64),
            "case": chance.integers(0, CASES, shape),
        }
        best, until = float("inf"), time.monotonic() + 1
        while time.monotonic() < until:
            began = time.thread_time()
            run(feeds)
            best = min(best, time.thread_time() - began)
        texts, pieces = shape
        print(f"{texts:3} x {pieces:3} pieces  {best * 1e3:8.2f} ms  {texts * pieces / best:10,.0f} pieces/s")


def _all(chosen: argparse.Namespace) -> None:
    _teacher(chosen)
    _student(chosen)
    _distil(chosen)
    for chosen.model in ("teacher", "distilled"):
        _export(chosen)


def _base(chosen: argparse.Namespace) -> Path:
    from classifiers.training.corpus import base_directory  # noqa: PLC0415

    return base_directory(chosen.base)


def _corpus(chosen: argparse.Namespace) -> Any:
    from classifiers.training.corpus import load_tokenizer  # noqa: PLC0415
    from classifiers.training.prepare import prepared  # noqa: PLC0415

    if chosen.data is None:
        raise ValueError("--data is missing: the folder with the raw sets")
    tokenizer = load_tokenizer(_base(chosen))
    return prepared(chosen.data, chosen.out, tokenizer, texts=chosen.texts, seed=chosen.seed, only=chosen.only)


def _new_student(chosen: argparse.Namespace) -> Any:
    from classifiers.training.student import Student, StudentShape, begin_from  # noqa: PLC0415

    _seeded(chosen)
    student = Student(StudentShape())
    begin_from(student, _word_vectors(chosen))
    return student


def _word_vectors(chosen: argparse.Namespace) -> Any:
    """float[vocabulary, width]: what the base encoder knows of each piece alone."""
    from classifiers.training.encoder import base_weights  # noqa: PLC0415

    return base_weights(_base(chosen))["embeddings.word_embeddings.weight"]


def _begun(chosen: argparse.Namespace, model: Any) -> Any:
    """`model`, with the weights of the exported one that was chosen."""
    from classifiers.training.exported import begin_from_export  # noqa: PLC0415

    if chosen.begin is not None:
        begin_from_export(model, chosen.begin)
    return model


def _trained(chosen: argparse.Namespace, name: str) -> Any:
    """The model that a training left. Raises FileNotFoundError before there is one."""
    from classifiers.training.encoder import Teacher, shape_of  # noqa: PLC0415
    from classifiers.training.student import Student, StudentShape  # noqa: PLC0415

    model = Teacher(shape_of(_base(chosen))) if name == "teacher" else Student(StudentShape())
    _restore(model, chosen.out / name)
    return model


def _restore(model: Any, folder: Path) -> None:
    import torch  # noqa: PLC0415

    from classifiers.training.fit import WEIGHTS  # noqa: PLC0415

    if not (folder / WEIGHTS).is_file():
        raise FileNotFoundError(f"no trained model in `{folder}`: train it first")
    model.load_state_dict(torch.load(folder / WEIGHTS, map_location="cpu", weights_only=True))


def _seeded(chosen: argparse.Namespace) -> None:
    import torch  # noqa: PLC0415

    torch.set_num_threads(chosen.threads)
    torch.manual_seed(chosen.seed)


def _fit(
    chosen: argparse.Namespace, name: str, model: Any, loss: Any, *, rate: float, pieces: int, alter: Any = None
) -> None:
    from classifiers.training.batches import Mixture, case_tables  # noqa: PLC0415
    from classifiers.training.corpus import digest_of, load_tokenizer  # noqa: PLC0415
    from classifiers.training.fit import Plan, Training, device_of, examiner  # noqa: PLC0415
    from classifiers.training.scoring import continuations  # noqa: PLC0415

    device, tokenizer = device_of(chosen.device), load_tokenizer(_base(chosen))
    corpus = _corpus(chosen)
    mixture = Mixture(corpus, case_tables(tokenizer), seed=chosen.seed, pieces=chosen.pieces or pieces, alter=alter)
    minutes = 60.0 if chosen.minutes is None and chosen.steps is None else chosen.minutes
    plan = Plan(
        minutes=minutes,
        steps=chosen.steps,
        learning_rate=chosen.learning_rate or rate,
        seed=chosen.seed,
        evaluate_every_s=chosen.evaluate_every,
    )
    begun = None if chosen.begin is None else digest_of(chosen.begin / WEIGHTS_FILE)
    training = Training(model, mixture, plan, chosen.out / name, device=device, loss=loss, begun=begun)
    training.run(examine=examiner(corpus, continuations(tokenizer), device=device))


_COMMANDS: Final = {
    "prepare": _prepare,
    "teacher": _teacher,
    "student": _student,
    "distil": _distil,
    "export": _export,
    "mean": _mean,
    "speed": _speed,
    "all": _all,
}

if __name__ == "__main__":
    sys.exit(main())
