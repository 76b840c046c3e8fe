# The operator's image. One base for both stages, so that the paths and the Python of the environment
# agree; any Debian-like image with Python 3.11 or newer, pip, a CA bundle and no compiler will do.
ARG BASE_IMAGE=python:3.13-slim

FROM ${BASE_IMAGE} AS build
# Where packages come from, if not from the usual index.
ARG PIP_INDEX_URL
WORKDIR /src
RUN python3 -m venv /opt/scaleset-operator
COPY pyproject.toml requirements.lock README.md LICENSE ./
COPY operator operator
# With tzdata, for a base without zone files knows no time zone.
# Compiled is what the operator loads, and not the client's thousand models. Without pip, for what
# runs installs nothing.
RUN /opt/scaleset-operator/bin/pip install --no-cache-dir --disable-pip-version-check \
        --root-user-action ignore --no-compile -c requirements.lock . tzdata \
    && /opt/scaleset-operator/bin/pip uninstall --quiet --yes pip setuptools \
    && find /opt/scaleset-operator -name __pycache__ -prune -exec rm -r {} + \
    && PYTHONDONTWRITEBYTECODE='' /opt/scaleset-operator/bin/python -c \
        "from scaleset_operator import __main__, agent_operation, operation"

FROM ${BASE_IMAGE}
# For the node agent alone; a base that has it, and util-linux, is taken as it is.
RUN command -v nft > /dev/null \
    || (apt-get update --quiet && apt-get install --quiet --yes --no-install-recommends nftables \
        && rm -r /var/lib/apt/lists/*)
COPY --from=build /opt/scaleset-operator /opt/scaleset-operator
ENV PATH=/opt/scaleset-operator/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
# What a base may lack, seen here and not in the cluster.
RUN test -s /etc/ssl/certs/ca-certificates.crt \
    && python -c "import zoneinfo; zoneinfo.ZoneInfo('Europe/Amsterdam')" \
    && ! command -v cc \
    && nft --version && command -v nsenter \
    && scaleset-operator --version
USER 65532:65532
EXPOSE 8081
ENTRYPOINT ["scaleset-operator"]
CMD ["run"]
