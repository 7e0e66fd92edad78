"""Credentials as requests carry them."""

import base64

__all__ = ("basic_auth",)


def basic_auth(username: str, token: str) -> str:
    """The value of `Authorization` for a user and a token."""
    return f"Basic {base64.b64encode(f'{username}:{token}'.encode()).decode()}"
