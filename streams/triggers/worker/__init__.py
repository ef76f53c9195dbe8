"""The worker process of hops 3 to 5: wiring, supervision and HTTP views."""
