package lab

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// httpsClient trusts one CA and keeps connections.
func httpsClient(t *testing.T, ca []byte) *http.Client {
	t.Helper()
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(ca) {
		t.Fatal("no certificate in the CA file")
	}
	tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: 30 * time.Second}
}

func get(t *testing.T, c *http.Client, url string) (int, string, error) {
	t.Helper()
	req, err := http.NewRequest("GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth(PrimaryUsername, PrimaryPassword)
	res, err := c.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	return res.StatusCode, string(b), err
}

func TestServe(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	clock := ScaledClock(2000)
	l := New(TwoSites(TwoSitesOptions{VMs: 30}), clock, 1)
	ctx, cancel := context.WithCancel(context.Background())
	s, err := Serve(ctx, l, ServeOptions{Dir: dir, Speed: 2000})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		cancel()
		s.Wait()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	ca, err := os.ReadFile(filepath.Join(dir, "primary-ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	client := httpsClient(t, ca)
	status, body, err := get(t, client, s.PrimaryURL+"/vms")
	if err != nil || status != 200 || strings.Count(body, "<vm href=") < 30 {
		t.Fatalf("%d %v", status, err)
	}
	otherCA, err := os.ReadFile(filepath.Join(dir, "secondary-ca.pem"))
	if err != nil || bytes.Equal(ca, otherCA) {
		t.Fatalf("the sites share a CA: %v", err)
	}
	if _, _, err := get(t, httpsClient(t, otherCA), s.PrimaryURL); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("the wrong CA is accepted: %v", err)
	}
	env, err := os.ReadFile(filepath.Join(dir, "lab.env"))
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		"export DRRUN_SECRET_PRIMARY_PASSWORD='lab-primary-password'", "export DRRUN_SECRET_SECONDARY_PASSWORD='lab-secondary-password'",
		"export LAB_PRIMARY_URL='" + s.PrimaryURL + "'", "export LAB_PRIMARY_STORAGE='nfs://192.168.122.210:/nfs_ds'",
		"export LAB_SECONDARY_STORAGE='nfs://192.168.122.210:/nfs_ds_replica'", "export LAB_CONTROL='" + s.Control + "'", "export DRRUN_SPEED='2000'",
		"export DRRUN_SECRET_PRIMARY_ARRAY_PASSWORD='lab-primary-array-password'", "export LAB_SECONDARY_ARRAY_URL='" + s.Arrays.Array("secondary").URL + "'",
		"export LAB_PRIMARY_ARRAY_SSH='" + s.Arrays.Array("primary").SSH + "'", "export LAB_PRIMARY_ARRAY_USERNAME='drrun'",
		"export LAB_ARRAY_KNOWN_HOSTS='" + filepath.Join(dir, "array-known-hosts") + "'", "export LAB_ARRAY_KEY='" + filepath.Join(dir, "array-key") + "'",
	} {
		if !strings.Contains(string(env), line+"\n") {
			t.Errorf("lab.env lacks %s:\n%s", line, env)
		}
	}

	control := Dial(s.Control)
	if err := control.Fail(ctx, Fault{Site: "primary", Path: "/hosts$", Status: 503}); err != nil {
		t.Fatal(err)
	}
	if status, _, err := get(t, client, s.PrimaryURL+"/hosts"); status != 503 || err != nil {
		t.Errorf("fault: %d %v", status, err)
	}
	if err := control.Fail(ctx, Fault{Site: "primary", Path: "/hosts$", Truncate: true}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := get(t, client, s.PrimaryURL+"/hosts"); err == nil {
		t.Error("a cut answer arrives whole")
	}
	// Many at once, for the race detector.
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for _, path := range []string{"/vms", "/events", "/storagedomains", "/nothing"} {
				if _, _, err := get(t, client, s.PrimaryURL+path); err != nil {
					t.Error(err)
				}
			}
			if _, err := control.World(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if err := control.Disaster(ctx, "primary"); err != nil {
		t.Fatal(err)
	}
	if _, _, err := get(t, client, s.PrimaryURL+"/vms"); err == nil {
		t.Error("a dead site answers on a kept connection")
	}
	if _, _, err := get(t, httpsClient(t, ca), s.PrimaryURL+"/vms"); err == nil {
		t.Error("a dead site answers on a new connection")
	}
	world, err := control.World(ctx)
	if err != nil || world.Sites["primary"].Engine != "down" || world.Sites["secondary"].Engine != "up" || len(world.Disks) != 60 {
		t.Errorf("world: %v %+v", err, world.Sites["primary"].Engine)
	}
	if err := control.Promote(ctx, "nfs_ds"); err != nil {
		t.Error(err)
	}
	if err := control.Promote(ctx, "none"); err == nil || !strings.Contains(err.Error(), `no replicated storage domain "none"`) {
		t.Errorf("promote of an unknown domain: %v", err)
	}
	if err := control.Heal(ctx, "primary"); err != nil {
		t.Error(err)
	}
	if err := control.Replicate(ctx, "nfs_ds"); err != nil {
		t.Error(err)
	}
	if _, err := clock.Wait(ctx, 3*time.Minute, nil); err != nil {
		t.Fatal(err)
	}
	if status, _, err := get(t, client, s.PrimaryURL+"/vms"); status != 200 || err != nil {
		t.Errorf("after heal: %d %v", status, err)
	}
	if err := control.Outage(ctx, "secondary"); err != nil {
		t.Error(err)
	}
	if _, _, err := get(t, httpsClient(t, otherCA), s.SecondaryURL); err == nil {
		t.Error("an engine in an outage answers")
	}
	if world, err = control.World(ctx); err != nil || world.Sites["secondary"].Hosts[0].Status != "up" {
		t.Errorf("an outage of the engine alone took the hosts: %v", err)
	}
	log, err := control.Log(ctx)
	if err != nil || len(log) < 30 {
		t.Errorf("log: %d, %v", len(log), err)
	}
	// The query form of the control API.
	res, err := http.Post("http://"+s.Control+"/arrays/promote?domain=nfs_ds", "", nil)
	if err != nil || res.StatusCode != 200 {
		t.Errorf("promote by query: %v", err)
	} else {
		res.Body.Close()
	}
}

func TestServeRefusesABusyPort(t *testing.T) {
	t.Parallel()
	first, err := Serve(context.Background(), New(TwoSites(TwoSitesOptions{}), newClock(), 1), ServeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	if _, err := Serve(context.Background(), New(TwoSites(TwoSitesOptions{}), newClock(), 1), ServeOptions{Secondary: first.Primary}); err == nil {
		t.Error("a busy port is no error")
	}
}
