"""The guide's questionnaire as a Django application. TRIGGER_STORAGE_TYPE chooses its storage."""
