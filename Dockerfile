# The build needs a Rust toolchain and a C compiler. The image has both.
FROM rust:1-slim-bookworm AS build
WORKDIR /build
COPY Cargo.toml Cargo.lock ./
COPY .cargo ./.cargo
COPY src ./src
RUN cargo build --profile dist --locked

FROM debian:bookworm-slim
# The slim image has no certificates. Without them, not even `crm health` could query the service.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /build/target/dist/crm /usr/local/bin/crm
# The user id is fixed, so that a folder of the host can belong to this user.
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /data --shell /usr/sbin/nologin crm \
    && install --directory --owner=crm --group=crm --mode=0750 /data
USER crm
WORKDIR /data
ENV DATABASE_URL=/data/crm.db
VOLUME /data
EXPOSE 8000
# Checks that the service on HOST and PORT can commit. It waits less than 10 s for a busy disk.
HEALTHCHECK --interval=30s --timeout=10s --start-period=10s CMD ["crm", "health"]
STOPSIGNAL SIGTERM
# There is no shell in between, so that the signal reaches crm.
ENTRYPOINT ["crm"]
CMD ["serve"]
