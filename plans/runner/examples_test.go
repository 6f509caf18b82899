package runner_test

import (
	"encoding/pem"
	"fmt"
	"io/fs"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"drrun/ovirt/lab"
	"drrun/plans/runner"
)

var expectation = regexp.MustCompile(`(?m)^--@ (exit|started) (.*)$`)

// TestExamples runs every plan under examples on the two-site lab; its first lines say how it must end, and which VMs start in which
// order, groups that start together divided by "|".
func TestExamples(t *testing.T) {
	t.Parallel()
	server := httptest.NewTLSServer(nil)
	server.Close()
	certificate := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
	folders, err := filepath.Glob("../../examples/*/plan.lua")
	if err != nil || len(folders) < 3 {
		t.Fatalf("examples: %v, %v", folders, err)
	}
	for _, file := range folders {
		folder := filepath.Dir(file)
		t.Run(filepath.Base(folder), func(t *testing.T) {
			t.Parallel()
			p := newPair(t, 16, lab.TwoSitesOptions{})
			err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
				if err != nil || entry.IsDir() {
					return err
				}
				text, err := os.ReadFile(path)
				inside, _ := filepath.Rel(folder, path)
				p.write("/site/"+filepath.ToSlash(inside), string(text))
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			p.write("/site/primary-ca.pem", certificate)
			p.write("/site/secondary-ca.pem", certificate)
			wanted := map[string]string{}
			for _, match := range expectation.FindAllStringSubmatch(p.read("/site/plan.lua"), -1) {
				wanted[match[1]] = match[2]
			}
			p.lose()
			r := p.failover(func(o *runner.Options) {
				asked := answers{"promote_storage": "writable,as_of=unknown", "array": "writable,as_of=unknown"}
				o.Asker, o.CanAnswer = asked, asked.can
			})
			if fmt.Sprint(r.Exit) != wanted["exit"] {
				expect(t, r, -1)
			}
			started := p.started()
			for group := range strings.SplitSeq(wanted["started"], "|") {
				names := strings.Fields(group)
				if len(started) < len(names) {
					t.Fatalf("started %v, want %s", p.started(), wanted["started"])
				}
				now := slices.Sorted(slices.Values(started[:len(names)]))
				if !slices.Equal(now, slices.Sorted(slices.Values(names))) {
					t.Errorf("started %v, want %s", p.started(), wanted["started"])
				}
				started = started[len(names):]
			}
			if len(started) > 0 || wanted["started"] == "" {
				t.Errorf("started %v, want %q", p.started(), wanted["started"])
			}
			if violations := p.lab.View().Violations; len(violations) > 0 {
				t.Errorf("violations: %v", violations)
			}
		})
	}
}
