"""One question and one answer between two replicas: bounded, and sealed with a shared secret.

Sealed by HMAC-SHA256 rather than sent with a token: the secret never leaves the process, so neither
an eavesdropper nor whoever wrote a wrong address into the Lease gets hold of it, and no certificate
is needed. The answer repeats the question's nonce, so that none can be used twice.
Must not know: what is done with either.
"""

import hashlib
import hmac
import logging
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson

from scaleset_operator.reconciler.ports import ProbeKey, ProbeTarget

MOST_ASKED: Final = 2_000
"""Pods in one question; those left over go into the next, a second later."""
LARGEST_QUESTION: Final = 2**19
LARGEST_ANSWER: Final = 2**18
LEAST_SECRET_BYTES: Final = 16

_SEAL: Final = hashlib.sha256().digest_size * 2
_QUESTION: Final = b"scaleset question\n"
_ANSWER: Final = b"scaleset answer\n"
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Asked:
    """A pod, and where and under which rules the leader watches it: others answer nothing."""

    pod_uid: str
    ip: str
    key: ProbeKey

    @classmethod
    def of(cls, target: ProbeTarget) -> "Asked":
        """The question about a target."""
        return cls(target.pod_uid, target.ip, target.key)


class Secret:
    """What all replicas know: the content of a file, as a Secret is mounted; read anew each time.

    So it can be changed while they run; between two that differ there are no votes.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._told = ""

    def value(self) -> bytes | None:
        """The secret; None, told once, where there is none that is worth the name."""
        problem = ""
        try:
            value = self._path.read_bytes().strip()
        except OSError as fault:
            value, problem = b"", f"{fault.strerror}"
        else:
            if len(value) < LEAST_SECRET_BYTES:
                problem = f"{len(value)} bytes are too few, {LEAST_SECRET_BYTES} are needed"
        if problem and problem != self._told:
            # The secret is optional: without it each replica judges by its own prober alone.
            _log.warning("no votes without a secret: %s: %s", self._path, problem)
        self._told = problem
        return None if problem else value


def question(secret: bytes, nonce: str, asked: Iterable[Asked]) -> bytes:
    """What the leader sends."""
    rows = [[a.pod_uid, a.ip, a.key.probe_uid, a.key.generation, a.key.port] for a in asked]
    return _sealed(secret, _QUESTION, {"nonce": nonce, "asked": rows})


def read_question(secret: bytes, body: bytes) -> tuple[str, list[Asked]] | None:
    """The nonce and what is asked; None for what is not sealed by one who knows the secret."""
    found = _opened(secret, _QUESTION, body, LARGEST_QUESTION)
    if found is None or len(found["asked"]) > MOST_ASKED:
        return None
    rows = (
        Asked(uid, ip, ProbeKey(probe_uid=probe, generation=generation, port=port))
        for uid, ip, probe, generation, port in found["asked"]
    )
    return found["nonce"], list(rows)


def answer(secret: bytes, nonce: str, heard: Mapping[str, float]) -> bytes:
    """What a standby answers: pod UID -> seconds since its last success."""
    return _sealed(secret, _ANSWER, {"nonce": nonce, "heard": heard})


def read_answer(secret: bytes, nonce: str, body: bytes) -> Mapping[str, float] | None:
    """What was heard; None for what is no answer to this very question."""
    found = _opened(secret, _ANSWER, body, LARGEST_ANSWER)
    if found is None or found["nonce"] != nonce:
        return None
    heard = {uid: float(age) for uid, age in found["heard"].items()}
    return {uid: age for uid, age in heard.items() if math.isfinite(age) and age >= 0}


def _sealed(secret: bytes, kind: bytes, content: Mapping[str, Any]) -> bytes:
    payload = orjson.dumps(content)
    return _seal(secret, kind, payload) + payload


def _opened(secret: bytes, kind: bytes, body: bytes, largest: int) -> Any:
    """The content; only what bears the seal is parsed at all."""
    seal, payload = body[:_SEAL], body[_SEAL:]
    if len(body) > largest or not hmac.compare_digest(seal, _seal(secret, kind, payload)):
        return None
    return orjson.loads(payload)


def _seal(secret: bytes, kind: bytes, payload: bytes) -> bytes:
    return hmac.new(secret, kind + payload, hashlib.sha256).hexdigest().encode()
