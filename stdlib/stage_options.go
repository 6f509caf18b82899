package stdlib

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"drrun/lua"
)

// stageOptions are what stages of dr.steps can be called with, to take some storage domains or VMs of the run only.
func stageOptions() []lua.Param {
	return []lua.Param{
		{Name: "groups", Type: lua.List(lua.String), Optional: true, Doc: "Consistency groups, by name."},
		{Name: "ranks", Type: lua.List(lua.Integer), Optional: true, Doc: "Ranks."},
		{Name: "vms", Type: lua.List(lua.Called(lua.String, VMName+"|"+VMID)), Optional: true, Doc: "VMs, by name or id."},
		{Name: "only", Type: lua.FunctionOf("fun(vm: fact_vm): boolean?"), Optional: true, Doc: "function(vm) that says of a VM of ctx.facts.vms whether it is taken."},
		{Name: "stay_down", Type: lua.Bool, Optional: true, Doc: "true: nothing is to be started again, so no evidence is needed for it."},
	}
}

// optionsOf are the options that stages take; a stage that is not here takes none.
var optionsOf = map[string][]string{"promote": {"groups"}, "import": {"groups"}, "register": {"groups"}, "boot": {"groups", "ranks", "vms", "only"},
	"shut_down": {"stay_down"}}

// checkStageOptions refuses options that the stage does not take, and names that the run does not have: a stage that took nothing because
// of a misspelt name would not be noticed before the report.
func checkStageOptions(c *lua.Call) error {
	name, options, facts := c.String("name"), c.Table("options"), session(c).Facts
	if strings.HasPrefix(name, "shut down ") { // its title says where
		name = "shut_down"
	}
	for _, param := range stageOptions() {
		if options[param.Name] != nil && !slices.Contains(optionsOf[name], param.Name) {
			err := badStageOption(c, "the stage %s takes no %s", name, param.Name)
			if known := optionsOf[name]; len(known) > 0 {
				err.Hint = "it takes: " + strings.Join(known, ", ")
			}
			return err
		}
	}
	var groups, ranks, vms, ids []string
	for _, domain := range facts.Domains {
		if !slices.Contains(groups, domain.Group) {
			groups = append(groups, domain.Group)
		}
	}
	for _, vm := range facts.VMs {
		vms, ids = append(vms, vm.Name), append(ids, vm.ID)
		if rank := strconv.Itoa(vm.Rank); !slices.Contains(ranks, rank) {
			ranks = append(ranks, rank)
		}
	}
	for _, part := range []struct {
		key, what string
		known     []string
		also      []string
	}{{"groups", "consistency group", groups, nil}, {"ranks", "rank", ranks, nil}, {"vms", "VM", vms, ids}} {
		given, _ := options[part.key].([]any)
		for _, value := range given {
			wanted := fmt.Sprint(value)
			if slices.Contains(part.known, wanted) || slices.Contains(part.also, wanted) {
				continue
			}
			err := badStageOption(c, "the stage %s is to take the %s %s, which the run does not have", name, part.what, wanted)
			if nearest := lua.DidYouMean(wanted, part.known); nearest != "" && part.key != "ranks" {
				err.Hint = nearest
			} else if len(part.known) <= 12 {
				err.Hint = "it has: " + strings.Join(part.known, ", ")
			}
			return err
		}
	}
	return nil
}

func badStageOption(c *lua.Call, format string, args ...any) *lua.Diagnostic {
	return c.Errorf("bad-argument", "options", format, args...)
}
