package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"drrun/plans/runner"
)

// TestSecretTyped sets a secret at a terminal: it is asked for twice, is shown nowhere, and two values that differ change nothing.
func TestSecretTyped(t *testing.T) {
	home := t.TempDir()
	set := func(typed ...string) (exit int, shown string) {
		env, stdout, stderr := testEnv(strings.NewReader(""))
		env.IsTerminal = func(any) bool { return true }
		env.Getenv = configAt(home)
		env.SaveTerminal = func() func() { return func() {} }
		env.ReadSecret = func() (string, error) {
			next := typed[0]
			typed = typed[1:]
			return next, nil
		}
		exit = Main(env, []string{"drrun", "secrets", "set", "primary_password"})
		return exit, stdout.String() + stderr.String()
	}
	file := filepath.Join(home, "drrun", secretsName)
	exit, shown := set("sesame", "sesamee")
	if _, err := os.Stat(file); exit != runner.ExitRefused || !strings.Contains(shown, "the two values differ; nothing was changed") || err == nil {
		t.Errorf("exit %d: %s", exit, shown)
	}
	exit, shown = set("sesame", "sesame")
	if exit != runner.ExitDone || strings.Contains(shown, "sesame") {
		t.Errorf("exit %d: %s", exit, shown)
	}
	env, _, _ := testEnv(strings.NewReader(""))
	env.Getenv = configAt(home)
	value, found, err := env.secretStore(env.wall().FS).find("primary_password")
	if value != "sesame" || !found || err != nil {
		t.Errorf("found %q, %v, %v", value, found, err)
	}
}

// configAt is an environment whose only variable names the folder of the configuration.
func configAt(folder string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		if name == "XDG_CONFIG_HOME" {
			return folder, true
		}
		return "", false
	}
}

// TestSecretStoreDamaged sees that a file that was changed, or belongs to another key, is refused as a whole and left as it is.
func TestSecretStoreDamaged(t *testing.T) {
	env, _, _ := testEnv(strings.NewReader(""))
	home := t.TempDir()
	env.Getenv = configAt(home)
	store := env.secretStore(env.wall().FS)
	put := func(secrets map[string]string) error {
		secrets["pw"] = "sesame"
		return nil
	}
	if err := store.change(put); err != nil {
		t.Fatal(err)
	}
	sound, err := os.ReadFile(store.file)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(sound); i += 7 {
		damaged := append([]byte{}, sound...)
		damaged[i] ^= 1
		if err := os.WriteFile(store.file, damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, _, err := store.find("pw"); err == nil {
			t.Errorf("a changed byte %d of %d was not noticed", i, len(sound))
		}
	}
	if err := os.WriteFile(store.file, sound, 0o600); err != nil {
		t.Fatal(err)
	}
	store.key = filepath.Join(home, "other.key")
	if _, err := store.makeIdentity(); err != nil {
		t.Fatal(err)
	}
	if err := store.change(put); err == nil || !strings.Contains(err.Error(), "with the key "+store.key) {
		t.Errorf("another key: %v", err)
	}
	if left, err := os.ReadFile(store.file); err != nil || string(left) != string(sound) {
		t.Errorf("the file was changed: %v", err)
	}
}
