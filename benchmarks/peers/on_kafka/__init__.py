"""Our programs: the tasks, and the application that publishes events to Kafka."""
