"""What is measured: one process each, called with brokers, namespace and a folder; reads events, writes commands."""
