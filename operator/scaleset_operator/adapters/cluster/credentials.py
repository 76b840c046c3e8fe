"""Where the API server is and who we are to it, by the official library.

Must not know: what is asked of the API server.
"""

import os
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import yaml
from kubernetes.aio.client import ApiClient, Configuration
from kubernetes.aio.config import ConfigException, load_incluster_config, load_kube_config

from scaleset_operator.adapters.cluster.errors import cut

UNUSABLE: Final = (
    ConfigException,
    OSError,
    yaml.YAMLError,
    AttributeError,
    TypeError,
    ValueError,
)
"""What the library raises of a kubeconfig that is missing, torn, or of another shape."""

AGAIN_AFTER_S: Final = 10.0
"""Between two loads: a plugin that answers with a bad token is not called for each request."""


class UnusableKubeconfigError(ConfigException):
    """There is no kubeconfig, or it cannot be used; the message says which file, and why."""


class Credentials:
    """An address, the trust in it, and a token that is renewed.

    In a cluster the library reads the mounted token anew each minute. Elsewhere the whole
    kubeconfig is loaded again when the API server no longer accepts what we have: that runs exec
    plugins and reads tokens and certificates that others have renewed.
    """

    def __init__(
        self, configuration: Configuration, *, kubeconfig: str | None, context: str | None = None
    ) -> None:
        self._configuration = configuration
        self._kubeconfig = kubeconfig
        self._context = context
        self.namespace: str | None = None
        self._loaded_at = time.monotonic()
        self._environments_proxy = _environments_proxy(str(configuration.host))
        self._trust: ssl.SSLContext = ApiClient(configuration).rest_client.ssl_context

    @classmethod
    async def load(cls, kubeconfig: str | None = None, context: str | None = None) -> "Credentials":
        """Reads the kubeconfig given, else that of KUBECONFIG, else the cluster we run in.

        Args:
            kubeconfig: path, or several with the separator of the platform; None looks for it.
            context: name of a context in it; None for its current one.

        Raises:
            UnusableKubeconfigError: there is none, or it cannot be used.
        """
        in_cluster = "KUBERNETES_SERVICE_HOST" in os.environ and not os.environ.get("KUBECONFIG")
        if kubeconfig is None and context is None and in_cluster:
            with _told("the service account that is mounted here cannot be used"):
                configuration = Configuration()
                load_incluster_config(configuration)  # type: ignore[no-untyped-call]
                return cls(configuration, kubeconfig=None)
        path = kubeconfig or os.environ.get("KUBECONFIG") or "~/.kube/config"
        with _told(f"the kubeconfig cannot be used: {path}"):
            _be_there(path)
            configuration = Configuration()
            namespace = await _load(path, context, configuration)
            found = cls(configuration, kubeconfig=path, context=context)
        found.namespace = namespace
        return found

    @property
    def server(self) -> str:
        """The API server's URL, without a slash at its end."""
        return str(self._configuration.host).rstrip("/")

    @property
    def trust(self) -> ssl.SSLContext:
        """Whom we believe to be the API server, and our certificate where we have one."""
        return self._trust

    @property
    def server_name(self) -> str | None:
        """The name the API server's certificate must bear, where it is not that of the URL."""
        name: str | None = self._configuration.tls_server_name
        return name or None

    @property
    def proxy(self) -> str | None:
        """The proxy that the kubeconfig names, else the environment's for this server."""
        named: str | None = self._configuration.proxy
        return named or self._environments_proxy

    async def authorization(self) -> str | None:
        """The Authorization header, None where a certificate speaks for us."""
        return await self._configuration.get_api_key_with_prefix(
            "BearerToken", alias="authorization"
        )

    async def renew(self) -> bool:
        """Loads the kubeconfig anew; False where that would help nothing, or was just done."""
        now = time.monotonic()
        if self._kubeconfig is None or now - self._loaded_at < AGAIN_AFTER_S:
            return False
        self._loaded_at = now
        await _load(self._kubeconfig, self._context, self._configuration)
        certificate = self._configuration.cert_file
        if certificate:
            self.trust.load_cert_chain(certificate, keyfile=self._configuration.key_file)
        return True


async def _load(path: str, context: str | None, configuration: Configuration) -> str | None:
    """Loads a kubeconfig; gives the namespace that its context names."""
    loader = await load_kube_config(  # type: ignore[no-untyped-call]
        config_file=path,
        context=context,
        client_configuration=configuration,
        persist_config=False,
    )
    namespace: str | None = loader.current_context["context"].get("namespace")
    return namespace


def _be_there(path: str) -> None:
    """The library takes a missing file for an empty one, and then misses what is in none."""
    if not any(Path(one).expanduser().exists() for one in path.split(os.pathsep)):
        message = "there is no such file; the variable KUBECONFIG names another"
        raise ConfigException(message)


@contextmanager
def _told(what: str) -> Iterator[None]:
    try:
        yield
    except UNUSABLE as fault:
        message = f"{what}: {cut(str(fault))}"
        raise UnusableKubeconfigError(message) from fault


def _environments_proxy(server: str) -> str | None:
    """HTTPS_PROXY and NO_PROXY, looked up once: aiohttp would ask for each request."""
    parts = urlsplit(server)
    if proxy_bypass(parts.hostname or ""):
        return None
    return getproxies().get(parts.scheme)
