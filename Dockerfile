# The relay as a container image: two programs, the libraries that they need, and no shell.
# deploy/README.md says how to run it.
FROM docker.io/library/debian:bookworm-slim AS build
WORKDIR /src
# The list of packages first: as long as it stays the same, so does this layer.
COPY tools/install tools/install
RUN tools/install build && rm -rf /var/lib/apt/lists/*
COPY . .
# CMakeLists.txt wants the folder of tests, which the image does without.
RUN mkdir tests && touch tests/CMakeLists.txt \
 && tools/build release turnpiked turnpike \
 && cmake --install build/release --strip --prefix /image/usr/local
# The loader and the libraries, with their licences; time zones for reports; authorities for the
# webhooks' HTTPS; names for one user.
RUN cd / && mkdir -p /image/etc/turnpike /state \
 && ldd /image/usr/local/bin/* | grep -oE '[[:space:]]/(usr/)?lib[^ ]+' | sort -u >/libraries \
 && xargs cp --parents --dereference --target-directory=/image </libraries \
 && xargs -n 1 readlink -f </libraries | sed 's:.*/:*/:' | xargs -n 1 dpkg-query --search \
  | cut -d: -f1 | sort -u \
  | sed 's:.*:/usr/share/doc/&/copyright:' \
  | xargs cp --parents --dereference --target-directory=/image \
 && cp --parents --recursive /usr/share/zoneinfo /image \
 && cp --parents /etc/ssl/certs/ca-certificates.crt /image \
 && echo 'turnpike:x:65532:65532::/var/lib/turnpike:/usr/sbin/nologin' >/image/etc/passwd \
 && echo 'turnpike:x:65532:' >/image/etc/group \
 && echo 'hosts: files dns' >/image/etc/nsswitch.conf \
 && /image/usr/local/bin/turnpike config reference --environment >/image/etc/turnpike/turnpike.yaml

FROM scratch
ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Turnpike" \
      org.opencontainers.image.description="A STUN/TURN relay that knows exactly what it relayed" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=build /image/ /
COPY --from=build --chown=65532:65532 /state/ /var/lib/turnpike/
# Large reports spill where there is room and permission.
ENV PATH=/usr/local/bin SQLITE_TMPDIR=/var/lib/turnpike
# A number, so that Kubernetes can see that it is not root.
USER 65532:65532
# All that is ever written: the ledger and the live counters. The root may be read-only.
VOLUME /var/lib/turnpike
EXPOSE 3478/udp 3478/tcp 5349/tcp 5349/udp
# SIGTERM drains: calls in progress go on until they end or the deadline.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=15s CMD ["turnpiked", "--healthcheck"]
ENTRYPOINT ["turnpiked"]
