"""Who may speak to the API server: bearer tokens, kubeconfigs, the key that signs tokens.

It knows the file formats; it must not know which processes read them.
"""

from __future__ import annotations

import base64
import json
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

ADMIN = "admin"
CONTROLLER_MANAGER = "system:kube-controller-manager"
SCHEDULER = "system:kube-scheduler"
KWOK = "system:kwok"

MASTERS = ("system:masters",)
"""The group nothing is forbidden to."""

USERS: Mapping[str, Sequence[str]] = {
    **dict.fromkeys((ADMIN, CONTROLLER_MANAGER, SCHEDULER, KWOK), MASTERS),
    **dict.fromkeys(("operator", "auditor", "peer"), MASTERS),
}
"""The users every cluster knows, with their groups."""

# SEC 1 ECPrivateKey over P-256, without the public key, which its readers compute.
_EC_KEY = (bytes.fromhex("30310201010420"), bytes.fromhex("a00a06082a8648ce3d030107"))


@dataclass(frozen=True, slots=True)
class User:
    """A user the API server knows by its token."""

    name: str
    groups: tuple[str, ...]
    token: str


def make_users(extra: Mapping[str, Sequence[str]]) -> dict[str, User]:
    """Give the users by name, each with a token of its own.

    Args:
        extra: groups by user name, added to `USERS` or put in the place of one of them.
    """
    return {
        name: User(name, tuple(groups), secrets.token_urlsafe(24))
        for name, groups in {**USERS, **extra}.items()
    }


def token_file(users: Mapping[str, User]) -> str:
    """Give the text of the API server's token file."""
    return "".join(
        f'{user.token},{user.name},{user.name},"{",".join(user.groups)}"\n'
        for user in users.values()
    )


def kubeconfig(user: User, *, server: str, ca: bytes) -> str:
    """Give a kubeconfig that holds all it needs; it is JSON, which YAML readers read."""
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [
                {
                    "name": "localcluster",
                    "cluster": {
                        "server": server,
                        "certificate-authority-data": base64.b64encode(ca).decode(),
                    },
                }
            ],
            "users": [{"name": user.name, "user": {"token": user.token}}],
            "contexts": [
                {
                    "name": "localcluster",
                    "context": {"cluster": "localcluster", "user": user.name},
                }
            ],
            "current-context": "localcluster",
        },
        indent=2,
    )


def signing_key() -> str:
    """Give a new private key in PEM for service account tokens."""
    der = _EC_KEY[0] + secrets.token_bytes(32) + _EC_KEY[1]
    text = base64.encodebytes(der).decode()
    return f"-----BEGIN EC PRIVATE KEY-----\n{text}-----END EC PRIVATE KEY-----\n"


def write_private(path: Path, text: str) -> Path:
    """Write a file only its owner can read, and give its path."""
    path.touch(mode=0o600)
    path.write_text(text)
    return path
