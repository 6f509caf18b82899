package plans

import (
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"drrun/lua"
)

// semantics looks for what is wrong in a plan's table beyond the types of its values. Every finding is collected, none stops the search.
type semantics struct {
	plan  *Plan
	at    func(path ...any) lua.Pos // the place of a value in the plan's table
	wrong map[lua.Pos]bool          // places that were reported already, for their types
	out   *lua.Diagnostics
}

func (s *semantics) add(pos lua.Pos, code, hint, format string, args ...any) {
	if s.wrong[pos] {
		return
	}
	*s.out = append(*s.out, &lua.Diagnostic{Pos: pos, Severity: SeverityError, Subject: "dr.plan", Code: code, Hint: hint, Message: fmt.Sprintf(format, args...)})
}

func (s *semantics) warn(pos lua.Pos, code, hint, format string, args ...any) {
	s.add(pos, code, hint, format, args...)
	if last := len(*s.out) - 1; last >= 0 && (*s.out)[last].Code == code && (*s.out)[last].Pos == pos {
		(*s.out)[last].Severity = SeverityWarning
	}
}

// wrongAt tells that the type of a value is wrong, which has been said.
func (s *semantics) wrongAt(path ...any) bool {
	pos := s.at(path...)
	return pos != s.at(path[:len(path)-1]...) && s.wrong[pos]
}

func (s *semantics) neverStarts(vm int) bool { return s.plan.VMs[vm].Start == StartNo }

func (s *semantics) check() {
	s.sites()
	s.domains()
	s.mappings()
	s.templates()
	s.vms()
	s.clearSecrets(s.plan.Params, []any{"params"})
}

// secretName is how values are called that belong into a secret. A name such as token_url or secret_file is none.
var secretName = regexp.MustCompile(`(?i)(^|_)(pass(word|wd|phrase)?|pwd|secret|token|api_?key|private_?key)$`)

// clearSecrets finds parameters that hold a password in clear. The value is not repeated.
func (s *semantics) clearSecrets(value any, path []any) {
	switch v := value.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			s.clearSecrets(v[key], append(slices.Clip(path), key))
		}
	case []any:
		for i, part := range v {
			s.clearSecrets(part, append(slices.Clip(path), i+1))
		}
	case string:
		if name, _ := path[len(path)-1].(string); v != "" && secretName.MatchString(name) {
			s.add(s.at(path...), "secret-in-clear", fmt.Sprintf("write %s = dr.secret %q and set %s", name, name, SecretVariable(name)), "%s looks like a secret, and stands in the plan in clear", pathText(path))
		}
	}
}

func (s *semantics) sites() {
	hosts := map[string]string{}
	for _, name := range []string{Primary, Secondary} {
		spec := s.plan.Site(name)
		if spec.URL == "" {
			continue
		}
		u, err := url.Parse(spec.URL)
		switch {
		case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
			s.add(s.at("sites", name, "url"), "site-url", "write it like https://engine1.example.com/ovirt-engine/api", "the url of site %q is no address of an engine: %q", name, hidePasswords(spec.URL))
			continue
		case u.User != nil:
			s.add(s.at("sites", name, "url"), "secret-in-clear", fmt.Sprintf("take the user out of the url: username = …, password = dr.secret \"%s_password\"", name), "the url of site %q holds a user or a password", name)
			continue
		case u.Scheme == "http":
			s.add(s.at("sites", name, "url"), "site-url", "write https://"+u.Host+u.Path, "the url of site %q is not encrypted: the password would cross the network in clear", name)
			continue
		}
		if other, taken := hosts[strings.ToLower(u.Host)]; taken {
			s.add(s.at("sites", name, "url"), "sites-same-engine", "name the engine of each site", "sites %q and %q are at one address: %s", other, name, u.Host)
		}
		hosts[strings.ToLower(u.Host)] = name
	}
}

// seen reports repeated values in one list, each against its first use.
type seen struct {
	s     *semantics
	list  string
	first map[string]firstUse
}

type firstUse struct {
	index int
	path  []any
}

func (s *semantics) unique(list string) *seen {
	return &seen{s: s, list: list, first: map[string]firstUse{}}
}

// add records the value at a path, that of the index-th entry. what names it in a message, like "VM id".
func (u *seen) add(code, what, value string, index int, path ...any) {
	if value == "" {
		return
	}
	if first, repeated := u.first[value]; repeated {
		u.s.add(u.s.at(path...), code, "each entry needs its own", "%s %q is used twice: %s[%d] in line %d has it already", what, value, u.list, first.index, u.s.at(first.path...).Line)
		return
	}
	u.first[value] = firstUse{index, path}
}

func (s *semantics) id(what, id string, path ...any) {
	if id != "" && !isUUID(id) {
		s.add(s.at(path...), "bad-id", "copy it from the engine, or generate the plan again", "%q is no id of a %s (8-4-4-4-12 hexadecimal digits)", id, what)
	}
}

func (s *semantics) mappings() {
	clusters := s.unique("mappings.clusters")
	for i, m := range s.plan.Mappings.Clusters {
		clusters.add("duplicate-mapping", "cluster", m.Primary, i+1, "mappings", "clusters", i+1, "primary")
	}
	profiles := s.unique("mappings.vnic_profiles")
	for i, m := range s.plan.Mappings.VNICProfiles {
		if m.Primary != (ProfileRef{}) {
			profiles.add("duplicate-mapping", "vNIC profile", m.Primary.String(), i+1, "mappings", "vnic_profiles", i+1, "primary")
		}
	}
	s.lunMappings()
}

func (s *semantics) templates() {
	ids := s.unique("templates")
	for i, t := range s.plan.Templates {
		// Versions of a template share its name: only ids are unique.
		ids.add("duplicate-id", "template id", strings.ToLower(t.ID), i+1, "templates", i+1, "id")
		s.id("template", t.ID, "templates", i+1, "id")
	}
}

func (s *semantics) vms() {
	ids, names := s.unique("vms"), s.unique("vms")
	byName := map[string]int{}
	for i, vm := range s.plan.VMs {
		n := i + 1
		ids.add("duplicate-id", "VM id", strings.ToLower(vm.ID), n, "vms", n, "id")
		names.add("duplicate-name", "VM name", vm.Name, n, "vms", n, "name")
		s.id("VM", vm.ID, "vms", n, "id")
		if vm.Rank < 0 {
			s.add(s.at("vms", n, "rank"), "bad-rank", "the first rank is 0", "VM %q: a rank is not negative", vm.Name)
		}
		if _, known := byName[vm.Name]; !known && vm.Name != "" {
			byName[vm.Name] = i
		}
	}
	var known []string          // for the nearest name, made only when it is needed
	near := map[string]string{} // hints by name: a VM that was renamed can be in every list
	after := make([][]int, len(s.plan.VMs))
	for i, vm := range s.plan.VMs {
		for j, name := range vm.After {
			if name == "" {
				continue // a dr.todo
			}
			at, ok := byName[name]
			if !ok {
				if known == nil {
					for _, other := range s.plan.VMs {
						known = append(known, other.Name)
					}
				}
				if near[name] == "" {
					near[name] = didYouMean(name, known, "name a VM of this plan")
				}
				s.add(s.at("vms", i+1, "after", j+1), "unknown-vm", near[name], "VM %q comes after %q, which is not in the plan", vm.Name, name)
				continue
			}
			if slices.Contains(after[i], at) {
				s.add(s.at("vms", i+1, "after", j+1), "duplicate-after", "remove one of the two", "VM %q comes after %q twice", vm.Name, name)
				continue
			}
			after[i] = append(after[i], at)
			if s.neverStarts(at) && !s.neverStarts(i) {
				s.warn(s.at("vms", i+1, "after", j+1), "after-not-started", fmt.Sprintf("remove %q from the list, or let %q start", name, name),
					"VM %q comes after %q, which this plan never starts: the order has no effect", vm.Name, name)
			}
			if s.wrongAt("vms", i+1, "rank") || s.wrongAt("vms", at+1, "rank") || vm.Rank < 0 || s.plan.VMs[at].Rank < 0 {
				continue // which rank was meant is not known
			}
			if other := s.plan.VMs[at]; other.Rank > vm.Rank {
				s.add(s.at("vms", i+1, "after", j+1), "after-rank", fmt.Sprintf("give %q rank %d or more, or %q rank %d or less", vm.Name, other.Rank, name, vm.Rank),
					"VM %q of rank %d cannot come after %q of rank %d: lower ranks start first", vm.Name, vm.Rank, name, other.Rank)
			}
		}
	}
	s.cycles(after)
}

// cycles reports each ring of VMs that wait for each other, once, at the VM of the ring that the plan names first.
func (s *semantics) cycles(after [][]int) {
	const (
		fresh = iota
		open
		done
	)
	state := make([]int, len(after))
	// An explicit stack: a chain of 5,000 VMs is no reason to recurse as deep.
	type frame struct{ vm, next int }
	for start := range after {
		if state[start] != fresh {
			continue
		}
		stack := []frame{{vm: start}}
		state[start] = open
		for len(stack) > 0 {
			top := &stack[len(stack)-1]
			if top.next == len(after[top.vm]) {
				state[top.vm] = done
				stack = stack[:len(stack)-1]
				continue
			}
			next := after[top.vm][top.next]
			top.next++
			switch state[next] {
			case fresh:
				state[next] = open
				stack = append(stack, frame{vm: next})
			case open:
				from := slices.IndexFunc(stack, func(f frame) bool { return f.vm == next })
				ring := make([]int, 0, len(stack)-from)
				for _, f := range stack[from:] {
					ring = append(ring, f.vm)
				}
				s.ring(ring)
			}
		}
	}
}

// ring reports one cycle: each VM waits for the next one, the last for the first.
func (s *semantics) ring(ring []int) {
	first := slices.Index(ring, slices.Min(ring))
	ring = append(slices.Clone(ring[first:]), ring[:first]...)
	names := make([]string, 0, len(ring)+1)
	for _, vm := range ring {
		names = append(names, s.plan.VMs[vm].Name)
	}
	names = append(names, names[0])
	text := strings.Join(names, " → ")
	if len(names) > 12 {
		text = strings.Join(names[:6], " → ") + " → … → " + strings.Join(names[len(names)-5:], " → ")
	}
	pos := s.at("vms", ring[0]+1, "after", 1+slices.Index(s.plan.VMs[ring[0]].After, names[1]))
	if len(ring) == 1 {
		s.add(pos, "cycle", "remove it from its own after list", "VM %q comes after itself", names[0])
		return
	}
	s.add(pos, "cycle", "remove one of these from an after list", "VMs wait for each other: %s", text)
}

// didYouMean makes a hint of the nearest known name, or gives the other text.
func didYouMean(name string, known []string, otherwise string) string {
	if nearest := lua.Nearest(name, known); nearest != "" {
		return fmt.Sprintf("did you mean %q?", nearest)
	}
	return otherwise
}
