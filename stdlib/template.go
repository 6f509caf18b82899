package stdlib

import (
	"slices"

	"drrun/engine"
	"drrun/lua"
	"drrun/ovirt"
)

// templateRef is the Go value behind a template object: an unregistered template of the plan.
type templateRef struct {
	site            *Site
	template        ovirt.Template
	storageDomainID string
}

func (site *Site) templateObject(template ovirt.Template, storageDomainID string) *lua.Object {
	return lua.NewObject(site.session.classes.template, &templateRef{site: site, template: template, storageDomainID: storageDomainID})
}

func templateClass() *lua.Class {
	return &lua.Class{
		Name: "template",
		Doc:  "A template of the plan that is not registered on the target yet.",
		Fields: []lua.Field{
			{Name: "id", Doc: "Id.", Type: "string", Get: func(self any) any { return self.(*templateRef).template.ID }},
			{Name: "name", Doc: "Name.", Type: "string", Get: func(self any) any { return self.(*templateRef).template.Name }},
			{Name: "kind", Doc: "\"template\".", Type: "string", Get: func(any) any { return "template" }},
		},
		String: func(self any) string { return "template " + self.(*templateRef).template.Name },
		Methods: []lua.Func{{
			Name: "register", Effect: lua.Changes,
			Doc:    "Registers the template on the target and waits until it is ok. Does nothing when it is registered.",
			Params: []lua.Param{{Name: "cluster", Type: lua.String, Optional: true, Doc: "Id of the target cluster. Default: that of a VM that is based on it, or that lies on its storage domain."}},
			Run: changes(func(c *lua.Call) (any, error) {
				t := c.Self.(*templateRef)
				s := t.site.session
				cluster := s.Facts.templateCluster(t.template.ID, t.storageDomainID)
				if c.Has("cluster") {
					cluster = c.String("cluster")
				}
				subject := engine.Subject{Kind: "template", Site: t.site.Name, ID: t.template.ID, Name: t.template.Name}
				if s.Dry != nil {
					s.Dry.add(ovirt.OpRegisterTemplate, "register template "+t.template.Name, subject)
					return nil, nil
				}
				cut := s.cut(ovirt.OpRegisterTemplate, subject)
				_, changed, err := t.site.Engine.RegisterTemplate(c.Ctx, ovirt.RegisterTemplateSpec{
					TemplateID: t.template.ID, Name: t.template.Name, StorageDomainID: t.storageDomainID, ClusterID: cluster,
				})
				if err != nil {
					return nil, err
				}
				s.settleByState(cut, changed)
				return nil, nil
			}),
		}},
	}
}

// templateCluster is the cluster in which a template is registered: that of the first VM that is based on it, else of the first one on its
// storage domain, since a template belongs to the data center of its disks.
func (f *Facts) templateCluster(templateID, storageDomainID string) string {
	for _, suits := range []func(vm *FactVM) bool{
		func(vm *FactVM) bool { return vm.Template == templateID },
		func(vm *FactVM) bool { return slices.Contains(vm.Domains, storageDomainID) },
		func(*FactVM) bool { return true },
	} {
		for i := range f.VMs {
			if vm := &f.VMs[i]; vm.TargetClusterID != "" && suits(vm) {
				return vm.TargetClusterID
			}
		}
	}
	return ""
}
