"""Hop 2, codec: converts bytes to events and back, and likewise commands, decisions and dead letters.

The schemas in `schemas/` are the public contract.
"""

from triggers.codec.command_codec import (
    decode_command,
    decode_command_or_cancellation,
    encode_cancellation,
    encode_command,
)
from triggers.codec.confluent_framing import SchemaSource
from triggers.codec.dead_letter_codec import DeadLetter, decode_dead_letter, encode_dead_letter
from triggers.codec.decision_codec import DecisionRecord, decision_record, decode_decision, encode_decision
from triggers.codec.event_codec import NO_LIMIT, EventDecoder, check_event, encode_event
from triggers.codec.json_encoding import encode_configuration, encode_object
from triggers.codec.keys import check_trigger_name, decode_key, encode_key
from triggers.codec.reasons import FORWARDED_TOO_OFTEN, Reason
from triggers.codec.record_headers import read_trace
from triggers.codec.trace_headers import parse_trace, trace_attributes, trace_headers

__all__ = [
    "FORWARDED_TOO_OFTEN",
    "NO_LIMIT",
    "DeadLetter",
    "DecisionRecord",
    "EventDecoder",
    "Reason",
    "SchemaSource",
    "check_event",
    "check_trigger_name",
    "decision_record",
    "decode_command",
    "decode_command_or_cancellation",
    "decode_dead_letter",
    "decode_decision",
    "decode_key",
    "encode_cancellation",
    "encode_command",
    "encode_configuration",
    "encode_dead_letter",
    "encode_decision",
    "encode_event",
    "encode_key",
    "encode_object",
    "parse_trace",
    "read_trace",
    "trace_attributes",
    "trace_headers",
]
