package runner_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"drrun/engine"
	"drrun/internal/nameserver"
	"drrun/ovirt/lab"
	"drrun/plans"
	"drrun/plans/runner"
)

const customisationsFolder = "../../examples/customisations"

var customisationLine = regexp.MustCompile(`(?m)^--@ (\w+) (.*)$`)

// expected is what the first lines of an example say of it.
type expected map[string][]string

func (e expected) first(name, otherwise string) string {
	if len(e[name]) == 0 {
		return otherwise
	}
	return e[name][0]
}

func expectedOf(t *testing.T, text string) expected {
	t.Helper()
	e := expected{}
	known := []string{"action", "answer", "asked", "domains", "error", "exit", "file", "heard", "lib", "port", "slower", "started", "verdict", "vm"}
	for _, match := range customisationLine.FindAllStringSubmatch(text, -1) {
		if !slices.Contains(known, match[1]) {
			t.Fatalf("no such expectation: %s", match[1])
		}
		e[match[1]] = append(e[match[1]], match[2])
	}
	if len(e) == 0 {
		t.Fatal("the example does not say what happens")
	}
	return e
}

// customisations are the names of the examples.
func customisations(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob(customisationsFolder + "/*.lua")
	if err != nil || len(files) < 12 {
		t.Fatalf("%d examples, %v", len(files), err)
	}
	var names []string
	for _, file := range files {
		names = append(names, filepath.Base(file))
	}
	return names
}

// TestCustomisationsAreShort: what was asked for fits in 15 lines that an administrator can read.
func TestCustomisationsAreShort(t *testing.T) {
	t.Parallel()
	for _, name := range customisations(t) {
		text, err := os.ReadFile(filepath.Join(customisationsFolder, name))
		if err != nil {
			t.Fatal(err)
		}
		lines := 0
		for line := range strings.Lines(string(text)) {
			if utf8.RuneCountInString(strings.TrimRight(line, "\n")) > 150 {
				t.Errorf("%s: a line is too long: %s", name, line)
			}
			if code := strings.TrimSpace(line); code != "" && !strings.HasPrefix(code, "--") {
				lines++
			}
		}
		if lines > 15 {
			t.Errorf("%s has %d lines of code", name, lines)
		}
	}
}

// TestCustomisations runs each example on the two-site lab, with the servers that it talks to; its first lines say what must come of it.
func TestCustomisations(t *testing.T) {
	t.Parallel()
	for i, name := range customisations(t) {
		t.Run(strings.TrimSuffix(name, ".lua"), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(filepath.Join(customisationsFolder, name))
			if err != nil {
				t.Fatal(err)
			}
			want := expectedOf(t, string(text))
			c := newCustomised(t, uint64(i), name, want)
			c.checked()
			var r *runner.Result
			took := map[string]time.Duration{}
			for action := range strings.SplitSeq(want.first("action", "failover"), ", then ") {
				name, planned := strings.CutPrefix(action, "planned ")
				if !planned && name == plans.ActionFailover {
					c.lose()
				}
				r = c.run(name, planned, c.options)
				took[name] = time.Duration(r.Duration * float64(time.Second))
				if planned && r.Exit == runner.ExitDone && len(want["verdict"]) == 0 {
					c.replicate()
				}
			}
			if slower := want.first("slower", ""); slower != "" {
				least, err := time.ParseDuration(slower)
				if more := took[plans.ActionFailback] - took[plans.ActionFailover]; err != nil || more < least {
					t.Errorf("the failback took %s more than the failover, want %s: %v", more, slower, err)
				}
			}
			c.met(r, want)
		})
	}
}

// customised is an example in its surroundings.
type customised struct {
	*field
	beside *neighbours
	says   answers
	asked  []string
	libs   []string
}

func newCustomised(t *testing.T, seed uint64, name string, want expected) *customised {
	t.Helper()
	n := newNeighbours(t)
	domains, err := strconv.Atoi(want.first("domains", "1"))
	if err != nil {
		t.Fatal(err)
	}
	replace := n.replace()
	if len(want["port"]) > 0 {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = listener.Close() })
		host, port := hostPort(t, listener.Addr().String())
		replace = append(replace, "database.localdomain", host, "port = 5432", "port = "+port)
	}
	c := &customised{field: newField(t, seed, lab.TwoSitesOptions{Domains: domains}, customisationsFolder, name, replace...), beside: n}
	c.put("host-key", string(c.arrays.Key))
	c.put("known_hosts", c.read(c.folder+"/known_hosts")+n.shell.KnownHosts)
	c.secrets["dns_key"], c.secrets["web_token"], c.secrets["chat_url"] = nameserver.Secret, webToken, n.web.URL+"/hooks/ops"
	n.ran.answers["psql"] = []string{"f", "t"}
	for _, lib := range want["lib"] {
		c.libs = append(c.libs, filepath.Join(customisationsFolder, lib))
	}
	for _, lib := range c.libs { // the run reads the virtual disk
		c.copyTo(lib)
	}
	c.says = answers{"promote_storage": "writable,in_sync", "replication": "yes"}
	for _, answer := range want["answer"] {
		question, text, _ := strings.Cut(answer, "=")
		c.says[question] = text
	}
	return c
}

// checked sees that drrun check --offline has nothing to say about the example.
func (c *customised) checked() {
	c.t.Helper()
	c.do(func(env engine.Env) {
		o := c.pair.options(env, nil)
		c.field.options(&o)
		c.options(&o)
		r := runner.Check(context.Background(), context.Background(), o, true)
		for _, found := range r.Findings {
			if found.Severity != plans.SeverityInfo {
				c.t.Errorf("check --offline: %s", found.Message)
			}
		}
		if r.Exit != runner.ExitDone {
			c.t.Errorf("check --offline ends with %d: %+v", r.Exit, r.Error)
		}
	})
}

// copyTo puts a folder of libraries on the virtual disk, where the run looks for it.
func (c *customised) copyTo(folder string) {
	c.t.Helper()
	err := filepath.WalkDir(folder, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		c.write(filepath.Join("/libs", strings.TrimPrefix(path, folder)), string(text))
		return err
	})
	if err != nil {
		c.t.Fatal(err)
	}
}

// options lets a person promote the storage in the lab when asked, and answer what else the example says.
func (c *customised) options(o *runner.Options) {
	if len(c.libs) > 0 {
		o.LibDirs = []string{"/libs"}
	}
	planned := o.Planned
	o.Asker, o.CanAnswer = promotes{c, o.Env.Clock, planned}, func(string) bool { return true }
}

// promotes answers as the example says, and makes the copy writable before it says so.
type promotes struct {
	*customised
	clock   engine.Clock
	planned bool
}

func (p promotes) Ask(ctx context.Context, q engine.Question) (string, error) {
	if strings.HasPrefix(q.Name, "promote_storage") && p.planned {
		if _, err := p.clock.Wait(ctx, time.Minute, nil); err != nil { // the lag of the replication
			return "", err
		}
		for _, name := range p.domains() {
			if err := p.lab.Promote(name); err != nil {
				return "", err
			}
		}
	}
	p.asked = append(p.asked, q.Name)
	answer, err := p.says.Ask(ctx, q)
	if !p.planned && strings.HasPrefix(q.Name, "promote_storage") {
		answer = "writable,as_of=unknown"
	}
	return answer, err
}

// met compares what came of the example with what it says.
func (c *customised) met(r *runner.Result, want expected) {
	t := c.t
	t.Helper()
	if fmt.Sprint(r.Exit) != want.first("exit", "0") {
		expect(t, r, -1)
	}
	for _, words := range want["error"] {
		if r.Error == nil || !strings.Contains(r.Error.Message, words) {
			t.Errorf("error %+v, want %q in it", r.Error, words)
		}
	}
	if started := want.first("started", ""); started != "" {
		startedInGroups(t, c.started(), started)
	}
	for _, vm := range want["vm"] {
		name, status, _ := strings.Cut(vm, " ")
		if at := slices.IndexFunc(r.VMs, func(o runner.ObjectResult) bool { return o.Name == name }); at < 0 || r.VMs[at].Status != status {
			t.Errorf("want %s %s: %+v", name, status, r.VMs)
		}
	}
	for _, question := range want["asked"] {
		if !slices.Contains(c.asked, question) {
			t.Errorf("%s was not asked: %q", question, c.asked)
		}
	}
	for _, file := range want["file"] {
		name, content, _ := strings.Cut(file, " ")
		if text, err := os.ReadFile(filepath.Join(c.folder, name)); err != nil || strings.TrimSpace(string(text)) != content {
			t.Errorf("%s: %q, %v, want %q", name, text, err, content)
		}
	}
	c.verdicts(r, want["verdict"]...)
	heard := map[string][]string{"web": c.beside.web.log(), "ssh": c.beside.ran.log()}
	for record, values := range map[string][]string{"www.example.com. A": c.beside.names.Values("www.example.com. A")} {
		heard["dns"] = append(heard["dns"], record+" "+strings.Join(values, " "))
	}
	told := map[string][]string{}
	for _, line := range want["heard"] {
		who, what, _ := strings.Cut(line, " ")
		told[who] = append(told[who], strings.ReplaceAll(what, "RUN", r.Run))
	}
	for who, lines := range told {
		if !slices.Equal(heard[who], lines) {
			t.Errorf("%s heard\n%s\nwant\n%s", who, strings.Join(heard[who], "\n"), strings.Join(lines, "\n"))
		}
	}
	if violations := c.lab.View().Violations; len(violations) > 0 {
		t.Errorf("violations: %v", violations)
	}
	if len(told["web"]) == 0 && len(heard["web"]) > 0 || len(told["ssh"]) == 0 && len(heard["ssh"]) > 0 {
		t.Errorf("the example does not say who heard %v", heard)
	}
}
