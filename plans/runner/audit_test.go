package runner_test

import (
	"fmt"
	"slices"
	"strings"

	"drrun/engine"
	"drrun/ovirt"
)

// fingerprint is what a failover leaves in the world, without ids of requests, times and hosts.
func (p *pair) fingerprint() string {
	view := p.lab.View()
	var lines []string
	for name, site := range view.Sites {
		for _, vm := range site.VMs {
			lines = append(lines, fmt.Sprintf("%s vm %s %s %s %s HA %v %v", name, vm.ID, vm.Name, vm.Status, vm.Cluster, vm.HA, vm.NICs))
		}
		for _, domain := range site.StorageDomains {
			lines = append(lines, fmt.Sprintf("%s domain %s %s %s", name, domain.ID, domain.Name, domain.Status))
		}
	}
	for _, export := range view.Arrays.Exports {
		lines = append(lines, fmt.Sprintf("export %s holds %s, writable %v, online %v", export.Export, export.Domain, export.Writable, export.Online))
	}
	for _, replication := range view.Arrays.Replications {
		lines = append(lines, fmt.Sprintf("replication of %s from %s: %s", replication.Domain, replication.Source, replication.State))
	}
	for _, label := range p.labels() { // a run that has ended leaves none
		lines = append(lines, "label "+label)
	}
	for _, violation := range view.Violations {
		lines = append(lines, fmt.Sprintf("violation %s at %s of %s: %s", violation.Kind, violation.Site, violation.Subject, violation.Text))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// audit holds the lab's log against the journals: every changing request has its intent, once, and every intent that was not
// settled as without effect has its request. No VM is started twice.
func (p *pair) audit(env engine.Env) []string { return p.auditOf(env, p.state()) }

// auditOf is audit with the runs of another state folder.
func (p *pair) auditOf(env engine.Env, stateDir string) []string {
	var wrong []string
	requests := map[string]int{}
	starts := map[string]int{}
	before := map[string]bool{}   // correlation ids of what was done before the run that is looked at, by it or by people
	effect := map[string]string{} // by correlation id
	for i, entry := range p.allChanges() {
		requests[entry.Correlation]++
		effect[entry.Correlation] += entry.Effect
		if before[entry.Correlation] = i < p.audited; i >= p.audited && strings.HasSuffix(entry.Path, "/start") && entry.Effect != "" {
			starts[entry.Site+entry.Path]++
		}
	}
	for path, n := range starts {
		if n > 1 {
			wrong = append(wrong, fmt.Sprintf("%d requests to %s", n, path))
		}
	}
	runs, err := engine.ListRuns(env, stateDir)
	if err != nil {
		return append(wrong, err.Error())
	}
	intents := 0
	for _, run := range runs {
		info, err := engine.ReadRun(env, stateDir, run.ID)
		if err != nil {
			return append(wrong, err.Error())
		}
		unsent, told := map[string]bool{}, map[string]bool{}
		for _, record := range info.Records {
			told[record.ID] = told[record.ID] || record.Reached != nil || record.Outcome != nil
			if record.Reached != nil {
				unsent[record.ID] = !*record.Reached
			}
			// Without any answer and without doubt: the connection was refused, or the run stopped before it was sent.
			if o := record.Outcome; o != nil && !o.OK && !o.Unknown && o.Status == 0 {
				unsent[record.ID] = true
			}
		}
		for _, record := range info.Records {
			if record.Intent == nil {
				continue
			}
			if record.Intent.Op == ovirt.OpIsAttached {
				continue // a read that is journaled because a host mounts storage for it
			}
			intents++
			switch n := requests[record.Intent.ID]; {
			case n > 1:
				wrong = append(wrong, fmt.Sprintf("%d requests for the intent %s (%s)", n, record.Intent.ID, record.Intent.Op))
			case n == 0 && !unsent[record.Intent.ID] && showsARun(record.Intent) && !told[record.Intent.ID]:
				// Cut off, and open: a later attempt that has no business with that engine does not ask it only for that.
			case n == 0 && !unsent[record.Intent.ID]:
				wrong = append(wrong, fmt.Sprintf("no request for the intent %s (%s %s), and it is not settled as without effect", record.Intent.ID, record.Intent.Op, record.Intent.Subject.Name))
			case n == 1 && unsent[record.Intent.ID] && effect[record.Intent.ID] != "":
				wrong = append(wrong, fmt.Sprintf("the intent %s (%s %s) had its effect and is settled as without", record.Intent.ID, record.Intent.Op, record.Intent.Subject.Name))
			}
			delete(requests, record.Intent.ID)
		}
	}
	for id, n := range requests {
		if before[id] {
			continue
		}
		wrong = append(wrong, fmt.Sprintf("%d requests with the correlation id %q and no intent", n, id))
	}
	slices.Sort(wrong)
	return wrong
}

// showsARun tells whether a request only shows the run to those who look at an engine.
func showsARun(in *engine.Intent) bool {
	return in.Beside && (in.Subject.Kind == ovirt.KindEvent || in.Subject.Kind == ovirt.KindJob || in.Subject.Kind == ovirt.KindStep)
}

// wrongs is what the audit finds.
func (p *pair) wrongs() (wrong []string) {
	p.do(func(env engine.Env) { wrong = p.audit(env) })
	return wrong
}
