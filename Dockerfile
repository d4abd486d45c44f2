# syntax=docker/dockerfile:1
# Targets: `sprite` (one worker; what the control plane puts on a machine) and `controller` (the control plane).
#   docker build --target sprite -t registry.fly.io/APP/sprite .
#   docker build --target controller -t sprites-control-plane .
# Both hold Node, the bundle and nothing else: no shell, no npm, no package tree. Give production the digests.

ARG NODE_VERSION=24

# --- build: everything that is needed to make dist/ -------------------------------------------------------------------
FROM node:${NODE_VERSION}-slim AS build
WORKDIR /src
COPY package.json package-lock.json ./
# No install script runs. The Node of this image builds: the `node` package would fetch its own by a script.
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY system ./system
COPY protocol ./protocol
COPY sprite ./sprite
COPY controller ./controller
COPY scripts ./scripts
# /data is for the controller: the last stage has no shell to make a folder with.
RUN node scripts/build.ts && mkdir /data

# --- runtime: Node alone ----------------------------------------------------------------------------------------------
# Distroless: libc, certificates, time zones and node, without shell or package manager.
FROM gcr.io/distroless/nodejs${NODE_VERSION}-debian12 AS runtime
ENV NODE_ENV=production
WORKDIR /app
# Numeric, so that Kubernetes' runAsNonRoot can be checked without a user database.
USER 65532:65532

# --- sprite -----------------------------------------------------------------------------------------------------------
FROM runtime AS sprite
COPY --from=build /src/dist/sprite ./dist/sprite
# Everything it is told comes by SPRITE_* (protocol/boot.ts); it writes no file and opens no port. SIGTERM drains it;
# as process 1 it maps signals itself and has no children, so that no init is needed.
STOPSIGNAL SIGTERM
ENTRYPOINT ["/nodejs/bin/node", "--disable-proto=delete", "--max-old-space-size=192", "dist/sprite/sprite.mjs"]

# --- controller -------------------------------------------------------------------------------------------------------
FROM runtime AS controller
COPY --from=build /src/dist/controller ./dist/controller
# The emulated provider of the embedded mode starts sprites as child processes.
COPY --from=build /src/dist/sprite ./dist/sprite
COPY personas ./personas
COPY crds ./crds
COPY examples ./examples
# The only place that it writes to. The embedded store lies here: mount a volume for it. With STORE=firestore only the
# audit log does, and the rest is made anew at each start.
COPY --from=build --chown=65532:65532 /data /data
STOPSIGNAL SIGTERM
EXPOSE 8443 8787
ENTRYPOINT ["/nodejs/bin/node", "--disable-proto=delete", "dist/controller/spritectl.mjs"]
# Settings come from the environment (docs/production.md). A container's loopback is nobody else's.
CMD ["serve", "--data=/data", "--host=0.0.0.0", "--port=8443", "--http-port=8787"]
