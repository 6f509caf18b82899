package plans

import (
	"slices"
	"strings"

	"drrun/lua"
	"drrun/stdlib"
)

// chosenGroups are the consistency groups that a call of plan:on or plan:use names, nil where it names none. One that the plan has not is a
// finding: a hook of it would never be called.
func (p *Plan) chosenGroups(c *lua.Call) []string {
	if !c.Has("groups") {
		return nil
	}
	known := p.Groups()
	var chosen []string
	for i, value := range c.List("groups") {
		name, _ := value.(string)
		if !slices.Contains(known, name) {
			d := c.ErrorAt(c.At("groups", i+1), "unknown-group", "no storage domain of the plan is in a consistency group %q", name)
			d.Hint = didYouMean(name, known, "its groups are: "+strings.Join(known, ", "))
			p.findings = append(p.findings, d)
		}
		chosen = append(chosen, name)
	}
	if len(chosen) == 0 {
		d := c.Errorf("bad-argument", "groups", "groups is an empty list: its storage hooks would never be called")
		d.Hint = "name groups, or leave it out for all of them: " + strings.Join(known, ", ")
		p.findings = append(p.findings, d)
	}
	return chosen
}

// warnOfOverlap warns where one library is in use twice and both would promote the same consistency group: two arrays, of which each has its
// own groups, and nobody said which.
func (p *Plan) warnOfOverlap(c *lua.Call, used Library) {
	if used.origin.hooks["promote_storage"].run == nil {
		return
	}
	for _, other := range p.Libraries {
		if other.origin != used.origin {
			continue
		}
		for _, group := range p.Groups() {
			if !stdlib.ServesGroup("promote_storage", used.Groups, group) || !stdlib.ServesGroup("promote_storage", other.Groups, group) {
				continue
			}
			d := c.Errorf("groups-overlap", "library", "library %q is in use twice, as %q and as %q, and both promote consistency group %q", used.origin.name, other.Name, used.Name, group)
			d.Severity = SeverityWarning
			d.Hint = "say which is for which: plan:use(LIBRARY, { as = \"" + used.Name + "\", groups = { … } })"
			p.findings = append(p.findings, d)
			return
		}
	}
}
