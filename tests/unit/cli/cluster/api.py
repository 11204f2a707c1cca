"""An API server over HTTP for the command line, with the objects that the operator's own reconciliations leave."""

import json
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import parse_qsl, urlsplit

import yaml

from modelport.api.base import KIND
from modelport_operator.plan.serving.objects import OBJECTS

KINDS = {
    "modelconversions": KIND,
    "jobs": "Job",
    "pods": "Pod",
    **{each.plural: each.kind for each in OBJECTS},
    "events": "Event",
    "configmaps": "ConfigMap",
    "namespaces": "Namespace",
}


class Api:
    """The objects, and what was asked."""

    def __init__(self, objects):
        self.objects = objects
        self.logs = {}
        """Text by pod and container."""
        self.asked = []
        self.on_patch = lambda _body: None
        self.refused = {}
        """Status by collection, where it is not to be answered; 404: the cluster has no such kind."""

    def put(self, kind, name, body, namespace="team"):
        """Store an object."""
        meta = {
            "name": name,
            "namespace": namespace,
            "uid": f"uid-of-{name}",
            "creationTimestamp": "2026-01-01T00:00:00Z",
        }
        self.objects[kind, namespace, name] = {"kind": kind} | body | {"metadata": meta | body.get("metadata", {})}

    def answer(self, path, query):
        """Return status and content of a GET."""
        parts = [part for part in path.split("/") if part]
        if parts[0] == "apis" and len(parts) == 3:  # what there is of a group and version
            return self._discovered("/".join(parts[1:]))
        place = parts.index("namespaces") if "namespaces" in parts else len(parts)
        namespace, collection, *rest = [*parts[place + 1 :], "", ""][:4]
        if not namespace:
            names = sorted({namespace for _, namespace, _ in self.objects})
            return 200, {"items": [{"metadata": {"name": name}} for name in names]}
        kind = KINDS[collection]
        if collection in self.refused:
            return self.refused[collection], {"kind": "Status", "message": f"{collection} is not for you"}
        if rest and rest[0] and rest[-1] == "log":
            return 200, self.logs.get((rest[0], query["container"]), "")
        if rest and rest[0]:
            found = self.objects.get((kind, namespace, rest[0]))
            message = {"kind": "Status", "message": f'{collection} "{rest[0]}" not found'}
            return (200, found) if found else (404, message)
        return 200, {"metadata": {"resourceVersion": "1"}, "items": self._chosen(kind, namespace, query)}

    def _discovered(self, version):
        found = [each for each in OBJECTS if each.api_version == version and self.refused.get(each.plural) != 404]
        if not found:
            return 404, "404 page not found"
        about = {"singularName": "", "namespaced": True, "verbs": []}
        return 200, {
            "groupVersion": version,
            "resources": [about | {"name": each.plural, "kind": each.kind} for each in found],
        }

    def _chosen(self, kind, namespace, query):
        labels = dict(pair.split("=") for pair in query.get("labelSelector", "").split(",") if pair)
        field, _, value = query.get("fieldSelector", "").partition("=")
        chosen = []
        for (of, where, name), body in self.objects.items():
            known = {"": "", "metadata.name": name, "involvedObject.uid": body.get("involvedObject", {}).get("uid")}
            is_labelled = labels.items() <= body["metadata"].get("labels", {}).items()
            if (of, where) == (kind, namespace) and known[field] == value and is_labelled:
                chosen.append({key: each for key, each in body.items() if key not in {"kind", "apiVersion"}})
        return chosen


class Handler(BaseHTTPRequestHandler):
    """Speaks HTTP for an Api."""

    api: Api

    def do_GET(self):
        parts = urlsplit(self.path)
        self.api.asked.append(self.path)
        self._reply(*self.api.answer(parts.path, dict(parse_qsl(parts.query))))

    def do_PATCH(self):
        change = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        parts = urlsplit(self.path).path.split("/")
        body = self.api.objects[KIND, parts[5], parts[7]]
        body["metadata"].setdefault("annotations", {}).update(change["metadata"]["annotations"])
        self.api.on_patch(body)
        self._reply(200, body)

    def _reply(self, status, content):
        body = content.encode() if isinstance(content, str) else json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain" if isinstance(content, str) else "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments):
        pass


@contextmanager
def serving(api, folder):
    """Serve the API, and give the path of a kubeconfig for it."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"api": api}))
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "here",
        "contexts": [{"name": "here", "context": {"cluster": "here", "user": "me", "namespace": "team"}}],
        "clusters": [{"name": "here", "cluster": {"server": f"http://127.0.0.1:{server.server_port}"}}],
        "users": [{"name": "me", "user": {}}],
    }
    path = folder / "kubeconfig"
    path.write_text(yaml.safe_dump(config))
    try:
        yield path
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
