package stdlib

import (
	"slices"

	"drrun/engine"
)

// groupPoints are the hook points whose subject is a consistency group, or a storage domain, which is in one.
var groupPoints = []string{
	"ensure_replication", "promote_storage", "demote_storage", "reverse_replication", "snapshot_replica", "discard_snapshot", "before_import", "after_import",
}

// HasGroups tells whether the handlers of a hook point can be chosen by consistency group.
func HasGroups(point string) bool { return slices.Contains(groupPoints, point) }

// ServesGroup tells whether a handler of a hook point that was added for some groups, or for all where it names none, is called for a
// group; "" is a subject without one.
func ServesGroup(point string, groups []string, group string) bool {
	return len(groups) == 0 || group == "" || !HasGroups(point) || slices.Contains(groups, group)
}

// GroupOf is the consistency group of what a hook is called for, "" where it has none.
func (f *Facts) GroupOf(subject engine.Subject) string {
	if subject.Kind == "group" {
		return subject.ID
	}
	if domain, known := f.Domain(subject.ID); known && subject.Kind == "storage_domain" {
		return domain.Group
	}
	return ""
}

// handlersFor are the handlers of a hook point that are called for a group, all of them where it is "".
func (s *Session) handlersFor(point, group string) []Handler {
	return slices.DeleteFunc(slices.Clone(s.Hooks[point]), func(h Handler) bool { return !ServesGroup(point, h.Groups, group) })
}

// groupsShown are consistency groups of the run as hooks get them, in the order of their first storage domain. None named means all.
func (s *Session) groupsShown(names []string) []any {
	var order []string
	domains := map[string][]any{}
	for _, domain := range s.Moving() {
		if len(names) > 0 && !slices.Contains(names, domain.Group) {
			continue
		}
		if domains[domain.Group] == nil {
			order = append(order, domain.Group)
		}
		domains[domain.Group] = append(domains[domain.Group], Decoded(domain))
	}
	groups := make([]any, len(order))
	for i, name := range order {
		groups[i] = map[string]any{"kind": "group", "id": name, "name": name, "storage_domains": domains[name]}
	}
	return groups
}
