package lab_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

// rootsOf says which root element a link of a rel leads to, where it is not the rel without its underscores.
var rootsOf = map[string][]string{
	"nics": {"nics", "host_nics"}, "storage": {"host_storages"}, "devices": {"host_devices"}, "cpuunits": {"host_cpu_units"},
	"mediateddevices": {"vm_mediated_devices"}, "fenceagents": {"agents"}, "enabledfeatures": {"cluster_features"},
	"externalnetworkproviders": {"external_providers"}, "operatingsystems": {"operation_systems"}, "numanodes": {"vm_numa_nodes", "host_numa_nodes"}, "options": {"user_options"}, "checkpoints": {"checkpoints"},
}

// aliases are references whose element is not named after the object's kind.
var aliases = map[string]string{"original_template": "template", "base_template": "template", "large_icon": "icon", "small_icon": "icon",
	"effective_user": "user", "authenticated_user": "user", "blank_template": "template", "root_tag": "tag", "job": "job", "owner": "user"}

// TestEveryHrefResolves follows every href and link from the API's root on, as a client would that knows nothing else: each leads to a
// document of the kind that the reference promises, about the object with the id that it promises, which calls itself by that href.
// Templates of searches are tried with a word that matches nothing. Actions are asked to read a body that is none: one that
// is not there would answer 404 before.
func TestEveryHrefResolves(t *testing.T) {
	t.Parallel()
	f := newForeigner(furnished(), "primary")
	f.stopVM(t, "vm2")
	type reference struct{ href, from, kind, id string }
	seen := map[string]bool{}
	todo := []reference{{href: apiPath, from: "the start", kind: "api"}}
	var actions []reference
	follow := func(r reference) {
		if key := r.kind + " " + r.href; !seen[key] {
			seen[key] = true
			todo = append(todo, r)
		}
	}
	var collect func(from string, e *element, inActions bool)
	collect = func(from string, e *element, inActions bool) {
		href := e.attr("href")
		switch {
		case href == "":
		case inActions:
			actions = append(actions, reference{href, from, e.attr("rel"), ""})
		case e.name == "link":
			follow(reference{strings.ReplaceAll(href, "{query}", "name%3Dnothing-has-this-name"), from, e.attr("rel"), ""})
		default:
			follow(reference{href, from, e.name, e.attr("id")})
		}
		for _, c := range e.children {
			collect(from, c, inActions || e.name == "actions")
		}
	}
	links, objects := 0, 0
	for len(todo) > 0 {
		r := todo[0]
		todo = todo[1:]
		rec := f.get(r.href)
		if rec.Code != http.StatusOK {
			t.Errorf("GET %s = %d; %s calls it %s", r.href, rec.Code, r.from, r.kind)
			continue
		}
		doc, err := parseElements(rec.Body.Bytes())
		if err != nil {
			t.Errorf("GET %s: %v", r.href, err)
			continue
		}
		if r.id == "" && r.kind != "api" {
			links++
			rel := strings.TrimSuffix(r.kind, "/search")
			if roots := rootsOf[rel]; strings.ReplaceAll(doc.name, "_", "") != rel && !slices.Contains(roots, doc.name) {
				t.Errorf("GET %s is a %s; %s promised %s", r.href, doc.name, r.from, r.kind)
			}
		} else if r.kind != "api" {
			objects++
			want := r.kind
			if aliases[want] != "" {
				want = aliases[want]
			}
			if doc.name != want || doc.attr("id") != r.id {
				t.Errorf("GET %s is %s %s; %s promised %s %s", r.href, doc.name, doc.attr("id"), r.from, r.kind, r.id)
			}
			if doc.attr("href") != r.href {
				t.Errorf("GET %s calls itself %s", r.href, doc.attr("href"))
			}
		}
		collect(r.href, doc, false)
	}
	for _, a := range actions {
		switch rec := f.send(http.MethodPost, a.href, "<nonsense/>"); rec.Code {
		case http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusOK:
			t.Errorf("POST %s = %d; %s lists it", a.href, rec.Code, a.from)
		}
	}
	t.Logf("%d links, %d references to objects and %d actions lead where they promise", links, objects, len(actions))
	if links < 300 || objects < 150 || len(actions) < 200 {
		t.Error("too few to have been everywhere")
	}
}
