"""The errors of the package, grouped by what the caller should do.

    TriggersError
    ├── CallError                    fix the call; also a ValueError
    │   ├── SettingsError                a setting or TRIGGERS_* variable has a wrong value
    │   ├── InvalidConfiguration         a rule is wrong; the message names the task, the key and the fix
    │   ├── ReservedName                 only the engine fires triggers with the names of outcomes
    │   ├── RulesLocked                  the session's published rules allow no update of its configuration
    │   ├── UnknownRules                 the first event of a session names rules that nobody has published
    │   ├── SessionExists                an import found that its session exists already
    │   ├── WrongStatus                  the instance's status does not allow the operation
    │   ├── IdReused                     an operation has the id of another one, so it would have no effect
    │   ├── TooLarge                     the record would exceed the size limit of its topic
    │   │   └── TooManyCommands              one event would cause more commands than a worker can hold in memory
    │   ├── NotPermitted                 the token of a request is missing or wrong
    │   ├── TooManyItems                 more items match than a bulk repair may have; narrow the filter
    │   ├── IncompleteLetter             a dead letter without the whole record cannot be redriven
    │   ├── NotSupported                 the storage cannot do that; also a TypeError
    │   └── BeingDeleted                 the session is being deleted in steps; send the event again afterwards
    ├── RecordsMissing               a reader stopped, because it would skip records; the message names the fix
    │   ├── RecordsRemoved               retention removed records before they were read
    │   ├── GapUnproven                  it cannot be found out whether a gap in the offsets contains records
    │   └── RecordsSkipped               the Kafka client repeatedly skips records that are on the topic
    ├── NotFound                     fix the name; also a LookupError
    │   ├── SessionNotFound
    │   ├── TaskNotFound
    │   ├── InstanceNotFound
    │   ├── JobNotFound
    │   └── EventsExpired                retention removed events that are needed for the answer
    ├── TryAgain                     the call is correct; repeat it later
    │   ├── BrokerUnavailable            an event may have been written; repeat it with the same `event_id`
    │   │   ├── TopicMissing                 create the topics, or wait until all brokers know them
    │   │   └── AccessDenied                 change the credentials or the ACLs; the message names the fix
    │   ├── OwnerUnavailable             the worker that owns the session is unreachable or restoring it
    │   ├── Overloaded                   too much is in progress already; nothing was done
    │   └── LockAcquisitionFailed        the lock of a storage is held by somebody else, or has expired
    ├── MissingExtra                 install the extra that the message names; also an ImportError
    └── Undecodable                  a record cannot be decoded; it becomes a dead letter

The docstring of a class is its default message. An error that only one module raises is defined there, as a subclass of
one of these; `UnknownKey` of the registries is one.
"""

from __future__ import annotations


class TriggersError(Exception):
    """Triggers could not do what it was asked to do."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or type(self).__doc__)


class CallError(TriggersError, ValueError):
    """An argument of the call is wrong."""


class SettingsError(CallError):
    """A setting has a wrong value."""


class InvalidConfiguration(CallError):
    """The configuration is not valid."""


class ReservedName(CallError):
    """Only the engine fires triggers that end like outcomes."""


class RulesLocked(CallError):
    """The session's published rules are locked, so its configuration cannot be updated; publish another version."""


class UnknownRules(CallError):
    """Nobody has published rules of that name."""


class SessionExists(CallError):
    """The session exists already."""


class WrongStatus(CallError):
    """The instance's status does not allow this operation."""


class IdReused(CallError):
    """The id belongs to an earlier event that asks for something else, so this one would have no effect."""


class TooLarge(CallError):
    """The record is larger than the topic accepts."""


class TooManyCommands(TooLarge):
    """The event would cause more commands than a worker can hold. Discard the session object, which is half changed."""


class NotPermitted(CallError):
    """The request has no valid token: set TRIGGERS_READ_TOKEN as it is set on the workers."""


class IncompleteLetter(CallError):
    """The dead letter does not have the whole record, so it cannot be redriven."""


class TooManyItems(CallError):
    """More items match than the job may have."""


class BeingDeleted(CallError):
    """The session is being deleted; send the event again when that is done."""


class RecordsMissing(TriggersError):
    """Records that must not be skipped cannot be read."""


class RecordsRemoved(RecordsMissing):
    """The topic's retention removed records before they were read; set a longer retention."""


class GapUnproven(RecordsMissing):
    """It cannot be found out whether a gap in the offsets contains records."""


class RecordsSkipped(RecordsMissing):
    """The Kafka client skips records that are on the topic."""


class NotFound(TriggersError, LookupError):
    """Nothing has that name."""


class SessionNotFound(NotFound):
    """There is no session with that UID."""


class TaskNotFound(NotFound, KeyError):
    """The session's configuration has no task of that name."""

    __str__ = Exception.__str__


class InstanceNotFound(NotFound, KeyError):
    """The session has no instance of that name."""

    __str__ = Exception.__str__


class JobNotFound(NotFound):
    """There is no job with that id."""


class EventsExpired(NotFound):
    """The topic's retention removed these events; it must be longer than any session lives."""


class TryAgain(TriggersError):
    """The call cannot succeed at the moment; repeat it later."""


class BrokerUnavailable(TryAgain):
    """No Kafka broker answers."""


class TopicMissing(BrokerUnavailable):
    """The topics do not exist: run `triggers topics create`."""


class AccessDenied(BrokerUnavailable):
    """Kafka refuses the connection or does not permit the operation."""


class OwnerUnavailable(TryAgain):
    """The worker that owns the session does not answer; it may be starting or restoring its partitions."""


class Overloaded(TryAgain):
    """Too much is in progress; nothing was done."""


class MissingExtra(TriggersError, ImportError):
    """A library of an extra is not installed."""


class Undecodable(TriggersError):
    """The record cannot be decoded. `reason` is the reason of its dead letter, `detail` says more."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail


class LockAcquisitionFailed(TryAgain, RuntimeError):
    """Another thread or process holds the lock, or the lock has expired."""


class NotSupported(CallError, TypeError):
    """The storage cannot do this: its cache has no locks, or its session changes by events only."""
