"""What the application keeps. Unique keys make a task that runs twice harmless."""

from __future__ import annotations

from django.db import models


class Questionnaire(models.Model):
    """One person's; its primary key is the UID of its trigger session."""


class Subject(models.Model):
    """The person."""

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
    """What the person's browser is."""

    subject = models.OneToOneField(Subject, on_delete=models.CASCADE)
    family = models.TextField()
