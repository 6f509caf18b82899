package libtest

import (
	"os"
	"strings"
	"testing"

	"drrun/lua"
)

const referenceFile = "../../docs/805-testing-libraries.md"

// TestReference keeps docs/805-testing-libraries.md equal to what is declared; -update rewrites it.
func TestReference(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString(`# Reference: what the test of a library can call

Made from the declarations in the program; a stale page fails the tests. How tests are written, with examples: [100-writing-a-library.md](100-writing-a-library.md).

A test file ends with ` + "`_test.lua`" + ` and is run by ` + "`drrun test-lib`" + `. It can require libraries, the modules of [800-reference.md](800-reference.md) that only compute, and this:

## require "test"

`)
	module := Module()
	for i := range module.Funcs {
		lua.WriteFunc(&b, "test.", &module.Funcs[i])
	}
	for _, class := range Classes() {
		b.WriteString("## " + class.Name + "\n\n" + class.Doc + "\n\n")
		name := class.Name
		if class == labClass {
			name = "t.lab"
		}
		lua.WriteClass(&b, name, class)
	}
	text := strings.TrimRight(b.String(), "\n") + "\n"
	if *update {
		if err := os.WriteFile(referenceFile, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if committed, err := os.ReadFile(referenceFile); err != nil || string(committed) != text {
		t.Errorf("docs/805-testing-libraries.md is stale (%v): go test ./plans/libtest -run TestReference -update", err)
	}
}
