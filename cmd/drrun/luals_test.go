//go:build luals

package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"drrun/plans"
)

// judge is a language server's program: what luals.sh printed.
var judge = flag.String("judge", "", "the program that luals.sh printed")

// warning is what an editor says of a line.
type warning struct {
	file string // below the folder
	line int    // from 1
	code string
	text string
}

// emmylua tells whether the judge is the second one. It takes the type of unknown keys for that of all keys, so that is taken away, and
// lets no text stand where one of several names is wanted, so it judges no names; and it sees less.
func emmylua() bool { return filepath.Base(*judge) == "emmylua_check" }

// TestLuaLS lets a language server read the examples with the types that drrun types writes: it finds nothing. In a plan with mistakes it
// finds each of them, at its line, and nothing else; wrong names only with --inventory.
func TestLuaLS(t *testing.T) {
	if *judge == "" {
		t.Fatal("run `make luals`")
	}
	t.Logf("the judge is %s", *judge)
	examples, err := filepath.Glob("../../examples/*/*.lua")
	if err != nil || len(examples) < 20 {
		t.Fatalf("examples: %v, %v", examples, err)
	}
	var folders []string
	for _, file := range examples {
		if folder := filepath.Dir(file); !slices.Contains(folders, folder) {
			folders = append(folders, folder)
		}
	}
	for _, folder := range folders {
		for _, names := range []bool{false, true} {
			if names && (emmylua() || !exists(filepath.Join(folder, "plan.lua"))) {
				continue
			}
			t.Run(fmt.Sprintf("%s/names=%t", filepath.Base(folder), names), func(t *testing.T) {
				dir := withTypes(t, folder, names)
				for _, found := range judged(t, dir) {
					t.Errorf("%s:%d: %s [%s]", found.file, found.line, found.text, found.code)
				}
			})
		}
	}
	for _, names := range []bool{false, true} {
		if names && emmylua() {
			continue
		}
		t.Run(fmt.Sprintf("mistakes/names=%t", names), func(t *testing.T) { judgeMistakes(t, names) })
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// withTypes copies a folder and writes the types into it. A file that is called like a module gets another name: the editor would take
// one for the other.
func withTypes(t *testing.T, folder string, names bool) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(folder)); err != nil {
		t.Fatal(err)
	}
	if filepath.Base(folder) == "modules" {
		files, err := filepath.Glob(filepath.Join(dir, "*.lua"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if err := os.Rename(file, filepath.Join(dir, "hook_"+filepath.Base(file))); err != nil {
				t.Fatal(err)
			}
		}
	}
	args := []string{"drrun", "types", "--dir", dir}
	if names {
		writeInventory(t, filepath.Join(dir, "plan.lua"))
		args = append(args, "--inventory")
	}
	var said bytes.Buffer
	env := SystemEnv()
	env.Stdout, env.Stderr = &said, &said
	if exit := Main(env, args); exit != 0 {
		t.Fatalf("%v: exit code %d: %s", args, exit, said.String())
	}
	if emmylua() {
		withoutUnknownKeys(t, dir)
	}
	return dir
}

// writeInventory writes the inventory of the two sites of the examples.
func writeInventory(t *testing.T, plan string) {
	t.Helper()
	site := func(cluster string) plans.InventorySite {
		return plans.InventorySite{
			DataCenters: []string{"Default"}, Clusters: []plans.InventoryCluster{{Name: cluster, DataCenter: "Default"}},
			Profiles: []plans.ProfileRef{{DataCenter: "Default", Network: "lan", Profile: "lan"}},
		}
	}
	inventory := plans.Inventory{
		Schema:  plans.InventorySchema,
		Sites:   plans.InventorySites{Primary: site("Prod"), Secondary: site("Recovery")},
		Domains: []plans.InventoryDomain{{ID: "a3c68f70-dff9-4bb2-86a2-f7fe4a597db9", Name: "nfs_ds"}},
		VMs:     []plans.InventoryVM{{ID: "bc006e5f-ad2e-4023-b5d5-5fc6f58df77c", Name: "vm1"}},
	}
	text, err := inventory.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(plans.InventoryFile(plan), text, 0o600); err != nil {
		t.Fatal(err)
	}
}

func withoutUnknownKeys(t *testing.T, dir string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, ".drrun", "types", "*.lua"))
	if err != nil || len(files) < 20 {
		t.Fatalf("definition files: %v, %v", files, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, bytes.ReplaceAll(text, []byte("---@field [string] unknown_key\n"), nil), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// judged returns what the judge says of the Lua files in a folder, the definition files among them.
func judged(t *testing.T, dir string) []warning {
	t.Helper()
	out := filepath.Join(t.TempDir(), "found.json")
	args := []string{"--check", dir, "--check_format=json", "--check_out_path=" + out, "--logpath=" + t.TempDir()}
	if emmylua() {
		args = []string{dir, "--severity", "warn", "--output-format", "json", "--output", out}
	}
	said, err := exec.Command(*judge, args...).CombinedOutput() // its exit code says that something was found
	text, readErr := os.ReadFile(out)
	if readErr != nil {
		t.Fatalf("%s %s (%v) wrote no result: %s", *judge, strings.Join(args, " "), err, said)
	}
	found := readWarnings(t, text)
	for i := range found {
		below, err := filepath.Rel(dir, found[i].file)
		if err != nil {
			t.Fatal(err)
		}
		found[i].file = filepath.ToSlash(below)
	}
	return found
}

// finding is what both judges write of a warning.
type finding struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Range   struct {
		Start struct {
			Line int `json:"line"`
		} `json:"start"`
	} `json:"range"`
}

func (f finding) at(file string) warning {
	first, _, _ := strings.Cut(f.Message, "\n")
	return warning{file: file, line: f.Range.Start.Line + 1, code: f.Code, text: first}
}

func readWarnings(t *testing.T, text []byte) []warning {
	t.Helper()
	var found []warning
	if emmylua() {
		var files []struct {
			File        string    `json:"file"`
			Diagnostics []finding `json:"diagnostics"`
		}
		if err := json.Unmarshal(text, &files); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		for _, file := range files {
			for _, one := range file.Diagnostics {
				if one.Code != "inject-field" && one.Code != "unresolved-require" { // of list[2] = … too; and of a library of --lib
					found = append(found, one.at(file.File))
				}
			}
		}
		return found
	}
	if bytes.HasPrefix(bytes.TrimSpace(text), []byte("[")) { // an empty table is an empty list there
		return nil
	}
	var files map[string][]finding
	if err := json.Unmarshal(text, &files); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	for name, list := range files {
		address, err := url.Parse(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, one := range list {
			found = append(found, one.at(address.Path))
		}
	}
	return found
}

var mistakeMark = regexp.MustCompile(`--@ (warns|names) ([\w-]+)`)

// judgeMistakes compares what is found in the plan with mistakes with the marks in it.
func judgeMistakes(t *testing.T, names bool) {
	dir := withTypes(t, "testdata/luals", names)
	found := map[string][]string{}
	for _, one := range judged(t, dir) {
		place := fmt.Sprintf("%s:%d", one.file, one.line)
		found[place] = append(found[place], one.code)
	}
	marks, seen := 0, 0
	for _, file := range []string{"plan.lua", "lib/site/array.lua"} {
		text, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(file)))
		if err != nil {
			t.Fatal(err)
		}
		for i, line := range strings.Split(string(text), "\n") {
			place := fmt.Sprintf("%s:%d", file, i+1)
			got, want := found[place], []string(nil)
			delete(found, place)
			if mark := mistakeMark.FindStringSubmatch(line); mark != nil && (mark[1] == "warns" || names) {
				want = []string{mark[2]}
				marks++
			}
			if len(got) > 0 && len(want) > 0 {
				seen++
			}
			if !emmylua() && !slices.Equal(got, want) {
				t.Errorf("%s: found %v, not %v: %s", place, got, want, line)
			}
		}
	}
	if marks < 35 {
		t.Errorf("%d marks only", marks)
	}
	if seen < marks*2/3 {
		t.Errorf("%d of %d mistakes were found", seen, marks)
	}
	for place, codes := range found {
		t.Errorf("%s: found %v", place, codes)
	}
	t.Logf("%d of %d mistakes were found", seen, marks)
}
