{{/* What the release's objects are called after, without an override: short where the release is called netdiag. */}}
{{- define "netdiag.short-name" -}}
{{ .Values.nameOverride | default .Chart.Name }}
{{- end }}

{{/* Names of the release's objects. */}}
{{- define "netdiag.name" -}}
{{- $name := include "netdiag.short-name" . -}}
{{- if .Values.fullnameOverride }}{{ .Values.fullnameOverride }}
{{- else if eq .Release.Name $name }}{{ $name }}
{{- else }}{{ printf "%s-%s" .Release.Name $name | trunc 40 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{/* What selects a component's pods; never changes within a release. */}}
{{- define "netdiag.selector" -}}
app.kubernetes.io/name: {{ include "netdiag.short-name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{/* Labels of an object: the chart's, then those of its own value in `extra`, then those of every object. */}}
{{- define "netdiag.labels" -}}
{{- $chart := dict
  "app.kubernetes.io/version" .root.Chart.AppVersion
  "app.kubernetes.io/managed-by" .root.Release.Service
  "helm.sh/chart" (printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_")
-}}
{{- toYaml (merge (fromYaml (include "netdiag.selector" .)) $chart (.extra | default dict) .root.Values.commonLabels) }}
{{- end }}

{{/* The service account of a component. */}}
{{- define "netdiag.account" -}}
{{- $values := get .root.Values .component -}}
{{ $values.serviceAccount.name | default (printf "%s-%s" (include "netdiag.name" .root) .component) }}
{{- end }}

{{/* An image by digest where one is given, else by tag. */}}
{{- define "netdiag.image" -}}
{{- $values := .root.Values -}}
{{- $registry := .image.registry | default $values.image.registry | default ($values.global).imageRegistry -}}
{{- $path := .image.repository -}}
{{- if $registry }}
{{- $path = printf "%s/%s" $registry $path -}}
{{- else if not (regexMatch "^([^/]*[.:][^/]*|localhost)/" $path) }}
{{- fail "image.registry is not set: no public registry has the images of netdiag. Build them, push them (docs/install.md, Images) and say where they are: --set image.registry=registry.example.com/netdiag" }}
{{- end }}
{{- if .image.digest }}{{ $path }}@{{ .image.digest }}
{{- else }}{{ $path }}:{{ .image.tag | default $values.image.tag | default .root.Chart.AppVersion }}
{{- end }}
{{- end }}

{{/* Secrets for the images: those of the chart and those that charts share, which may be plain names. */}}
{{- define "netdiag.pull-secrets" -}}
{{- $secrets := list -}}
{{- range concat .Values.image.pullSecrets (($.Values.global).imagePullSecrets | default list) }}
{{- $secrets = append $secrets (kindIs "string" . | ternary (dict "name" .) .) }}
{{- end }}
{{- with $secrets -}}
imagePullSecrets:
  {{- toYaml (uniq .) | nindent 2 }}
{{- end }}
{{- end }}

{{/* The controller's pod; on OpenShift the platform says as which user it runs. */}}
{{- define "netdiag.controller-pod-security" -}}
{{- $context := .Values.controller.podSecurityContext -}}
{{- if .Values.openshift.enabled }}{{ $context = omit $context "runAsUser" "runAsGroup" "fsGroup" }}{{ end -}}
{{ toYaml $context }}
{{- end }}

{{/* The agent's container: its profiles, and over them its security context. */}}
{{- define "netdiag.agent-security" -}}
{{- $values := .Values.agent -}}
{{- $context := dict "seccompProfile" $values.seccompProfile "appArmorProfile" $values.appArmorProfile -}}
{{- $selinux := $values.seLinuxOptions -}}
{{- if and .Values.openshift.enabled (not $selinux) }}{{ $selinux = dict "type" "spc_t" }}{{ end -}}
{{- if $selinux }}{{ $_ := set $context "seLinuxOptions" $selinux }}{{ end -}}
{{ toYaml (mergeOverwrite $context (deepCopy $values.securityContext)) }}
{{- end }}
