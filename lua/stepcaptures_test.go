package lua

import (
	"slices"
	"strings"
	"testing"
)

func TestStepCaptures(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, code, want string }{ // want are the places of what is found
		{"a local of the file", "local n\nctx:step('x', function() n = 1 end)", "2:26"},
		{"a field of it", "local t = {}\nctx:step('x', function() t.a.b = 1 end)", "2:26"},
		{"its method", "local t = {}\nctx:step('x', function() function t:go() end end)", "2:35"},
		{"in an inner function", "local n\nctx:step('x', function() each(function() n = 1 end) end)", "2:42"},
		{"behind the scope of a local with that name", "local n\nctx:step('x', function() do local n end n = 1 end)", "2:41"},
		{"in the value of a local with that name", "local n\nctx:step('x', function() local n = f(function() n = 1 end) end)", "2:49"},
		{"a local of the step", "ctx:step('x', function() local n; n = 1 end)", ""},
		{"a parameter", "ctx:step('x', function(n) n = 1 end)", ""},
		{"a local of an inner function", "ctx:step('x', function() return function() local n; return function() n = 1 end end end)", ""},
		{"self of a method that the step makes", "ctx:step('x', function() local t = {}; function t:go() self.n = 1 end end)", ""},
		{"loop variables", "ctx:step('x', function() for i = 1, 2 do i = 3 end for k in pairs {} do k = 1 end end)", ""},
		{"a local of a repeat, in its condition", "ctx:step('x', function() repeat local n until f(function() n = 1 end) end)", ""},
		{"outside of a step", "local n\nn = 1", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			for _, d := range StepCaptures("x", []byte(c.code)) {
				got = append(got, strings.TrimPrefix(d.Pos.String(), "x:"))
			}
			if want := strings.Fields(c.want); !slices.Equal(got, want) {
				t.Errorf("found %q, want %q", got, want)
			}
		})
	}
}
