"""What the kubelet is told, from the start of the process on, be it leading or not."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus

from aiohttp import web


class Probes:
    """What is wrong with this process; nothing: an empty text. Whoever works says so himself."""

    def __init__(self) -> None:
        self.complaint: Callable[[], str] = lambda: ""
        """Why it should be restarted."""
        self.unready: Callable[[], str] = lambda: "the API server has not answered yet"
        """Why it can neither work nor take over."""


@asynccontextmanager
async def serve_probes(probes: Probes, port: int) -> AsyncIterator[None]:
    """Serve /healthz and /readyz on all addresses: in the loop that works, so that no answer says that it hangs.

    Raises OSError if the port is taken.
    """

    async def healthz(_request: web.Request) -> web.Response:
        return _answer(probes.complaint(), "alive")

    async def readyz(_request: web.Request) -> web.Response:
        return _answer(probes.complaint() or probes.unready(), "ready")

    app = web.Application()
    app.router.add_get("/healthz", healthz)
    app.router.add_get("/readyz", readyz)
    # no connection outlives its answer: kopf waits for every task that began after it
    runner = web.AppRunner(app, access_log=None, keepalive_timeout=0)
    await runner.setup()
    try:
        await web.TCPSite(runner, port=port).start()
        yield
    finally:
        await runner.cleanup()


def _answer(complaint: str, fine: str) -> web.Response:
    status = HTTPStatus.SERVICE_UNAVAILABLE if complaint else HTTPStatus.OK
    return web.Response(text=complaint or fine, status=status)
