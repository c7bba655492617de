# docker build -t fanwhy .
FROM python:3.13-slim AS build
WORKDIR /source
RUN python -m venv --without-pip /opt/fanwhy
COPY requirements.lock ./
RUN pip --python /opt/fanwhy/bin/python install --no-cache-dir --require-hashes -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY publisher publisher
COPY subscriber_cli subscriber_cli
RUN pip --python /opt/fanwhy/bin/python install --no-cache-dir --no-deps .

FROM python:3.13-slim
LABEL org.opencontainers.image.title="fanwhy" \
      org.opencontainers.image.description="Why is my server's fan running?" \
      org.opencontainers.image.licenses="MIT"
COPY --from=build /opt/fanwhy /opt/fanwhy
RUN useradd --system --uid 10001 --no-create-home --home-dir /var/lib/fanwhy fanwhy \
    && install -d -o fanwhy -g fanwhy /var/lib/fanwhy
ENV PATH=/opt/fanwhy/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    STATE_DIRECTORY=/var/lib/fanwhy
USER fanwhy
VOLUME /var/lib/fanwhy
ENTRYPOINT ["fanwhy-pub"]
CMD ["run"]
