package plans

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// PlanChanges is what an edit of a plan means to a run that has begun, in sentences for people.
type PlanChanges struct {
	Refused []string // what cannot change while a run goes on: sites and storage domains
	Taken   []string // what the run goes on with
	Later   []string // what only a new run sees: the facts of this one were fixed before its first change
}

// Sentences are all changes, for somebody who edits a plan that no run has.
func (c PlanChanges) Sentences() []string { return slices.Concat(c.Refused, c.Later, c.Taken) }

// Compare tells what changed from one text of a plan to the next. That the body of a function differs it cannot see: the lines of
// the files show it.
func Compare(before, after *Plan) PlanChanges {
	var c PlanChanges
	for _, site := range []string{Primary, Secondary} {
		was, is := before.Site(site), after.Site(site)
		for _, key := range []struct{ name, was, is string }{
			{"url", was.URL, is.URL}, {"username", was.Username, is.Username}, {"ca_file", was.CAFile, is.CAFile},
			{"insecure", fmt.Sprint(was.Insecure), fmt.Sprint(is.Insecure)},
		} {
			if key.was != key.is {
				c.Refused = append(c.Refused, fmt.Sprintf("site %s: %s was %q and is %q", site, key.name, hidePasswords(key.was), hidePasswords(key.is)))
			}
		}
	}
	compareNamed(before.StorageDomains, after.StorageDomains, func(d StorageDomain) (string, string) { return d.Name, domainWords(d) },
		func(text string) { c.Refused = append(c.Refused, "storage domain "+text) })
	later := func(what string) func(string) {
		return func(text string) { c.Later = append(c.Later, what+text) }
	}
	compareNamed(before.VMs, after.VMs, func(v VM) (string, string) { return v.Name, vmWords(v) }, later("VM "))
	compareNamed(before.Templates, after.Templates, func(t Template) (string, string) { return t.Name, t.ID }, later("template "))
	compareNamed(before.Mappings.Clusters, after.Mappings.Clusters, func(m ClusterMapping) (string, string) { return m.Primary, m.Secondary }, later("mapping of cluster "))
	compareNamed(before.Mappings.VNICProfiles, after.Mappings.VNICProfiles, func(m ProfileMapping) (string, string) { return m.Primary.String(), m.Secondary.String() },
		later("mapping of vNIC profile "))
	compareNamed(before.Mappings.LUNs, after.Mappings.LUNs, func(m LUNMapping) (string, string) { return m.Primary.ID, lunWords(m) }, later("mapping of LUN "))
	if !reflect.DeepEqual(before.Params, after.Params) {
		c.Later = append(c.Later, "params")
	}
	taken := func(what string) func(string) {
		return func(text string) { c.Taken = append(c.Taken, what+text) }
	}
	boots := func(vms []VM) []VM { // VMs that come or go are not the run's
		return slices.DeleteFunc(slices.Clone(vms), func(v VM) bool { return !hasVM(before, v.ID) || !hasVM(after, v.ID) })
	}
	compareNamed(boots(before.VMs), boots(after.VMs), func(v VM) (string, string) { return v.Name, v.Boot.String() }, taken("boot condition of VM "))
	compareNamed(before.Hooks, after.Hooks, func(h Hook) (string, string) {
		return h.Point + " (" + h.Handler + ")", fmt.Sprintf("timeout %s, on_error %q, on_cut %q, groups %v", h.Timeout, h.OnError, h.OnCut, h.Groups)
	}, taken("hook "))
	compareNamed(before.Libraries, after.Libraries, func(l Library) (string, string) {
		return l.Name, fmt.Sprintf("version %s, options %v, groups %v", l.Version, l.Options, l.Groups)
	}, taken("library "))
	functions := func(p *Plan) []string {
		return slices.Concat(slices.Sorted(maps.Keys(p.Workflows)), slices.Sorted(maps.Keys(p.Actions)))
	}
	compareNamed(functions(before), functions(after), func(name string) (string, string) { return name, "" }, taken("workflow "))
	return c
}

func hasVM(p *Plan, id string) bool {
	return slices.ContainsFunc(p.VMs, func(v VM) bool { return v.ID == id })
}

func domainWords(d StorageDomain) string {
	sides := []string{"id " + d.ID, d.Type, "group " + d.Group}
	if d.UpgradeFormat {
		sides = append(sides, "upgrade_format")
	}
	for _, side := range []DomainSide{d.Primary, d.Secondary} {
		words := slices.DeleteFunc([]string{side.DataCenter, side.URL, side.NFSVersion, side.MountOptions, side.VFSType}, func(word string) bool { return word == "" })
		sides = append(sides, strings.Join(slices.Concat(words, targetWords(side.Targets), side.LUNs), " "))
	}
	return hidePasswords(strings.Join(sides, ", "))
}

func targetWords(targets []TargetLogin) []string {
	words := make([]string, len(targets))
	for i, t := range targets {
		words[i] = t.String()
		if t.Username != "" {
			words[i] += " (as " + t.Username + ")"
		}
	}
	return words
}

func lunWords(m LUNMapping) string {
	words := append([]string{m.Secondary.ID}, slices.Concat(targetWords(m.Primary.Targets), targetWords(m.Secondary.Targets))...)
	if m.Optional {
		words = append(words, "optional")
	}
	return strings.Join(words, " ")
}

func vmWords(v VM) string {
	return fmt.Sprintf("id %s, rank %d, after %v, start %s, required %t, on_error %s, grace %s, force_stop %t",
		v.ID, v.Rank, v.After, v.Start, v.Required, v.OnError, v.Grace, v.ForceStop)
}

// compareNamed tells what came, went or changed between two lists of things with names. of gives the name and, in words, all else.
func compareNamed[T any](before, after []T, of func(T) (name, words string), tell func(string)) {
	was := map[string]string{}
	for _, one := range before {
		name, words := of(one)
		was[name] = words
	}
	there := map[string]bool{}
	for _, one := range after {
		name, words := of(one)
		there[name] = true
		old, known := was[name]
		switch {
		case !known:
			tell(name + ": added")
		case old != words:
			tell(name + ": " + whatDiffers(old, words))
		}
	}
	for _, one := range before {
		if name, _ := of(one); !there[name] {
			tell(name + ": removed")
		}
	}
}

// whatDiffers names what is different between two lists of the same things: rank 0 → rank 1.
func whatDiffers(before, after string) string {
	was, is := strings.Split(before, ", "), strings.Split(after, ", ")
	if len(was) != len(is) {
		return before + " → " + after
	}
	var parts []string
	for i := range was {
		if was[i] != is[i] {
			parts = append(parts, was[i]+" → "+is[i])
		}
	}
	return strings.Join(parts, ", ")
}
