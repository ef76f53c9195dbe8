"""Says which workers an installation has, for `triggers status` and `triggers top`."""

from __future__ import annotations

from collections.abc import Iterator

from triggers.overview.installation import WorkerPartitions
from triggers.queries import RestoringPartition


def worker_lines(workers: WorkerPartitions) -> Iterator[tuple[str, str]]:
    """Yield a name and a text for each line."""
    owned = [f"{url} {_ranges(partitions)}" for url, partitions in workers.partitions.items()]
    lost = [f"no owner: {_ranges(workers.unowned)}"] if workers.unowned else []
    yield "workers", ", ".join([*owned, *lost]) or "none"
    if workers.restoring:
        yield "restoring", ", ".join(map(_restore_words, workers.restoring))
    if workers.silent:
        yield "workers that do not answer", "; ".join(workers.silent.values())


def _restore_words(each: RestoringPartition) -> str:
    if each.rows is None:
        return f"partition {each.partition} waits"
    percent = 100 * each.restored // each.rows if each.rows else 100
    return f"partition {each.partition} {percent} % of {each.rows:,} rows"


def _ranges(partitions: list[int]) -> str:
    """Return numbers in their order, such as `0-3,7`."""
    runs: list[tuple[int, int]] = []
    for each in sorted(partitions):
        if runs and runs[-1][1] == each - 1:
            runs[-1] = (runs[-1][0], each)
        else:
            runs.append((each, each))
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in runs)
