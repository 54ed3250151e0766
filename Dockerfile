# One image with the three programs; say which one to run:
#
#   docker build -t salesforcesync .
#   docker run salesforcesync worker
#
# Static binaries on an empty base: no shell, no package manager, no user but 65532.

FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ENV CGO_ENABLED=0
RUN go build -trimpath -buildvcs=false -ldflags="-s -w" -o /out/ ./worker ./starter ./authsvc

FROM scratch
# Salesforce is spoken to over https.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /out/ /usr/local/bin/
COPY LICENSE /LICENSE
ENV PATH=/usr/local/bin
USER 65532:65532
# authsvc; inside a container the loopback address would be reached by nobody.
ENV LISTEN_ADDR=0.0.0.0:8080
EXPOSE 8080
# No HEALTHCHECK: there is no curl here, and the programs have no flag for it yet. Ask /healthz
# and /readyz from outside (docs/operations.md).
CMD ["authsvc"]
