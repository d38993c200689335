# syntax=docker/dockerfile:1
# The image runs compiled JavaScript with the workflow bundle made here, as a user without rights, on a read-only file system.
FROM node:22.21.1-bookworm AS build
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci
COPY tsconfig.json tsconfig.build.json ./
COPY src src
RUN npm run build && node dist/temporal/bundle-workflows.js && mkdir /state

FROM node:22.21.1-bookworm AS dependencies
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --omit=dev && npm cache clean --force

FROM node:22.21.1-bookworm-slim
ENV NODE_ENV=production NODE_OPTIONS=--enable-source-maps REELKIT_HOST=0.0.0.0 REELKIT_PORT=8080 STATE_DIRECTORY=/var/lib/reelkit
# Files of workers that died are made again with it, and parts joined.
RUN apt-get update && apt-get install --yes --no-install-recommends ffmpeg && rm -rf /var/lib/apt/lists/*
# The slim image has no certificates; Temporal Cloud and S3 need them.
COPY --from=dependencies /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
WORKDIR /app
COPY package.json ./
COPY --from=dependencies /app/node_modules node_modules
COPY --from=build /app/dist dist
# Mount a volume here, or give the encryption keys by the environment: what is made here must outlive the container.
COPY --from=build --chown=node:node /state /var/lib/reelkit
USER node
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.REELKIT_PORT}/healthz`).then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "dist/main.js"]
CMD ["serve"]
