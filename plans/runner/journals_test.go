package runner_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"flag"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"drrun/engine"
	"drrun/ovirt/lab"
	"drrun/plans"
	"drrun/plans/runner"
	"drrun/stdlib"
)

// testdata/journals/API/NAME holds the state folder of a run that was killed in the middle, as the drrun of that API number left it, and
// in world.json the requests by which it had changed the world up to then. A later drrun rebuilds the world from these, whatever it would
// ask itself by now, puts the stored folder into it, and resumes. -update stores what is not there yet and never touches what is.

var update = flag.Bool("update", false, "rewrite the golden files, and store journals of this API number that are not stored yet")

const journals = "testdata/journals"

// killed is a run that is stored: how its world is prepared, how it begins, and where it is killed.
type killed struct {
	name    string
	prepare func(p *pair)
	begin   func(p *pair, change func(*runner.Options)) *runner.Result
	resume  func(p *pair, id string, change func(*runner.Options)) *runner.Result
	after   string // the effect behind which it is killed, as the lab's log calls it
}

// storedHooks are the hooks of the plan of the stored failover: part of what is stored.
const storedHooks = `
plan:on("promote_storage", function(ctx, group) return { writable = true, as_of = "unknown" } end, { as = "array" })
plan:on("after_start", function(ctx, vm) return ctx:step("dns", function() return vm.name .. " is known" end) end, { as = "dns" })
return plan
`

var killedRuns = []killed{
	{
		name:    "failover",
		prepare: func(p *pair) { p.edit("return plan\n", storedHooks); p.lose() },
		begin:   (*pair).failover,
		resume:  (*pair).resume,
		after:   "start vm1",
	},
	{
		name:    "planned-failover",
		prepare: func(p *pair) { p.marked(); p.wait(time.Minute) },
		begin: func(p *pair, change func(*runner.Options)) *runner.Result {
			return p.planned(plans.ActionFailover, nil, change)
		},
		resume: func(p *pair, id string, change func(*runner.Options)) *runner.Result {
			return p.resume(id, func(o *runner.Options) { p.byAdmin(nil, o); change(o) })
		},
		after: "deactivate storage domain nfs_ds",
	},
}

// recipe rebuilds a world up to the moment of a kill.
type recipe struct {
	Seed     uint64            `json:"seed"`
	Killed   time.Time         `json:"killed"` // virtual time
	Requests []recordedRequest `json:"requests"`
}

// recordedRequest is a changing request as drrun sent it.
type recordedRequest struct {
	At     time.Time         `json:"at"`
	Method string            `json:"method"`
	URL    string            `json:"url"`
	Header map[string]string `json:"header"`
	Body   string            `json:"body,omitempty"`
}

const journalSeed = 41

// world is the one that the stored runs were begun in: late enough that a generate that takes longer one day changes nothing.
func (k killed) world(t *testing.T) *pair {
	p := newPair(t, journalSeed, lab.TwoSitesOptions{})
	p.until(time.Date(2026, 11, 20, 18, 0, 0, 0, time.UTC))
	p.quiet() // the ids of tasks are the engine's: a world that is rebuilt has others
	k.prepare(p)
	p.audited = len(p.allChanges())
	return p
}

func (p *pair) until(at time.Time) {
	p.do(func(env engine.Env) {
		rest := at.Sub(env.Clock.Now())
		if rest < 0 {
			p.t.Fatalf("it is %s already, %s later than when the journal was stored", env.Clock.Now(), -rest)
		}
		_, _ = env.Clock.Wait(context.Background(), rest, nil)
	})
}

// recorder notes the changing requests of a run.
type recorder struct {
	wire
	requests *[]recordedRequest
}

func (r recorder) RoundTrip(request *http.Request) (*http.Response, error) {
	if request.Method != http.MethodGet && !strings.Contains(request.URL.Path, "/sso/") {
		one := recordedRequest{At: r.pair.world.Clock().Now(), Method: request.Method, URL: request.URL.String(), Header: map[string]string{}}
		for name := range request.Header {
			if name != "Authorization" && name != "Cookie" {
				one.Header[name] = request.Header.Get(name)
			}
		}
		if request.Body != nil {
			body, err := io.ReadAll(request.Body)
			if err != nil {
				return nil, err
			}
			one.Body = string(body)
			request.Body = io.NopCloser(bytes.NewReader(body))
		}
		*r.requests = append(*r.requests, one)
	}
	return r.wire.RoundTrip(request)
}

// store runs up to the kill, and writes down what is left of it.
func (k killed) store(t *testing.T, folder string) {
	p := k.world(t)
	made := recipe{Seed: journalSeed}
	p.afterEffect = func(int) {
		log := p.lab.Log()
		if made.Killed.IsZero() && slices.ContainsFunc(log, func(e lab.LogEntry) bool { return e.Effect == k.after }) {
			made.Killed = p.world.Clock().Now()
			p.world.Group("drrun").Kill()
		}
	}
	k.begin(p, func(o *runner.Options) {
		o.Transport = func(string) http.RoundTripper { return recorder{wire{p}, &made.Requests} }
	})
	if made.Killed.IsZero() {
		t.Fatalf("%s was over before %q: %+v", k.name, k.after, p.changes())
	}
	write := func(path string, text []byte) {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range p.disk.Files() {
		inside, ours := strings.CutPrefix(path, "/state/")
		if ours && filepath.Base(path) != "lock" && !strings.HasPrefix(inside, "locks/") {
			write(filepath.Join(folder, "state", inside), []byte(p.read(path)))
		}
	}
	text, err := json.MarshalIndent(made, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	write(filepath.Join(folder, "world.json"), append(text, '\n'))
}

// replay sends the requests of a recipe at their times.
func (p *pair) replay(made recipe) {
	p.t.Helper()
	p.do(func(env engine.Env) {
		for _, one := range made.Requests {
			env.Go(func() {
				token := p.token(one.URL) // which takes a moment
				_, _ = env.Clock.Wait(context.Background(), max(one.At.Sub(env.Clock.Now()), 0), nil)
				request, err := http.NewRequest(one.Method, one.URL, strings.NewReader(one.Body))
				if err != nil {
					p.t.Error(err)
					return
				}
				for name, value := range one.Header {
					request.Header.Set(name, value)
				}
				request.Header.Set("Authorization", "Bearer "+token)
				answer, err := p.lab.Transport().RoundTrip(request)
				if err != nil {
					p.t.Errorf("%s %s: %v", one.Method, one.URL, err)
				} else if answer.StatusCode >= 300 {
					text, _ := io.ReadAll(answer.Body)
					p.t.Errorf("%s %s: %d %s", one.Method, one.URL, answer.StatusCode, text)
				}
			})
		}
	})
	if p.world.Clock().Now().Before(made.Killed) { // else the last answer, which the run did not see any more, took longer
		p.until(made.Killed)
	}
}

// token logs in at the engine that a URL belongs to.
func (p *pair) token(of string) string {
	base, user, password := lab.PrimaryURL, lab.PrimaryUsername, lab.PrimaryPassword
	if strings.HasPrefix(of, lab.SecondaryURL) {
		base, user, password = lab.SecondaryURL, lab.SecondaryUsername, lab.SecondaryPassword
	}
	form := url.Values{"grant_type": {"password"}, "scope": {"ovirt-app-api"}, "username": {user}, "password": {password}}
	request, err := http.NewRequest("POST", strings.TrimSuffix(base, "/api")+"/sso/oauth/token", strings.NewReader(form.Encode()))
	if err != nil {
		p.t.Error(err)
		return ""
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("Accept", "application/json")
	answer, err := p.lab.Transport().RoundTrip(request)
	if err != nil {
		p.t.Error(err)
		return ""
	}
	var login struct {
		Token string `json:"access_token"`
	}
	if err := json.NewDecoder(answer.Body).Decode(&login); err != nil {
		p.t.Error(err)
	}
	return login.Token
}

// put writes a stored state folder into the world.
func (p *pair) put(folder string) (run string) {
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		inside, _ := filepath.Rel(folder, path)
		p.write("/state/"+filepath.ToSlash(inside), string(text))
		run = strings.Split(filepath.ToSlash(inside), "/")[1]
		return err
	})
	if err != nil {
		p.t.Fatal(err)
	}
	return run
}

// TestStoredJournals resumes the journals of every release: those of this API number come to the same world as an undisturbed run, and
// those of another number are refused and left alone.
func TestStoredJournals(t *testing.T) {
	t.Parallel()
	present := filepath.Join(journals, strconv.Itoa(stdlib.API))
	for _, k := range killedRuns {
		if folder := filepath.Join(present, k.name); *update {
			if _, err := os.Stat(folder); err != nil {
				k.store(t, folder)
			}
		}
	}
	stored, err := filepath.Glob(filepath.Join(journals, "*", "*", "world.json"))
	if err != nil {
		t.Fatal(err)
	}
	resumed := 0
	for _, file := range stored {
		folder := filepath.Dir(file)
		i := slices.IndexFunc(killedRuns, func(k killed) bool { return k.name == filepath.Base(folder) })
		if i < 0 {
			t.Errorf("nothing here knows how %s began", folder)
			continue
		}
		if filepath.Dir(folder) == present {
			resumed++
		}
		t.Run(filepath.ToSlash(folder), func(t *testing.T) {
			t.Parallel()
			killedRuns[i].goesOn(t, folder, filepath.Dir(folder) == present)
		})
	}
	if resumed < len(killedRuns) {
		t.Errorf("%d journals of API number %d are stored, want %d: go test ./plans/runner -run TestStoredJournals -update", resumed, stdlib.API, len(killedRuns))
	}
}

func (k killed) goesOn(t *testing.T, folder string, current bool) {
	var made recipe
	text, err := os.ReadFile(filepath.Join(folder, "world.json"))
	if err == nil {
		err = json.Unmarshal(text, &made)
	}
	if err != nil {
		t.Fatal(err)
	}
	p := k.world(t)
	written := p.counters(plans.Primary)
	p.replay(made)
	run := p.put(filepath.Join(folder, "state"))
	p.sameEncoding(run)
	r := k.resume(p, run, func(*runner.Options) {})
	if !current {
		expect(t, r, runner.ExitRefused)
		if r.Error.Code != "other-version" {
			t.Errorf("%+v", r.Error)
		}
		return
	}
	expect(t, r, runner.ExitDone)
	undisturbed := k.world(t)
	expect(t, k.begin(undisturbed, nil), runner.ExitDone)
	if got, want := p.fingerprint(), undisturbed.fingerprint(); got != want {
		t.Errorf("the world differs:\n%s\nwant:\n%s", got, want)
	}
	for _, wrong := range p.wrongs() {
		t.Error(wrong)
	}
	if k.name == "planned-failover" {
		p.sound(plans.Secondary, written)
	}
}

// sameEncoding fails where a stored record, read and written by this drrun, becomes another one: a field that it does not know any more,
// or writes in another way.
func (p *pair) sameEncoding(run string) {
	p.t.Helper()
	text := p.read("/state/runs/" + run + "/journal.jsonl")
	records, size, err := engine.DecodeJournal([]byte(text))
	if err != nil || int(size) != len(text) {
		p.t.Fatalf("%d of %d bytes can be read: %v", size, len(text), err)
	}
	kinds := map[string]bool{}
	for i, line := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		var again bytes.Buffer
		encoder := json.NewEncoder(&again)
		encoder.SetEscapeHTML(false)
		if err := encoder.Encode(records[i]); err != nil {
			p.t.Fatal(err)
		}
		kinds[records[i].Kind] = true
		if got := strings.TrimSuffix(again.String(), "\n"); got != line {
			p.t.Errorf("record %d is encoded otherwise:\n%s\nstored:\n%s", i+1, got, line)
		}
	}
	for _, kind := range []string{"head", "attempt", "facts", "intent", "outcome", "note", "mark", "step", "result", "confirm"} {
		if !kinds[kind] {
			p.t.Errorf("the journal has no record of the kind %s", kind)
		}
	}
}

// TestOtherAPI refuses a run that was begun with other primitives, and names who can go on with it.
func TestOtherAPI(t *testing.T) {
	t.Parallel()
	p := newPair(t, 3, lab.TwoSitesOptions{})
	p.hook(`plan:on("before_rank", function(ctx) error("no") end)`)
	p.lose()
	stopped := p.failover(func(o *runner.Options) { o.Version = "9.8.7" })
	expect(t, stopped, runner.ExitStopped)
	before := len(p.changes())
	p.rewriteJournal(stopped.Run, `"api":1`, `"api":2`)
	r := p.resume(stopped.Run, nil)
	expect(t, r, runner.ExitRefused)
	if r.Error.Code != "other-version" || !strings.Contains(r.Error.Message, "drrun 9.8.7, whose primitives have the number 2; this is drrun test with the number 1") ||
		!strings.Contains(r.Error.Hint, "go on with drrun 9.8.7") || len(p.changes()) != before {
		t.Errorf("%+v", r.Error)
	}
	if strings.Count(p.read(p.journal()), `"kind":"attempt"`) != 1 {
		t.Error("an attempt was begun")
	}
}

// rewriteJournal replaces a text in a journal and chains it anew, as a drrun of another version would have written it.
func (p *pair) rewriteJournal(run, old, new string) {
	p.t.Helper()
	path := "/state/runs/" + run + "/journal.jsonl"
	text := strings.Replace(p.read(path), old, new, 1)
	prev := strings.Repeat("0", 64)
	var out strings.Builder
	for _, line := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		var record struct {
			Prev string `json:"prev"`
		}
		if err := json.Unmarshal([]byte(line), &record); err != nil {
			p.t.Fatal(err)
		}
		line = strings.Replace(line, record.Prev, prev, 1)
		sum := sha256.Sum256([]byte(line))
		prev = hex.EncodeToString(sum[:])
		out.WriteString(line + "\n")
	}
	p.write(path, out.String())
}
