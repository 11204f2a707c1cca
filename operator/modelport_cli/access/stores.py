"""The namespace's store as the user reaches it: by the Secret of the namespace, or by --store and AWS_ variables."""

from collections.abc import Iterator
from contextlib import contextmanager

from modelport.storage.store import URI_KEY, Store, open_store
from modelport_cli.access.cluster import Cluster, read_store_secret
from modelport_cli.access.credentials import environment_credentials
from modelport_cli.access.forwarding import reachable

ENDPOINT = "AWS_ENDPOINT_URL"


@contextmanager
def namespace_store(cluster: Cluster) -> Iterator[Store]:
    """Open the store of the cluster's namespace; one inside the cluster through a forwarded port."""
    secret = read_store_secret(cluster)
    with reachable(secret.get(ENDPOINT, ""), cluster) as endpoint:
        yield open_store(secret | ({ENDPOINT: endpoint} if endpoint else {}))


def given_store(uri: str) -> Store:
    """Open the store at a URI with the AWS_ variables of the environment."""
    return open_store({URI_KEY: uri} | environment_credentials())
