{{/* Labels of a component's objects: call with (dict "component" NAME "root" $). */}}
{{- define "modelport.labels" -}}
app.kubernetes.io/name: modelport
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
{{- end }}

{{- define "modelport.selector" -}}
app.kubernetes.io/name: modelport
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{/* Name of the Lease that the operator that works holds. */}}
{{- define "modelport.lease" -}}
modelport-operator
{{- end }}

{{/* Whether there are network policies; nil as `helm upgrade --reuse-values` leaves them. */}}
{{- define "modelport.isolates" -}}
{{- if dig "enabled" true (.Values.networkPolicies | default dict) }}true{{ end }}
{{- end }}

{{/* Security contexts that pass Pod Security "restricted". */}}
{{- define "modelport.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "modelport.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{/* Names of the Secrets to pull images with, separated by commas. */}}
{{- define "modelport.pullSecrets" -}}
{{- range $number, $secret := .Values.imagePullSecrets }}{{ if $number }},{{ end }}{{ $secret.name }}{{ end }}
{{- end }}
