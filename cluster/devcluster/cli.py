"""The command line: `up`, `down`, `kubeconfig`, `tool`, `images`, `engines`, `deploy`."""

import argparse
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from devcluster import binaries
from devcluster.errors import ClusterError, ClusterNotRunningError
from devcluster.kubernetes import lifecycle
from devcluster.machine.commands import end_all
from devcluster.paths import Paths, find_paths

_INTERRUPTED = 130


def main(arguments: Sequence[str]) -> int:
    """Run one command; return the exit status."""
    options = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ended like Ctrl-C, so that children end, too
    try:
        options.function(options, find_paths())
    except ClusterError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        end_all()
        print("interrupted; run the same command again to go on", file=sys.stderr)
        return _INTERRUPTED
    return 0


def _up(_options: argparse.Namespace, paths: Paths) -> None:
    lifecycle.up(paths)


def _down(options: argparse.Namespace, paths: Paths) -> None:
    lifecycle.down(paths, purge=options.purge)


def _kubeconfig(_options: argparse.Namespace, paths: Paths) -> None:
    if not paths.admin_kubeconfig.exists():
        raise ClusterNotRunningError("expected a cluster, found none; run `up` first (`make cluster`)")
    print(paths.admin_kubeconfig)


def _tool(options: argparse.Namespace, paths: Paths) -> None:
    paths.make()
    binaries.build(paths, binaries.TOOLS[options.name])
    print(paths.binaries / options.name)


def _tools(_options: argparse.Namespace, paths: Paths) -> None:
    paths.make()
    binaries.build(paths, *binaries.TOOLS.values())
    for name in sorted(binaries.TOOLS):
        print(f"{name}={paths.binaries / name}")


def _build_images(options: argparse.Namespace, paths: Paths) -> None:
    from devcluster.deployment import provide_images
    from devcluster.images.declarations import render_catalogue

    references = provide_images(paths, options.cluster, options.names)
    if options.catalog:
        options.catalog.write_text(render_catalogue(references))


def _engines_up(_options: argparse.Namespace, paths: Paths) -> None:
    from devcluster.engines import installation

    installation.up(paths)


def _engines_down(_options: argparse.Namespace, paths: Paths) -> None:
    from devcluster.engines import installation

    installation.down(paths)


def _deploy(options: argparse.Namespace, paths: Paths) -> None:
    from devcluster.deployment import deploy

    deploy(
        paths,
        options.cluster,
        namespace=options.namespace,
        names=tuple(options.images),
        values=tuple(options.values),
        settings=tuple(options.set),
        engines=options.engines,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="devcluster", description="A real single-node Kubernetes on a bare Debian machine, and Modelport on it."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    up = commands.add_parser("up", help="start the cluster, or mend it")
    up.set_defaults(function=_up)
    down = commands.add_parser("down", help="stop the cluster")
    down.add_argument("--purge", action="store_true", help="delete its state, too")
    down.set_defaults(function=_down)
    commands.add_parser("kubeconfig", help="print the path of the kubeconfig").set_defaults(function=_kubeconfig)
    tool = commands.add_parser("tool", help="print the path of a program, built first if need be")
    tool.add_argument("name", choices=sorted(binaries.TOOLS))
    tool.set_defaults(function=_tool)
    commands.add_parser("tools", help="print NAME=PATH for every program of `tool`").set_defaults(function=_tools)
    _add_images(commands.add_parser("images", help="build the images and load them into the cluster"))
    _add_engines(commands.add_parser("engines", help="add metrics-server, KEDA and Prometheus to the embedded cluster"))
    deploy = commands.add_parser("deploy", help="build the images and install the chart")
    _add_cluster(deploy)
    deploy.add_argument("--namespace", default="modelport-system")
    deploy.add_argument("--images", nargs="*", default=[], metavar="NAME", help="images to build (all)")
    deploy.add_argument("--values", action="append", default=[], type=Path, metavar="FILE", help="further values")
    deploy.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="single values")
    deploy.add_argument("--engines", action="store_true", help="add the engines of autoscaling (embedded cluster only)")
    deploy.set_defaults(function=_deploy)
    return parser


def _add_images(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    build = actions.add_parser("build", help="build what changed and load it into the cluster")
    build.add_argument("names", nargs="*", metavar="NAME", help="images (all)")
    build.add_argument("--catalog", type=Path, metavar="FILE", help="write the images' references there, as values")
    _add_cluster(build)
    build.set_defaults(function=_build_images)


def _add_engines(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    actions.add_parser("up", help="start the engines, or mend them").set_defaults(function=_engines_up)
    actions.add_parser("down", help="take the engines away").set_defaults(function=_engines_down)


def _add_cluster(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--cluster",
        choices=("embedded", "kind", "current"),
        default="embedded",
        help="embedded (default), kind (the kind cluster named modelport), or current (your kube context)",
    )
