"""Tokens for Amazon MSK's IAM authentication, by Amazon's own library (extra `msk`)."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from triggers.errors import SettingsError
from triggers.extras import explain_missing
from triggers.settings import Settings

MSK_IAM: Final = "AWS_MSK_IAM"
"""The mechanism's name in Amazon's library for Java. For librdkafka it is OAUTHBEARER with a callback."""
_REGION: Final = re.compile(r"\.kafka(?:-serverless)?\.([a-z0-9-]+)\.amazonaws\.com")

TokenCallback = Callable[[str], tuple[str, float]]
"""Returns a token and the time at which it expires, in seconds since the epoch. librdkafka calls it in its own thread,
also before the token expires."""


def token_callback(settings: Settings) -> TokenCallback:
    """Returns the callback that signs a token with the AWS credentials of the process.

    These are botocore's: variables `AWS_*`, a profile, a role of the pod or the instance. Raises MissingExtra without
    the library, and SettingsError if the region is not known.
    """
    region = _region(settings)
    try:
        from aws_msk_iam_sasl_signer import MSKAuthTokenProvider  # noqa: PLC0415  # botocore takes a while to import
    except ModuleNotFoundError as error:
        raise explain_missing(error, f"the mechanism {MSK_IAM}", "msk") from error

    def sign(_config: str) -> tuple[str, float]:
        token, expires_ms = MSKAuthTokenProvider.generate_auth_token(region)
        return token, expires_ms / 1000

    return sign


def _region(settings: Settings) -> str:
    if settings.kafka_aws_region:
        return settings.kafka_aws_region
    if match := _REGION.search(settings.brokers):
        return match[1]
    raise SettingsError(
        f"the mechanism {MSK_IAM} needs the region of the cluster, which the name of the brokers does not have: set"
        " TRIGGERS_KAFKA_AWS_REGION"
    )
