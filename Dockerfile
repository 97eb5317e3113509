# Built in two steps, so that no compiler and no cache ends up in what runs.
FROM python:3.11-slim AS build
WORKDIR /src
RUN python -m venv /opt/crmchat
COPY requirements.lock ./
RUN /opt/crmchat/bin/pip install --no-cache-dir --require-hashes -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY bots bots
COPY commands commands
COPY crm crm
RUN /opt/crmchat/bin/pip install --no-cache-dir hatchling editables \
 && /opt/crmchat/bin/pip install --no-cache-dir --no-deps --no-build-isolation . \
 && /opt/crmchat/bin/pip uninstall -y hatchling editables

FROM python:3.11-slim
RUN useradd --system --uid 10001 --home-dir /data --create-home crmchat && chmod 0700 /data
COPY --from=build /opt/crmchat /opt/crmchat
USER crmchat
WORKDIR /data
VOLUME /data
ENV CRMCHAT_DATA_DIR=/data HOST=0.0.0.0 PORT=3978 PYTHONUNBUFFERED=1 MALLOC_ARENA_MAX=2
EXPOSE 3978
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s CMD ["/opt/crmchat/bin/python", "-c", \
  "import urllib.request; urllib.request.urlopen('http://127.0.0.1:3978/healthz', timeout=4)"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["/opt/crmchat/bin/crmchat"]
CMD ["serve"]
