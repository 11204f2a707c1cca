"""`python -m modelport_server serve|fetch|try`: a server, or one of the steps that run in its image."""

import argparse
import asyncio
import logging
import sys
from pathlib import Path

from modelport.errors import ModelportError
from modelport.jobs.containers import TRY, hop_names
from modelport.jobs.requests import ConvertRequest
from modelport.jobs.results import StepFailure, StepResult
from modelport.steps.runner import MAX_MESSAGE_CHARACTERS, Step, leave_message, request_from_environment, run
from modelport_server.transport.limits import Limits

DEFAULT_PORT = 8080
DEFAULT_DRAIN_SECONDS = 5.0


def main() -> int:
    """Run one command; return the exit status."""
    options = _parser().parse_args()
    status: int = options.function(options)
    return status


def _serve(options: argparse.Namespace) -> int:
    import uvloop

    from modelport_server.execution.batching import Settings
    from modelport_server.serving.serve import Options, serve

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    given = Options(
        folder=options.artifact,
        name=options.model_name,
        host=options.host,
        http_port=options.http_port,
        grpc_port=options.grpc_port,
        grpc_transport=options.grpc_transport,
        drain_seconds=options.drain_seconds,
        processors=options.threads,
        device=options.device,
        limits=Limits(
            max_body_bytes=options.max_body_bytes,
            body_seconds=options.body_seconds,
            max_queue=options.max_queue,
            max_connections=options.max_connections,
            max_received_bytes=max(options.max_received_bytes, options.max_body_bytes),
        ),
        batching=Settings(options.max_batch_size, options.max_batch_delay_milliseconds / 1e3)
        if options.max_batch_size > 1
        else None,
        access_log=options.access_log,
    )
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(serve(given))
    except ModelportError as error:
        logging.getLogger(__name__).error("%s: %s", error.reason, error.message)  # noqa: TRY400 - the message says all
        failure = StepFailure(reason=error.reason, message=error.message[:MAX_MESSAGE_CHARACTERS])
        leave_message(StepResult(step="server", failure=failure))  # the operator tells it in the status
        return 1
    return 0


def _fetch(_options: argparse.Namespace) -> int:
    from modelport_server.steps.fetch import fetch

    return run(Step("fetch", fetch))


def _try(_options: argparse.Namespace) -> int:
    from modelport_server.steps.trying import prepare, try_model

    request = request_from_environment()
    assert isinstance(request, ConvertRequest)
    # what a stored artifact is asked comes after it was staged
    before = hop_names(request)[-1] if request.hops else "ask"
    return run(Step(TRY, try_model, before, sandboxed=True, prepare=prepare))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m modelport_server", description="Serve an artifact, or try a model."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    serve = commands.add_parser("serve", help="answer requests of the Open Inference Protocol v2")
    serve.add_argument("artifact", type=Path, help="folder of the artifact")
    serve.add_argument("--model-name", default="model", help="name in the protocol's paths (model)")
    serve.add_argument("--host", default="0.0.0.0", help="address to listen on (all)")  # noqa: S104 - a pod's
    serve.add_argument("--http-port", type=int, default=DEFAULT_PORT, help=f"port ({DEFAULT_PORT})")
    serve.add_argument("--grpc-port", type=int, help="port of gRPC (none: REST alone)")
    serve.add_argument(
        "--grpc-transport",
        choices=("asyncio", "grpcio"),
        default="asyncio",
        help="what answers gRPC (asyncio, the faster)",
    )
    serve.add_argument(
        "--drain-seconds", type=float, default=DEFAULT_DRAIN_SECONDS, help="how long to go on answering after SIGTERM"
    )
    serve.add_argument("--threads", type=int, help="of all runs at once together (as many as processors)")
    serve.add_argument("--device", default="cpu", help="where the runtime computes (cpu)")
    serve.add_argument("--max-batch-size", type=int, default=1, help="rows of requests that run together (1: alone)")
    serve.add_argument(
        "--max-batch-delay-milliseconds", type=float, default=2.0, help="how long a request waits for others (2)"
    )
    limits = Limits()
    serve.add_argument("--max-body-bytes", type=int, default=limits.max_body_bytes, help="largest request")
    serve.add_argument(
        "--body-seconds", type=float, default=limits.body_seconds, help="how long a client may take to send a request"
    )
    serve.add_argument("--max-queue", type=int, default=limits.max_queue, help="requests that may wait for the model")
    serve.add_argument(
        "--max-connections", type=int, default=limits.max_connections, help="connections at once, of each transport"
    )
    serve.add_argument(
        "--max-received-bytes", type=int, default=limits.max_received_bytes, help="requests being received, together"
    )
    serve.add_argument("--access-log", action="store_true", help="write a line of JSON for each inference")
    serve.set_defaults(function=_serve)
    for name, function, text in (
        ("fetch", _fetch, "bring the artifact that the request names"),
        (TRY, _try, "ask the converted model what the source model was asked"),
    ):
        commands.add_parser(name, help=text).set_defaults(function=function)
    return parser


if __name__ == "__main__":
    sys.exit(main())
