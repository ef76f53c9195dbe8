"""`DeadLetters`: lists, shows, redrives and discards dead letters, for the CLI, the HTTP API and the console.

What an operator does with a dead letter is recorded on its topic by a mark. A redrive and its mark are in one
transaction, and all redrives and discards of an installation take turns. So a letter is redriven once,
even if several operators ask for it or a redrive ends in the middle.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Final, NamedTuple

from confluent_kafka import Message

from triggers.client.letter_query import EVERY_LETTER, LetterQuery
from triggers.codec import DeadLetter, decode_dead_letter
from triggers.codec.letter_mark_codec import LetterAction, LetterMark, decode_letter_mark, encode_letter_mark
from triggers.errors import IncompleteLetter, NotFound, Undecodable
from triggers.kafka.backward_reads import read_backwards
from triggers.kafka.own_headers import OWN_HEADERS, REDRIVES
from triggers.kafka.range_reads import open_ranges, read_range, read_topic
from triggers.kafka.records import Header
from triggers.kafka.transactional_sending import ANY_PARTITION, TransactionalRecord, send_in_transaction
from triggers.settings import Settings
from triggers.topology import Topology

_DIGITS: Final = 9
"""Maximum length of the number of redrives.

Anyone can write the header, and Python refuses to parse thousands of digits."""
_LETTERS_AT_ONCE: Final = 500
"""Number of dead letters whose records are in one transaction."""
_INCOMPLETE: Final = (
    "the dead letter of {0.topic} {0.partition}/{0.offset} cannot be redriven: it does not have the whole record"
    " (missing: {0.missing}); publish the record again from where it came from"
)

PartitionOffset = tuple[int, int]
"""A partition and an offset."""


_Original = Callable[[DeadLetter], TransactionalRecord]


class StoredLetter(NamedTuple):
    """A dead letter, its coordinates in the dead-letter topic, and the mark of an operator if it has one."""

    partition: int
    offset: int
    letter: DeadLetter
    mark: LetterMark | None = None

    @property
    def state(self) -> str:
        """`open`, `redriven` or `discarded`."""
        return OPEN if self.mark is None else self.mark.action.value


OPEN: Final = "open"
"""State of a dead letter that nobody has redriven or discarded."""


class DeadLetters:
    """Reads, redrives and discards dead letters. All methods block and raise BrokerUnavailable."""

    def __init__(self, settings: Settings, actor: str = "", job: str | None = None) -> None:
        """`actor` is recorded as the operator who redrives or discards, and `job` as the job by which."""
        self._settings = settings
        self._topic = Topology(settings.namespace).dead_letters
        self._actor = actor or None
        self._job = job

    def read_newest(
        self, limit: int = 100, query: LetterQuery = EVERY_LETTER, state: str | None = None
    ) -> list[StoredLetter]:
        """Returns the last `limit` dead letters that match, optionally of one state, the oldest of them first.

        Reads as many dead letters as it needs to find them.
        """
        letters = (s for s in self.read_backwards() if query.admits(s.letter) and state in {None, s.state})
        return list(islice(letters, limit))[::-1]

    def read_all(self) -> list[StoredLetter]:
        """Returns all dead letters that are on the topic now, with their marks, the oldest first."""
        return list(self.read_backwards())[::-1]

    def read_backwards(self) -> Iterator[StoredLetter]:
        """Yields all dead letters that are on the topic now, with their marks, the newest first.

        Reads the topic once, from its end to its beginning. A mark comes after its letter, on the same partition, so
        that it is known before the letter is yielded. Only the marks of letters before it are in memory.
        """
        marks: dict[PartitionOffset, LetterMark] = {}
        for message in read_backwards(self._settings, self._topic):
            marks |= _marks_among([message])  # the first mark of a letter counts
            for stored in _letters_among([message]):
                yield stored._replace(mark=marks.pop((stored.partition, stored.offset), None))

    def read_letter(self, partition: int, offset: int) -> StoredLetter:
        """Returns the dead letter at these coordinates. Raises NotFound."""
        stored = self.read_letters_at([(partition, offset)]).get((partition, offset))
        if stored is None:
            raise NotFound(f"there is no dead letter at {partition}/{offset}: it was removed, or has never existed")
        return stored

    def read_letters_at(self, coordinates: Collection[PartitionOffset]) -> dict[PartitionOffset, StoredLetter]:
        """Returns the dead letters at these coordinates, with their marks. Those that are not there are left out."""
        wanted = set(coordinates)
        letters: dict[PartitionOffset, StoredLetter] = {}
        marks: dict[PartitionOffset, LetterMark] = {}
        with open_ranges(self._settings, self._topic) as reader:
            bounds = reader.bounds()
            starts = _first_offsets((p, max(offset, bounds[p][0])) for p, offset in coordinates if p in bounds)
            for message in reader.read({p: (offset, bounds[p][1]) for p, offset in starts.items()}):
                if (message.partition() or 0, message.offset() or 0) in wanted:
                    letters.update({(each.partition, each.offset): each for each in _letters_among([message])})
                for at, mark in _marks_among([message]).items():
                    marks.setdefault(at, mark)  # the first mark of a letter counts
        return {at: stored._replace(mark=marks.get(at)) for at, stored in letters.items()}

    def redrive(self, letters: Sequence[StoredLetter]) -> list[StoredLetter]:
        """Publishes the original values, keys and headers to their original topics, and marks the letters.

        Returns the letters that are redriven now, without those that have a mark already. A header counts the redrives
        of a record, because it may become a dead letter again. Raises TooLarge, and TryAgain if another operator was
        faster; then it may be called again. Raises IncompleteLetter, before anything is published, if a letter does
        not have the whole record.
        """
        for stored in letters:
            if stored.letter.missing:
                raise IncompleteLetter(_INCOMPLETE.format(stored.letter))
        return self._mark_all(letters, LetterAction.REDRIVEN, _original_record)

    def discard(self, letters: Sequence[StoredLetter]) -> list[StoredLetter]:
        """Marks letters as discarded, so that lists of open ones leave them out. Nothing is removed.

        Returns the letters that are discarded now, without those that have a mark already. Raises TryAgain.
        """
        return self._mark_all(letters, LetterAction.DISCARDED, None)

    def _mark_all(
        self,
        letters: Sequence[StoredLetter],
        action: LetterAction,
        original: _Original | None,
    ) -> list[StoredLetter]:
        parts = (letters[start : start + _LETTERS_AT_ONCE] for start in range(0, len(letters), _LETTERS_AT_ONCE))
        return [one for part in parts for one in self._mark_some(part, action, original)]

    def _mark_some(
        self,
        letters: Sequence[StoredLetter],
        action: LetterAction,
        original: _Original | None,
    ) -> list[StoredLetter]:
        unmarked: list[StoredLetter] = []

        def prepare() -> Sequence[TransactionalRecord]:
            marks = _read_marks(self._settings, _first_offsets((each.partition, each.offset) for each in letters))
            unmarked[:] = [each for each in letters if (each.partition, each.offset) not in marks]
            originals = [] if original is None else [original(each.letter) for each in unmarked]
            return [*originals, *(self._mark_record(each, action) for each in unmarked)]

        marked = [(self._topic, partition) for partition in sorted({each.partition for each in letters})]
        send_in_transaction(self._settings, self._topic, prepare, reads=marked)
        return unmarked

    def _mark_record(self, stored: StoredLetter, action: LetterAction) -> TransactionalRecord:
        mark = LetterMark(
            partition=stored.partition, offset=stored.offset, action=action, actor=self._actor, job=self._job
        )
        return TransactionalRecord(self._topic, stored.partition, stored.letter.key, encode_letter_mark(mark))


def redrive_count(letter: DeadLetter) -> int:
    """Returns how often the record was redriven before it became this dead letter."""
    counts = [int(value[:_DIGITS]) for name, value in letter.headers if name == REDRIVES and value and value.isdigit()]
    return max(counts, default=0)


def read_letters(
    settings: Settings, starts: Mapping[int, int] | None = None, ends: Mapping[int, int] | None = None
) -> Iterator[StoredLetter]:
    """Yields all dead letters that are on the topic now. With `starts`, begins at these offsets by partition, and with
    `ends`, stops before these.

    Ignores records that are not dead letters. Blocks. Raises BrokerUnavailable.
    """
    topic = Topology(settings.namespace).dead_letters
    yield from _letters_among(
        read_topic(settings, topic) if starts is None else read_range(settings, topic, starts, ends=ends)
    )


def _letters_among(messages: Iterable[Message]) -> Iterator[StoredLetter]:
    for message in messages:
        try:
            letter = decode_dead_letter(message.value())
        except Undecodable:
            continue
        yield StoredLetter(message.partition() or 0, message.offset() or 0, letter)


def _read_marks(settings: Settings, starts: Mapping[int, int]) -> dict[PartitionOffset, LetterMark]:
    """Returns the first mark of each dead letter among the records from these offsets on."""
    return _marks_among(read_range(settings, Topology(settings.namespace).dead_letters, starts))


def _marks_among(messages: Iterable[Message]) -> dict[PartitionOffset, LetterMark]:
    marks: dict[PartitionOffset, LetterMark] = {}
    for message in messages:
        mark = decode_letter_mark(message.value(), message.timestamp()[1])
        if mark is not None and mark.partition == (message.partition() or 0):
            marks.setdefault((mark.partition, mark.offset), mark)
    return marks


def _first_offsets(coordinates: Iterable[PartitionOffset]) -> dict[int, int]:
    """Returns the smallest offset in each partition."""
    offsets: dict[int, int] = {}
    for partition, offset in coordinates:
        offsets[partition] = min(offset, offsets.get(partition, offset))
    return offsets


def _original_record(letter: DeadLetter) -> TransactionalRecord:
    return TransactionalRecord(letter.topic, ANY_PARTITION, letter.key, letter.value, _headers(letter))


def _headers(letter: DeadLetter) -> list[Header]:
    """Returns the original headers and the new count, without our own headers, so the record can be forwarded again."""
    headers = [(name, value) for name, value in letter.headers if name not in OWN_HEADERS]
    return [*headers, (REDRIVES, str(redrive_count(letter) + 1).encode())]
