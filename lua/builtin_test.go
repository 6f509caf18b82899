package lua

import (
	"errors"
	"sync"
	"testing"
	"testing/fstest"

	"drrun/engine"
)

// TestBuiltinIsCompiledOnce: runtimes, also at the same time, share the text of a built-in module and nothing that it makes.
func TestBuiltinIsCompiledOnce(t *testing.T) {
	t.Parallel()
	const counter = `local n = 0
return function(by) if by == 0 then error("by nothing") end n = n + by return n end`
	embedded := fstest.MapFS{"own/counter.lua": {Data: []byte(counter)}}
	const plan = `local count = require "own.counter"
for _ = 1, 100 do count(1) end
local _, why = pcall(count, 0)
return { count(1), why }`
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			rt := New(Options{Embedded: embedded, ReadFile: func(string) ([]byte, error) { return []byte(plan), nil }})
			var result any
			err := engine.NewScheduler(testEnv).Run(t.Context(), t.Context(), "main", func(task *engine.Task) (err error) {
				result, err = rt.RunFile(task, "main.lua")
				return err
			})
			list, _ := result.([]any)
			if err != nil || len(list) != 2 || list[0] != 101.0 || list[1] != "builtin:own/counter.lua:2:37: by nothing" {
				t.Errorf("returned %v, %v", result, err)
			}
		})
	}
	group.Wait()
	first, err := compileBuiltin("builtin:own/counter.lua", []byte(counter))
	if err != nil {
		t.Fatal(err)
	}
	again, _ := compileBuiltin("builtin:own/counter.lua", []byte(counter))
	if first.proto != again.proto {
		t.Error("the same text is compiled twice")
	}
	if other, err := compileBuiltin("builtin:own/counter.lua", []byte("return nil")); err != nil || other.proto == first.proto {
		t.Errorf("another text under the same name is taken for the first one: %v", err)
	}
	var broken *Diagnostic
	if _, err := compileBuiltin("builtin:own/broken.lua", []byte("return (")); !errors.As(err, &broken) {
		t.Errorf("a module that does not parse: %v", err)
	}
}
