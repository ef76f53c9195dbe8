"""The URLs of the views."""

from __future__ import annotations

from django.urls import path

from django_questionnaire import views

urlpatterns = [
    path("questionnaires/", views.start_questionnaire),
    path("questionnaires/<int:questionnaire_id>/responses", views.responses),
    path("questionnaires/<int:questionnaire_id>/complete", views.complete),
    path("questionnaires/<int:questionnaire_id>/progress", views.progress),
]
