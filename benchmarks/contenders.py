"""Who is measured, on what."""

from __future__ import annotations

from benchmarks.throughput import Program
from benchmarks.workload import Workload

PASSTHROUGH = Program(name="pass-through", module="benchmarks.programs.passthrough")
TRANSACTIONAL = Program(name="transactional pass-through", module="benchmarks.programs.transactional_passthrough")
AGENT = Program(name="triggers agent", module="benchmarks.programs.agent", rules=True)

FEW = Workload(name="1,000 sessions in flight", in_flight=1000, pages=200)
MANY = Workload(name="100,000 sessions in flight", in_flight=100_000, pages=2)
