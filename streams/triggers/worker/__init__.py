"""The process of hops 3 to 5: wiring, supervision, and the HTTP answers of a worker."""
