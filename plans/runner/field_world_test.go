package runner_test

import (
	"context"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"drrun/ovirt/lab"
	"drrun/plans/runner"
)

// field is a pair whose plan is an example, in a folder that is on the virtual disk and on the real one: programs and SSH read the latter.
// The arrays of the lab are served on sockets.
type field struct {
	*pair
	folder  string
	arrays  *lab.ArrayServer
	secrets map[string]string
	asker   answers
}

// newField puts a folder of examples beside the two-site lab. In every file, names of the example's servers are replaced.
func newField(t *testing.T, seed uint64, options lab.TwoSitesOptions, folder, plan string, replace ...string) *field {
	t.Helper()
	f := &field{pair: newPair(t, seed, options), folder: t.TempDir(), secrets: map[string]string{}, asker: answers{}}
	arrays, err := lab.ServeArrays(context.Background(), f.lab, lab.ArrayOptions{})
	if err != nil {
		t.Fatal(err)
	}
	f.arrays = arrays
	t.Cleanup(func() {
		if err := arrays.Close(); err != nil {
			t.Error(err)
		}
	})
	for _, array := range arrays.Arrays {
		f.secrets[array.Site+"_array_password"] = array.Password
		name := "array" + map[string]string{"primary": "1", "secondary": "2"}[array.Site] + ".localdomain"
		host, port := hostPort(t, array.SSH)
		replace = append(replace, "https://"+name, array.URL, `host = "`+name+`"`, `host = "`+host+`", port = `+port)
	}
	names := strings.NewReplacer(replace...)
	err = filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		inside, _ := filepath.Rel(folder, path)
		if inside == plan {
			inside = "plan.lua"
		}
		f.put(filepath.ToSlash(inside), names.Replace(string(text)))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	f.put("known_hosts", string(arrays.KnownHosts))
	f.put("array-key", string(arrays.Key))
	for _, site := range []string{"primary", "secondary"} {
		ca, err := f.lab.CA(site)
		if err != nil {
			t.Fatal(err)
		}
		f.put(site+"-ca.pem", string(ca))
	}
	f.put("plan.inventory.json", f.read("/site/plan.inventory.json"))
	return f
}

// put writes a file beside the plan, on both disks.
func (f *field) put(name, text string) {
	f.t.Helper()
	path := filepath.Join(f.folder, name)
	f.write(path, text)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		f.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o700); err != nil {
		f.t.Fatal(err)
	}
}

// change replaces a text of the plan.
func (f *field) change(old, new string) {
	f.t.Helper()
	text := f.read(filepath.Join(f.folder, "plan.lua"))
	if !strings.Contains(text, old) {
		f.t.Fatalf("the plan has no %q:\n%s", old, text)
	}
	f.put("plan.lua", strings.Replace(text, old, new, 1))
}

// run runs the plan. Nobody answers but who is named.
func (f *field) run(action string, planned bool, change func(*runner.Options)) *runner.Result {
	f.t.Helper()
	return f.failover(func(o *runner.Options) {
		f.options(o)
		o.Action, o.Planned = action, planned
		if planned {
			o.ConfirmSourceDown = ""
		}
		if change != nil {
			change(o)
		}
	})
}

func (f *field) options(o *runner.Options) {
	o.PlanFile = filepath.Join(f.folder, "plan.lua")
	o.Asker, o.CanAnswer = f.asker, f.asker.can
	known := o.Secrets.Env
	o.Secrets.Env = func(name string) (string, bool) {
		if value, is := f.secrets[strings.ToLower(strings.TrimPrefix(name, "DRRUN_SECRET_"))]; is {
			return value, true
		}
		return known(name)
	}
}

// verdicts fails where the result lacks one of the verdicts.
func (f *field) verdicts(r *runner.Result, want ...string) {
	f.t.Helper()
	for _, words := range want {
		if !strings.Contains(strings.Join(r.Verdicts, "\n"), words) {
			f.t.Errorf("no verdict says %q: %q", words, r.Verdicts)
		}
	}
}

// hostPort splits an address that the system gave.
func hostPort(t *testing.T, address string) (host, port string) {
	t.Helper()
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	return host, port
}
