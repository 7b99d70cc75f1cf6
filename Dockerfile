FROM oven/bun:1.4.4 AS build
WORKDIR /app
COPY package.json bun.lock bunfig.toml ./
RUN bun install --frozen-lockfile
COPY . .
RUN bun run build && mkdir -p /data/uploads

# Holds the C library and certificates, and no shell; its user is not root.
FROM gcr.io/distroless/base-debian12:nonroot

ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Latchkey" \
      org.opencontainers.image.description="Accounts, sessions and todos behind one binary" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION"

COPY --from=build /app/dist/latchkey /usr/local/bin/latchkey
COPY --from=build --chown=65532:65532 /data /data

# All that is kept lies in the volume. Production asks for SECRET_KEY, and for the RSA keys in KEYS_DIR.
# Engines kill a container 10 seconds after they told it to stop: it gives up waiting before that.
ENV ENVIRONMENT=production \
    HOST=0.0.0.0 \
    PORT=8000 \
    DATABASE_URL=sqlite:////data/app.db \
    UPLOAD_DIR=/data/uploads \
    KEYS_DIR=/data/keys \
    SHUTDOWN_TIMEOUT_SECONDS=8

USER 65532:65532
WORKDIR /data
VOLUME /data
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=5s --start-period=10s --retries=3 CMD ["/usr/local/bin/latchkey", "healthcheck"]

ENTRYPOINT ["/usr/local/bin/latchkey"]
CMD ["serve"]
