package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"drrun/engine"
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

// TestSharedKey: a key that others can read seals, and each run says so.
func TestSharedKey(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	env, _, stderr := testEnv(strings.NewReader(""))
	if exit := Main(env, []string{"drrun", "keygen", "-o", dir}); exit != 0 {
		t.Fatalf("exit %d: %s", exit, stderr)
	}
	file := filepath.Join(dir, privateKeyName)
	env.Getenv = func(name string) (string, bool) { return file, name == signingKeyVariable }
	for mode, want := range map[os.FileMode]string{0o600: "", 0o400: "", 0o640: "chmod 600 " + file, 0o644: "chmod 600 " + file} {
		if err := os.Chmod(file, mode); err != nil {
			t.Fatal(err)
		}
		key, warnings := env.signer(engine.SystemEnv(1).FS)
		if got := strings.Join(warnings, "\n"); key == nil || (want == "") != (got == "") || !strings.Contains(got, want) {
			t.Errorf("%o: key %v, %q, want %q", mode, key != nil, got, want)
		}
	}
}

// TestGoOnFromAMirror: a run in the folder of its mirror is taken over from there.
func TestGoOnFromAMirror(t *testing.T) {
	t.Parallel()
	share, err := filepath.Abs("share")
	if err != nil {
		t.Fatal(err)
	}
	cases := []struct{ name, flag, mirror, by, want string }{
		{"no --state", "", share, "dr1", ""},
		{"no mirror", "share", "", "dr1", " --state share"},
		{"its mirror", "share", share, "dr1", " --from-mirror share"},
		{"its state folder", "state", share, "dr1", " --state state"},
		{"its mirror, on another machine", "mnt", share, "dr2", " --from-mirror mnt"},
	}
	for _, c := range cases {
		if got := placeArgument(c.flag, &engine.RunInfo{Mirror: c.mirror, By: engine.By{Host: c.by}}, "dr1"); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}
