# docker build -t gen404 . && docker run --rm -v "$PWD:/work" gen404 verify
FROM rust:1.95-slim-bookworm AS build
RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev && rm -rf /var/lib/apt/lists/*
WORKDIR /source
COPY . .
# What `gen404 --version --json` names: the history stays outside.
ARG COMMIT
RUN GEN404_COMMIT=$COMMIT cargo build --profile dist --locked && scripts/install-docs target/install

FROM debian:bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates git \
    && rm -rf /var/lib/apt/lists/* && useradd --uid 10001 --create-home gen404
COPY --from=build /source/target/dist/gen404 /usr/local/bin/
COPY --from=build /source/target/install/share /usr/local/share
USER gen404
WORKDIR /work
ENTRYPOINT ["gen404"]
CMD ["--help"]
