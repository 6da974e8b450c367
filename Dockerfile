# syntax=docker/dockerfile:1
# The gateway in a small image: no shell tools beyond Debian's own, no root, and nothing written but below /var/lib/rolegate.
#
#   docker build -t rolegate .
#   docker run --read-only -p 127.0.0.1:8700:8700 -v ./rolegate.toml:/etc/rolegate/rolegate.toml:ro -v audit:/var/lib/rolegate rolegate
#
# The configuration needs `listen = "0.0.0.0:8700"` under [server], and an [audit] file below /var/lib/rolegate.
# Where this was written no image can be built: it was checked by reading only.

FROM rust:1.95.0-slim-bookworm AS build
# The image brings a C compiler and libc's headers; xmlsec verifies XML signatures, and libclang reads its headers.
RUN apt-get update && apt-get install -y --no-install-recommends libxmlsec1-dev libxml2-dev libssl-dev pkg-config libclang-dev \
    && rm -rf /var/lib/apt/lists/*
# The toolchain file asks for clippy and rustfmt too, which a build does without.
ENV RUSTUP_TOOLCHAIN=1.95.0
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry --mount=type=cache,target=/src/target \
    cargo build --release --locked --bin rolegate && cp target/release/rolegate /rolegate

FROM debian:bookworm-slim
# The certificate authorities that identity providers and AWS are checked against, and the libraries behind XML signatures.
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates libxmlsec1-openssl && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --user-group --no-create-home --home-dir /var/lib/rolegate --shell /usr/sbin/nologin rolegate \
    && install -d -o rolegate -g rolegate -m 0700 /var/lib/rolegate
COPY --from=build /rolegate /usr/local/bin/rolegate
USER 10001:10001
WORKDIR /var/lib/rolegate
VOLUME /var/lib/rolegate
EXPOSE 8700
STOPSIGNAL SIGTERM
# Ask http://…:8700/healthz whether it lives and /readyz whether it may be sent people.
ENTRYPOINT ["/usr/local/bin/rolegate"]
CMD ["serve", "--config", "/etc/rolegate/rolegate.toml"]
