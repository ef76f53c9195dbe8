"""The worker process of hops 2 to 5: wiring, supervision and HTTP views."""

from triggers.extras import require_extras

require_extras("triggers worker", "agent")  # the supervisor would start its processes again and again
