"""A few requests to the API server, over one connection, with nothing but the standard library.

It serves the cluster's own chores (readiness, nodes), not anybody's workload.
"""

from __future__ import annotations

import http.client
import json
import ssl
from typing import Any

_MERGE_PATCH = "application/merge-patch+json"
_STRATEGIC_PATCH = "application/strategic-merge-patch+json"


class ApiError(RuntimeError):
    """The API server answered with an error; `status` is its HTTP code."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status


class ApiClient:
    """One identity's connection to one API server; not safe to share between threads."""

    def __init__(self, port: int, *, token: str, ca: bytes, timeout: float) -> None:
        self._token = token
        self._connection = http.client.HTTPSConnection(
            "127.0.0.1",
            port,
            timeout=timeout,
            context=ssl.create_default_context(cadata=ca.decode()),
        )

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def is_ready(self) -> bool:
        """Say whether /readyz answers 200; False too while nobody listens."""
        try:
            self._request("GET", "/readyz", None, "text/plain")
        except (ApiError, OSError, http.client.HTTPException):
            self._connection.close()
            return False
        return True

    def get(self, path: str) -> Any:
        """Give the decoded object at `path`; raises ApiError."""
        return self._request("GET", path, None, "application/json")

    def create(self, path: str, body: dict[str, Any]) -> Any:
        """Create an object in the collection at `path`; raises ApiError."""
        return self._request("POST", path, body, "application/json")

    def merge(self, path: str, body: dict[str, Any]) -> Any:
        """Apply a JSON merge patch; raises ApiError."""
        return self._request("PATCH", path, body, _MERGE_PATCH)

    def delete(self, path: str) -> Any:
        """Delete the object at `path`; raises ApiError."""
        return self._request("DELETE", path, None, "application/json")

    def patch_status(self, path: str, status: dict[str, Any]) -> Any:
        """Apply a strategic merge patch to an object's status; raises ApiError."""
        return self._request("PATCH", f"{path}/status", {"status": status}, _STRATEGIC_PATCH)

    def _request(self, method: str, path: str, body: Any, content_type: str) -> Any:
        headers = {
            "Authorization": f"Bearer {self._token}",
            "Content-Type": content_type,
            "User-Agent": "localcluster",
        }
        data = None if body is None else json.dumps(body).encode()
        try:
            self._connection.request(method, path, data, headers)
            answer = self._connection.getresponse()
            text = answer.read().decode()
        except (OSError, http.client.HTTPException):
            self._connection.close()  # the next request opens a new one
            raise
        if answer.status >= http.client.BAD_REQUEST:
            raise ApiError(answer.status, text)
        return json.loads(text) if text.startswith(("{", "[")) else text
