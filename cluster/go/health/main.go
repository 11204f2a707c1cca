// Command health tells how objects are, as those who deploy them see it: kstatus by the code that Flux and kubectl's
// relatives call, and Argo CD's health by a Lua script, run as Argo CD runs it.
//
// It reads objects as JSON from standard input, one after the other, and writes one line of JSON for each.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/cli-utils/pkg/kstatus/status"
)

type finding struct {
	Status  string `json:"status"`
	Message string `json:"message"`
}

type findings struct {
	Kstatus finding  `json:"kstatus"`
	Argo    *finding `json:"argo,omitempty"`
}

func main() {
	file := flag.String("lua", "", "Argo CD's health script for the objects; without it kstatus alone is told")
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "usage: health [-lua FILE] < OBJECTS\n\nTells the health of objects, JSON one after the other, as kstatus and Argo CD see it.")
		flag.PrintDefaults()
	}
	flag.Parse()
	if err := run(*file, os.Stdin, os.Stdout); err != nil {
		fmt.Fprintf(os.Stderr, "health: %v\n", err)
		os.Exit(1)
	}
}

func run(file string, in io.Reader, out io.Writer) error {
	script := []byte{}
	if file != "" {
		read, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		script = read
	}
	decoder, encoder := json.NewDecoder(bufio.NewReader(in)), json.NewEncoder(out)
	for number := 1; ; number++ {
		var raw json.RawMessage
		if err := decoder.Decode(&raw); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("object %d: expected JSON: %w", number, err)
		}
		found, err := judge(raw, string(script))
		if err != nil {
			return fmt.Errorf("object %d: %w", number, err)
		}
		if err := encoder.Encode(found); err != nil {
			return err
		}
	}
}

func judge(raw []byte, script string) (*findings, error) {
	object := &unstructured.Unstructured{}
	if err := object.UnmarshalJSON(raw); err != nil {
		return nil, err
	}
	computed, err := status.Compute(object)
	if err != nil {
		return nil, fmt.Errorf("kstatus: %w", err)
	}
	found := &findings{Kstatus: finding{Status: computed.Status.String(), Message: computed.Message}}
	if script != "" {
		argo, err := argoHealth(object, script)
		if err != nil {
			return nil, fmt.Errorf("Argo CD: %w", err)
		}
		found.Argo = argo
	}
	return found, nil
}
