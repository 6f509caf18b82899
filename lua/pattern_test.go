package lua

import (
	"context"
	"errors"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	glua "github.com/yuin/gopher-lua"
)

// TestPatternsAreThoseOfLua compares with what Lua 5.1.5 printed.
func TestPatternsAreThoseOfLua(t *testing.T) {
	t.Parallel()
	program, err := os.ReadFile("testdata/patterns.lua")
	if err != nil {
		t.Fatal(err)
	}
	golden, err := os.ReadFile("testdata/patterns.txt")
	if err != nil {
		t.Fatal(err)
	}
	_, got, err := run(t, t.Context(), map[string]string{"main.lua": string(program)})
	if err != nil {
		t.Fatal(rendered(err))
	}
	want := strings.Split(strings.TrimSuffix(string(golden), "\n"), "\n")
	if len(got) != len(want) {
		t.Errorf("%d lines, want %d", len(got), len(want))
	}
	pattern := ""
	for i := range min(len(got), len(want)) {
		line := strings.TrimPrefix(got[i], "print ")
		if !strings.HasPrefix(line, "  ") {
			pattern = line
		}
		if line != want[i] {
			t.Fatalf("pattern %s:\n got %s\nwant %s", pattern, line, want[i])
		}
	}
}

// TestMatchingEndsWithTheContext has patterns that would match for hours.
func TestMatchingEndsWithTheContext(t *testing.T) {
	t.Parallel()
	for _, code := range []string{
		`("a"):rep(15000):find(".-.-.-b")`, `("a"):rep(15000):match(".*.*.*b")`, `("a"):rep(15000):gsub(".+.+.+b", "")`, `for _ in ("a"):rep(15000):gmatch("a?.-a?.-b") do end`,
		`("("):rep(1e6):gsub("%b()", "")`, `pcall(string.find, ("a"):rep(15000), "[%d]-.-.-b")`, `("a"):rep(1e6):gsub(".", function() return ("a"):rep(1e4):find(".-.-b") end)`,
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		_, _, err := run(t, ctx, map[string]string{"main.lua": code})
		cancel()
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: ended with %v", code, err)
		}
	}
}

func TestPatternsCannotOverflowTheStack(t *testing.T) {
	t.Parallel()
	_, _, err := run(t, t.Context(), map[string]string{"main.lua": `return ("a"):rep(5e6):find(("a?"):rep(5e6))`})
	if err == nil || !strings.Contains(err.Error(), "pattern too complex") {
		t.Errorf("ended with %v", err)
	}
}

// alikePattern are the patterns that gopher-lua reads as Lua 5.1 does: it has no %f, takes ^ in gmatch and errors inside of a pattern
// that is not reached otherwise, and gets ranges that begin or end with a class wrong.
var alikePattern = regexp.MustCompile(`^\^?((([a-z ]|\.|%[acdlpsuwxzACDLPSUWXZ.%]|\[\^?([a-z]|[a-c]-[x-z]|%[adsw])+\])[*+?-]?)|\(\)|\(([a-z.]|%[aw])[*+?-]?\)|%b\(\)){1,5}\$?$`)

// FuzzPattern holds find, match and gsub against those of gopher-lua. Of other patterns it asks only that they end without a panic.
func FuzzPattern(f *testing.F) {
	for _, seed := range [][2]string{
		{"  key = value", `^%s*(%w+)()`}, {"aab", `a-(b)`}, {"f(x(y))", `%b()`}, {"10.24", `[%d]+.x?`}, {"aXb", `[^a-z]$`}, {"abab", `(.)%1`}, {"THE (fox)", `%f[%w]%u+`}, {"a", `[a-%%]`},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, text, pattern string) {
		if len(text) > 50 || len(pattern) > 50 {
			return
		}
		ours, theirs := glua.NewState(), glua.NewState()
		defer ours.Close()
		defer theirs.Close()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		ours.SetContext(ctx)
		library := theirs.GetGlobal("string").(*glua.LTable)
		for _, c := range []struct {
			name string
			fn   glua.LGFunction
			rest []glua.LValue
		}{
			{"find", stringFind, nil}, {"match", stringMatch, nil}, {"gsub", stringGsub, []glua.LValue{glua.LString("<%0>")}},
		} {
			args := append([]glua.LValue{glua.LString(text), glua.LString(pattern)}, c.rest...)
			got, err := results(ours, ours.NewFunction(c.fn), args)
			if api := (*glua.ApiError)(nil); errors.As(err, &api) && api.Type == glua.ApiErrorPanic {
				t.Fatal(err)
			}
			if !alikePattern.MatchString(pattern) {
				continue
			}
			want, _ := results(theirs, library.RawGetString(c.name), args)
			if got != want {
				t.Errorf("%s(%q, %q): got %s, want %s", c.name, text, pattern, got, want)
			}
		}
	})
}

// results calls a Lua function and joins its first results, which are texts, numbers and nil.
func results(L *glua.LState, fn glua.LValue, args []glua.LValue) (string, error) {
	const count = 8
	if err := L.CallByParam(glua.P{Fn: fn, NRet: count, Protect: true}, args...); err != nil {
		return "error", err
	}
	all := make([]string, count)
	for i := range all {
		all[i] = L.Get(i - count).String()
	}
	L.Pop(count)
	return strings.Join(all, "|"), nil
}
