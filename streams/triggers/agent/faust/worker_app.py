"""Faust's app of a worker."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import faust

from triggers.agent.faust.recovery import BulkTableManager, OwnedPartitions
from triggers.agent.faust.transport import BatchChannel
from triggers.agent.faust.web_server import QueryServer
from triggers.settings import Settings
from triggers.topology import Topology


class WorkerApp(faust.App):
    """An app with the worker's web server."""

    query_server: QueryServer

    def _new_web(self) -> QueryServer:
        return self.query_server

    def register_agent(self, channel: BatchChannel, consume: Callable[..., Any]) -> None:
        """Registers the app's only agent, as the decorator `agent` does.

        The decorator also looks up the source line that it stands on, for a search for agents that no worker makes. To
        do so, it resolves the paths of all imported modules, which takes 30 ms of the CPU time of a worker's start.
        """
        agent = faust.Agent(
            consume, name="agent", app=self, channel=channel, on_error=self._on_agent_error, use_reply_headers=True
        )
        self.agents[agent.name] = agent
        self.topics.beacon.add(agent)


def new_app(settings: Settings, worker_id: str) -> WorkerApp:
    """Returns the app of a worker, and creates the worker's data folder."""
    data = settings.data_dir.absolute() / quote(worker_id, safe="")
    data.mkdir(parents=True, exist_ok=True)
    return WorkerApp(
        Topology(settings.namespace).agents,
        datadir=str(data),
        store="rocksdb://",
        autodiscover=False,
        topic_allow_declare=False,
        topic_disable_leader=True,
        table_standby_replicas=0,
        TableManager=BulkTableManager,
        PartitionAssignor=OwnedPartitions,
    )
