"""A whole installation on one machine: a real broker, all processes, the demo. It is not for production."""

from triggers.extras import require_extras

require_extras("triggers dev and demo", "agent", "api", "celery", "console")  # it starts all of their processes
