package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

// arrayAsks sends a request to the array of a site, as its user, and returns status and decoded body.
func (r *rig) arrayAsks(site, method, path, body string) (int, map[string]any) {
	r.t.Helper()
	request := httptest.NewRequest(method, "https://array"+arrayRoot+path, strings.NewReader(body))
	password := map[string]string{"primary": PrimaryArrayPassword, "secondary": SecondaryArrayPassword}[site]
	request.SetBasicAuth(ArrayUsername, password)
	recorder := httptest.NewRecorder()
	r.lab.ArrayHandler(site, 0).ServeHTTP(recorder, request)
	var out map[string]any
	if err := json.Unmarshal(recorder.Body.Bytes(), &out); err != nil {
		r.t.Fatalf("%s %s: %v: %s", method, path, err, recorder.Body)
	}
	return recorder.Code, out
}

// arrayDoes has an array change something and waits for its job. It returns how that ended: "done", or the code of its refusal or failure.
func (r *rig) arrayDoes(site, method, path, body string) string {
	r.t.Helper()
	status, out := r.arrayAsks(site, method, path, body)
	if refused, is := out["error"].(map[string]any); is {
		return fmt.Sprintf("%d %v", status, refused["code"])
	}
	if status != http.StatusAccepted || out["state"] != "running" {
		r.t.Fatalf("%s %s: %d %v", method, path, status, out)
	}
	for range 120 {
		_, out = r.arrayAsks(site, "GET", "/jobs/"+out["id"].(string), "")
		if out["state"] != "running" {
			break
		}
		r.clock.pass(time.Second)
	}
	if failed, is := out["error"].(map[string]any); is {
		return fmt.Sprint(out["state"], " ", failed["code"])
	}
	return fmt.Sprint(out["state"])
}

func (r *rig) replicationAt(site string) map[string]any {
	r.t.Helper()
	status, out := r.arrayAsks(site, "GET", "/replications/nfs_ds", "")
	if status != http.StatusOK {
		r.t.Fatalf("%d %v", status, out)
	}
	return out
}

// released puts the replicated domain of the primary into maintenance, with its VMs down.
func (r *rig) released() {
	r.t.Helper()
	r.login("primary")
	for n := range 3 {
		r.want(200, "", "primary", "POST", "/vms/"+uuidOf(fmt.Sprintf("vm/vm%d", n+1))+"/stop", "<action/>")
	}
	r.clock.pass(time.Minute)
	r.want(200, "", "primary", "POST", r.primaryDC()+"/"+dsID+"/deactivate", "<action/>")
	r.clock.pass(time.Minute)
}

// TestArrayMovesAReplication goes the way of a planned move and back at the arrays, with each refusal on it.
func TestArrayMovesAReplication(t *testing.T) {
	t.Parallel()
	r := newRig(t, TwoSitesOptions{})
	r.clock.pass(time.Minute)
	step := func(want, site, method, path, body string) {
		t.Helper()
		if got := r.arrayDoes(site, method, path, body); got != want {
			t.Errorf("%s %s %s: %s, want %s", site, method, path, got, want)
		}
	}
	state := func(want, site string) {
		t.Helper()
		v := r.replicationAt(site)
		if got := fmt.Sprint(v["role"], " ", v["state"], " ", v["access"], ", peer ", v["peer_access"]); got != want {
			t.Errorf("%s: %s, want %s", site, got, want)
		}
	}
	state("source replicating read-write, peer read-only", "primary")
	state("target replicating read-only, peer read-write", "secondary")
	step("409 replicating", "secondary", "POST", "/replications/nfs_ds/break", "")
	step("409 wrong-array", "primary", "POST", "/replications/nfs_ds/break", "")
	step("409 in-use", "primary", "PATCH", "/volumes/nfs_ds", `{"access": "read-only"}`)
	step("409 not-broken", "secondary", "POST", "/replications/nfs_ds/resync", "")
	step("409 replica", "secondary", "PATCH", "/volumes/nfs_ds_replica", `{"access": "read-write"}`)
	step("409 replicating", "secondary", "POST", "/replications/nfs_ds/resume", "")
	step("404 not-found", "secondary", "POST", "/replications/nfs_d/break", "")
	step("400 bad-request", "secondary", "POST", "/replications/nfs_ds/promote", "")
	step("400 bad-request", "secondary", "POST", "/replications/nfs_ds/break", `{"discard": true}`)
	step("400 bad-request", "secondary", "PATCH", "/volumes/nfs_ds", `{"accces": "read-only"}`+"}")
	r.released()
	stopped := r.clock.Now()
	step("done", "primary", "PATCH", "/volumes/nfs_ds", `{"access": "read-only"}`)
	step("done", "secondary", "POST", "/replications/nfs_ds/update", "")
	if synced, err := time.Parse(time.RFC3339, r.replicationAt("secondary")["last_sync"].(string)); err != nil || synced.Before(stopped) {
		t.Errorf("synced at %s, and the last VM had stopped by %s: %v", synced, stopped, err)
	}
	step("done", "secondary", "POST", "/replications/nfs_ds/quiesce", "")
	step("409 not-replicating", "secondary", "POST", "/replications/nfs_ds/quiesce", "")
	state("target quiesced read-only, peer read-only", "secondary")
	step("done", "secondary", "POST", "/replications/nfs_ds/break", "")
	step("409 broken", "secondary", "POST", "/replications/nfs_ds/break", "")
	step("409 broken", "secondary", "POST", "/replications/nfs_ds/update", "")
	state("target broken read-write, peer read-only", "secondary")
	step("done", "secondary", "POST", "/replications/nfs_ds/resync", "")
	state("source replicating read-write, peer read-only", "secondary")
	state("target replicating read-only, peer read-write", "primary")
	r.violations()
}

// TestArrayRefusesToOverwrite sees that a resync takes nothing away that somebody uses, or that nobody gave up.
func TestArrayRefusesToOverwrite(t *testing.T) {
	t.Parallel()
	r := newRig(t, TwoSitesOptions{})
	r.ok(r.lab.Disaster("primary"))
	if got := r.replicationAt("secondary"); got["state"] != "interrupted" || got["peer_access"] != "unreachable" {
		t.Errorf("%v", got)
	}
	for _, step := range []struct{ want, operation, body string }{
		{"409 not-replicating", "quiesce", ""}, {"409 unreachable", "resume", ""}, {"done", "break", ""}, {"409 unreachable", "resync", ""},
	} {
		if got := r.arrayDoes("secondary", "POST", "/replications/nfs_ds/"+step.operation, step.body); got != step.want {
			t.Errorf("%s: %s, want %s", step.operation, got, step.want)
		}
	}
	r.ok(r.lab.Heal("primary"))
	r.clock.pass(10 * time.Minute)
	if got := r.arrayDoes("secondary", "POST", "/replications/nfs_ds/resync", `{"discard": true}`); got != "409 in-use" {
		t.Errorf("overwriting what runs: %s", got)
	}
	r.released()
	if got := r.arrayDoes("secondary", "POST", "/replications/nfs_ds/resync", ""); got != "409 would-discard" {
		t.Errorf("overwriting what is writable: %s", got)
	}
	if got := r.arrayDoes("secondary", "POST", "/replications/nfs_ds/resync", `{"discard": true}`); got != "done" {
		t.Errorf("discarding: %s", got)
	}
	r.violations()
}

// TestArrayJobsAreSerial sees that one replication has one job at a time, that a job looks again when its time has come, and that one
// ends with the array's power.
func TestArrayJobsAreSerial(t *testing.T) {
	t.Parallel()
	r := newRig(t, TwoSitesOptions{})
	first := func(operation string) string {
		status, job := r.arrayAsks("secondary", "POST", "/replications/nfs_ds/"+operation, "")
		if status != http.StatusAccepted {
			t.Fatalf("%s: %d %v", operation, status, job)
		}
		return job["id"].(string)
	}
	job := first("update")
	if got := r.arrayDoes("primary", "POST", "/replications/nfs_ds/quiesce", ""); got != "409 busy" {
		t.Errorf("a second job: %s", got)
	}
	if got := r.replicationAt("primary")["job"]; got != job {
		t.Errorf("the other array shows job %v, want %s", got, job)
	}
	r.ok(r.lab.Disaster("primary"))
	r.clock.pass(time.Minute)
	if _, ended := r.arrayAsks("secondary", "GET", "/jobs/"+job, ""); ended["state"] != "failed" || ended["error"].(map[string]any)["code"] != "not-replicating" {
		t.Errorf("%v", ended)
	}
	job = first("break")
	r.ok(r.lab.Disaster("secondary"))
	r.clock.pass(time.Minute)
	if _, ended := r.arrayAsks("secondary", "GET", "/jobs/"+job, ""); ended["error"].(map[string]any)["code"] != "no-power" {
		t.Errorf("%v", ended)
	}
	if got := r.replicationAt("secondary")["state"]; got != "interrupted" {
		t.Errorf("the replication is %s", got)
	}
}

// TestArrayClones makes a writable copy of a replica, which changes nothing of it, and deletes it.
func TestArrayClones(t *testing.T) {
	t.Parallel()
	r := newRig(t, TwoSitesOptions{})
	r.clock.pass(time.Hour)
	before := r.replicationAt("secondary")["state"]
	for _, want := range []string{"done", "409 exists"} {
		if got := r.arrayDoes("secondary", "POST", "/volumes/nfs_ds_replica/clones", `{"name": "drill"}`); got != want {
			t.Errorf("clone: %s, want %s", got, want)
		}
	}
	status, out := r.arrayAsks("secondary", "GET", "/volumes/nfs_ds_replica/clones", "")
	clones, _ := out["clones"].([]any)
	if status != 200 || len(clones) != 1 || clones[0].(map[string]any)["path"] != replicaExport+".drill" {
		t.Fatalf("%d %v", status, out)
	}
	if got := r.replicationAt("secondary")["state"]; got != before {
		t.Errorf("the replication is %s", got)
	}
	found := false
	for _, x := range r.lab.View().Arrays.Exports {
		if x.Export == replicaExport+".drill" {
			found = x.Writable && x.DomainID == dsID
		}
	}
	if !found {
		t.Error("the clone does not hold the storage domain, writable")
	}
	for _, want := range []string{"done", "404 not-found"} {
		if got := r.arrayDoes("secondary", "DELETE", "/volumes/nfs_ds_replica/clones/drill", ""); got != want {
			t.Errorf("delete: %s, want %s", got, want)
		}
	}
	if got := len(r.lab.View().Arrays.Exports); got != 3 {
		t.Errorf("%d exports are left", got)
	}
}

// TestArrayLogins sees that nothing is shown to those who are not let in.
func TestArrayLogins(t *testing.T) {
	t.Parallel()
	r := newRig(t, TwoSitesOptions{})
	ask := func(method, path, body string, login func(*http.Request)) (int, string) {
		request := httptest.NewRequest(method, "https://array"+arrayRoot+path, strings.NewReader(body))
		login(request)
		recorder := httptest.NewRecorder()
		r.lab.ArrayHandler("primary", 0).ServeHTTP(recorder, request)
		return recorder.Code, recorder.Body.String()
	}
	nobody := func(*http.Request) {}
	status, text := ask("POST", "/sessions", fmt.Sprintf(`{"user": %q, "password": %q}`, ArrayUsername, PrimaryArrayPassword), nobody)
	var session struct{ Token string }
	if err := json.Unmarshal([]byte(text), &session); err != nil || status != http.StatusCreated || session.Token == "" {
		t.Fatalf("%d %s %v", status, text, err)
	}
	token := func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+session.Token) }
	for _, c := range []struct {
		name, method, path, body string
		login                    func(*http.Request)
		want                     int
	}{
		{"nobody", "GET", "/volumes", "", nobody, 401},
		{"nobody, who wants to know what there is", "GET", "", "", nobody, 200},
		{"nobody, where nothing is", "GET", "/nothing", "", nobody, 401},
		{"the password of the other array", "GET", "/volumes", "", func(r *http.Request) { r.SetBasicAuth(ArrayUsername, SecondaryArrayPassword) }, 401},
		{"another user", "GET", "/volumes", "", func(r *http.Request) { r.SetBasicAuth("admin", PrimaryArrayPassword) }, 401},
		{"a made-up token", "GET", "/volumes", "", func(r *http.Request) { r.Header.Set("Authorization", "Bearer x") }, 401},
		{"a session with a wrong password", "POST", "/sessions", `{"user": "drrun", "password": "x"}`, nobody, 401},
		{"a token", "GET", "/volumes", "", token, 200},
		{"a body that is no JSON", "PATCH", "/volumes/nfs_ds", "access", token, 400},
		{"an unknown path", "GET", "/nothing", "", token, 404},
		{"the end of the session", "DELETE", "/sessions", "", token, 204},
		{"a token of before", "GET", "/volumes", "", token, 401},
	} {
		if got, text := ask(c.method, c.path, c.body, c.login); got != c.want {
			t.Errorf("%s: %d, want %d: %s", c.name, got, c.want, text)
		}
	}
}

// TestArrayCommands compares what the command line answers, in words and exit codes.
func TestArrayCommands(t *testing.T) {
	t.Parallel()
	r := newRig(t, TwoSitesOptions{})
	r.clock.pass(time.Minute)
	for _, c := range []struct {
		line   string
		code   uint32
		stdout string
		stderr string
	}{
		{"help", 0, "volume replication resync REPLICATION [-discard] [-json]", ""},
		{"volume show", 0, "nfs_ds_replica  192.168.122.210:/nfs_ds_replica  read-only", ""},
		{"volume show 'nfs_ds_replica' -json", 0, `"access": "read-only"`, ""},
		{"volume replication show nfs_ds", 0, "nfs_ds  target  replicating", ""},
		{"volume replication show -json", 0, `"lag_seconds": 5`, ""},
		{"volume replication show nothing", 3, "", `there is no replication "nothing" on this array; there are: nfs_ds (not-found)`},
		{"volume replication break nfs_ds", 1, "", "nfs_ds replicates: quiesce it first (replicating)"},
		{"volume replication break", 2, "", "is not a command; help lists them (bad-request)"},
		{"volume replication promote nfs_ds", 2, "", "is not a command; help lists them (bad-request)"},
		{"volume replication quiesce nfs_ds -discard", 2, "", "does not take that"},
		{"volume modify nfs_ds_replica -access read-write", 1, "", "is the target of nfs_ds: break that first (replica)"},
		{"volume modify nfs_ds_replica -access", 2, "", "-access needs a value"},
		{"volume show 'nfs_ds", 2, "", "a quote is not closed"},
		{"", 2, "", "there is no command"},
		{"volume replication quiesce nfs_ds", 0, "job 1: quiesce nfs_ds: running", ""},
		{"volume replication quiesce nfs_ds", 1, "", "job 1 works on nfs_ds (quiesce): wait for it (busy)"},
		{"job show 1", 0, "job 1: quiesce nfs_ds: running", ""},
		{"job show 2", 3, "", `there is no job "2" on this array`},
		{"volume clone create nfs_ds_replica drill", 0, "job 2: clone nfs_ds_replica/drill: running", ""},
		{"volume clone show nfs_ds_replica", 0, "NAME  VOLUME  PATH  AS OF", ""},
		{"volume clone delete nfs_ds_replica other", 3, "", "there is no clone"},
	} {
		r.lab.lock()
		stdout, stderr, code := r.lab.array("secondary").command(c.line)
		r.lab.mu.Unlock()
		if code != c.code || !strings.Contains(stdout, c.stdout) || !strings.Contains(stderr, c.stderr) || (c.code == 0) != (stderr == "") {
			t.Errorf("%s: %d\n%s%s\nwant %d %s%s", c.line, code, stdout, stderr, c.code, c.stdout, c.stderr)
		}
	}
}

// TestServeArrays talks to arrays on sockets: by SSH with password and key, by HTTPS, and not at all once the power is gone.
func TestServeArrays(t *testing.T) {
	t.Parallel()
	l := New(TwoSites(TwoSitesOptions{}), newClock(), 1)
	ctx, cancel := context.WithCancel(context.Background())
	s, err := ServeArrays(ctx, l, ArrayOptions{Latency: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		cancel()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	at := s.Array("secondary")
	signer, err := ssh.ParsePrivateKey(s.Key)
	if err != nil {
		t.Fatal(err)
	}
	var host ssh.PublicKey
	for rest := s.KnownHosts; len(rest) > 0 && host == nil; {
		_, hosts, key, _, more, err := ssh.ParseKnownHosts(rest)
		if err != nil {
			t.Fatal(err)
		}
		if rest = more; hosts[0] == knownhosts.Normalize(at.SSH) {
			host = key
		}
	}
	run := func(user, command string, auth ssh.AuthMethod) (string, error) {
		client, err := ssh.Dial("tcp", at.SSH, &ssh.ClientConfig{User: user, Auth: []ssh.AuthMethod{auth}, HostKeyCallback: ssh.FixedHostKey(host)})
		if err != nil {
			return "", err
		}
		defer client.Close()
		session, err := client.NewSession()
		if err != nil {
			return "", err
		}
		out, err := session.CombinedOutput(command)
		return string(out), err
	}
	for name, auth := range map[string]ssh.AuthMethod{"password": ssh.Password(at.Password), "key": ssh.PublicKeys(signer)} {
		if out, err := run(at.Username, "volume replication show nfs_ds", auth); err != nil || !strings.Contains(out, "nfs_ds  target  replicating") {
			t.Errorf("by %s: %v %s", name, err, out)
		}
	}
	out, err := run(at.Username, "volume replication show nothing", ssh.Password(at.Password))
	var exit *ssh.ExitError
	if !errors.As(err, &exit) || exit.ExitStatus() != arrayUnknown || !strings.HasPrefix(out, "Error: there is no replication") {
		t.Errorf("an unknown replication: %v %s", err, out)
	}
	for name, login := range map[string]struct{ user, password string }{"a wrong password": {at.Username, "x"}, "another user": {"root", at.Password}} {
		if _, err := run(login.user, "volume show", ssh.Password(login.password)); err == nil || !strings.Contains(err.Error(), "unable to authenticate") {
			t.Errorf("%s: %v", name, err)
		}
	}
	ca, err := l.CA("secondary")
	if err != nil {
		t.Fatal(err)
	}
	client := httpsClient(t, ca)
	request, err := http.NewRequest("GET", at.URL+arrayRoot+"/array", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.SetBasicAuth(at.Username, at.Password)
	ask := func() error {
		response, err := client.Do(request)
		if err != nil {
			return err
		}
		defer response.Body.Close()
		if response.StatusCode != http.StatusOK {
			return fmt.Errorf("status %d", response.StatusCode)
		}
		return nil
	}
	if err := ask(); err != nil {
		t.Error(err)
	}
	if err := l.Disaster("secondary"); err != nil {
		t.Fatal(err)
	}
	if ask() == nil {
		t.Error("an array without power answers")
	}
	if _, err := run(at.Username, "volume show", ssh.Password(at.Password)); err == nil {
		t.Error("an array without power lets somebody in")
	}
}

// FuzzArrayLine quotes words as shells do; taken apart, the line has the same words.
func FuzzArrayLine(f *testing.F) {
	l := New(TwoSites(TwoSitesOptions{}), newClock(), 1)
	f.Add("volume", "nfs_ds")
	f.Add("'volume show'", " ''")
	f.Add("it's", "a b")
	f.Add("\\", "'")
	f.Fuzz(func(t *testing.T, first, second string) {
		quote := func(word string) string { return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'" }
		if !utf8.ValidString(first) || !utf8.ValidString(second) {
			return
		}
		words, err := splitWords(quote(first) + " \t" + quote(second))
		if err != nil || len(words) != 2 || words[0] != first || words[1] != second {
			t.Errorf("%q and %q became %q, %v", first, second, words, err)
		}
		l.lock()
		defer l.mu.Unlock()
		if _, stderr, code := l.array("primary").command(first + second); (code == arrayDone) != (stderr == "") {
			t.Errorf("%q ended with %d and %q", first+second, code, stderr)
		}
	})
}
