//go:build tools

// Package engines only pins what the tests of autoscaling run: `go build` of these packages builds the locked versions.
package engines

import (
	_ "github.com/kedacore/keda/v2/cmd/adapter"
	_ "github.com/kedacore/keda/v2/cmd/operator"
	_ "sigs.k8s.io/metrics-server/cmd/metrics-server"
)
