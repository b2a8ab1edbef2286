"""A toy Functions app with one of everything that the local host must run."""

import json
import os
import time
from datetime import timedelta
from pathlib import Path

import azure.durable_functions as df
import azure.functions as func
from durabletask import task
from durabletask.entities import EntityInstanceId

app = df.DFApp(http_auth_level=func.AuthLevel.ANONYMOUS)
timer_runs: list[bool] = []
queue_bodies: list[str] = []


def add_one(number: int) -> int:
    return number + 1


async def add_two(number: int) -> int:
    return number + 2


def fail_silently(_item: dict) -> None:
    raise ValueError


def rest(seconds: float) -> None:
    time.sleep(seconds)


def mark(item: dict) -> None:
    Path(item["path"]).with_suffix(".begun").touch()
    time.sleep(item["seconds"])
    Path(item["path"]).touch()


def explore(ctx, request: dict):
    """Activities of both kinds, a child, a timer and an event."""
    first = yield ctx.call_activity("add_one", input=1)
    second = yield ctx.call_activity("add_two", input=first)
    child = yield ctx.call_sub_orchestrator("child", input=second)
    yield ctx.create_timer(timedelta(milliseconds=20))
    ctx.set_custom_status({"waiting": "go"})
    event = yield ctx.wait_for_external_event("go")
    return {"sum": child["sum"], "parent": child["parent"], "event": event, "version": ctx.version}


def child(ctx, number: int):
    total = yield ctx.call_activity("add_one", input=number)
    return {"sum": total, "parent": ctx.parent_instance_id}


def fan_out(ctx, count: int):
    results = yield task.when_all([ctx.call_activity("add_one", input=n) for n in range(count)])
    return sum(results)


def fan_out_children(ctx, count: int):
    results = yield task.when_all([ctx.call_sub_orchestrator("child", input=n) for n in range(count)])
    return sum(result["sum"] for result in results)


def crowd(ctx, count: int):
    yield task.when_all([ctx.call_activity("rest", input=0.3) for _ in range(count)])


def listen(ctx, _input):
    ctx.set_custom_status("listening")
    return (yield ctx.wait_for_external_event("go"))


def leave_mark(ctx, mark: dict):
    return (yield ctx.call_activity("mark", input=mark))


def silent_failure(ctx, _input):
    try:
        yield ctx.call_activity("fail_silently", input={})
    except task.TaskFailedError as error:
        return {"failed": error.details.error_type}
    return "succeeded"


def count_up(ctx, _input):
    return (yield ctx.call_entity(EntityInstanceId("counter", "one"), "add", 5))


def counter(ctx, amount):
    total = ctx.get_state(int, 0) + amount
    ctx.set_state(total)
    return total


for orchestrator in (explore, child, crowd, listen, leave_mark, fan_out, fan_out_children, silent_failure, count_up):
    app.orchestration_trigger(context_name="context")(orchestrator)
for activity in (add_one, add_two, fail_silently, rest, mark):
    app.activity_trigger(input_name=next(iter(activity.__annotations__)))(activity)
app.entity_trigger(context_name="context", entity_name="Counter")(counter)


def answer(document: object, status: int = 200) -> func.HttpResponse:
    return func.HttpResponse(json.dumps(document), status_code=status, mimetype="application/json")


@app.route(route="runs/{name}/{id}", methods=["POST"])
@app.durable_client_input(client_name="client")
async def start_run(req: func.HttpRequest, client: df.DurableFunctionsClient) -> func.HttpResponse:
    instance = await client.schedule_new_orchestration(
        req.route_params["name"], input=req.get_json(), instance_id=req.route_params["id"]
    )
    return answer({"id": instance}, 202)


@app.route(route="runs/{id}", methods=["GET"])
@app.durable_client_input(client_name="client")
async def read_run(req: func.HttpRequest, client: df.DurableFunctionsClient) -> func.HttpResponse:
    state = await client.get_orchestration_state(req.route_params["id"])
    if state is None:
        return answer(None, 404)
    return answer(
        {
            "status": state.runtime_status.name,
            "output": json.loads(state.serialized_output or "null"),
            "custom": json.loads(state.serialized_custom_status or "null"),
        }
    )


@app.route(route="runs/{id}/events/{event}", methods=["POST"])
@app.durable_client_input(client_name="client")
def raise_event(req: func.HttpRequest, client) -> func.HttpResponse:  # a sync function gets the sync client
    client.raise_orchestration_event(req.route_params["id"], req.route_params["event"], data=req.get_json())
    return answer({}, 202)


@app.route(route="echo/{*rest}")
def echo(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    return answer(
        {
            "rest": req.route_params.get("rest"),
            "params": dict(req.params),
            "headers": dict(req.headers),
            "method": req.method,
            "url": req.url,
            "body": len(req.get_body()),
            "function": context.function_name,
        }
    )


@app.route(route="echo/exact", methods=["GET"])
def exact(req: func.HttpRequest) -> str:
    return "exact"


@app.route(route="cookies", methods=["GET"])
def cookies(req: func.HttpRequest) -> func.HttpResponse:
    response = func.HttpResponse("<p>hello</p>", mimetype="text/html")
    response.headers.add("Set-Cookie", "a=1")
    response.headers.add("Set-Cookie", "b=2")
    return response


@app.route(route="boom", methods=["GET"])
def boom(req: func.HttpRequest) -> func.HttpResponse:
    raise RuntimeError("a secret of the app")


@app.route(route="seen", methods=["GET"])
def seen(req: func.HttpRequest) -> func.HttpResponse:
    return answer(
        {
            "timer": timer_runs,
            "queue": queue_bodies,
            "auth": os.environ.get("WEBSITE_AUTH_ENABLED"),
            "strict": os.environ.get("AZURE_FUNCTIONS_DURABLE_STRICT_TYPING"),
            "storage": os.environ.get("CLOSURE_STORAGE"),
        }
    )


@app.timer_trigger(arg_name="timer", schedule="* * * * * *")
def tick(timer: func.TimerRequest) -> None:
    timer_runs.append(timer.past_due)


@app.queue_trigger(arg_name="message", queue_name="toys", connection="AzureWebJobsStorage")
async def on_toy(message: func.QueueMessage) -> None:
    body = message.get_body().decode()
    queue_bodies.append(body)
    if body == "bad":
        raise ValueError("a toy that does not work")
