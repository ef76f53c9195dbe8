"""`LetterWork`: redrives or discards dead letters, each by a mark that names the job."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from triggers.client.dead_letters import DeadLetters, StoredLetter
from triggers.jobs.job import Job
from triggers.jobs.job_log import JobLog, repeat_while_others_write
from triggers.jobs.records import Action, ItemResult, ItemState, JobPublished, JobRecord
from triggers.settings import Settings


class LetterWork:
    """The work of a job on dead letters. All methods block; see `JobRunner.run` for what they raise.

    The mark of a letter is in one transaction with its redrive. So a run that begins an item again finds the mark of
    the run before, and whoever is slower leaves the letter alone.
    """

    def __init__(self, settings: Settings, log: JobLog, job: Job) -> None:
        self._letters = DeadLetters(settings, job.head.actor or "", job.id)
        self._log = log
        self._job = job

    def change(self, numbers: Sequence[int]) -> None:
        """Redrives or discards items that are pending, and records what has become of them."""
        letters = self._read(numbers)
        obstacles = {number: self._obstacle_to(letters.get(number)) for number in numbers}
        obsolete = [ItemResult(item=n, state=ItemState.OBSOLETE, detail=why) for n, why in obstacles.items() if why]
        self._log.record_results(self._job.id, obsolete)
        self._handle(self._begin([number for number in numbers if not obstacles[number]]), letters)

    def confirm(self, numbers: Sequence[int]) -> None:
        """Redrives or discards what another run has begun, if it did not come to that, and records it."""
        self._handle(numbers, self._read(numbers))

    def _read(self, numbers: Collection[int]) -> dict[int, StoredLetter]:
        """Returns the letters of items by number, without those that retention has removed."""
        coordinates = {number: self._job.items[number].letter for number in numbers}
        letters = self._letters.read_letters_at(list(coordinates.values())) if coordinates else {}
        return {number: letters[at] for number, at in coordinates.items() if at in letters}

    def _obstacle_to(self, stored: StoredLetter | None) -> str:
        """Returns why a letter is not changed, or empty text."""
        if stored is None:
            return "retention has removed the dead letter"
        if stored.mark is not None and stored.mark.job != self._job.id:
            return f"{stored.state} by {stored.mark.actor or 'somebody'} already"
        if self._is_redrive and stored.letter.missing:
            return f"it does not have the whole record (missing: {stored.letter.missing})"
        return ""

    def _begin(self, numbers: Sequence[int]) -> list[int]:
        """Records that items are about to be changed, and returns those that nobody has begun or cancelled."""
        chosen: list[int] = []

        def prepare() -> Sequence[JobRecord]:
            chosen[:] = [number for number in numbers if self._job.is_pending(number)]
            return [JobPublished(job=self._job.id, items=chosen)] if chosen else ()

        self._log.write(prepare)
        return chosen

    def _handle(self, numbers: Sequence[int], letters: dict[int, StoredLetter]) -> None:
        """Marks the letters that have no mark, and records whose mark each of the items has."""
        unmarked = [letters[number] for number in numbers if number in letters and letters[number].mark is None]
        if unmarked:
            self._mark(unmarked)
            letters = self._read(numbers)
        self._log.record_results(self._job.id, [self._result(number, letters.get(number)) for number in numbers])

    def _mark(self, letters: Sequence[StoredLetter]) -> None:
        """Redrives or discards letters. Tries again if another operator was faster."""
        change = self._letters.redrive if self._is_redrive else self._letters.discard
        repeat_while_others_write(lambda: change(letters))

    def _result(self, number: int, stored: StoredLetter | None) -> ItemResult:
        is_done = stored is not None and stored.mark is not None and stored.mark.job == self._job.id
        return ItemResult(
            item=number,
            state=ItemState.APPLIED if is_done else ItemState.REFUSED,
            detail=stored.state if is_done and stored is not None else self._obstacle_to(stored),
        )

    @property
    def _is_redrive(self) -> bool:
        return self._job.head.change.action is Action.REDRIVE
