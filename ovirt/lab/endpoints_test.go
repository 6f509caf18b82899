package lab

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// endpoint is one call of an endpoint with what must be so before it, in its answer and after it. {name} stands for an id of the
// story. A state is a path and a condition, "hosts/{h}: status=up", or a path and a status, "disks/{d}: 404".
type endpoint struct {
	method, path, body string
	status             int
	has                []string      // conditions on the answer's document
	before, after      string        // states, separated by "; "
	keep               string        // the name under which the id of the answer's document is kept
	pass               time.Duration // what passes before the state after it is read
}

// story is a sequence of calls in one world.
type story struct {
	name  string
	site  string
	edit  func(*World)
	start func(r *rig, ids map[string]string)
	calls []endpoint
}

// holds reports whether a document meets a condition: "a/b=text", "a@id=text", "a" for an element that is there, "!a" for one that is
// not. Where an element occurs several times one that fits is enough.
func holds(doc *node, condition string) bool {
	want := !strings.HasPrefix(condition, "!")
	path, text, valued := strings.Cut(strings.TrimPrefix(condition, "!"), "=")
	return fits(doc, strings.Split(path, "/"), text, valued) == want
}

func fits(n *node, path []string, text string, valued bool) bool {
	if len(path) == 0 {
		return !valued || strings.TrimSpace(n.text) == text
	}
	name, attr, of := strings.Cut(path[0], "@")
	if of && name == "" {
		return n.attrs[attr] != "" && (!valued || n.attrs[attr] == text)
	}
	return slices.ContainsFunc(n.all(name), func(c *node) bool {
		if of {
			return c.attrs[attr] != "" && (!valued || c.attrs[attr] == text)
		}
		return fits(c, path[1:], text, valued)
	})
}

func (r *rig) state(site, states string, expand func(string) string) {
	r.t.Helper()
	if states == "" {
		return
	}
	for _, state := range strings.Split(states, "; ") {
		path, condition, _ := strings.Cut(expand(state), ": ")
		a := r.call(site, "GET", "/"+path, "")
		switch {
		case a.err != nil:
			r.t.Errorf("GET %s: %v", path, a.err)
		case len(condition) == 3 && condition[0] >= '2' && condition[0] <= '5':
			if fmt.Sprint(a.status) != condition {
				r.t.Errorf("GET %s: %d, want %s", path, a.status, condition)
			}
		case a.status != 200 || a.doc == nil || !holds(a.doc, condition):
			r.t.Errorf("GET %s: %d without %s\n%s", path, a.status, condition, a.body)
		}
	}
}

// TestEndpoints calls every endpoint that the lab claims to have, in stories, and looks at the state on both sides of each call.
func TestEndpoints(t *testing.T) {
	t.Parallel()
	for _, s := range stories {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			if s.site == "" {
				s.site = "primary"
			}
			w := everyKind()
			if s.edit != nil {
				s.edit(&w)
			}
			r := rigOf(t, w)
			ids := idsOf(&w, s.site)
			r.get(s.site, "")
			if s.start != nil {
				s.start(r, ids)
			}
			for _, c := range s.calls {
				var pairs []string
				for name, id := range ids {
					pairs = append(pairs, "{"+name+"}", id)
				}
				expand := strings.NewReplacer(pairs...).Replace
				r.state(s.site, c.before, expand)
				path := expand(c.path)
				a := r.call(s.site, c.method, "/"+path, expand(c.body))
				if a.err != nil || a.status != c.status {
					t.Fatalf("%s %s: %d, want %d: %v\n%s", c.method, path, a.status, c.status, a.err, a.body)
				}
				for _, condition := range c.has {
					if a.doc == nil || !holds(a.doc, expand(condition)) {
						t.Errorf("%s %s: no %s in\n%s", c.method, path, expand(condition), a.body)
					}
				}
				if c.keep != "" {
					if ids[c.keep] = a.doc.attrs["id"]; ids[c.keep] == "" {
						t.Fatalf("%s %s: no id in\n%s", c.method, path, a.body)
					}
				}
				r.clock.pass(c.pass)
				pairs = pairs[:0]
				for name, id := range ids {
					pairs = append(pairs, "{"+name+"}", id)
				}
				r.state(s.site, c.after, strings.NewReplacer(pairs...).Replace)
			}
		})
	}
}

// checklist names, for every endpoint that a client of a disaster recovery may call, its method and path; * is an id. What no story
// calls, or what the lab does not know, fails the test.
const checklist = "testdata/endpoints.txt"

// TestStoriesCoverTheChecklist compares the calls of the stories, refused ones left out, with the checklist.
func TestStoriesCoverTheChecklist(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(checklist)
	if err != nil {
		t.Fatal(err)
	}
	called := map[string]bool{}
	for _, s := range stories {
		for _, c := range s.calls {
			if c.status < 400 {
				path, _, _ := strings.Cut(c.path, "?")
				parts := strings.Split(path, "/")
				for i, p := range parts {
					if strings.HasPrefix(p, "{") || i == 1 && parts[0] == "options" || strings.HasPrefix(p, "sha256:") {
						parts[i] = "*"
					}
				}
				called[strings.TrimSpace(c.method+" "+strings.Join(parts, "/"))] = true
			}
		}
	}
	for _, line := range strings.Split(string(text), "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if !called[line] {
			t.Errorf("no story calls %s with success", line)
		}
	}
}

// everyKind is a world with storage of every kind, spare LUNs, snapshots, a template, power management and more than one data domain.
func everyKind() World {
	w := TwoSites(TwoSitesOptions{VMs: 3, PowerManagement: true})
	p, _ := w.Site("primary")
	for _, kind := range []string{kindISCSI, kindFCP, kindGluster, kindPOSIX} {
		d := w.addReplicated(kind, kind+"_ds", 0)
		d.DataCenterID = p.DataCenters[0].ID
		p.StorageDomains = append(p.StorageDomains, d)
	}
	w.addLUNs("primary", kindISCSI, "spare", 3)
	w.addLUNs("primary", kindFCP, "spare_fc", 2)
	w.Exports = append(w.Exports, Export{Site: "primary", Address: arrayAddress, Path: "/spare", Size: 100 * gib},
		Export{Site: "primary", Address: arrayAddress, Path: "/iso", Size: 10 * gib})
	p.StorageDomains = append(p.StorageDomains, StorageDomain{ID: uuidOf("domain/iso"), Name: "iso", DataCenterID: p.DataCenters[0].ID,
		Address: arrayAddress, Path: "/iso", Format: "v1", Type: domainISO, Files: []string{"rhel.iso", "virtio.iso"}})
	p.VMs[0].Snapshots = []Snapshot{{Description: "before the update", Age: time.Hour}}
	p.VMs[1].Running = false
	p.VMs[2].Running = false
	return w
}

// idsOf names what a world has: dc, cluster, hosts h1 and h2, vm1 and its disk1, nic1, the domains by name, and so on.
func idsOf(w *World, site string) map[string]string {
	p, _ := w.Site(site)
	ids := map[string]string{"zero": blankID, "dc": p.DataCenters[0].ID, "cluster": p.Clusters[0].ID, "pool": p.MACPools[0].ID, "authz": directoryID(ownDomain)}
	for i, h := range p.Hosts {
		ids[fmt.Sprintf("h%d", i+1)] = h.ID
	}
	for i, n := range p.Networks {
		ids[fmt.Sprintf("net%d", i+1)] = n.ID
	}
	for i, n := range p.VNICProfiles {
		ids[fmt.Sprintf("profile%d", i+1)] = n.ID
	}
	for _, d := range p.StorageDomains {
		ids[d.Name] = d.ID
	}
	for i, v := range p.VMs {
		ids[fmt.Sprintf("vm%d", i+1)], ids[fmt.Sprintf("disk%d", i+1)] = v.ID, v.Disks[0].ID
		if len(v.NICs) > 0 {
			ids[fmt.Sprintf("nic%d", i+1)] = v.NICs[0].ID
		}
	}
	for _, t := range p.Templates {
		if t.ID != blankID {
			ids["template"] = t.ID
		}
	}
	for _, s := range w.LUNSets {
		for i, u := range s.LUNs {
			ids[fmt.Sprintf("%s-%d", s.Name, i)] = u.ID
		}
	}
	return ids
}
