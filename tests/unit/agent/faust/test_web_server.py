from __future__ import annotations

import socket

import pytest

from triggers.agent.faust.web_server import listen, url_of
from triggers.process.exits import ExitCode, Stop


def test_a_taken_port_ends_the_worker_with_its_own_code() -> None:
    with listen("127.0.0.1", 0) as first, pytest.raises(Stop) as stopped:
        listen("127.0.0.1", first.getsockname()[1])

    assert stopped.value.code is ExitCode.PORT_TAKEN


@pytest.mark.parametrize(
    ("host", "advertised", "slot", "url"),
    [
        ("127.0.0.1", "", 0, "http://127.0.0.1:{port}"),
        ("", "", 0, "http://{here}:{port}"),
        ("127.0.0.1", "http://10.0.0.5:6066", 0, "http://10.0.0.5:6066"),
        ("127.0.0.1", "http://10.0.0.5:6066/", 2, "http://10.0.0.5:6068"),
        ("127.0.0.1", "https://w1.example.org", 2, "https://w1.example.org"),
    ],
)
def test_the_url_of_a_worker_is_what_others_reach_it_under(host: str, advertised: str, slot: int, url: str) -> None:
    with listen("127.0.0.1", 0) as listening:
        port = listening.getsockname()[1]

        assert url_of(listening, host, advertised, slot) == url.format(port=port, here=socket.gethostname())
