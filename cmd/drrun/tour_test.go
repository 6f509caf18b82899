package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"drrun/ovirt/lab"
	"drrun/plans"
)

// tour is a document whose commands are run as they stand there: the lines that are indented as code and begin like a command, and those
// in comments that say "in the lab". RUN is the newest run. A command ends with 0, or with what its comment says: "# ends with 4". Before each disaster and promotion, and at the end, the lab's world is written down.
type tour struct {
	t        *testing.T
	dir      string // where it begins
	program  string
	script   strings.Builder
	commands int
	looks    int
}

func newTour(t *testing.T, dir string) *tour {
	t.Helper()
	if _, err := exec.LookPath("bash"); err != nil {
		t.Skip("the tours are written for bash")
	}
	program, err := exec.LookPath("drrun")
	if err != nil {
		t.Fatal(err)
	}
	r := &tour{t: t, dir: dir, program: program}
	r.script.WriteString("set -euo pipefail\n")
	return r
}

var (
	shellLine    = regexp.MustCompile(`(?m)^(?: *<!-- in the lab: (.*) -->| {4,}(\S(?:.*\\\n)*.*))$`)
	fromMirror   = regexp.MustCompile(` --from-mirror (\S+)`)
	shellCommand = regexp.MustCompile(`^(?:drrun|source|cd|export|wait|kill|curl|mkdir) `)
)

// startLab is how a tour starts its lab: on free ports. It is ready when its first line is there, and ends with the script.
func startLab(line string) string {
	return "coproc " + line + " --primary 127.0.0.1:0 --secondary 127.0.0.1:0 --control 127.0.0.1:0 --until-stdin-closes\nread -r ready <&${COPROC[0]}"
}

// add takes the commands of a text into the tour.
func (r *tour) add(text string) {
	for _, match := range shellLine.FindAllStringSubmatch(text, -1) {
		text := match[1] + match[2]
		line := text
		if strings.HasPrefix(line, "drrun ") {
			history := "drrun history"
			if mirror := fromMirror.FindStringSubmatch(line); mirror != nil {
				history += " --state " + mirror[1]
			}
			line = strings.ReplaceAll(line, " RUN", ` "$(`+history+` | awk 'NR==2 {print $1}')"`)
		}
		switch {
		case strings.HasPrefix(line, "bin/drrun lab "), strings.HasPrefix(line, "drrun lab --"):
			line = startLab(line)
		case !shellCommand.MatchString(line): // make build, and what a command prints
			continue
		case strings.HasPrefix(line, "drrun lab promote "), strings.HasPrefix(line, "drrun lab disaster "):
			r.look()
		case strings.HasPrefix(line, "kill "): // by then it has ended, and not well
			line += "; wait $! || true"
		}
		if command, code, ends := strings.Cut(line, " # ends with "); ends {
			line = "set +e\n" + command + "\ncode=$?\nset -e\n[ $code = " + code + " ] || { echo \"exit code $code\"; exit 1; }"
		}
		r.commands++
		r.script.WriteString("echo '$ " + strings.ReplaceAll(text, "'", `'\''`) + "'\n" + line + "\n")
	}
}

func (r *tour) look() {
	r.looks++
	fmt.Fprintf(&r.script, "drrun lab status --json > %s\n", filepath.Join(r.dir, fmt.Sprintf("world%d.json", r.looks)))
}

// run runs the tour and returns what it showed.
func (r *tour) run() string {
	r.t.Helper()
	r.look()
	command := exec.Command("bash", "-c", r.script.String())
	command.Dir = r.dir
	command.Env = append(os.Environ(), "DRRUN_STATE="+filepath.Join(r.dir, "state"), "XDG_CONFIG_HOME="+filepath.Join(r.dir, "config"))
	out, err := command.CombinedOutput()
	if err != nil {
		r.t.Fatalf("%v\n%s", err, out)
	}
	return string(out)
}

// worlds are the lab's worlds that were written down.
func (r *tour) worlds() []lab.View {
	r.t.Helper()
	var worlds []lab.View
	for i := range r.looks {
		text, err := os.ReadFile(filepath.Join(r.dir, fmt.Sprintf("world%d.json", i+1)))
		if err != nil {
			r.t.Fatal(err)
		}
		var document struct {
			Extra struct {
				World lab.View `json:"world"`
			} `json:"extra"`
		}
		if err := json.Unmarshal(text, &document); err != nil {
			r.t.Fatal(err)
		}
		worlds = append(worlds, document.Extra.World)
	}
	return worlds
}

// atHome fails where the three VMs of the lab are not up at the primary alone, with at least what they had written, or where anything
// happened that never must.
func atHome(t *testing.T, world lab.View, atLeast map[string]int64) {
	t.Helper()
	for _, v := range world.Violations {
		t.Errorf("violation: %s: %s", v.Kind, v.Text)
	}
	if len(world.Sites[plans.Secondary].VMs) > 0 {
		t.Errorf("left at the secondary: %+v", world.Sites[plans.Secondary].VMs)
	}
	vms := world.Sites[plans.Primary].VMs
	if len(vms) != 3 || len(atLeast) < 3 {
		t.Errorf("at the primary: %+v; counters were: %v", vms, atLeast)
	}
	now := written(world, plans.Primary)
	for _, vm := range vms {
		if vm.Status != "up" || now[vm.ID] < atLeast[vm.ID] || atLeast[vm.ID] == 0 {
			t.Errorf("%s is %s at the primary and has counted to %d, and had to %d", vm.Name, vm.Status, now[vm.ID], atLeast[vm.ID])
		}
	}
}
