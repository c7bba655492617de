# docker build -t fanwhy .
#
# For several kinds of processors, with a bill of materials (CONTRIBUTING.md, "Release"):
#   docker buildx build --platform linux/amd64,linux/arm64 --sbom=true --provenance=mode=max …
FROM python:3.13-slim AS build
WORKDIR /source
RUN python -m venv --without-pip /opt/fanwhy
COPY requirements.lock ./
# What no daemon needs stays out: the byte code is made at the end, for what is there then.
RUN pip --python /opt/fanwhy/bin/python install --no-cache-dir --no-compile --require-hashes \
        -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY publisher publisher
COPY subscriber_cli subscriber_cli
RUN pip --python /opt/fanwhy/bin/python install --no-cache-dir --no-compile --no-deps . \
    && python -m compileall -q -j 0 /opt/fanwhy/lib

FROM python:3.13-slim
ARG VERSION=unreleased
ARG REVISION=unknown
LABEL org.opencontainers.image.title="fanwhy" \
      org.opencontainers.image.description="Why is my server's fan running?" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.url="https://github.com/fanwhy/fanwhy" \
      org.opencontainers.image.source="https://github.com/fanwhy/fanwhy" \
      org.opencontainers.image.documentation="https://github.com/fanwhy/fanwhy/blob/main/docs/docker.md" \
      org.opencontainers.image.base.name="docker.io/library/python:3.13-slim" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
RUN useradd --uid 10001 --no-create-home --home-dir /var/lib/fanwhy --shell /usr/sbin/nologin fanwhy \
    && install -d -o fanwhy -g fanwhy -m 700 /var/lib/fanwhy
COPY --from=build /opt/fanwhy /opt/fanwhy
COPY --chmod=755 packaging/docker/start /usr/local/bin/fanwhy-start
ENV PATH=/opt/fanwhy/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    STATE_DIRECTORY=/var/lib/fanwhy
USER 10001:10001
VOLUME /var/lib/fanwhy
STOPSIGNAL SIGTERM
# It reads one line of a file. Engines before 25 know no --start-interval, so that stands in
# docker-compose.yml.
HEALTHCHECK --interval=5m --timeout=10s --start-period=1m --retries=2 CMD ["fanwhy-pub", "health"]
ENTRYPOINT ["fanwhy-start"]
CMD ["run"]
