package runner_test

import (
	"encoding/pem"
	"fmt"
	"io/fs"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"drrun/ovirt/lab"
	"drrun/plans/runner"
)

var expectation = regexp.MustCompile(`(?m)^--@ (exit|started|domains|answer) (.*)$`)

// TestExamples runs every plan under examples on the two-site lab; its first lines say how it must end, and which VMs start in which
// order, groups that start together divided by "|"; and, where it needs them, the number of storage domains and an answer, NAME=VALUE.
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
		if filepath.Base(folder) == "libraries" {
			continue // TestSiteLibraries runs it, with all that it talks to
		}
		t.Run(filepath.Base(folder), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			wanted := map[string]string{"domains": "1"}
			for _, match := range expectation.FindAllStringSubmatch(string(text), -1) {
				wanted[match[1]] = match[2]
			}
			domains, err := strconv.Atoi(wanted["domains"])
			if err != nil {
				t.Fatal(err)
			}
			p := newPair(t, 16, lab.TwoSitesOptions{Domains: domains})
			err = filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
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
			p.lose()
			r := p.failover(func(o *runner.Options) {
				asked := answers{"promote_storage": "writable,as_of=unknown", "array": "writable,as_of=unknown"}
				if name, value, given := strings.Cut(wanted["answer"], "="); given {
					asked[name] = value
				}
				o.Asker, o.CanAnswer = asked, asked.can
			})
			if fmt.Sprint(r.Exit) != wanted["exit"] {
				expect(t, r, -1)
			}
			if wanted["started"] == "" {
				t.Error("the example does not say which VMs start")
			}
			startedInGroups(t, p.started(), wanted["started"])
			if violations := p.lab.View().Violations; len(violations) > 0 {
				t.Errorf("violations: %v", violations)
			}
		})
	}
}
