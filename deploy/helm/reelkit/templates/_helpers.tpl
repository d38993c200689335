{{- define "reelkit.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{/* The prefix of every name; short enough for the longest suffix. */}}
{{- define "reelkit.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains (include "reelkit.name" .) .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "reelkit.name" .) | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* Of pods and what selects them: nothing that changes between releases, so that an upgrade replaces no worker in vain. */}}
{{- define "reelkit.selectorLabels" -}}
app.kubernetes.io/name: {{ include "reelkit.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end -}}

{{- define "reelkit.labels" -}}
{{ include "reelkit.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
{{- end -}}

{{- define "reelkit.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}

{{/* Takes the egress of a fleet. */}}
{{- define "reelkit.egressImage" -}}
{{ .image.repository }}:{{ .image.tag }}
{{- end -}}

{{/* Of the workers. */}}
{{- define "reelkit.egressNamespace" -}}
{{ .Values.egress.namespace.name | default (printf "%s-egress" (.Release.Namespace | trunc 56 | trimSuffix "-")) }}
{{- end -}}

{{/* Fails where a name is found in the release's namespace alone, and the workers are elsewhere. Takes {root, field, address}. */}}
{{- define "reelkit.foundByWorkers" -}}
{{- $host := regexReplaceAll "^([a-z]+://)?([^@/]*@)?([^:/]*).*$" .address "${3}" -}}
{{- $own := .root.Release.Namespace -}}
{{- $workers := include "reelkit.egressNamespace" .root -}}
{{- if and (ne $own $workers) (regexMatch "^[A-Za-z0-9-]+$" $host) -}}
{{- fail (printf "%s names the host %s, which is found in namespace %s alone, and the workers run in %s: write %s.%s" .field $host $own $workers $host $own) -}}
{{- end -}}
{{- end -}}

{{/* Every fleet as {fleet, egress, podTemplate}: the values, and on top of them what each of extraFleets says. */}}
{{- define "reelkit.fleets" -}}
{{- $podTemplate := printf "%s-egress" (include "reelkit.fullname" .) -}}
{{- $all := list (dict "fleet" .Values.fleet "egress" .Values.egress "podTemplate" $podTemplate) -}}
{{- range .Values.extraFleets -}}
{{- $fleet := mergeOverwrite (deepCopy $.Values.fleet) (omit . "egress") -}}
{{- $egress := mergeOverwrite (deepCopy $.Values.egress) (.egress | default dict) -}}
{{- $all = append $all (dict "fleet" $fleet "egress" $egress "podTemplate" (printf "%s-%s" $podTemplate .name)) -}}
{{- end -}}
{{- toYaml (dict "all" $all) -}}
{{- end -}}

{{/* Selects the workers of every fleet. */}}
{{- define "reelkit.workersSelector" -}}
{{- if .Values.extraFleets -}}
matchExpressions:
  - key: reelkit.dev/fleet
    operator: In
    values: [{{ .Values.fleet.name }}{{ range .Values.extraFleets }}, {{ .name }}{{ end }}]
{{- else -}}
matchLabels:
  reelkit.dev/fleet: {{ .Values.fleet.name | quote }}
{{- end -}}
{{- end -}}

{{/* The capacity section of one fleet. Takes {root, egress, podTemplate}. */}}
{{- define "reelkit.capacity" -}}
{{- $capacity := dict "provider" "kubernetes" "namespace" (include "reelkit.egressNamespace" .root) "podTemplate" .podTemplate "container" "egress" "longestRecording" .egress.longestRecording -}}
{{- if .root.Values.egress.watchNodes -}}
{{- $_ := set $capacity "watchNodes" true -}}
{{- end -}}
{{- if .root.Values.egress.manageUnowned -}}
{{- $_ := set $capacity "manageUnowned" true -}}
{{- end -}}
{{- toYaml $capacity -}}
{{- end -}}

{{/* Does a `redis` section of the values say where one is? */}}
{{- define "reelkit.namesRedis" -}}
{{- if or .address .sentinelAddresses .clusterAddresses }}yes{{ end -}}
{{- end -}}

{{/* The chart's own Redis serves the workers, unless one is named. */}}
{{- define "reelkit.bundlesRedis" -}}
{{- if and .Values.workersRedis.enabled (not (include "reelkit.namesRedis" .Values.workers.redis)) }}yes{{ end -}}
{{- end -}}

{{- define "reelkit.workersRedisName" -}}
{{ include "reelkit.fullname" . }}-workers-redis
{{- end -}}

{{/* As pods of any namespace reach it. */}}
{{- define "reelkit.workersRedisAddress" -}}
{{ include "reelkit.workersRedisName" . }}.{{ .Release.Namespace }}.svc:6379
{{- end -}}

{{/* The Secret with the password of the chart's own Redis. */}}
{{- define "reelkit.workersRedisSecret" -}}
{{- with .Values.workersRedis.passwordSecret -}}
name: {{ .name | default (include "reelkit.workersRedisName" $) | quote }}, key: {{ .key | quote }}
{{- end -}}
{{- end -}}

{{- define "reelkit.encryptionSecret" -}}
{{ .Values.encryption.existingSecret | default (printf "%s-encryption" (include "reelkit.fullname" .)) }}
{{- end -}}

{{/* A duration of reelkit.yaml in seconds. */}}
{{- define "reelkit.seconds" -}}
{{- $units := dict "ms" 0.001 "s" 1.0 "m" 60.0 "h" 3600.0 "d" 86400.0 -}}
{{- $total := 0.0 -}}
{{- range regexFindAll "[0-9]+(ms|s|m|h|d)" . -1 -}}
{{- $total = addf $total (mulf (float64 (regexFind "[0-9]+" .)) (get $units (regexFind "[a-z]+" .))) -}}
{{- end -}}
{{- int64 $total -}}
{{- end -}}

{{/* Of a service mesh: a sidecar ends seconds after SIGTERM, while the worker finishes its recordings for hours. Istio and Kuma. */}}
{{- define "reelkit.noSidecarLabels" -}}
sidecar.istio.io/inject: "false"
kuma.io/sidecar-injection: disabled
{{- end -}}

{{/* Linkerd and Consul. */}}
{{- define "reelkit.noSidecarAnnotations" -}}
linkerd.io/inject: disabled
consul.hashicorp.com/connect-inject: "false"
{{- end -}}

{{- define "reelkit.containerSecurityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: { drop: [ALL] }
{{- end -}}

{{/* Environment of every Reelkit process. Secrets by reference only. */}}
{{- define "reelkit.env" -}}
- name: REELKIT_CONFIG
  value: /etc/reelkit/{{ ternary .Values.existingConfigSecret.key "reelkit.yaml" (ne .Values.existingConfigSecret.name "") }}
# Over what a file of your own says: probes and Services depend on them.
- name: REELKIT_HOST
  value: "0.0.0.0"
- name: REELKIT_PORT
  value: "8080"
- name: REELKIT_HEALTH_PORT
  value: "8081"
- name: REELKIT_TASK_QUEUE
  value: {{ .Values.temporal.taskQueue | quote }}
- name: LIVEKIT_URL
  value: {{ .Values.livekit.url | quote }}
- name: LIVEKIT_API_KEY
  valueFrom:
    secretKeyRef: { name: {{ .Values.livekit.existingSecret | quote }}, key: api-key }
- name: LIVEKIT_API_SECRET
  valueFrom:
    secretKeyRef: { name: {{ .Values.livekit.existingSecret | quote }}, key: api-secret }
- name: REELKIT_ENCRYPTION_KEYS
  valueFrom:
    secretKeyRef: { name: {{ include "reelkit.encryptionSecret" . | quote }}, key: {{ .Values.encryption.key | quote }} }
{{- include "reelkit.redisEnv" (dict "prefix" "LIVEKIT" "redis" .Values.livekit.redis) }}
{{- if include "reelkit.bundlesRedis" . }}
- name: WORKERS_REDIS_ADDRESS
  value: {{ include "reelkit.workersRedisAddress" . | quote }}
- name: WORKERS_REDIS_PASSWORD
  valueFrom:
    secretKeyRef: { {{ include "reelkit.workersRedisSecret" . }} }
{{- else }}
{{- include "reelkit.redisEnv" (dict "prefix" "WORKERS" "redis" .Values.workers.redis) }}
{{- end }}
- name: TEMPORAL_ADDRESS
  value: {{ .Values.temporal.address | quote }}
- name: TEMPORAL_NAMESPACE
  value: {{ .Values.temporal.namespace | quote }}
{{- with .Values.temporal.apiKeySecret }}
{{- if .name }}
- name: TEMPORAL_API_KEY
  valueFrom:
    secretKeyRef: { name: {{ .name | quote }}, key: {{ .key | quote }} }
{{- end }}
{{- end }}
{{- with .Values.temporal.tls }}
{{- if or .enabled .serverName .clientSecret .caSecret }}
- name: TEMPORAL_TLS
  value: "true"
{{- with .serverName }}
- name: TEMPORAL_TLS_SERVER_NAME
  value: {{ . | quote }}
{{- end }}
{{- with .caSecret }}
- name: TEMPORAL_TLS_SERVER_CA_CERT_DATA
  valueFrom:
    secretKeyRef: { name: {{ . | quote }}, key: ca.crt }
{{- end }}
{{- with .clientSecret }}
- name: TEMPORAL_TLS_CLIENT_CERT_DATA
  valueFrom:
    secretKeyRef: { name: {{ . | quote }}, key: tls.crt }
- name: TEMPORAL_TLS_CLIENT_KEY_DATA
  valueFrom:
    secretKeyRef: { name: {{ . | quote }}, key: tls.key }
{{- end }}
{{- end }}
{{- end }}
{{- range .Values.env }}
{{- if eq .name "TEMPORAL_WORKER_BUILD_ID" }}
{{- fail "env sets TEMPORAL_WORKER_BUILD_ID, but this chart rolls one Deployment: recordings pinned to the old build would wait for a worker that is gone. Leave it out; upgrades need no worker versioning (docs/operations.md)" }}
{{- end }}
{{- end }}
{{- with .Values.env }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* What a file of your own need not say, and passwords by reference. Takes {prefix, redis}. */}}
{{- define "reelkit.redisEnv" -}}
{{- with .redis.address }}
- name: {{ $.prefix }}_REDIS_ADDRESS
  value: {{ . | quote }}
{{- end }}
{{- with .redis.username }}
- name: {{ $.prefix }}_REDIS_USERNAME
  value: {{ . | quote }}
{{- end }}
{{- with .redis.passwordSecret }}
{{- if .name }}
- name: {{ $.prefix }}_REDIS_PASSWORD
  valueFrom:
    secretKeyRef: { name: {{ .name | quote }}, key: {{ .key | quote }} }
{{- end }}
{{- end }}
{{- end -}}

{{- define "reelkit.volumeMounts" -}}
- { name: config, mountPath: /etc/reelkit, readOnly: true }
- { name: tmp, mountPath: /tmp }
{{- with .Values.volumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "reelkit.volumes" -}}
- name: config
{{- if .Values.existingConfigSecret.name }}
  secret: { secretName: {{ .Values.existingConfigSecret.name | quote }} }
{{- else }}
  configMap: { name: {{ include "reelkit.fullname" . }} }
{{- end }}
# In memory: a volume on disk would keep cluster-autoscaler from removing the node.
- name: tmp
  emptyDir: { medium: Memory, sizeLimit: 64Mi }
{{- with .Values.volumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* The spec of a Reelkit pod up to its containers. Takes {root, part, component, serviceAccount}. */}}
{{- define "reelkit.podHead" -}}
serviceAccountName: {{ include "reelkit.fullname" .root }}-{{ .serviceAccount }}
# A Service named reelkit would set REELKIT_PORT.
enableServiceLinks: false
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  {{- toYaml .root.Values.podSecurityContext | nindent 2 }}
{{- include "reelkit.placement" .part }}
{{- end -}}

{{/* Takes values with nodeSelector, tolerations, affinity, priorityClassName. */}}
{{- define "reelkit.placement" -}}
{{- with .priorityClassName }}
priorityClassName: {{ . | quote }}
{{- end }}
{{- with .nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}
