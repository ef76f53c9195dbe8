"""Tokens are stored as hashes, name their principal and its scopes, and come and go with their file."""

from __future__ import annotations

from pathlib import Path

import pytest

from triggers.api.identity import Principal, Scope
from triggers.api.tokens import TokenFile, digest_of, make_token, parse_tokens, token_line
from triggers.errors import SettingsError

OPERATE = frozenset({Scope.OPERATE})


def test_a_line_has_the_hash_of_the_token_and_never_the_token() -> None:
    token = make_token()

    line = token_line("jane", frozenset({Scope.INGEST, Scope.READ}), token, 50)

    assert line == f"jane ingest,read sha256:{digest_of(token).hex()} rate=50"
    assert token not in line
    assert len(token) > 43


async def test_a_token_is_found_and_another_one_is_not(tmp_path: Path) -> None:
    token, path = make_token(), tmp_path / "tokens"
    path.write_text(f"# our people\n\n{token_line('jane', OPERATE, token)}\n")

    tokens = TokenFile(path, token_line("shop", frozenset({Scope.INGEST}), "trg_other", 5))

    assert await tokens.identify(token) == Principal(name="jane", scopes=OPERATE)
    assert await tokens.identify("trg_other") == Principal(name="shop", scopes=frozenset({Scope.INGEST}), rate=5)
    assert await tokens.identify(token[:-1]) is None
    assert len(tokens) == 2


async def test_a_token_that_is_removed_from_the_file_is_refused_without_a_restart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("triggers.api.tokens._POLL_INTERVAL_S", 0.0)
    token, path = make_token(), tmp_path / "tokens"
    path.write_text(token_line("jane", OPERATE, token))
    tokens = TokenFile(path)
    assert await tokens.identify(token)

    path.write_text("")

    assert await tokens.identify(token) is None


async def test_a_file_that_becomes_wrong_keeps_the_former_tokens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("triggers.api.tokens._POLL_INTERVAL_S", 0.0)
    token, path = make_token(), tmp_path / "tokens"
    path.write_text(token_line("jane", OPERATE, token))
    tokens = TokenFile(path)

    path.write_text("jane operate")

    assert await tokens.identify(token)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("jane operate", "a line is <name>"),
        ("jane operate trg_a_token_by_mistake", "never a token itself"),
        ("jane root sha256:" + 64 * "a", "'root' is no scope; the scopes are ingest, read, operate, admin"),
        ("jane read sha256:" + 64 * "a" + " rate=many", "rate=<number per second>"),
        ("<script> read sha256:" + 64 * "a", "the name must be letters"),
    ],
)
def test_a_wrong_line_is_refused_with_its_number_and_without_its_text(line: str, message: str) -> None:
    with pytest.raises(SettingsError, match=r"tokens.txt, line 2: ") as raised:
        parse_tokens(f"# first\n{line}", "tokens.txt")

    assert message in str(raised.value)
    assert "trg_a_token_by_mistake" not in str(raised.value)


def test_a_file_that_cannot_be_read_is_refused_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read: No such file"):
        TokenFile(tmp_path / "missing")


def test_operate_includes_read_and_admin_includes_everything() -> None:
    assert Principal(name="jane", scopes=OPERATE).may(Scope.READ)
    assert not Principal(name="jane", scopes=OPERATE).may(Scope.INGEST)
    assert all(Principal(name="root", scopes=frozenset({Scope.ADMIN})).may(scope) for scope in Scope)
    assert not Principal(name="shop", scopes=frozenset({Scope.INGEST})).may(Scope.READ)
