package runner_test

import (
	"bytes"
	"cmp"
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"

	"drrun/engine"
	"drrun/engine/sim"
	"drrun/ovirt"
	"drrun/ovirt/lab"
	"drrun/plans"
	"drrun/plans/runner"
)

// pair is two simulated sites, a disk with a plan on it, and the virtual time that all of it shares.
type pair struct {
	t     testing.TB
	world *sim.World
	lab   *lab.Lab
	disk  *sim.FS
	out   []engine.Event
	size  lab.TwoSitesOptions
	names []string // of what is replicated; nil: as the size says

	afterEffect func(effect int) // called when a changing request had its effect and drrun has not seen the answer yet
	effects     int

	beforeRequest func(site string, request *http.Request) // called before a request leaves
	atRecord      func()                                   // called after each record of a journal, where count was called
	afterHook     func()                                   // called after what a hook of crashHooks did outside of drrun, before drrun knows
	hooks         *hookRuns                                // counts that; nil where the plan has other hooks
	passed        passed
	plannedStory  bool // the source takes part: the storage is promoted when the hook, or the question, says so

	moved   string // the state folder of another machine, where one took the runs over
	audited int    // changing requests that the audit takes for granted

	story int // violations that were there before drrun did anything: an old site that comes back runs its stale VMs
}

// wire carries requests to the lab. The lab works on goroutines of its own: killing drrun does not cut its operations.
type wire struct{ pair *pair }

func (w wire) RoundTrip(request *http.Request) (*http.Response, error) {
	var answer *http.Response
	var err error
	if w.pair.beforeRequest != nil {
		w.pair.beforeRequest(siteOf(request), request)
	}
	key, ofHook := hookRequest(request)
	if ofHook {
		w.pair.arrayActs(request, key)
	}
	done := make(chan struct{})
	w.pair.world.Daemon("lab").Go(func() {
		defer close(done)
		answer, err = w.pair.lab.Transport().RoundTrip(request.WithContext(context.WithoutCancel(request.Context())))
	})
	if _, waitErr := w.pair.world.Clock().Wait(request.Context(), -1, done); waitErr != nil {
		return nil, waitErr
	}
	if ofHook && w.pair.hooks != nil {
		w.pair.hooks.act(key)
		w.pair.passed.hooks++
		if w.pair.afterHook != nil {
			w.pair.afterHook()
		}
	}
	if request.Method != http.MethodGet && !strings.Contains(request.URL.Path, "/sso/") && !strings.Contains(request.URL.Path, "/services/") {
		w.pair.effects++
		if w.pair.afterEffect != nil {
			w.pair.afterEffect(w.pair.effects)
		}
	}
	return answer, err
}

// siteOf names the site whose engine a request goes to.
func siteOf(request *http.Request) string {
	if strings.HasPrefix(lab.PrimaryURL, "https://"+request.URL.Host+"/") {
		return "primary"
	}
	return "secondary"
}

// newPair makes the two-site world and generates the plan of it, with VMs that have been running for a while.
func newPair(t testing.TB, seed uint64, options lab.TwoSitesOptions) *pair {
	t.Helper()
	return newPairOf(t, seed, options, func(*lab.World) {})
}

// newPairOf is newPair with a change of the world.
func newPairOf(t testing.TB, seed uint64, options lab.TwoSitesOptions, change func(w *lab.World)) *pair {
	t.Helper()
	p := barePair(t, seed, options, change)
	t.Cleanup(p.world.Close)
	p.generate(0)
	return p
}

// barePair is the world without a plan. Whoever makes many of them closes each one when it is done with it.
func barePair(t testing.TB, seed uint64, options lab.TwoSitesOptions, change func(w *lab.World)) *pair {
	sites := lab.TwoSites(options)
	change(&sites)
	world := sim.New(seed)
	if err := world.Disk().MkdirAll(share); err != nil {
		t.Fatal(err)
	}
	return &pair{t: t, world: world, lab: lab.New(sites, world.Clock(), seed), disk: world.Disk(), size: options}
}

// do runs something in virtual time.
func (p *pair) do(fn func(env engine.Env)) {
	group := p.world.Group("drrun")
	group.Run(func() { fn(group.Env()) })
}

func (p *pair) open(env engine.Env, name, url, user, password string) *ovirt.Site {
	site, err := ovirt.Open(context.Background(), ovirt.Options{
		Name: name, URL: url, Username: user, Password: password, Transport: p.lab.Transport(), Clock: env.Clock, Go: env.Go,
	})
	if err != nil {
		p.t.Fatal(err)
	}
	return site
}

// generate makes the plan, of the first few storage domains or with 0 of all.
func (p *pair) generate(only int) {
	p.do(func(env engine.Env) {
		from, to := p.lab.StorageLists()
		if only > 0 {
			from, to = strings.Join(strings.Split(from, ";")[:only], ";"), strings.Join(strings.Split(to, ";")[:only], ";")
		}
		primary := p.open(env, "primary", lab.PrimaryURL, lab.PrimaryUsername, lab.PrimaryPassword)
		secondary := p.open(env, "secondary", lab.SecondaryURL, lab.SecondaryUsername, lab.SecondaryPassword)
		made, err := plans.Generate(context.Background(), plans.GenerateOptions{
			Name: "Plan_Recovery", File: "/site/plan.lua", Primary: primary, Secondary: secondary,
			PrimarySpec:    plans.SiteSpec{URL: lab.PrimaryURL, Username: lab.PrimaryUsername, Insecure: true},
			SecondarySpec:  plans.SiteSpec{URL: lab.SecondaryURL, Username: lab.SecondaryUsername, Insecure: true},
			PrimaryStorage: from, SecondaryStorage: to, Now: env.Clock.Now(),
		})
		if err != nil {
			p.t.Fatal(err)
		}
		inventory, err := made.Inventory.Encode()
		if err != nil {
			p.t.Fatal(err)
		}
		p.write("/site/plan.lua", string(made.Plan))
		p.write("/site/plan.inventory.json", string(inventory))
	})
}

func (p *pair) write(path, text string) {
	if err := p.disk.MkdirAll(path[:strings.LastIndex(path, "/")]); err != nil {
		p.t.Fatal(err)
	}
	if err := p.disk.WriteFile(path, []byte(text), 0o600); err != nil {
		p.t.Fatal(err)
	}
}

func (p *pair) read(path string) string {
	text, err := p.disk.ReadFile(path)
	if err != nil {
		p.t.Fatal(err)
	}
	return string(text)
}

// edit replaces text of the plan by hand.
func (p *pair) edit(old, new string) {
	p.t.Helper()
	text := p.read("/site/plan.lua")
	if !strings.Contains(text, old) {
		p.t.Fatalf("the plan has no %q:\n%s", old, text)
	}
	p.write("/site/plan.lua", strings.Replace(text, old, new, 1))
}

// quiet lets runs of the plan go unseen in the engines, for tests that count what else happens.
func (p *pair) quiet() {
	p.t.Helper()
	p.edit(`  name = "Plan_Recovery",`, `  name = "Plan_Recovery", events = false,`)
}

// answers is a person at a terminal, or nobody.
type answers map[string]string

func (a answers) Ask(_ context.Context, q engine.Question) (string, error) {
	name, _, _ := strings.Cut(q.Name, ":")
	if answer, ok := a[q.Name]; ok {
		return answer, nil
	}
	if answer, ok := a[name]; ok {
		return answer, nil
	}
	return "", engine.ErrNoAnswer
}

func (a answers) can(question string) bool {
	_, err := a.Ask(context.Background(), engine.Question{Name: question})
	return err == nil
}

const confirmed = "Ann: saw the smoke"

var writable = answers{"promote_storage": "writable,as_of=unknown", "cut": "redo"}

func (p *pair) options(env engine.Env, a answers) runner.Options {
	secrets := map[string]string{
		"DRRUN_SECRET_PRIMARY_PASSWORD": lab.PrimaryPassword, "DRRUN_SECRET_SECONDARY_PASSWORD": lab.SecondaryPassword,
	}
	return runner.Options{
		Env: env, PlanFile: "/site/plan.lua", Action: "failover", StateDir: p.state(), Asker: a, CanAnswer: a.can, Speed: 1,
		ConfirmSourceDown: confirmed, Version: "test", Host: "host", User: "user",
		Secrets:   plans.SecretResolver{Env: func(name string) (string, bool) { v, ok := secrets[name]; return v, ok }, ReadFile: p.disk.ReadFile},
		Transport: func(string) http.RoundTripper { return wire{p} },
		Observe:   func(e engine.Event) { p.out = append(p.out, e) },
	}
}

// failover runs the plan; change adjusts the options.
func (p *pair) failover(change func(*runner.Options)) *runner.Result {
	p.t.Helper()
	var result *runner.Result
	p.do(func(env engine.Env) {
		o := p.options(env, writable)
		if change != nil {
			change(&o)
		}
		result = runner.Start(context.Background(), context.Background(), o)
	})
	return result
}

func (p *pair) resume(id string, change func(*runner.Options)) *runner.Result {
	p.t.Helper()
	var result *runner.Result
	p.do(func(env engine.Env) {
		o := p.options(env, writable)
		if change != nil {
			change(&o)
		}
		result = runner.Resume(context.Background(), context.Background(), id, o)
	})
	return result
}

// lose makes the primary site vanish and its replica writable.
func (p *pair) lose() {
	p.lab.Disaster("primary")
	for _, domain := range p.lab.View().Sites["primary"].StorageDomains {
		if strings.HasPrefix(domain.Name, "nfs_ds") {
			if err := p.lab.Promote(domain.Name); err != nil {
				p.t.Fatal(err)
			}
		}
	}
}

// expect checks how an action ended and says why when it is another end.
func expect(t testing.TB, r *runner.Result, exit int) {
	t.Helper()
	if r.Exit == exit {
		return
	}
	var findings bytes.Buffer
	plans.RenderFindings(&findings, r.Findings)
	t.Fatalf("exit %d (%s), want %d: %+v\n%s", r.Exit, r.Status, exit, r.Error, findings.String())
}

// changes returns what changed the engines, in order: locks, events and tasks excepted, which are no objects of a plan.
func (p *pair) changes() []lab.LogEntry {
	return slices.DeleteFunc(p.allChanges(), besideThePlan)
}

// allChanges returns what changed the engines, with locks, events and tasks.
func (p *pair) allChanges() []lab.LogEntry {
	return slices.DeleteFunc(slices.Clone(p.lab.Log()), func(entry lab.LogEntry) bool { return !entry.Changing })
}

// besideThePlan tells whether a request is about a lock, an event or a task.
func besideThePlan(entry lab.LogEntry) bool {
	return strings.Contains(entry.Path, "/affinitylabels") || strings.HasSuffix(entry.Path, "/events") || strings.Contains(entry.Path, "/jobs")
}

// labels are the locks that the engines have now, by what the lab did: "primary drrun.<storage domain id>".
func (p *pair) labels() []string {
	var held []string
	for _, entry := range p.lab.Log() {
		name, made := strings.CutPrefix(entry.Effect, "add affinity label ")
		if made {
			held = append(held, entry.Site+" "+name)
		}
		if name, gone := strings.CutPrefix(entry.Effect, "delete affinity label "); gone {
			held = slices.DeleteFunc(held, func(label string) bool { return label == entry.Site+" "+name })
		}
	}
	return held
}

// marks counts the requests that show runs in an engine: events, those of them that carry facts, and changes of tasks and steps.
type marks struct{ lines, facts, tasks int }

func (m marks) all() int { return m.lines + m.facts + m.tasks }

// marks counts what was done in an engine to show runs. The events that name locks are none.
func (p *pair) marks(site string) (m marks) {
	for _, entry := range p.allChanges() {
		switch {
		case entry.Site != site || strings.Contains(entry.Effect, "; locks: "):
		case strings.Contains(entry.Path, "/jobs"):
			m.tasks++
		case strings.Contains(entry.Effect, ": its facts, part "):
			m.facts++
		case strings.HasSuffix(entry.Path, "/events"):
			m.lines++
		}
	}
	return m
}

// stages counts the stages that drrun has told of, and those of them that start a rank.
func (p *pair) stages() (all, ranks int) {
	for _, event := range p.out {
		if event.Kind == "stage" {
			all++
			if strings.HasPrefix(event.Text, "boot rank ") {
				ranks++
			}
		}
	}
	return all, ranks
}

// journal returns the path of the only run's journal.
func (p *pair) journal() string {
	for _, path := range p.disk.Files() {
		if strings.HasSuffix(path, "journal.jsonl") {
			return path
		}
	}
	p.t.Fatal("no journal")
	return ""
}

// state is the state folder of the machine that works now.
func (p *pair) state() string { return cmp.Or(p.moved, "/state") }

// newestJournal returns the journal of the newest run.
func (p *pair) newestJournal() string {
	newest := ""
	for _, path := range p.disk.Files() {
		if strings.HasSuffix(path, "journal.jsonl") && path > newest {
			newest = path
		}
	}
	return newest
}
