# `exporter watch` beside the database: a user without rights, a root file system that is only read.
# docs/installing.md says how it is run. The base images are named by version; whoever builds for
# production adds their digests (BASE=python:3.13-slim-trixie@sha256:…), which change each month.
ARG BASE=python:3.13-slim-trixie

FROM ${BASE} AS build
# The commit that this is built from, for `exporter --version`: the clone's .git stays outside.
ARG COMMIT=""
WORKDIR /source
RUN python -m venv /opt/exporter
COPY requirements.lock ./
RUN /opt/exporter/bin/pip install --no-cache-dir --require-hashes --requirement requirements.lock
COPY . .
RUN if [ -n "${COMMIT}" ]; then printf '%s\n' "${COMMIT}" > exporter/COMMIT; fi \
    && /opt/exporter/bin/pip install --no-cache-dir --no-deps --no-build-isolation .

FROM ${BASE}
# git as Debian has it now, for its security updates; openssh for remotes that are reached by SSH.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates git openssh-client \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 10001 exporter \
    && useradd --uid 10001 --gid exporter --home-dir /tmp --no-create-home exporter \
    && install --directory --owner exporter --group exporter /content
COPY --from=build /opt/exporter /opt/exporter
ENV PATH="/opt/exporter/bin:${PATH}" HOME=/tmp PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
USER 10001:10001
WORKDIR /content
# A snapshot leaves this mark when it went well; `watch` takes one at least every `watch.interval`.
HEALTHCHECK --interval=1m --start-period=15m \
    CMD ["sh", "-c", "test -n \"$(find .git/exporter/last-snapshot -mmin -30)\""]
ENTRYPOINT ["exporter"]
CMD ["watch", "--push"]
