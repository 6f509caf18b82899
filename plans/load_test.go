package plans

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"drrun/engine"
	"drrun/lua"
	"drrun/stdlib"
)

// load loads a plan with the real runtime. It returns the plan and what a person would read.
func load(t *testing.T, file string, o Options) (p *Plan, found lua.Diagnostics, text string) {
	t.Helper()
	if o.ReadFile == nil {
		o.ReadFile = os.ReadFile
	}
	inTask(t, func(task *engine.Task) error {
		boot, modules := stdlib.Connect(stdlib.Surroundings{})
		if o.Boot.Name == "" {
			o.Boot = boot
		}
		rt := lua.New(lua.Options{Modules: append([]lua.Module{DR(o)}, modules...), Embedded: stdlib.Embedded(), Path: []string{filepath.Dir(file), filepath.Join(filepath.Dir(file), "lib")}, ReadFile: os.ReadFile})
		p, found = Load(task, rt, file)
		return nil
	})
	var b bytes.Buffer
	lua.Render(&b, found...)
	return p, found, b.String()
}

func inTask(t *testing.T, main func(task *engine.Task) error) {
	t.Helper()
	scheduler := engine.NewScheduler(engine.SystemEnv(1))
	if err := scheduler.Run(context.Background(), context.Background(), "test", main); err != nil {
		t.Fatal(err)
	}
}

// Each plan in testdata/load has the whole text of its findings beside it.
func TestLoad(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/load/*.lua")
	if err != nil || len(files) < 10 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".lua")
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, found, text := load(t, file, Options{})
			if (len(found) == 0) != (name == "sound") {
				t.Errorf("%d findings", len(found))
			}
			if strings.Contains(text, "hunter2") {
				t.Errorf("a password is shown:\n%s", text)
			}
			golden(t, filepath.Join("load", name+".golden"), text)
		})
	}
}

func TestLoadMissingFile(t *testing.T) {
	t.Parallel()
	p, found, text := load(t, filepath.Join("testdata", "nowhere.lua"), Options{})
	if p != nil || len(found) != 1 {
		t.Error(p, found)
	}
	golden(t, "missing_plan.golden", text)
}

// After it was loaded a plan is what it is: a run cannot add to it.
func TestLoadedPlanIsSealed(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "plan.lua")
	text, err := os.ReadFile("testdata/load/no_plan.lua")
	if err != nil {
		t.Fatal(err)
	}
	write(t, file, string(text)+`
plan.actions.on = function(ctx, plan) plan:on("after_run", function() end) end
plan.actions.use = function(ctx, plan) plan:use(dr.library { name = "late" }) end
plan.actions.set = function(ctx, plan) plan.failover = function() end end
plan.actions.add = function(ctx, plan) plan.actions.x = function() end end
plan.actions.look = function(ctx, plan)
  assert(plan.name == "Test" and #plan.vms == 1 and plan.storage_domains[1].secondary.url and plan.mappings.clusters[1].primary == "Prod")
  assert(plan.sites.primary.username == "admin@internal" and plan.sites.primary.password == nil and plan.vms[1].start == "as_before")
end
return plan
`)
	inTask(t, func(task *engine.Task) error {
		rt := lua.New(lua.Options{Modules: []lua.Module{DR(Options{})}, ReadFile: os.ReadFile})
		p, found := Load(task, rt, file)
		if len(found) > 0 {
			t.Fatal(found)
		}
		for _, name := range p.ActionNames() {
			_, err := p.Actions[name].Call(task, nil, p.Object)
			var d *lua.Diagnostic
			if sealed := errors.As(err, &d) && d.Code == "plan-sealed"; sealed != (name != "look") || name == "look" && err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		return nil
	})
}

func TestLoadSoundPlan(t *testing.T) {
	t.Parallel()
	asked := 0
	p, _, text := load(t, "testdata/load/sound.lua", Options{Secrets: SecretResolver{
		Env: func(name string) (string, bool) {
			return map[string]string{"DRRUN_SECRET_PRIMARY_PASSWORD": "p1"}[name], true
		},
		ReadFile: func(path string) ([]byte, error) {
			if path != filepath.Join("testdata", "load", "secondary.pw") {
				t.Errorf("the secret's file is looked for at %s", path)
			}
			asked++
			return []byte("p2\r\n"), nil
		}}})
	if p == nil {
		t.Fatal(text)
	}
	if p.Path(p.Primary.CAFile) != filepath.Join("testdata", "load", "ca.pem") || !p.Secondary.Insecure || p.Primary.Insecure {
		t.Errorf("sites: %+v %+v", p.Primary, p.Secondary)
	}
	for range 2 {
		for want, secret := range map[string]*lua.Secret{"p1": p.Primary.Password, "p2": p.Secondary.Password} {
			if got, err := secret.Reveal(context.Background()); err != nil || got != want {
				t.Errorf("secret %s: got %q, %v", secret.Name(), got, err)
			}
		}
	}
	if asked != 1 {
		t.Errorf("the file was read %d times", asked)
	}
	var got []string
	for _, h := range p.Hooks {
		text := h.Point + "/" + h.Handler + " " + DurationText(h.Timeout) + " " + h.OnError + " " + h.OnCut
		if h.Options != nil {
			text += " " + h.Options["vserver"].(string) + " " + h.Options["wait"].(string)
		}
		got = append(got, strings.TrimSpace(text))
	}
	want := []string{"promote_storage/site 10m   svm_dr 30s", "after_run/site 10m   svm_dr 30s", "promote_storage/site_b 10m   other 10s", "after_run/site_b 10m   other 10s",
		"before_run/plan 10m", "before_run/second 60s continue ask"}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("hooks:\n%s", strings.Join(got, "\n"))
	}
	if p.Workflows["failover"] == nil || p.Workflows["failback"] != nil || len(p.Actions) != 1 || len(p.Libraries) != 2 || p.Libraries[0].Version != "1.2" {
		t.Errorf("workflows %v, actions %v, libraries %+v", p.Workflows, p.Actions, p.Libraries)
	}
	if len(p.HooksAt("before_run")) != 2 {
		t.Errorf("hooks at before_run: %v", p.HooksAt("before_run"))
	}
	app1 := p.VMs[1]
	if app1.Rank != DefaultRank || app1.Start != StartYes || app1.OnError != OnErrorContinue || app1.Grace != DefaultGrace || app1.Boot.String() != "guest_agent" {
		t.Errorf("app1: %+v", app1)
	}
}

func TestSecretResolver(t *testing.T) {
	t.Parallel()
	files := fakeFiles{"/etc/pw": []byte("from-file\n"), "dir/pw": []byte("from-plan-file"), "empty": []byte("\n")}
	for _, c := range []struct {
		name, file string
		env        map[string]string
		prompt     string
		store      string
		want, bad  string
	}{
		{name: "variable", env: map[string]string{"DRRUN_SECRET_MY_DB_1": "from-env", "DRRUN_SECRET_MY_DB_1_FILE": "/etc/pw"}, file: "pw", want: "from-env"},
		{name: "file variable", env: map[string]string{"DRRUN_SECRET_MY_DB_1_FILE": "/etc/pw"}, file: "pw", want: "from-file"},
		{name: "the plan's file", file: "pw", prompt: "typed", want: "from-plan-file"},
		{name: "command", env: map[string]string{"DRRUN_SECRET_MY_DB_1_COMMAND": "vault get"}, file: "pw", want: "from vault get"},
		{name: "command that fails", env: map[string]string{"DRRUN_SECRET_MY_DB_1_COMMAND": "false"}, file: "pw", bad: `find secret "my_db-1": the command in DRRUN_SECRET_MY_DB_1_COMMAND failed: exit status 1`},
		{name: "command that prints nothing", env: map[string]string{"DRRUN_SECRET_MY_DB_1_COMMAND": "true"}, bad: `find secret "my_db-1": the command in DRRUN_SECRET_MY_DB_1_COMMAND printed nothing`},
		{name: "store", store: "kept", prompt: "typed", want: "kept"},
		{name: "the plan's file before the store", file: "pw", store: "kept", want: "from-plan-file"},
		{name: "store that cannot be opened", store: "locked", prompt: "typed", bad: `find secret "my_db-1": those that are kept here cannot be read: no key`},
		{name: "prompt", prompt: "typed", want: "typed"},
		{name: "nothing", bad: `find secret "my_db-1": DRRUN_SECRET_MY_DB_1 is not set, and there is no terminal to ask at`},
		{name: "missing file", file: "other", bad: `find secret "my_db-1": its file cannot be read: open dir/other: file does not exist`},
		{name: "empty file", env: map[string]string{"DRRUN_SECRET_MY_DB_1_FILE": "empty"}, bad: `find secret "my_db-1": the file empty is empty`},
	} {
		r := SecretResolver{Env: func(name string) (string, bool) { v, ok := c.env[name]; return v, ok }, ReadFile: files.read}
		r.Command = func(_ context.Context, command string) (string, error) {
			switch command {
			case "false":
				return "", errors.New("exit status 1")
			case "true":
				return "\n", nil
			}
			return "from " + command + "\n", nil
		}
		r.Store = func(name string) (string, bool, error) {
			if c.store == "locked" {
				return "", false, errors.New("no key")
			}
			return c.store, name == "my_db-1" && c.store != "", nil
		}
		if c.prompt != "" {
			r.Prompt = func(context.Context, string) (string, error) { return c.prompt, nil }
		}
		got, err := r.Resolve(context.Background(), "my_db-1", c.file, "dir")
		switch {
		case c.bad != "" && (err == nil || err.Error() != c.bad):
			t.Errorf("%s: got error %v, want %s", c.name, err, c.bad)
		case c.bad == "" && (err != nil || got != c.want):
			t.Errorf("%s: got %q, %v", c.name, got, err)
		}
	}
}

// TestEventsOff reads whether runs are shown in the engines.
func TestEventsOff(t *testing.T) {
	t.Parallel()
	sound, err := os.ReadFile("testdata/load/sound.lua")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		field string
		off   bool
		found string // text of the only finding
	}{
		{"", false, ""},
		{"events = true,", false, ""},
		{"events = false,", true, ""},
		{`events = "no",`, false, `events is not true or false: "no"`},
		{"event = false,", false, `has no argument "event"`},
	} {
		file := filepath.Join(t.TempDir(), "plan.lua")
		write(t, file, strings.Replace(string(sound), `  name = "Test",`, `  name = "Test", `+c.field, 1))
		write(t, filepath.Join(filepath.Dir(file), "ca.pem"), "-----BEGIN CERTIFICATE-----\n")
		if err := os.CopyFS(filepath.Join(filepath.Dir(file), "lib"), os.DirFS("testdata/load/lib")); err != nil {
			t.Fatal(err)
		}
		p, found, shown := load(t, file, Options{})
		switch {
		case c.found == "" && (len(found) > 0 || p.NoEvents != c.off):
			t.Errorf("%s: off %v\n%s", c.field, p.NoEvents, shown)
		case c.found != "" && (len(found) != 1 || !strings.Contains(shown, c.found)):
			t.Errorf("%s: %s", c.field, shown)
		}
	}
}

func TestLeaseExpiry(t *testing.T) {
	t.Parallel()
	sound, err := os.ReadFile("testdata/load/sound.lua")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		value string // "" leaves it out
		want  time.Duration
		found string // text of the only finding
	}{
		{"", 180 * time.Second, ""},
		{`"0s"`, 0, ""},
		{`"5m"`, 5 * time.Minute, ""},
		{`"soon"`, 0, `lease_expiry is not a duration: "soon"`},
		{`-1`, 0, "lease_expiry is not a duration"},
	} {
		text := string(sound)
		if c.value != "" {
			text = strings.Replace(text, `  name = "Test",`, `  name = "Test", lease_expiry = `+c.value+",", 1)
		}
		file := filepath.Join(t.TempDir(), "plan.lua")
		write(t, file, text)
		write(t, filepath.Join(filepath.Dir(file), "ca.pem"), "-----BEGIN CERTIFICATE-----\n")
		if err := os.CopyFS(filepath.Join(filepath.Dir(file), "lib"), os.DirFS("testdata/load/lib")); err != nil {
			t.Fatal(err)
		}
		p, found, shown := load(t, file, Options{})
		switch {
		case c.found == "" && (len(found) > 0 || p.LeaseExpiry != c.want):
			t.Errorf("%s: %v\n%s", c.value, p, shown)
		case c.found != "" && (len(found) != 1 || !strings.Contains(shown, c.found)):
			t.Errorf("%s: %s", c.value, shown)
		}
	}
}

// What Write writes, Load reads: the same plan, and nothing to find but what it leaves open.
func TestRoundTrip(t *testing.T) {
	t.Parallel()
	wait := &stdlib.Condition{Kind: stdlib.ConditionWait, Delay: 90 * time.Second}
	agent := &stdlib.Condition{Kind: stdlib.ConditionGuestAgent, Timeout: 5 * time.Minute}
	plain := func(n int, name string) VM {
		return VM{Name: name, ID: testID(idVM, n), Rank: 1, Boot: &stdlib.Condition{}, Start: StartAsBefore, OnError: OnErrorContinue, Grace: DefaultGrace}
	}
	full := VM{Name: "full \"é\" \\ \x01\xff", ID: testID(idVM, 1), Rank: 7, After: []string{"b", "c d"}, Start: StartNo, Required: true, OnError: OnErrorStop,
		Grace: 1500 * time.Millisecond, ForceStop: true, Boot: &stdlib.Condition{Kind: stdlib.ConditionAll, Of: []*stdlib.Condition{wait,
			{Kind: stdlib.ConditionAny, Of: []*stdlib.Condition{agent, {Kind: stdlib.ConditionGuestAgent}, wait}}}}}
	b, c := plain(2, "b"), plain(3, "c d")
	b.Boot, c.Boot, c.Start = wait, agent, StartYes
	place := func(text string) StorageURL { u, _ := parseStorageURL(text); return u }
	want := &Plan{Name: "Round \"trip\"\n", Params: map[string]any{"a b": []any{"x", map[string]any{"y": true}}, "end": 1.5, "n": 3.0},
		Primary:   SiteSpec{URL: "https://engine1.example/ovirt-engine/api", Username: "admin@internal", CAFile: "ca file.pem"},
		Secondary: SiteSpec{URL: "https://engine2.example/ovirt-engine/api", Username: "admin@internal", Insecure: true},
		StorageDomains: []StorageDomain{
			{Name: "a", ID: testID(idDomain, 1), Type: StorageNFS, Group: "g1",
				Primary:   DomainSide{DataCenter: "Default", URL: "nfs://a:/1", Place: place("nfs://a:/1"), NFSVersion: "v4_1", MountOptions: "nosharecache"},
				Secondary: DomainSide{DataCenter: "DR", URL: "nfs://[fd00::1]:/1", Place: place("nfs://[fd00::1]:/1")}},
			{Name: "b", ID: testID(idDomain, 2), Type: StorageNFS,
				Primary:   DomainSide{DataCenter: "Default", URL: "nfs://a:/2", Place: place("nfs://a:/2")},
				Secondary: DomainSide{Todo: "which \"one\"?", URL: "nfs://b:/2", Place: place("nfs://b:/2")}},
		},
		Mappings: Mappings{
			Clusters: []ClusterMapping{{Primary: "Prod", Secondary: "Recovery"}, {Primary: "Long name", Todo: "which cluster?"}},
			VNICProfiles: []ProfileMapping{
				{Primary: ProfileRef{"Default", "lan", "lan"}, Secondary: ProfileRef{"DR", "lan", "lan"}, Test: ProfileRef{"DR", "isolated", "isolated"}},
				{Primary: ProfileRef{"Default", "dmz", "dmz"}, Todo: "which profile?"}},
		},
		Templates: []Template{{Name: "rhel9", ID: testID(idTemplate, 1)}},
		VMs:       []VM{full, b, c}, LeaseExpiry: 4 * time.Minute,
	}
	text, err := Write(want, WriteOptions{File: "x.lua"})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write(t, filepath.Join(dir, "x.lua"), string(text))
	write(t, filepath.Join(dir, "ca file.pem"), "-----BEGIN CERTIFICATE-----\n")
	got, found, shown := load(t, filepath.Join(dir, "x.lua"), Options{})
	for _, d := range found {
		if d.Code != codeTodo && d.Code != "after-rank" {
			t.Errorf("a finding about a written plan: %s", d)
		}
	}
	if got == nil || len(got.Todos) != 3 {
		t.Fatal(shown)
	}
	again, err := Write(got, WriteOptions{File: "x.lua"})
	if err != nil {
		t.Fatal(err)
	}
	if string(again) != string(text) {
		t.Errorf("written again:\n%s\n%s", text, again)
	}
	if a, b := stripped(want), stripped(got); a != b {
		t.Errorf("read back:\n%s\n%s", a, b)
	}
}

// stripped renders the data of a plan, without places and what hangs on a runtime.
func stripped(p *Plan) string {
	q := Plan{Name: p.Name, Params: p.Params, LeaseExpiry: p.LeaseExpiry, Primary: p.Primary, Secondary: p.Secondary, StorageDomains: slices.Clone(p.StorageDomains),
		Mappings: Mappings{Clusters: slices.Clone(p.Mappings.Clusters), VNICProfiles: slices.Clone(p.Mappings.VNICProfiles)}, Templates: slices.Clone(p.Templates), VMs: slices.Clone(p.VMs)}
	q.Primary.Password, q.Secondary.Password = nil, nil
	q.Primary.Pos, q.Secondary.Pos = lua.Pos{}, lua.Pos{}
	for i := range q.StorageDomains {
		d := &q.StorageDomains[i]
		d.Pos, d.Primary.Pos, d.Secondary.Pos = lua.Pos{}, lua.Pos{}, lua.Pos{}
	}
	for i := range q.Mappings.Clusters {
		q.Mappings.Clusters[i].Pos = lua.Pos{}
	}
	for i := range q.Mappings.VNICProfiles {
		q.Mappings.VNICProfiles[i].Pos = lua.Pos{}
	}
	for i := range q.Templates {
		q.Templates[i].Pos = lua.Pos{}
	}
	for i := range q.VMs {
		q.VMs[i].Pos = lua.Pos{}
	}
	data, err := json.MarshalIndent(q, "", " ")
	if err != nil {
		panic(err)
	}
	return string(data)
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// The generated plans of the golden files load; what they leave to people is all there is to find.
func TestGeneratedPlansLoad(t *testing.T) {
	t.Parallel()
	for name, todos := range map[string]int{"generated.lua": 0, "todos.lua": 4} {
		p, found, text := load(t, filepath.Join("testdata", name), Options{ReadFile: func(string) ([]byte, error) { return []byte("-----BEGIN CERTIFICATE-----"), nil }})
		if p == nil || len(found) != todos || len(p.Todos) != todos {
			t.Errorf("%s: %s", name, text)
		}
	}
}

// A large plan is read in time that grows with its size, not with its square.
func TestLoadLargePlan(t *testing.T) {
	if testing.Short() {
		t.Skip("writes a plan of 5,000 VMs")
	}
	p := &Plan{Name: "large", Primary: SiteSpec{URL: "https://a.example"}, Secondary: SiteSpec{URL: "https://b.example"},
		StorageDomains: []StorageDomain{{Name: "d", ID: testID(idDomain, 1), Type: StorageNFS, Primary: DomainSide{DataCenter: "x", URL: "nfs://a:/1"}, Secondary: DomainSide{DataCenter: "x", URL: "nfs://b:/1"}}}}
	const count = 5000
	for n := range count {
		vm := VM{Name: fmt.Sprintf("vm%d", n), ID: testID(idVM, n), Rank: n % 5, Boot: &stdlib.Condition{Kind: stdlib.ConditionGuestAgent, Timeout: 5 * time.Minute}}
		if n >= 5 {
			vm.After = []string{fmt.Sprintf("vm%d", n-5)}
		}
		p.VMs = append(p.VMs, vm)
	}
	text, err := Write(p, WriteOptions{})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "large.lua")
	write(t, file, string(text))
	got, found, shown := load(t, file, Options{})
	if got == nil || len(got.VMs) != count || len(found) > 0 {
		t.Fatal(shown)
	}
	if got.VMs[count-1].Pos.Line == 0 {
		t.Error("the last VM has no place")
	}
}

func BenchmarkLoad5000(b *testing.B) {
	p := &Plan{Name: "large", Primary: SiteSpec{URL: "https://a.example"}, Secondary: SiteSpec{URL: "https://b.example"}}
	for n := range 5000 {
		p.VMs = append(p.VMs, VM{Name: fmt.Sprintf("vm%d", n), ID: testID(idVM, n), Boot: &stdlib.Condition{Kind: stdlib.ConditionWait, Delay: time.Minute}})
	}
	text, err := Write(p, WriteOptions{})
	if err != nil {
		b.Fatal(err)
	}
	file := filepath.Join(b.TempDir(), "large.lua")
	if err := os.WriteFile(file, text, 0o644); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		scheduler := engine.NewScheduler(engine.SystemEnv(1))
		if err := scheduler.Run(context.Background(), context.Background(), "bench", func(task *engine.Task) error {
			rt := lua.New(lua.Options{Modules: []lua.Module{DR(Options{})}, ReadFile: os.ReadFile})
			Load(task, rt, file)
			return nil
		}); err != nil {
			b.Fatal(err)
		}
	}
}
