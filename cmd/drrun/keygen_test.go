package main

import (
	"path/filepath"
	"strings"
	"testing"
)

// TestKeygenNamesTheWholePath: the shell that exports the key may run drrun from another folder.
func TestKeygenNamesTheWholePath(t *testing.T) {
	t.Chdir(t.TempDir())
	env, stdout, stderr := testEnv(strings.NewReader(""))
	if exit := Main(env, []string{"drrun", "keygen", "-o", "keys"}); exit != 0 {
		t.Fatalf("exit %d: %s", exit, stderr)
	}
	whole, err := filepath.Abs("keys/signing.key")
	if err != nil {
		t.Fatal(err)
	}
	if want := "export DRRUN_SIGNING_KEY=" + whole + ", where drrun runs"; !strings.Contains(stdout.String(), want) {
		t.Errorf("it does not say %q:\n%s", want, stdout)
	}
}
