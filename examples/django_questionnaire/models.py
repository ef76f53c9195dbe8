"""The application's tables. Unique keys make it harmless if a task runs twice."""

from __future__ import annotations

from django.db import models


class Questionnaire(models.Model):
    """A person's questionnaire. Its primary key is the UID of its trigger session."""


class Subject(models.Model):
    """The person who answers."""

    questionnaire = models.OneToOneField(Questionnaire, on_delete=models.CASCADE)
    name = models.TextField()


class Response(models.Model):
    """A page of answers."""

    subject = models.ForeignKey(Subject, on_delete=models.CASCADE)
    page = models.IntegerField()
    answer = models.TextField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=["subject", "page"], name="one_response_a_page"),)


class Browser(models.Model):
    """The person's browser."""

    subject = models.OneToOneField(Subject, on_delete=models.CASCADE)
    family = models.TextField()
