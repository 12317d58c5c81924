{{/* Where a PodMonitor or a ServiceMonitor looks, and what it calls the job. */}}
{{- define "netdiag.monitored" -}}
namespaceSelector:
  matchNames: [{{ .root.Release.Namespace }}]
{{- with .monitor.jobLabel }}
jobLabel: {{ . }}
{{- end }}
{{- end }}

{{/* One endpoint of a PodMonitor or a ServiceMonitor. */}}
{{- define "netdiag.endpoint" -}}
{{- $monitor := .monitor -}}
- port: metrics
  interval: {{ $monitor.interval }}
  {{- with $monitor.scrapeTimeout }}
  scrapeTimeout: {{ . }}
  {{- end }}
  {{- with $monitor.scheme }}
  scheme: {{ . }}
  {{- end }}
  {{- with $monitor.tlsConfig }}
  tlsConfig:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .root.Values.metrics.tokenSecret }}
  authorization:
    credentials:
      name: {{ . }}
      key: token
  {{- end }}
  {{- with $monitor.relabelings }}
  relabelings:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $monitor.metricRelabelings }}
  metricRelabelings:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}
