"""The working copy of a session: its decoded header, rows that are read on demand, and changes that are not written."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from triggers.core.conditions.held import Memory
from triggers.core.events import RulesPublished
from triggers.core.plan import Plan, Rule
from triggers.core.published_rules import Catalog, PublishedRules
from triggers.core.state.dedupe_window import DedupeWindow
from triggers.core.state.earlier_fires import join_earlier_fires
from triggers.core.state.edition_2_state import Edition2State
from triggers.core.state.event_index import append_position, read_positions
from triggers.core.state.fire_spans import record_span
from triggers.core.state.header import Header
from triggers.core.state.header_codec import (
    add_spans_to_header,
    decode_header,
    encode_header,
    is_of_earlier_version,
    read_header,
    read_spans,
)
from triggers.core.state.header_parts import TaskState
from triggers.core.state.instances import Instances
from triggers.core.state.loaded_instance import LoadedInstance, StatusMove
from triggers.core.state.payloads import Payloads
from triggers.core.state.plans import Plans
from triggers.core.state.row_kinds import HOT_TASKS, HOT_TRIGGERS, LATEST, TASKS
from triggers.core.state.rows import Rows, configuration_key, header_key
from triggers.core.state.savepoint import Savepoint
from triggers.core.state.session_rows import RowMap, SessionRows, SpillingMap
from triggers.core.state.waiting import Waiting


class Session:
    """The state of one session, on top of the rows of its partition.

    A caller may keep it for several batches if it writes all `changes` and nothing else writes the session's rows. It
    must be dropped after an aborted transaction. It is not thread-safe.
    """

    __slots__ = (
        "_catalog",
        "_edition_2",
        "_header_changed",
        "_key",
        "_moves",
        "_partition_rows",
        "_plans",
        "_shared",
        "clock",
        "event_id",
        "exists",
        "header",
        "ids",
        "instances",
        "is_bound",
        "latest",
        "moved",
        "payloads",
        "plan",
        "position",
        "recorded",
        "rows",
        "spans",
        "tasks",
        "time",
        "uid",
    )

    def __init__(self, uid: str, rows: Rows, plans: Plans) -> None:
        self.uid = uid
        self._partition_rows = rows
        self._plans = plans
        self.rows = SessionRows(uid, rows)
        """The session's rows, except the header."""
        self._key = header_key(uid)
        self._shared: dict[bytes, bytes | None] = {}
        self._moves: list[StatusMove] = []
        self.moved: list[StatusMove] = []
        """How the statuses in the rows of instances differ between the last two calls of `changes`."""
        self._catalog: Catalog | None = None
        stored = rows.get(self._key)
        self._use_header(read_header(uid, stored), there=stored is not None)
        if stored is not None and is_of_earlier_version(stored):
            join_earlier_fires(self.header, self.latest, self.rows)
        self.position = self.time = 0
        self.event_id: str | None = None
        """The position, the time and the id of the event that is being applied. Compiled code reads them thirty times
        as slowly from the event."""
        self.recorded = 0
        """When it came into the log."""
        self.clock = 0
        """The session's clock when it is applied."""
        self.spans = read_spans(stored)
        """The spans of its latest fires. Empty unless the trace of one of its events was sampled."""

    def _use_header(self, header: Header, *, there: bool, plan: Plan | None = None) -> None:
        self.header = header
        self.exists = there and not header.deleted
        """True if the session has events and is not deleted."""
        self.is_bound = header.published is not None  # compiled code reads the header's field thirty times as slowly
        self.plan: Plan = plan or self._plans.load(header.configuration, self._partition_rows)
        self.tasks = SpillingMap(header.tasks, self.rows, TASKS, spilled=header.tasks_spilled)
        self.latest = SpillingMap(header.latest, self.rows, LATEST, spilled=header.latest_spilled)
        self._edition_2: Edition2State | None = None
        self._header_changed = False
        self.ids = DedupeWindow(header, self.rows)
        self.instances = Instances(header, self.rows, self._moves)
        self.payloads = Payloads(header, self.rows, self.latest, self.instances)

    def reopen(self, header: Header) -> None:
        """Continues with another header, as a session that does not exist. Changed rows are encoded first."""
        self._encode_rows()
        self._use_header(header, there=False)
        self.spans = {}

    def savepoint(self) -> Savepoint:
        """Returns what `roll_back` needs to undo later changes. Changed rows are encoded first."""
        self._encode_rows()
        return Savepoint(
            header=self._header_row(),
            exists=self.exists,
            header_changed=self._header_changed,
            plan=self.plan,
            rows=self.rows.copy_changes(),
            shared=dict(self._shared),
            moves=list(self._moves),
        )

    def roll_back(self, savepoint: Savepoint) -> None:
        """Undoes all changes since the savepoint."""
        self._encode_rows()
        self.rows.replace_changes(savepoint.rows)
        self._shared = savepoint.shared
        self._moves[:] = savepoint.moves
        self._use_header(decode_header(savepoint.header), there=False, plan=savepoint.plan)
        self.spans = read_spans(savepoint.header)
        self.exists, self._header_changed = savepoint.exists, savepoint.header_changed

    def mark_header_changed(self) -> None:
        """Marks the header as changed, so that `changes` includes it."""
        self._header_changed = True

    # -- rows ---------------------------------------------------------------------------------------------------------

    def changes(self) -> dict[bytes, bytes | None]:
        """Returns the rows to write since the last call, by key; None deletes a row. Forgets cached rows."""
        self._encode_rows()
        self.moved = self._moves.copy()
        self._moves.clear()
        changes = self.rows.take_changes()
        if self._shared:
            changes.update(self._shared)
            self._shared = {}
        if self._header_changed:
            changes[self._key] = self._header_row()
            self._header_changed = False
        return changes

    def _header_row(self) -> bytes:
        row = encode_header(self.header)
        return add_spans_to_header(row, self.spans) if self.spans else row

    def _encode_rows(self) -> None:
        self.instances.write_rows()
        self.payloads.write_rows()
        if self._edition_2 is not None:
            self._edition_2.write_rows()

    def record_removal(self, removed: LoadedInstance) -> None:
        """Records that the row of an instance is deleted, for `moved`."""
        status = removed.stored_status
        self._moves.append(StatusMove(removed.task, removed.number, status, "", removed.instance))

    def write_shared(self, key: bytes, row: bytes | None) -> None:
        """Writes a row that does not belong to the session alone, such as a timer; None deletes it."""
        self._shared[key] = row

    def record_span(self, trigger: str, mark: int, span: bytes) -> None:
        """Records the span of a fire, or that it has none. Call it before the kwargs are stored, if any span is."""
        record_span(self.spans, trigger, mark, span, was_fired=self.latest.get(trigger) is not None)

    # -- tasks --------------------------------------------------------------------------------------------------------

    def task_state(self, task: str) -> TaskState:
        """Returns the state of the task, which the caller may change in place."""
        state = self.tasks.get(task)
        if state is None:
            state = self.tasks.hot[task] = TaskState()
        return state

    # -- edition 2 ----------------------------------------------------------------------------------------------------

    @property
    def waiting(self) -> RowMap[Waiting]:
        """Waiting instances by task."""
        return self._edition_2_state().waiting

    @property
    def memories(self) -> RowMap[Memory]:
        """Contributions that later instances start with, by task."""
        return self._edition_2_state().memories

    def _edition_2_state(self) -> Edition2State:
        state = self._edition_2
        if state is None:
            state = self._edition_2 = Edition2State(self.rows)
        return state

    # -- configuration ------------------------------------------------------------------------------------------------

    def merge_configuration(self, configuration: bytes) -> Plan:
        """Returns the plan of the session's configuration with this update. Raises InvalidConfiguration."""
        return self._plans.merge(self.plan, configuration)

    def configure(self, plan: Plan) -> None:
        """Replaces the session's configuration."""
        self.plan = plan
        self.header.configuration = plan.digest
        if self._partition_rows.get(configuration_key(plan.digest)) is None:
            self.write_shared(configuration_key(plan.digest), plan.text)

    @property
    def catalog(self) -> Catalog:
        """The published rules that the session's partition knows. They are read once, until `forget_catalog`."""
        if self._catalog is None:
            self._catalog = self._plans.load_catalog(self._partition_rows)
        return self._catalog

    def forget_catalog(self) -> None:
        """Reads the published rules again when they are needed, because others have been published."""
        self._catalog = None

    def variables(self) -> dict[str, object]:
        """Returns the variable `session` of the session's expressions."""
        return {"uid": self.uid, "rules": self.header.rules_name}

    def plan_with(self, rules: PublishedRules, removable: Collection[str]) -> Plan:
        """Returns the plan of the session once it is bound to published rules. Raises InvalidConfiguration.

        `removable` are the tasks that `merge_adopted` may remove.
        """
        return self._plans.adopt(self.plan, rules, removable, self._partition_rows)

    def published_plan(self, rules: PublishedRules) -> Plan:
        """Returns the plan of published rules themselves."""
        return self._plans.load(rules.digest, self._partition_rows)

    def publish(self, event: RulesPublished) -> bool:
        """Adds published rules to the partition's rows. Returns False if they repeat what is known.

        Raises CallError and InvalidConfiguration.
        """
        changes = self._plans.publish(event, self._partition_rows)
        self._shared.update(changes)
        self.forget_catalog()
        return bool(changes)

    def rule_as_scheduled(self, loaded: LoadedInstance) -> Rule | None:
        """Returns the rule under which the instance was scheduled, or None if it never was."""
        if not (digest := loaded.instance.configuration):
            return None
        return self._plans.load(digest, self._partition_rows).tasks.get(loaded.task)

    # -- events -------------------------------------------------------------------------------------------------------

    def index_event(self, position: int, time: int, *, changed: bool) -> None:
        """Adds an event to the session's index and starts the session. `changed` sets the time of modification."""
        header = self.header
        if not self.exists:
            self.exists = True
            header.created = header.created or time
        if changed and time > header.modified:
            header.modified = time
        header.events += 1
        append_position(header, self.rows, position)
        if len(self.tasks.hot) > HOT_TASKS or len(self.latest.hot) > HOT_TRIGGERS:
            self._spill()
        self._header_changed = True

    def index_rules(self, position: int) -> None:
        """Adds published rules that the session takes to its index. They are in its log, but no event of its own."""
        append_position(self.header, self.rows, position)

    def positions(self) -> Iterator[int]:
        """Yields the positions in the log of the session's events, and of the rules that bound it, in their order.

        Only for queries: changes must have been written.
        """
        return read_positions(self.header, self.rows)

    def _spill(self) -> None:
        self.tasks.spill()
        self.latest.spill()
        self.header.tasks_spilled, self.header.latest_spilled = self.tasks.spilled, self.latest.spilled
