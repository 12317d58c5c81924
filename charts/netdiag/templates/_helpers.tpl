{{/* Names of the release's objects: short where the release is called netdiag. */}}
{{- define "netdiag.name" -}}
{{- if eq .Release.Name .Chart.Name }}{{ .Chart.Name }}{{ else }}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 40 | trimSuffix "-" }}{{ end }}
{{- end }}

{{/* What selects a component's pods; never changes within a release. */}}
{{- define "netdiag.selector" -}}
app.kubernetes.io/name: {{ .root.Chart.Name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "netdiag.labels" -}}
{{ include "netdiag.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- end }}

{{/* An image by digest where one is given, else by tag. */}}
{{- define "netdiag.image" -}}
{{- $path := printf "%s/%s" .root.Values.image.registry .image.name -}}
{{- if .image.digest }}{{ $path }}@{{ .image.digest }}{{ else }}{{ $path }}:{{ .root.Values.image.tag | default .root.Chart.AppVersion }}{{ end }}
{{- end }}
