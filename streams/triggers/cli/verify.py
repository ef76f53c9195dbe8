"""`triggers verify` replays capsules and recorded histories with this engine."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import click

from triggers.analysis.input_file import InputFile
from triggers.analysis.verify.capsules import is_capsule, load_capsule, replay_capsule
from triggers.analysis.verify.histories import BadHistory, HistoryResult, verify_files
from triggers.cli.option_types import Input
from triggers.cli.output import json_option, print_json, print_line


@click.command("verify")
@click.argument("files", nargs=-1, required=True, type=Input())
@json_option
def verify_command(files: tuple[InputFile, ...], as_json: bool) -> None:
    """Replay capsules (of `triggers capture`) and recorded histories (JSON lines), and print all differences.

    Histories of edition 2 have clocks and timers, and a file may mix both formats. Differences of a history that is
    not `firm` are printed, but do not count as failures. The exit code is 1 if a capsule or a firm history differs.
    """
    passed: list[HistoryResult] = []
    failed: list[HistoryResult] = []
    for result in _results(files):
        (failed if result.differences and result.gates else passed).append(result)
        if result.differences and not as_json:
            _print_result(result)
    if as_json:
        print_json({"passed": len(passed), "failed": len(failed), "differences": _differences([*failed, *passed])})
    else:
        click.echo(f"{len(passed)} passed, {len(failed)} failed")
    sys.exit(1 if failed else 0)


def _results(files: Iterable[InputFile]) -> Iterator[HistoryResult]:
    for file in files:
        if is_capsule(file):
            capsule = load_capsule(file)
            yield HistoryResult(capsule.session, Path(file.name).name, True, replay_capsule(capsule).differences)
        else:
            yield from _histories(file)


def _histories(file: InputFile) -> Iterator[HistoryResult]:
    results = verify_files([file])
    first = next(results, None)
    if first is None:
        raise BadHistory(f"{file.name}: the file has no history, so nothing was verified")
    yield first
    yield from results


def _print_result(result: HistoryResult) -> None:
    for line in result.differences:
        print_line(line if result.gates else f"{line} (not firm: no failure)")


def _differences(results: list[HistoryResult]) -> list[dict[str, object]]:
    different = [result for result in results if result.differences]
    return [{"id": r.id, "title": r.title, "firm": r.gates, "differences": r.differences} for r in different]
