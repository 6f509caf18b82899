package lua

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"testing"

	glua "github.com/yuin/gopher-lua"
	"github.com/yuin/gopher-lua/parse"
)

// equalCode reports whether two compiled functions do the same; only their line numbers may differ.
func equalCode(a, b *glua.FunctionProto) bool {
	return slices.Equal(a.Code, b.Code) && slices.EqualFunc(a.Constants, b.Constants, equalConstant) && a.NumParameters == b.NumParameters &&
		a.IsVarArg == b.IsVarArg && a.NumUpvalues == b.NumUpvalues && slices.EqualFunc(a.FunctionPrototypes, b.FunctionPrototypes, equalCode)
}

// equalConstant is ==, and takes two numbers that are none as equal: gopher-lua reads 0e as one.
func equalConstant(a, b glua.LValue) bool {
	x, isNumber := a.(glua.LNumber)
	y, alsoNumber := b.(glua.LNumber)
	return a == b || isNumber && alsoNumber && x != x && y != y
}

// FuzzSpread holds the copy with one token a line against gopher-lua's own reading of the original: where that compiles, the copy
// compiles to the same code, and where it does not, we say so with a place inside the file.
func FuzzSpread(f *testing.F) {
	files, err := filepath.Glob("testdata/diagnostics/*.lua")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	for _, text := range []string{
		longPlan(3), "return 007, 0x10, 1e3, .5, 3., 0", "local f = (g)(1)(2)\n(h)(3)", "goto a ::a:: return [[x\n]y]], [==[]]]==]", `return "\65\n\"\\", 'a"b'`,
		"return a.b:c{1, x = 2; 3}", "--[[ c ]] -- d\nreturn -1 ^ 2 .. 'x'", "#!/usr/bin/env drrun\nreturn 1", "return function(a, ...) return ... end",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		original := text
		if len(text) > 0 && text[0] == '#' {
			original = append([]byte("--"), text...)
		}
		var want *glua.FunctionProto
		chunk, err := parse.Parse(bytes.NewReader(original), "x")
		if err == nil {
			guardConcats(chunk)
			want, err = glua.Compile(chunk, "x")
		}
		src, got, ourErr := compileSource("x.lua", markOf(1), text)
		if (err == nil) != (ourErr == nil) {
			t.Fatalf("gopher-lua says %v, we say %v\n%s", err, ourErr, text)
		}
		if ourErr != nil {
			pos := ourErr.(*Diagnostic).Pos
			if pos.Line < 1 || pos.Line > len(src.lines) || pos.Col < 1 {
				t.Errorf("the error %v has no place in the file", ourErr)
			}
			return
		}
		if !equalCode(want, got) {
			t.Errorf("other code for\n%s", text)
		}
	})
}
