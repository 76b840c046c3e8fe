"""What the instances of one namespace answer: told per pod, although the responder knows addresses.

An address is given to another pod as soon as its own is gone; the word for it must go first. So the
namespace's pods are watched, and what was said of one leaves with it.
It must not know what follows from an answer.
"""

from __future__ import annotations

import http.client
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self

from tests.support.kube_api import Api, ApiError, path_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from localcluster.responder.client import Responder

Json = dict[str, Any]


class Endpoints:
    """Inside its `with` block, pods answer as they are told, as long as they live."""

    def __init__(self, api: Api, responder: Responder, namespace: str) -> None:
        self._api = api.another()
        self._responder = responder
        self._path = path_of("Pod", namespace)
        self._told: dict[str, str] = {}
        self._lock = threading.Lock()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="endpoints", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._api.hang_up()
        self._thread.join(10)
        self._api.close()
        if self._told:
            self._responder.clear(*self._told.values())

    def tell(self, pods: Iterable[Json], script: str) -> None:
        """Have these pods answer so from now on, all at one moment."""
        with self._lock:
            told = {pod["metadata"]["uid"]: str(pod["status"]["podIP"]) for pod in pods}
            self._responder.set_many(dict.fromkeys(told.values(), script))
            self._told |= told

    def heal(self, pods: Iterable[Json]) -> None:
        """Have these pods answer as all others do."""
        with self._lock:
            self._forget(pod["metadata"]["uid"] for pod in pods)

    def _forget(self, uids: Iterable[str]) -> None:
        addresses = [self._told.pop(uid) for uid in uids if uid in self._told]
        if addresses:
            self._responder.clear(*addresses)

    def _follow(self) -> None:
        while not self._ending.is_set():
            with suppress(OSError, http.client.HTTPException, ApiError, ValueError):
                answer = self._api.get(self._path)
                there = {pod["metadata"]["uid"] for pod in answer["items"]}
                with self._lock:
                    self._forget([uid for uid in self._told if uid not in there])
                for event in self._api.watch(self._path, answer["metadata"]["resourceVersion"]):
                    if event["type"] == "DELETED":
                        with self._lock:
                            self._forget([event["object"]["metadata"]["uid"]])
            self._ending.wait(0.1)
