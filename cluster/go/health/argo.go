package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	lua "github.com/yuin/gopher-lua"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	luajson "layeh.com/gopher-json"
)

// Argo CD gives a script one second.
const patience = time.Second

var healths = []string{"Healthy", "Progressing", "Degraded", "Suspended", "Missing", "Unknown"}

// The libraries of a script from argocd-cm, in Argo CD's order; its os.time and os.date are left out here, because a
// health that follows from the clock is one that no object shows.
var libraries = []struct {
	name string
	open lua.LGFunction
}{
	{lua.LoadLibName, lua.OpenPackage},
	{lua.BaseLibName, lua.OpenBase},
	{lua.TabLibName, lua.OpenTable},
}

// argoHealth returns what Argo CD shows: what is being deleted is Progressing before any script is asked.
func argoHealth(object *unstructured.Unstructured, script string) (*finding, error) {
	if object.GetDeletionTimestamp() != nil {
		return &finding{Status: "Progressing", Message: "Pending deletion"}, nil
	}
	state := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer state.Close()
	for _, library := range libraries {
		call := lua.P{Fn: state.NewFunction(library.open), NRet: 0, Protect: true}
		if err := state.CallByParam(call, lua.LString(library.name)); err != nil {
			return nil, err
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	state.SetContext(ctx)
	state.SetGlobal("obj", asLua(state, object.Object))
	if err := state.DoString(script); err != nil {
		return nil, err
	}
	returned := state.Get(-1)
	if returned.Type() != lua.LTTable {
		return nil, fmt.Errorf("expected the script to return a table, found %s", returned.Type())
	}
	encoded, err := luajson.Encode(returned)
	if err != nil {
		return nil, err
	}
	found := &finding{}
	if err := json.Unmarshal(encoded, found); err != nil {
		return nil, fmt.Errorf("expected a table with status and message, found %s: %w", encoded, err)
	}
	if !slices.Contains(healths, found.Status) {
		return nil, fmt.Errorf("expected a status of %v, found %q", healths, found.Status)
	}
	return found, nil
}

func asLua(state *lua.LState, value any) lua.LValue {
	switch known := value.(type) {
	case bool:
		return lua.LBool(known)
	case string:
		return lua.LString(known)
	case int64:
		return lua.LNumber(known)
	case float64:
		return lua.LNumber(known)
	case []any:
		table := state.CreateTable(len(known), 0)
		for _, each := range known {
			table.Append(asLua(state, each))
		}
		return table
	case map[string]any:
		table := state.CreateTable(0, len(known))
		for name, each := range known {
			table.RawSetH(lua.LString(name), asLua(state, each))
		}
		return table
	}
	return lua.LNil
}
