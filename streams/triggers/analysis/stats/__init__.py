"""What rules and triggers came to in many sessions."""
