"""The configuration files of a broker for development and tests: one KRaft node."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

_PROPERTIES = """
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{controller_host}:{controller}
listeners=PLAINTEXT://{bind}:{port},CONTROLLER://{bind}:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={data}
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=8
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=8
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
broker.session.timeout.ms=5000
broker.heartbeat.interval.ms=500
"""


_LOG4J = """
appender.out.type=Console
appender.out.name=out
appender.out.layout.type=PatternLayout
appender.out.layout.pattern=%d %p %c: %m%n
rootLogger=WARN, out
"""


def server_properties(
    port: int,
    controller: int,
    *,
    data: Path | str,
    more: Mapping[str, str] | None = None,
    controller_host: str = "127.0.0.1",
    bind: str = "127.0.0.1",
) -> str:
    """Return the text of `server.properties`. `port` and `controller` are the ports of the two listeners.

    `more` are further properties. They take precedence, because the last line with a name does.
    """
    text = _PROPERTIES.format(port=port, controller=controller, controller_host=controller_host, bind=bind, data=data)
    return text + "".join(f"{name}={value}\n" for name, value in (more or {}).items())


def log4j_properties(loggers: Mapping[str, str]) -> str:
    """Return the text of `log4j2.properties`. `loggers` are levels by name; other loggers write warnings and errors."""
    lines = [
        f"logger.{number}.name={name}\nlogger.{number}.level={level}\n"
        for number, (name, level) in enumerate(loggers.items())
    ]
    return _LOG4J + "".join(lines)
