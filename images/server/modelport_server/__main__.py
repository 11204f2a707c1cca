"""`python -m modelport_server serve|fetch|verify`: a server, or one of the steps that run in its image."""

import argparse
import asyncio
import logging
import sys
from importlib import import_module
from pathlib import Path

from modelport.contract import ConvertRequest, ModelportError, StepFailure, StepResult, VerifyRequest
from modelport.steps import MAX_MESSAGE_CHARACTERS, Step, leave_message, request_from_environment, run

DEFAULT_PORT = 8080
DEFAULT_DRAIN_SECONDS = 5.0
DEFAULT_MAX_BODY_BYTES = 256 << 20


def main() -> int:
    """Run one command; return the exit status."""
    options = _parser().parse_args()
    status: int = options.function(options)
    return status


def _serve(options: argparse.Namespace) -> int:
    from modelport_server.serving import Options, serve

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    given = Options(
        folder=options.artifact,
        name=options.model_name,
        host=options.host,
        http_port=options.http_port,
        drain_seconds=options.drain_seconds,
        max_body_bytes=options.max_body_bytes,
    )
    try:
        asyncio.run(serve(given))
    except ModelportError as error:
        logging.getLogger(__name__).error("%s: %s", error.reason, error.message)  # noqa: TRY400 - the message says all
        failure = StepFailure(reason=error.reason, message=error.message[:MAX_MESSAGE_CHARACTERS])
        leave_message(StepResult(step="server", failure=failure))  # the operator tells it in the status
        return 1
    return 0


def _fetch(_options: argparse.Namespace) -> int:
    from modelport_server.steps.fetch import fetch

    return run(Step("fetch", fetch))


def _verify(_options: argparse.Namespace) -> int:
    from modelport_server.steps.verify import last_step, verify_artifact

    request = request_from_environment()
    assert isinstance(request, ConvertRequest | VerifyRequest)
    return run(Step("verify", verify_artifact, last_step(request), sandboxed=True, prepare=_prepare))


def _prepare(_request: object) -> None:
    """Load what verification needs while the model is still being converted."""
    import_module("onnx")
    import_module("onnxruntime")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m modelport_server", description="Serve an artifact, or verify one.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    serve = commands.add_parser("serve", help="answer requests of the Open Inference Protocol v2")
    serve.add_argument("artifact", type=Path, help="folder of the artifact")
    serve.add_argument("--model-name", default="model", help="name in the protocol's paths (model)")
    serve.add_argument("--host", default="0.0.0.0", help="address to listen on (all)")  # noqa: S104 - a pod's
    serve.add_argument("--http-port", type=int, default=DEFAULT_PORT, help=f"port ({DEFAULT_PORT})")
    serve.add_argument(
        "--drain-seconds", type=float, default=DEFAULT_DRAIN_SECONDS, help="how long to go on answering after SIGTERM"
    )
    serve.add_argument("--max-body-bytes", type=int, default=DEFAULT_MAX_BODY_BYTES, help="largest request")
    serve.set_defaults(function=_serve)
    for name, function, text in (
        ("fetch", _fetch, "bring the artifact that the request names"),
        ("verify", _verify, "compare the converted model with the source model"),
    ):
        commands.add_parser(name, help=text).set_defaults(function=function)
    return parser


if __name__ == "__main__":
    sys.exit(main())
