"""Every error of the package, sorted by what the caller should do.

    TriggersError
    ├── CallError                    fix the call; also a ValueError
    │   ├── SettingsError                a setting or TRIGGERS_* variable is wrong
    │   ├── InvalidConfiguration         a rule is wrong; names the task, the key and the fix
    │   ├── SessionExists                an import found its session there already
    │   ├── WrongStatus                  the instance's status does not allow the operation
    │   ├── TooLarge                     the record would exceed the topic's limit
    │   │   └── TooManyCommands              one event would cause more commands than a worker can hold
    │   └── BeingDeleted                 the session goes in steps; the event may come again when it is gone
    ├── RecordsMissing               a reader cannot go on without leaving records out; the message says what to do
    │   ├── RecordsRemoved               the topic has let go of records that were not read
    │   └── RecordsSkipped               the Kafka client leaves records out, also when it is asked again
    ├── NotFound                     fix the name; also a LookupError
    │   ├── SessionNotFound
    │   ├── TaskNotFound
    │   ├── InstanceNotFound
    │   └── EventsExpired                the topic has let go of events that the question needs
    ├── TryAgain                     nothing is wrong with the call; the same call may succeed later
    │   ├── BrokerUnavailable
    │   └── OwnerUnavailable             the worker that owns the session is away or recovering
    └── Undecodable                  a record that cannot be read; it goes to the dead letters

The class docstring is the default message. Facts are attributes.
"""

from __future__ import annotations


class TriggersError(Exception):
    """Something went wrong in Triggers."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or type(self).__doc__)


class CallError(TriggersError, ValueError):
    """The call has a wrong argument."""


class SettingsError(CallError):
    """A setting is wrong."""


class InvalidConfiguration(CallError):
    """The configuration is not valid."""


class SessionExists(CallError):
    """The session is there already."""


class WrongStatus(CallError):
    """The instance's status does not allow this operation."""


class TooLarge(CallError):
    """The record is larger than the topic accepts."""


class TooManyCommands(TooLarge):
    """One event may not cause so many commands. The session object that raised it must be thrown away."""


class BeingDeleted(CallError):
    """The session is being deleted; send the event again a moment later."""


class RecordsMissing(TriggersError):
    """Records that must be read cannot be read."""


class RecordsRemoved(RecordsMissing):
    """The topic no longer has records that were not read yet; its retention is too short."""


class RecordsSkipped(RecordsMissing):
    """The Kafka client leaves out records that are on the topic."""


class NotFound(TriggersError, LookupError):
    """There is nothing of that name."""


class SessionNotFound(NotFound):
    """There is no session with that UID."""


class TaskNotFound(NotFound, KeyError):
    """The session's configuration has no task of that name."""

    __str__ = Exception.__str__


class InstanceNotFound(NotFound, KeyError):
    """The session has no instance of that name."""

    __str__ = Exception.__str__


class EventsExpired(NotFound):
    """The topic no longer has these events; its retention must be longer than sessions live."""


class TryAgain(TriggersError):
    """Not possible at this moment; the same call may succeed later."""


class BrokerUnavailable(TryAgain):
    """No Kafka broker answers."""


class OwnerUnavailable(TryAgain):
    """The worker that owns the session does not answer; it may be starting or recovering."""


class Undecodable(TriggersError):
    """The record cannot be decoded."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail
