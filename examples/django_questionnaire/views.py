"""The views that the browser calls."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponseBadRequest, JsonResponse
from django.http.response import HttpResponseBase
from django.views.decorators.http import require_GET, require_POST

from django_questionnaire.models import Questionnaire
from django_questionnaire.sessions import get_trigger_manager


@require_POST
def start_questionnaire(_request: HttpRequest) -> HttpResponseBase:
    """Creates a questionnaire. Its primary key is the UID of its session, which begins with its first trigger."""
    new_questionnaire = Questionnaire.objects.create()
    return JsonResponse({"questionnaire_id": new_questionnaire.pk})


@require_POST
def responses(request: HttpRequest, questionnaire_id: int) -> HttpResponseBase:
    """Receives a page of answers."""
    try:
        answers = {"page": int(request.POST["page"]), "name": request.POST["name"], "browser": request.POST["browser"]}
    except (KeyError, ValueError) as error:
        return HttpResponseBadRequest(f"page, name and browser are needed: {error}")
    trigger_manager = get_trigger_manager(str(questionnaire_id))
    if request.POST.get("embedded"):
        trigger_manager.fire("isEmbeddedApplication")
    if answers["page"] == 1:
        trigger_manager.fire("firstPageReceived", {"responses": answers})
    trigger_manager.fire(trigger_name="pageReceived", trigger_kwargs={"responses": answers})
    return JsonResponse({})


@require_POST
def complete(_request: HttpRequest, questionnaire_id: int) -> HttpResponseBase:
    """Completes the questionnaire after its last page."""
    get_trigger_manager(str(questionnaire_id)).fire("questionnaireComplete")
    return JsonResponse({})


@require_GET
def progress(_request: HttpRequest, questionnaire_id: int) -> HttpResponseBase:
    """Returns the unresolved instances. On Kafka this can be a moment behind what other requests have fired."""
    unresolved = get_trigger_manager(str(questionnaire_id)).get_unresolved_instances()
    return JsonResponse({"unresolved": [str(instance) for instance in unresolved]})
