"""A Django application with the command `triggers_run_due`: add `triggers.django` to INSTALLED_APPS."""
