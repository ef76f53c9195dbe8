"""A questionnaire as a virtual object. Its events come from Kafka, one after the other, and its tasks are steps.

Restate journals every step before the handler goes on, so a step that has finished does not run again. A step runs
inside the handler: the session's next event waits for it. Waiting pages run side by side.
"""

from __future__ import annotations

from typing import Any

import restate

from benchmarks.peers.tally import count_task

Json = dict[str, Any]

questionnaire = restate.VirtualObject("Questionnaire")


@questionnaire.handler()
async def fire(ctx: restate.ObjectContext, event: Json) -> None:
    """Applies the rules to a trigger and runs the tasks for which it was the last one."""
    state: Json = await ctx.get("state") or {"waiting": []}
    trigger, kwargs = event["trigger"], event.get("kwargs", {})
    if trigger == "pageReceived":
        state["waiting"].append(kwargs)
    else:
        state[trigger] = kwargs
    if "subject" not in state and "firstPageReceived" in state and "questionnaireComplete" in state:
        state["subject"] = await ctx.run_typed("import_subject", import_subject, session=ctx.key())
    if "subject" in state and state["waiting"]:
        await run_pages(ctx, state)
    ctx.set("state", state)


async def run_pages(ctx: restate.ObjectContext, state: Json) -> None:
    """Runs the tasks of the waiting pages, and that of the browser with the first of them."""
    pages, state["waiting"] = state["waiting"], []
    steps = [ctx.run_typed("import_responses", import_responses, session=ctx.key(), page=page) for page in pages]
    if "isEmbeddedApplication" not in state and "browser" not in state:
        steps.append(ctx.run_typed("import_browser", import_browser_metadata, session=ctx.key()))
        state["browser"] = True
    await restate.gather(*steps)


async def import_subject(session: str) -> Json:
    """The task that completion runs."""
    count_task(session, "subject")
    return {"subjectId": 42}


async def import_responses(session: str, page: Json) -> None:
    """The task that every page runs."""
    count_task(session, "responses", page["responses"]["page"], page["at"])


async def import_browser_metadata(session: str) -> None:
    """The task that runs once, unless the application is embedded."""
    count_task(session, "browser")


app = restate.app([questionnaire])
