# One image with the three programs; say which one to run:
#
#   docker build -t salesforcesync --build-arg VERSION=v0.2.0 --build-arg COMMIT=$(git rev-parse HEAD) .
#   docker run salesforcesync worker
#
# Static binaries on an empty base: no shell, no package manager, no user but 65532. The simulator of
# Salesforce is an image of its own, for trying out: docker build --target simulator .
# How to pin the base by digest and to get the same bytes again: docs/install.md.

ARG GO_IMAGE=golang:1.26.11-trixie

# ---------------------------------------------------------------- what is built from
FROM --platform=$BUILDPLATFORM ${GO_IMAGE} AS source
WORKDIR /src
# The compiler is that of the image: nothing is fetched in its place.
ENV CGO_ENABLED=0 GOTOOLCHAIN=local
COPY . .

# ---------------------------------------------------------------- the three programs
FROM source AS programs
ARG TARGETOS
ARG TARGETARCH
ARG VERSION=devel
ARG COMMIT=""
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    GOOS=$TARGETOS GOARCH=$TARGETARCH go build -trimpath -buildvcs=false \
    -ldflags="-s -w -X salesforcesync/internal/build.version=$VERSION -X salesforcesync/internal/build.commit=$COMMIT" \
    -o /out/ ./worker ./starter ./authsvc

# ---------------------------------------------------------------- the simulator, which is not shipped
FROM source AS simulator-program
ARG TARGETOS
ARG TARGETARCH
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    GOOS=$TARGETOS GOARCH=$TARGETARCH go build -trimpath -buildvcs=false -ldflags="-s -w" -o /out/ ./internal/cmd/simforce
RUN mkdir /data

FROM scratch AS simulator
COPY --from=simulator-program /out/ /usr/local/bin/
# A volume takes its owner from here.
COPY --from=simulator-program --chown=65532:65532 /data /data
ENV PATH=/usr/local/bin
USER 65532:65532
EXPOSE 8090
HEALTHCHECK --interval=15s --timeout=6s --start-period=60s --retries=3 CMD ["simforce", "-health"]
CMD ["simforce", "-addr", "0.0.0.0:8090", "-state", "/data/simforce.state"]

# ---------------------------------------------------------------- the product; last, so that it is what is built
FROM scratch AS product
ARG VERSION=devel
ARG COMMIT=""
LABEL org.opencontainers.image.title="salesforcesync" \
      org.opencontainers.image.description="Copies communications out of Salesforce and keeps them as comments: worker, authsvc, starter" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$COMMIT"
# Salesforce is spoken to over https.
COPY --from=programs /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=programs /out/ /usr/local/bin/
COPY LICENSE /LICENSE
# Inside a container the loopback address would be reached by nobody.
ENV PATH=/usr/local/bin LISTEN_ADDR=0.0.0.0:8080 METRICS_ADDR=0.0.0.0:9090
USER 65532:65532
EXPOSE 8080 9090
# worker and authsvc alike: they wait a minute for what they need before they give up.
HEALTHCHECK --interval=15s --timeout=6s --start-period=75s --retries=3 CMD ["starter", "health"]
CMD ["authsvc"]
