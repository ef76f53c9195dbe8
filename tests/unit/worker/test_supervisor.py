from __future__ import annotations

from pathlib import Path

from triggers.settings import Settings
from triggers.worker.supervisor import Backoff, Slot, slot_settings


def test_the_pause_before_a_restart_doubles_up_to_a_limit() -> None:
    backoff = Backoff(first_s=0.5, max_s=4)

    assert [backoff.pause_s(lives) for lives in (1, 2, 3, 4, 5)] == [0.5, 1, 2, 4, 4]


def test_a_long_run_resets_the_count_of_restarts() -> None:
    backoff, slot = Backoff(healthy_s=60), Slot(0, short_lives=5, started_at=100)

    slot.record_end(now=161, backoff=backoff)

    assert slot.short_lives == 1
    assert slot.restart_at == 161 + backoff.pause_s(1)


def test_consecutive_short_runs_are_counted() -> None:
    backoff, slot = Backoff(healthy_s=60), Slot(0, short_lives=2, started_at=100)

    slot.record_end(now=101, backoff=backoff)

    assert slot.restart_at == 101 + backoff.pause_s(3)


def test_the_worker_id_of_a_machine_gets_a_suffix_per_slot() -> None:
    settings = Settings(worker_id="west", data_dir=Path("data"))

    assert slot_settings(settings, 1, processes=2).id_of_worker(1) == "west-1"
    assert slot_settings(settings, 0, processes=1).id_of_worker(0) == "west"
