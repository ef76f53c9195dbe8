"""Each process creates its own client. The clients here report when they are destroyed."""

from __future__ import annotations

import subprocess
import sys
import threading

from triggers.kafka.per_process import PerProcess


def test_a_client_is_made_once_for_all_threads() -> None:
    made: list[object] = []

    def make() -> object:
        made.append(object())
        return made[-1]

    clients = PerProcess(make)
    start = threading.Barrier(8)

    def use() -> None:
        start.wait(60)
        clients.get()

    threads = [threading.Thread(target=use) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)

    assert len(made) == 1


def test_a_discarded_client_is_replaced_and_an_older_one_does_not_discard_its_successor() -> None:
    clients = PerProcess(object)
    first = clients.get()

    clients.discard(first)
    second = clients.get()
    clients.discard(first)

    assert second is not first
    assert clients.get() is second


def test_a_client_that_was_taken_is_replaced() -> None:
    clients = PerProcess(object)
    first = clients.get()

    assert clients.take() is first
    assert clients.take() is None
    assert clients.get() is not first


FORKING = """
import os, sys
from triggers.kafka.per_process import PerProcess

class Client:
    def __del__(self):
        print("destroyed in", "child" if os.getpid() != parent else "parent", flush=True)

parent = os.getpid()
clients = PerProcess(Client)
inherited = id(clients.get())
child = os.fork()
if child == 0:
    print("made anew in the child:", id(clients.get()) != inherited, flush=True)
    clients.take()
    del clients
    sys.exit(0)
os.waitpid(child, 0)
print("same in the parent:", id(clients.get()) == inherited, flush=True)
del clients
"""


def test_a_forked_child_makes_its_own_client_and_never_destroys_the_inherited_one() -> None:
    finished = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORKING], check=True, capture_output=True, text=True, timeout=120
    )

    assert finished.stdout.splitlines() == [
        "made anew in the child: True",
        "destroyed in child",
        "same in the parent: True",
        "destroyed in parent",
    ]
