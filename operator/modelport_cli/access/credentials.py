"""Credentials of the user's environment for S3: the variables that every S3 client reads, and no others."""

import os

VARIABLES = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL", "AWS_REGION")


def environment_credentials() -> dict[str, str]:
    """Return those variables that are set."""
    return {name: os.environ[name] for name in VARIABLES if os.environ.get(name)}
