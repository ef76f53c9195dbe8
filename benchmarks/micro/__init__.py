"""Measures the CPU time of each step of an event, without Kafka: `pytest benchmarks/micro`."""
