"""What one event costs without Kafka, step by step, in CPU time: `pytest benchmarks/micro`."""
