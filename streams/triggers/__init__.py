"""Triggers on Kafka: session-scoped rules that run Celery tasks, as a Kafka stream processor.

The eight hops of an event, and where each lives:

    1 fire      manager.py, storages/, client/
    2 decode    codec/
    3 agent     processing/
    4 decide    core/
    5 store     processing/
    6 deliver   celery/
    7 run       task.py
    8 result    celery/
"""

from triggers.manager import TriggerManager
from triggers.storages.memory import MemoryStorage
from triggers.storages.stream import StreamStorage

__all__ = ["MemoryStorage", "StreamStorage", "TriggerManager"]
