# Skjold as an image: one static binary and the certificates that outgoing TLS is checked with; no shell, no packages.
#
#   docker build -t skjold .
#   docker run -v skjold:/data -p 127.0.0.1:8080:8080 skjold
#
# The first start creates the node in the volume and prints the administrator's key once, to the log. Set the node's
# name for the federation before that: -e SKJOLD_ENTITY=https://skjold.example.dk

FROM golang:1.26 AS build
WORKDIR /src
# The modules first: they change less often than the code, and this layer is then reused.
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags="-s -w" -o /image/skjold ./cmd/skjold
# The directories of the final image, where nothing can run mkdir: the volume, and one for temporary files. They are
# copied from a directory above them, which keeps their modes.
RUN mkdir -p /image/writable/data /image/writable/tmp && chmod 0700 /image/writable/data /image/writable/tmp

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /image/skjold /skjold
COPY --from=build --chown=65532:65532 /image/writable/ /
# A number, so that an orchestrator can see that it is not root without reading a file of users.
USER 65532:65532
# SKJOLD_LISTEN: inside a container 127.0.0.1 would be reached by nobody.
# SKJOLD_BEHIND_PROXY: TLS ends outside of the container, at the proxy or ingress in front, so the node may serve plain
# HTTP on an address that is not loopback. Publish the port to that proxy only. To serve HTTPS from the container
# itself, set it to false and set SKJOLD_TLS_CERT_FILE and SKJOLD_TLS_KEY_FILE.
ENV SKJOLD_DATA=/data \
    SKJOLD_LISTEN=0.0.0.0:8080 \
    SKJOLD_BEHIND_PROXY=true
VOLUME ["/data"]
WORKDIR /data
EXPOSE 8080
# The binary asks itself: there is no shell here, and no other program. With another port in SKJOLD_LISTEN, or with TLS,
# give the container a health check of its own.
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s --retries=3 \
    CMD ["/skjold", "healthcheck", "--url", "http://127.0.0.1:8080/healthz"]
# serve ends on SIGTERM as on an interrupt: it finishes the requests that it has begun.
STOPSIGNAL SIGTERM
ENTRYPOINT ["/skjold"]
CMD ["serve"]
