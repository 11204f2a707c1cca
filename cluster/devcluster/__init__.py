"""A real single-node Kubernetes on a bare Debian machine, and the project's images on it.

The demo and the end-to-end tests need a cluster where there is neither docker nor a registry. This
package builds Kubernetes from its Go modules, runs it as plain processes, and imports images built
from ordinary Dockerfiles. It needs nothing but Python's standard library, because it runs before
any virtual environment exists.
"""
