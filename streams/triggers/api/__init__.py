"""The HTTP API: fires, reads, repairs. Its ASGI application can carry other pages beside it."""

from triggers.extras import explain_missing

try:
    from triggers.api.server import authentication_of, listen, serve
    from triggers.api.tokens import make_token, parse_scopes, token_line
except ModuleNotFoundError as error:
    raise explain_missing(error, "triggers api", "api") from error

__all__ = ["authentication_of", "listen", "make_token", "parse_scopes", "serve", "token_line"]
