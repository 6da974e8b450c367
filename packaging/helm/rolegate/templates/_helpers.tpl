{{- define "rolegate.name" -}}
{{- .Release.Name | trunc 52 | trimSuffix "-" -}}
{{- end -}}

{{- define "rolegate.selector" -}}
app.kubernetes.io/name: rolegate
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end -}}

{{- define "rolegate.labels" -}}
{{ include "rolegate.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | quote }}
{{- end -}}
