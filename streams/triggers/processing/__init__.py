"""The worker: a Faust app on a transport where one batch is one Kafka transaction (hops 3 and 5).

consume a batch ─▶ agent decides ─▶ one transaction ─▶ RocksDB ─▶ next batch

app          wiring; `run_worker`                supervisor   one process per slot; `run_workers`
transport    Faust's consumer: the pump          member       the consumer group, on the Kafka thread
transaction  a batch's Kafka transaction         recovery     changelog rows into RocksDB
agent        records to rows and outputs         store        RocksDB files of the table's partitions
"""
