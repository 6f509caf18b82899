package lab

import "slices"

// tagNames are the names of the tags of an object and of all tags above those: a search for a tag finds what carries one below it too
// (ovirt-engine VmConditionFieldAutoCompleter, TagsDirector.getTagNamesAndChildrenNamesByRegExp).
func (e *engine) tagNames(id string, carriers func(*Tag) []string) []string {
	var names []string
	for _, t := range e.tags {
		if !slices.Contains(carriers(t), id) {
			continue
		}
		for up := t; up != nil; up = find(e.tags, func(o *Tag) bool { return o.ID == up.ParentID }) {
			names = append(names, up.Name)
		}
		names = append(names, "root")
	}
	return names
}

func vmTags(e *engine, v *vm) []string {
	return e.tagNames(v.id, func(t *Tag) []string { return t.VMIDs })
}

func hostTags(e *engine, h *host) []string {
	return e.tagNames(h.ID, func(t *Tag) []string { return t.HostIDs })
}

func templateTags(e *engine, t *template) []string {
	return e.tagNames(t.ID, func(o *Tag) []string { return o.TemplateIDs })
}
