"""Three services with their own tasks on one installation: billing, the warehouse and the mail room."""
