//go:build interop

package interop

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"drrun/ovirt/lab"
)

// running is a lab on sockets, for clients in other processes. Its folder has the CAs; ca.pem is the primary site's.
type running struct {
	*lab.Lab
	server *lab.Server
	world  lab.World
	dir    string
	speed  float64
}

// serve starts a lab whose time runs speed times as fast as the wall's.
func serve(t *testing.T, world lab.World, speed float64) *running {
	t.Helper()
	l := lab.New(world, lab.ScaledClock(speed), 1)
	r := &running{Lab: l, world: world, dir: t.TempDir(), speed: speed}
	server, err := lab.Serve(context.Background(), l, lab.ServeOptions{Dir: r.dir, Speed: speed})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	r.server = server
	ca, err := os.ReadFile(filepath.Join(r.dir, "primary-ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(r.dir, "ca.pem"), ca, 0o644); err != nil {
		t.Fatal(err)
	}
	return r
}

// command runs a program of the foreign clients' Python in the lab's folder, with the environment that python/sitecustomize.py and
// python/judge.py read, and returns what it printed. Where a site's URL has a name, connections to it lead to the lab.
func (r *running) command(t *testing.T, env []string, program string, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, filepath.Join(*foreign, "venv", "bin", program), args...)
	c.Dir = r.dir
	here, err := filepath.Abs("python")
	if err != nil {
		t.Fatal(err)
	}
	var connect []string
	for i, bound := range []string{r.server.Primary, r.server.Secondary} {
		host := strings.Split(r.world.Sites[i].URL, "/")[2]
		connect = append(connect, host+":443:"+bound)
	}
	c.Env = append(os.Environ(), "PYTHONPATH="+here, "HOME="+r.dir, "PYTHONDONTWRITEBYTECODE=1", "PYTHONWARNINGS=ignore",
		"PATH="+filepath.Join(*foreign, "venv", "bin")+":"+os.Getenv("PATH"),
		"INTEROP_SPEED="+strconv.FormatFloat(r.speed, 'g', -1, 64),
		"INTEROP_CONNECT="+strings.Join(connect, ","),
		"LAB_CONTROL=http://"+r.server.Control)
	for i, site := range []string{"PRIMARY", "SECONDARY"} {
		s := r.world.Sites[i]
		c.Env = append(c.Env, "LAB_"+site+"_URL="+s.URL, "LAB_"+site+"_USERNAME="+s.Username, "LAB_"+site+"_PASSWORD="+s.Password,
			"LAB_"+site+"_CA="+filepath.Join(r.dir, strings.ToLower(site)+"-ca.pem"))
	}
	c.Env = append(c.Env, env...)
	out, err := c.CombinedOutput()
	return string(out), err
}

// calls are the requests that the lab answered, and how many of them changed something.
func (r *running) calls() (all, changes int) {
	for _, e := range r.Log() {
		all++
		if e.Changing {
			changes++
		}
	}
	return all, changes
}

// counted adds a lab's requests to what its foreign client did.
func counted(client string, r *running) {
	all, changes := r.calls()
	tally.Lock()
	defer tally.Unlock()
	c := tally.clients[client]
	tally.clients[client] = [2]int{c[0] + all, c[1] + changes}
}

// trace is the lab's log for a person who reads a failure.
func (r *running) trace() string {
	var b strings.Builder
	for _, e := range r.Log() {
		fmt.Fprintf(&b, "%s %s %s?%s %d %s\n", e.Site, e.Method, e.Path, e.Query, e.Status, e.Effect)
	}
	return b.String()
}
