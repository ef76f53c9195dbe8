"""What the browser calls."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponseBadRequest, JsonResponse
from django.http.response import HttpResponseBase
from django.views.decorators.http import require_GET, require_POST

from django_questionnaire.models import Questionnaire
from django_questionnaire.sessions import CONFIGURATION, get_trigger_manager


@require_POST
def start_questionnaire(_request: HttpRequest) -> HttpResponseBase:
    """A new questionnaire. Its primary key is the session's UID."""
    new_questionnaire = Questionnaire.objects.create()
    get_trigger_manager(str(new_questionnaire.pk)).update_configuration(CONFIGURATION)
    return JsonResponse({"questionnaire_id": new_questionnaire.pk})


@require_POST
def responses(request: HttpRequest, questionnaire_id: int) -> HttpResponseBase:
    """A page of answers."""
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
    """There are no more pages."""
    get_trigger_manager(str(questionnaire_id)).fire("questionnaireComplete")
    return JsonResponse({})


@require_GET
def progress(_request: HttpRequest, questionnaire_id: int) -> HttpResponseBase:
    """What is left to do. On Kafka this may be a moment behind what other requests have fired."""
    unresolved = get_trigger_manager(str(questionnaire_id)).get_unresolved_instances()
    return JsonResponse({"unresolved": [str(instance) for instance in unresolved]})
