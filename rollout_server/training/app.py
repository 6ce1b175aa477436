"""The application: settings in, a Starlette app out. Any ASGI server can serve `rollout_server.training.app:create_app`."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from rollout_conformance.rollout_server.common import logs
from rollout_conformance.rollout_server.common.errors import handler, handlers
from rollout_conformance.rollout_server.common.garbage_collection import collect_rarely
from rollout_conformance.rollout_server.common.responses import json_response
from rollout_conformance.rollout_server.training import (
    errors,
    recovery,
    signal_endpoints,
    signal_text,
    tinker_endpoints,
    tinker_rest,
)
from rollout_conformance.rollout_server.training import tinker_sessions as sessions
from rollout_conformance.rollout_server.training.app_state import AppState, create_state
from rollout_conformance.rollout_server.training.common_headers import CommonHeaders
from rollout_conformance.rollout_server.training.errors import UserError
from rollout_conformance.rollout_server.training.request_input import state_of
from rollout_conformance.rollout_server.training.settings import Settings, load

STOP_S = 5.0  # how long requests that run may take at the end; what waits is run after the next start
TIDY_S = 60.0
API = "/api/v1"


class Metrics(HTTPEndpoint):
    async def get(self, request: Request) -> Response:
        return Response(state_of(request).service.metrics.text(), media_type=CONTENT_TYPE_LATEST)


TINKER = [
    *(
        Route(f"{API}/{kind}", tinker_endpoints.endpoint(kind))
        for kind in tinker_endpoints.SUBMITS
        if kind != "load_weights"
    ),
    Route(f"{API}/load_weights", sessions.LoadWeights),
    Route(f"{API}/retrieve_future", tinker_endpoints.RetrieveFuture),
    Route(f"{API}/healthz", sessions.Healthz),
    Route(f"{API}/get_server_capabilities", sessions.Capabilities),
    Route(f"{API}/client/config", sessions.ClientConfig),
    Route(f"{API}/telemetry", sessions.Telemetry),
    Route(f"{API}/create_session", sessions.CreateSession),
    Route(f"{API}/session_heartbeat", sessions.Heartbeat),
    Route(f"{API}/create_model", sessions.CreateModel),
    Route(f"{API}/get_info", sessions.GetInfo),
    Route(f"{API}/create_sampling_session", sessions.CreateSamplingSession),
    Route(f"{API}/asample", sessions.Sample),
    Route(f"{API}/weights_info", sessions.WeightsInfo),
    Route(f"{API}/training_runs", tinker_rest.TrainingRuns),
    Route(f"{API}/training_runs/{{model_id}}", tinker_rest.TrainingRun),
    Route(f"{API}/training_runs/{{model_id}}/checkpoints", tinker_rest.RunCheckpoints),
    Route(f"{API}/training_runs/{{model_id}}/checkpoints/{{kind}}/{{name}}", tinker_rest.RunCheckpoint),
    Route(f"{API}/training_runs/{{model_id}}/checkpoints/{{kind}}/{{name}}/ttl", tinker_rest.Lifetime),
    Route(f"{API}/training_runs/{{model_id}}/checkpoints/{{kind}}/{{name}}/publish", tinker_rest.Publication),
    Route(f"{API}/checkpoints", tinker_rest.UserCheckpoints),
    Route(f"{API}/sessions", tinker_rest.Sessions),
    Route(f"{API}/sessions/{{session_id}}", tinker_rest.Session),
    Route(f"{API}/sessions/{{session_id}}/finish", tinker_rest.FinishSession),
    Route(f"{API}/samplers/{{sampler_id}}", tinker_rest.Sampler),
]
RUN = "/runs/{run_id}"
SIGNAL = [
    Route("/", signal_endpoints.Root),
    Route("/health", signal_endpoints.Health),
    Route("/models", signal_endpoints.Models),
    Route("/runs", signal_endpoints.Runs),
    Route(f"{RUN}/status", signal_endpoints.Status),
    Route(f"{RUN}/metrics", signal_endpoints.RunMetrics),
    Route(f"{RUN}/artifacts", signal_endpoints.Artifacts),
    Route(f"{RUN}/complete", signal_endpoints.Complete),
    *(Route(f"{RUN}/{kind}", signal_endpoints.blocking(kind)) for kind in signal_endpoints.KINDS),
    *(Route(f"{RUN}/{kind}_async", signal_endpoints.deferred(kind)) for kind in signal_endpoints.KINDS),
    Route(f"{RUN}/sample/stream", signal_text.SampleStream),
    Route(f"{RUN}/tokenize", signal_text.Tokenize),
    Route(f"{RUN}/detokenize", signal_text.Detokenize),
    Route(f"{RUN}/tokenizer_info", signal_text.TokenizerInfo),
    Route(f"{RUN}/model_info", signal_text.ModelInfo),
    Route(f"{RUN}/apply_chat_template", signal_text.ChatTemplate),
    Route("/futures/{future_id}", signal_endpoints.Future),
    Route("/keys", signal_endpoints.Keys),
    Route("/keys/{key_id}", signal_endpoints.Key),
]
ROUTES = [*TINKER, *SIGNAL, Route("/metrics", Metrics)]


def create_app(*, settings: Settings | None = None) -> Starlette:
    """The training server. Settings default to the environment."""
    settings = settings or load()
    logs.quiet_libraries()
    app_state = create_state(settings)
    app = Starlette(
        routes=ROUTES,
        lifespan=lambda _: lifespan(app_state),
        exception_handlers=handlers(on_rejected) | handler(UserError, on_user_error),
    )
    app.state.app_state = app_state
    app.add_middleware(CommonHeaders, app_state=app_state, paths=frozenset(route.path for route in ROUTES))
    return app


@contextlib.asynccontextmanager
async def lifespan(app_state: AppState) -> AsyncIterator[None]:
    collect_rarely()
    recovery.recover(app_state)
    tidying = asyncio.create_task(tidy(app_state))
    try:
        yield
    finally:
        tidying.cancel()
        await asyncio.gather(tidying, return_exceptions=True)
        await asyncio.wait_for(app_state.service.stop(STOP_S), STOP_S + 5)
        app_state.close()


async def tidy(app_state: AppState) -> None:
    """Drop what is no longer kept: old results, expired checkpoints. Until cancelled."""
    while True:
        await asyncio.sleep(TIDY_S)
        app_state.service.commands.expire(time.time() - app_state.settings.future_ttl_s)
        for session in app_state.service.models.silent_sessions():
            app_state.service.end_session(session["user"], session["id"])
        app_state.service.checkpoints.remove_unused()


def on_user_error(request: Request, error: UserError) -> Response:
    return json_response(errors.envelope(error.message), error.status, error.headers)


def on_rejected(request: Request, status: int, detail: Any, headers: Mapping[str, str]) -> Response:
    return json_response(errors.envelope(str(detail)), status, headers)
