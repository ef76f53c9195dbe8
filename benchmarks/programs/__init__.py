"""The measured programs. Each is a process that gets brokers, namespace and folder, and reads events."""
