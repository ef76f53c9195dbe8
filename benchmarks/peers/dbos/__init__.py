"""The rules as a workflow of DBOS for each questionnaire."""
