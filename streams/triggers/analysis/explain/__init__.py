"""Why a session is where it is, and what each event did."""
