//go:build tools

// Package helm only pins Helm: `go build helm.sh/helm/v3/cmd/helm` builds the locked version.
package helm

import _ "helm.sh/helm/v3/cmd/helm"
