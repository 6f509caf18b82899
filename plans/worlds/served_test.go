package worlds

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"drrun/engine"
	"drrun/ovirt/lab"
)

// site is an engine of a served lab, seen by an ordinary HTTP client.
type site struct {
	t      *testing.T
	url    string
	client *http.Client
	token  string
}

// serve serves a world on sockets, in time that runs speed times as fast as outside, and returns the lab's control API and its sites.
func serve(t *testing.T, world lab.World, speed float64) (*lab.ControlClient, map[string]*site) {
	t.Helper()
	dir := t.TempDir()
	env := engine.SystemEnv(speed)
	server, err := lab.Serve(t.Context(), lab.New(world, env.Clock, 1), lab.ServeOptions{Dir: dir, Speed: speed, Go: env.Go})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	sites := map[string]*site{}
	for name, address := range map[string]string{"primary": server.PrimaryURL, "secondary": server.SecondaryURL} {
		spec, _ := world.Site(name)
		pem, err := os.ReadFile(filepath.Join(dir, name+"-ca.pem"))
		if err != nil {
			t.Fatal(err)
		}
		pool := x509.NewCertPool()
		pool.AppendCertsFromPEM(pem)
		transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}
		t.Cleanup(transport.CloseIdleConnections)
		s := &site{t: t, url: address, client: &http.Client{Transport: transport}}
		s.login(spec.Username, spec.Password)
		sites[name] = s
	}
	return lab.Dial(server.Control), sites
}

func (s *site) login(username, password string) {
	s.t.Helper()
	form := url.Values{"grant_type": {"password"}, "scope": {"ovirt-app-api"}, "username": {username}, "password": {password}}
	req, err := http.NewRequest(http.MethodPost, strings.TrimSuffix(s.url, "/api")+"/sso/oauth/token", strings.NewReader(form.Encode()))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/json")
	res, err := s.client.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	text, _ := io.ReadAll(res.Body)
	_, rest, _ := strings.Cut(string(text), `"access_token"`)
	if parts := strings.Split(rest, `"`); res.StatusCode == http.StatusOK && len(parts) > 1 {
		s.token = parts[1]
		return
	}
	s.t.Fatalf("log in at %s: %s %s", s.url, res.Status, text)
}

// answer is what a request came to: a status with a body, or an error of the connection.
type answer struct {
	status int
	body   string
	err    error
}

func (s *site) do(method, path, body string) answer {
	req, err := http.NewRequest(method, s.url+path, strings.NewReader(body))
	if err != nil {
		return answer{err: err}
	}
	req.Header.Set("Authorization", "Bearer "+s.token)
	req.Header.Set("Accept", "application/xml")
	if body != "" {
		req.Header.Set("Content-Type", "application/xml")
	}
	res, err := s.client.Do(req)
	if err != nil {
		return answer{err: err}
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	return answer{res.StatusCode, string(text), err}
}

// element is a document, read without the lab's help.
type element struct {
	XMLName  xml.Name
	Attrs    []xml.Attr `xml:",any,attr"`
	Text     string     `xml:",chardata"`
	Children []element  `xml:",any"`
}

func (s *site) get(path string) element {
	s.t.Helper()
	a := s.do(http.MethodGet, path, "")
	var e element
	if err := xml.Unmarshal([]byte(a.body), &e); a.err != nil || a.status != http.StatusOK || err != nil {
		s.t.Fatalf("GET %s: %d %v %v\n%s", path, a.status, a.err, err, a.body)
	}
	return e
}

func (e element) at(names ...string) element {
	for _, name := range names {
		found := element{}
		for _, c := range e.Children {
			if c.XMLName.Local == name {
				found = c
				break
			}
		}
		e = found
	}
	return e
}

func (e element) text(names ...string) string { return strings.TrimSpace(e.at(names...).Text) }

func (e element) attr(name string) string {
	for _, a := range e.Attrs {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

// Every example is served as it is written: an HTTP client finds its VMs, and all data centers and storage domains work.
func TestServed(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../../examples/worlds/*.lua")
	if err != nil || len(files) < 4 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			world := sound(t, file)
			_, sites := serve(t, world, 20)
			for name, s := range sites {
				spec, _ := world.Site(name)
				running := 0
				for _, vm := range spec.VMs {
					if vm.Running {
						running++
					}
				}
				list := s.do(http.MethodGet, "/vms", "").body
				if got, up := strings.Count(list, "<vm href="), strings.Count(list, "<status>up</status>"); got != len(spec.VMs) || up != running {
					t.Errorf("%s: %d VMs, %d of them up; want %d and %d", name, got, up, len(spec.VMs), running)
				}
				for _, dc := range s.get("/datacenters").Children {
					if dc.text("status") != "up" {
						t.Errorf("%s: data center %s is %s", name, dc.text("name"), dc.text("status"))
					}
					for _, d := range s.get("/datacenters/" + dc.attr("id") + "/storagedomains").Children {
						if d.text("status") != "active" {
							t.Errorf("%s: storage domain %s is %s", name, d.text("name"), d.text("status"))
						}
					}
				}
			}
		})
	}
}

// TestTwoCenters looks for all that the example is there for.
func TestTwoCenters(t *testing.T) {
	t.Parallel()
	world := sound(t, "../../examples/worlds/two-centers.lua")
	_, sites := serve(t, world, 20)
	p := sites["primary"]
	kinds := map[string]int{}
	for _, d := range p.get("/storagedomains").Children {
		kinds[d.text("storage", "type")]++
	}
	if fmt.Sprint(kinds) != "map[fcp:1 glusterfs:1 iscsi:1 nfs:2 posixfs:1]" {
		t.Errorf("storage domains by kind: %v", kinds)
	}
	luns, several := 0, 0
	for _, vm := range p.get("/vms?follow=disk_attachments.disk").Children {
		domains := map[string]bool{}
		for _, a := range vm.at("disk_attachments").Children {
			if a.text("disk", "storage_type") == "lun" {
				luns++
				continue
			}
			domains[a.at("disk", "storage_domains", "storage_domain").attr("id")] = true
		}
		if len(domains) > 1 {
			several++
		}
	}
	if luns != 2 || several < 10 {
		t.Errorf("%d LUN disks, %d VMs on two storage domains", luns, several)
	}
	members := 0
	for _, cluster := range p.get("/clusters").Children {
		for _, group := range p.get("/clusters/" + cluster.attr("id") + "/affinitygroups?follow=vms").Children {
			members += len(group.at("vms").Children)
		}
	}
	if labels := p.get("/affinitylabels?follow=vms,hosts").Children; members != 5 || len(labels) != 1 || len(labels[0].at("vms").Children) != 1 || len(labels[0].at("hosts").Children) != 1 {
		t.Errorf("%d members of affinity groups, labels: %+v", members, labels)
	}
	if n := len(p.get("/templates").Children); n != 4 {
		t.Errorf("%d templates", n)
	}
}
