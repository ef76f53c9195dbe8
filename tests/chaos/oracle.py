"""The oracle folds the events through the pure core in memory and compares all evidence with the result.

Two processes judge one partition at a time each. Everything that belongs to a session is on its partition, so only
that partition's sessions have to be in memory.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from tests.chaos.evidence import Evidence
from tests.chaos.partition_oracle import Judged, judge_part
from tests.chaos.verdict import OracleVerdict

_JUDGES = 2


def judge(evidence: Evidence) -> OracleVerdict:
    """Compares the evidence with the fold of the events. Blocks for some 100 µs per event."""
    verdict = OracleVerdict(
        dead_letters=evidence.letters.total(),
        executions=evidence.executions.total(),
        duplicates=sum(times - 1 for times in evidence.executions.values()),
    )
    verdict.charge(verdict.lost, "events given up", [why for one in evidence.published for why in one.failed])
    with ProcessPoolExecutor(_JUDGES, get_context("spawn")) as judges:
        parts = list(judges.map(judge_part, evidence.parts()))
    for part in parts:
        verdict.add(part.verdict)
    _check_forwarded(parts, verdict)
    _check_forwards(parts, verdict)
    _check_publications(evidence, verdict)
    return verdict


def _check_forwarded(parts: Sequence[Judged], verdict: OracleVerdict) -> None:
    """Checks that each event on a wrong partition was forwarded exactly once."""
    expected, actual = Counter[bytes](), Counter[bytes]()
    for part in parts:
        expected += part.misplaced
        actual += part.forwarded
    verdict.forwarded = actual.total()
    verdict.charge(verdict.lost, "misplaced events", (expected - actual).elements())
    verdict.charge(verdict.wrong, "forwarded events", (actual - expected).elements())


def _check_forwards(parts: Sequence[Judged], verdict: OracleVerdict) -> None:
    """Checks that each trigger that rules forward was fired exactly once, on whatever partition."""
    expected, actual = Counter[bytes](), Counter[bytes]()
    for part in parts:
        expected += part.forwards
        actual += part.arrived
    verdict.forwards = actual.total()
    verdict.charge(verdict.lost, "forwards", (expected - actual).elements())
    verdict.charge(verdict.wrong, "forwards", (actual - expected).elements())


def _check_publications(evidence: Evidence, verdict: OracleVerdict) -> None:
    """Checks that each confirmed version of rules was published once, and that nothing else was."""
    confirmed, published = Counter(evidence.confirmed), Counter(evidence.publications)
    verdict.publications = published.total()
    verdict.charge(verdict.lost, "published rules", (confirmed - published).elements())
    verdict.charge(verdict.wrong, "published rules", (published - confirmed).elements())
    verdict.charge(verdict.wrong, "refused publications", evidence.unpublished)
