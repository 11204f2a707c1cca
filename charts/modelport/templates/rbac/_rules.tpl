{{/* What the operator may do, and nothing else: no access to Secrets. */}}
{{- define "modelport.operatorRules" -}}
- apiGroups: [modelport.dev]
  resources: [modelconversions]
  verbs: [get, list, watch]
- apiGroups: [modelport.dev]
  resources: [modelconversions/status]
  verbs: [patch, update]
- apiGroups: [modelport.dev]
  resources: [modelconversions/finalizers] # to set blockOwnerDeletion on children
  verbs: [update]
- apiGroups: [batch]
  resources: [jobs]
  verbs: [get, list, watch, create, delete]
{{ include "modelport.servingRules" . }}
- apiGroups: [""]
  resources: [pods]
  verbs: [get, list, watch]
- apiGroups: [""]
  resources: [pods/log]
  verbs: [get]
- apiGroups: ["", events.k8s.io]
  resources: [events]
  verbs: [get, list, watch, create, patch]
{{- end }}

{{/* What those may do who look at models, and those who make them. */}}
{{- define "modelport.viewRules" -}}
- apiGroups: [modelport.dev]
  resources: [modelconversions]
  verbs: [get, list, watch]
{{- end }}

{{- define "modelport.editRules" -}}
- apiGroups: [modelport.dev]
  resources: [modelconversions, modelconversions/scale]
  verbs: [get, list, watch, create, update, patch, delete]
{{- end }}
