package plans

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"drrun/lua"
	"drrun/stdlib"
)

// workflowNames are the workflows that a plan can replace.
var workflowNames = []string{ActionFailover, ActionFailback, ActionClean, ActionRollback}

// workflowType is the type of a workflow or an action of the plan's own.
const workflowType = "fun(ctx: ctx)"

// writeAbove says where a plan is changed.
const writeAbove = "write it into the table of dr.plan { … }, or change that table before dr.plan gets it"

// planClass is the plan as Lua sees it: in the plan file to add hooks to, in a run as ctx.plan.
var planClass = &lua.Class{
	Name: "plan",
	Doc:  "A plan. Add hooks with plan:on and plan:use, replace a workflow by assigning plan.failover, add actions to plan.actions.",
	Fields: []lua.Field{
		{Name: "name", Type: "string", Doc: "Name of the plan.", Get: func(self any) any { return self.(*Plan).Name }},
		{Name: "params", Type: "table<string, any>", Doc: "The plan's own parameters; a run's are in ctx.params.", Get: func(self any) any { return self.(*Plan).Params }},
		{Name: "sites", Type: "planned_sites", Doc: "url and username of both sites.", Get: func(self any) any { return self.(*Plan).luaSites() }},
		{Name: "storage_domains", Type: "planned_storage_domain[]", Doc: "The storage domains.", Get: func(self any) any { return self.(*Plan).luaDomains() }},
		{Name: "mappings", Type: "planned_mappings", Doc: "The mappings.", Get: func(self any) any { return self.(*Plan).luaMappings() }},
		{Name: "templates", Type: "planned_template[]", Doc: "The templates.", Get: func(self any) any { return self.(*Plan).luaTemplates() }},
		{Name: "vms", Type: "planned_vm[]", Doc: "The VMs, with the defaults filled in.", Get: func(self any) any { return self.(*Plan).luaVMs() }},
		{Name: "actions", Type: "plan_actions", Doc: "Actions of the plan's own: plan.actions.NAME = function(ctx) … end, run by `drrun run PLAN.lua NAME`.", Get: func(self any) any { return self.(*Plan).actions() }},
		{Name: "failover", Type: workflowType + "?", Doc: "The plan's own failover; nil means the built-in one.", Get: func(self any) any { return self.(*Plan).workflow("failover") }},
		{Name: "failback", Type: workflowType + "?", Doc: "The plan's own failback; nil means the built-in one.", Get: func(self any) any { return self.(*Plan).workflow("failback") }},
		{Name: "clean", Type: workflowType + "?", Doc: "The plan's own clean, of drrun clean; nil means the built-in one.", Get: func(self any) any { return self.(*Plan).workflow("clean") }},
		{Name: "rollback", Type: workflowType + "?", Doc: "The plan's own rollback; nil means the built-in one.", Get: func(self any) any { return self.(*Plan).workflow("rollback") }},
	},
	Methods:  []lua.Func{onMethod(), useMethod()},
	Set:      setWorkflow,
	CopyHint: writeAbove,
	String:   func(self any) string { return fmt.Sprintf("plan %q", self.(*Plan).Name) },
}

// actionsClass is plan.actions.
var actionsClass = &lua.Class{
	Name:    "plan_actions",
	Doc:     "The plan's own actions, by name.",
	Entries: workflowType,
	Index: func(self any, key string) (any, bool) {
		action, ok := self.(*Plan).Actions[key]
		return action, ok
	},
	Set: func(c *lua.Call, key string, value any) error {
		p := c.Self.(*Plan)
		function, ok := value.(*lua.Function)
		switch {
		case p.sealed:
			return assignError(c, "actions."+key, "plan-sealed", "actions are added while the plan is read, not in a run")
		case lua.IsWrong(value):
			return nil
		case !ok:
			p.findings = append(p.findings, assignError(c, "actions."+key, "bad-argument", "must be a function (ctx)"))
			return nil
		case ReservedAction(key):
			p.findings = append(p.findings, reservedName(c, key))
			return nil
		case p.Actions[key] != nil:
			p.findings = append(p.findings, assignError(c, "actions."+key, "assigned-twice", "is assigned twice; the first one is at %s", p.Actions[key].Pos()))
			return nil
		}
		p.Actions[key] = function
		return nil
	},
	String: func(any) string { return "plan.actions" },
}

// reservedActions are names that mean something else: a run's record names its action, and these are drrun's own.
var reservedActions = append([]string{"check", "generate", "resume", "abort", "status", "history", "rehearse", "test", "run"}, BuiltInActions...)

// ReservedAction tells whether no action of a plan's own can have a name.
func ReservedAction(name string) bool { return slices.Contains(reservedActions, name) }

// reservedName is the finding about an action that has a name of drrun's own.
func reservedName(c *lua.Call, name string) *lua.Diagnostic {
	d := assignError(c, "actions."+name, "reserved-name", "drrun has a command of this name")
	d.Hint = "give the action another name"
	if slices.Contains(workflowNames, name) {
		d.Hint += fmt.Sprintf("; to replace what drrun %s does: function plan.%s(ctx) … end", name, name)
	}
	return d
}

func (p *Plan) actions() *lua.Object { return lua.NewObject(actionsClass, p) }

func (p *Plan) workflow(name string) any {
	if function := p.Workflows[name]; function != nil {
		return function
	}
	return nil
}

// assignError is the finding about an assignment to a plan's field.
func assignError(c *lua.Call, field, code, format string, args ...any) *lua.Diagnostic {
	d := c.Errorf(code, "", format, args...)
	d.Subject = "plan." + field
	return d
}

// setWorkflow takes plan.failover = function … and refuses every other assignment: a misspelt name must not pass in silence.
func setWorkflow(c *lua.Call, key string, value any) error {
	p := c.Self.(*Plan)
	if p.sealed {
		return assignError(c, key, "plan-sealed", "a plan is not changed in a run")
	}
	if slices.Contains(workflowNames, key) {
		function, ok := value.(*lua.Function)
		if !ok {
			d := assignError(c, key, "bad-argument", "must be a function (ctx)")
			d.Hint = "write function plan." + key + "(ctx) … end"
			p.findings = append(p.findings, d)
			return nil
		}
		if before := p.Workflows[key]; before != nil {
			p.findings = append(p.findings, assignError(c, key, "assigned-twice", "is assigned twice; the first one is at %s", before.Pos()))
			return nil
		}
		p.Workflows[key] = function
		return nil
	}
	d := assignError(c, key, "unknown-field", "cannot be assigned: a plan takes %s and actions", strings.Join(workflowNames, ", "))
	switch {
	case slices.Contains(stdlib.HookPointNames(), key):
		d.Hint = fmt.Sprintf("add a hook: plan:on(%q, function(ctx, subject) … end)", key)
	case key == "actions":
		d.Hint = "assign each action: plan.actions.NAME = function(ctx) … end"
	default:
		d.Hint = didYouMean(key, workflowNames, "an action of your own: plan.actions."+key+" = function(ctx) … end")
	}
	p.findings = append(p.findings, d)
	return nil
}

// HookPoint and HookHandler are the types of the first two arguments of plan:on: the name of a hook point, and the function for it.
const (
	HookPoint   = "hook_point"
	HookHandler = "hook_handler"
)

// HandlerRules are the parameters by which a handler says how it is called.
func HandlerRules() []lua.Param {
	return []lua.Param{
		{Name: "timeout", Type: lua.Duration, Optional: true, Doc: "How long it may run. Default: \"10m\"."},
		{Name: "on_error", Type: lua.Enum(OnErrorStop, OnErrorContinue), Optional: true, Doc: "What its error does. Default: \"stop\"."},
		{Name: "on_cut", Type: lua.Enum("ask", "retry"), Optional: true, Doc: "What a resumed run does when it was cut in the middle. Default: \"ask\" where storage or hosts are changed, else \"retry\"."},
	}
}

func onMethod() lua.Func {
	return lua.Func{
		Name: "on", Effect: lua.Pure, Returns: "nil", Lenient: true,
		Doc: "Adds a handler to a hook point. Several handlers of one point run in the order in which they were added.",
		Params: slices.Concat([]lua.Param{
			{Name: "point", Type: lua.Called(lua.String, HookPoint), Positional: true, Doc: "The hook point, such as \"after_rank\"."},
			{Name: "handler", Type: lua.Called(lua.FunctionType, HookHandler), Positional: true, Doc: "function(ctx, subject)."},
			{Name: "as", Type: lua.String, Optional: true, Doc: "Name of the handler in the journal. Needed from the second handler of a point on. Default: \"plan\"."},
		}, HandlerRules(), []lua.Param{
			{Name: "groups", Type: lua.List(lua.String), Optional: true, Doc: "At a hook point of storage: the consistency groups that it is called for. Default: all of them."},
		}),
		Run: func(c *lua.Call) (any, error) {
			p := c.Self.(*Plan)
			if p.sealed {
				return nil, c.Errorf("plan-sealed", "point", "hooks are added while the plan is read, not in a run")
			}
			if found := c.Findings(); len(found) > 0 {
				p.findings = append(p.findings, found...)
				return nil, nil
			}
			h := Hook{Point: c.String("point"), Handler: "plan", Func: c.Func("handler"), Timeout: DefaultHookTimeout, Pos: c.At("point")}
			if c.Has("as") {
				h.Handler = c.String("as")
			}
			if c.Has("timeout") {
				h.Timeout = c.Duration("timeout")
			}
			if c.Has("on_error") {
				h.OnError = c.String("on_error")
			}
			if c.Has("on_cut") {
				h.OnCut = c.String("on_cut")
			}
			if c.Has("groups") && !stdlib.HasGroups(h.Point) && slices.Contains(stdlib.HookPointNames(), h.Point) {
				d := c.ErrorAt(c.KeyAt("groups"), "bad-argument", "what is handed to %q belongs to no consistency group", h.Point)
				d.Hint = "leave groups out: the handler is called whenever the run comes to this point"
				p.findings = append(p.findings, d)
			}
			h.Groups = p.chosenGroups(c)
			p.addHook(c, "point", h)
			return nil, nil
		},
	}
}

// addHook adds a handler, or a finding that says why it cannot be one: the file goes on, so that all findings come at once.
func (p *Plan) addHook(c *lua.Call, arg string, h Hook) {
	refuse := func(code, hint, format string, args ...any) {
		d := c.Errorf(code, arg, format, args...)
		d.Hint = hint
		p.findings = append(p.findings, d)
	}
	points := stdlib.HookPointNames()
	if !slices.Contains(points, h.Point) {
		refuse("unknown-hook", didYouMean(h.Point, points, "the hook points are: "+strings.Join(points, ", ")), "there is no hook point %q", h.Point)
		return
	}
	if h.Handler == "" {
		refuse("bad-argument", "give it a name", "the name of a handler of %q is empty", h.Point)
		return
	}
	for _, other := range p.Hooks {
		if other.Point == h.Point && other.Handler == h.Handler {
			refuse("hook-twice", "name them apart with as = \"NAME\": the journal tells handlers apart by name", "hook point %q has a handler named %q already, at %s", h.Point, h.Handler, other.Pos)
			return
		}
	}
	p.Hooks = append(p.Hooks, h)
}

func useMethod() lua.Func {
	return lua.Func{
		Name: "use", Effect: lua.Pure, Returns: "nil", Lenient: true,
		Doc: "Adds the hooks of a library. plan:use(require \"site.netapp\" { vserver = \"svm_dr\" })",
		Params: []lua.Param{
			{Name: "library", Type: lua.ObjectType(libraryClass), Positional: true, Doc: "What dr.library returned, called with its options where it has some."},
			{Name: "as", Type: lua.String, Optional: true, Doc: "Name of its handlers, to use one library twice. Default: the library's name."},
			{Name: "groups", Type: lua.List(lua.String), Optional: true, Doc: "The consistency groups that its storage hooks are called for, such as those of one array. Its other hooks are called as ever. Default: all of them."},
		},
		Run: func(c *lua.Call) (any, error) {
			p := c.Self.(*Plan)
			if p.sealed {
				return nil, c.Errorf("plan-sealed", "library", "libraries are added while the plan is read, not in a run")
			}
			if found := c.Findings(); len(found) > 0 {
				p.findings = append(p.findings, found...)
				return nil, nil
			}
			given, ok := c.Value("library").(*lua.Object)
			if !ok {
				return nil, nil // why there is none has been said
			}
			lib := given.Self().(*library)
			if l, loading := c.Task.Local(loadingKey{}).(*loading); loading {
				delete(l.unused, lib.origin)
			}
			name := lib.name
			if c.Has("as") {
				name = c.String("as")
			}
			if name == "" {
				return nil, nil // likewise
			}
			options := lib.options
			if !lib.configured {
				var problems []optionProblem
				if options, problems = configure(lib.schema, nil, nil); len(problems) > 0 {
					for _, d := range lib.optionsFindings(c, problems) {
						d.Pos = c.At("library")
						p.findings = append(p.findings, d)
					}
				}
			}
			if at := slices.IndexFunc(p.Libraries, func(l Library) bool { return l.Name == name }); at >= 0 {
				d := c.Errorf("library-twice", "library", "a library named %q is in use already, at %s", name, p.Libraries[at].Pos)
				d.Hint = "name them apart: plan:use(LIBRARY, { as = \"NAME\" })"
				p.findings = append(p.findings, d)
				return nil, nil
			}
			used := Library{Name: name, Version: lib.version, Options: options, Groups: p.chosenGroups(c), Check: lib.check, Pos: c.At("library"), origin: lib.origin}
			p.warnOfOverlap(c, used)
			p.Libraries = append(p.Libraries, used)
			for _, point := range stdlib.HookPointNames() {
				if h, has := lib.hooks[point]; has {
					p.addHook(c, "library", Hook{Point: point, Handler: name, Func: h.run, Timeout: h.timeout, OnError: h.onError, OnCut: h.onCut, Options: options, Groups: used.Groups, Pos: c.At("library")})
				}
			}
			return nil, nil
		},
	}
}

// What Lua sees of a plan: plain tables with every default filled in. Passwords are not among them.

// Records returns the tables that a plan is read as.
func Records() []lua.Record {
	return []lua.Record{
		lua.NewRecord("planned_sites", "The two sites of a plan.", "primary planned_site | The primary site.", "secondary planned_site | The secondary site."),
		lua.NewRecord("planned_site", "A site of a plan.", "url string | Address of the engine.", "username string | User."),
		lua.NewRecord("planned_storage_domain", "A storage domain of a plan.", "name string | Name.", "id string | Id.", "type string | Storage type.", "group? string | Consistency group, where it has one of its own.",
			"upgrade_format? boolean | True where the plan consents to an upgrade of its storage format.",
			"primary planned_place | Where it lives at the primary site.", "secondary planned_place | Where its replica lives at the secondary site."),
		lua.NewRecord("planned_place", "Where a storage domain lives.", "data_center string | Name of the data center.", "url? string | Place of the storage.", "nfs_version? string | NFS version.", "mount_options? string | Further mount options.",
			"vfs_type? string | File system of a posixfs domain.", "targets? string[] | iSCSI targets, as ADDRESS:PORT/IQN.", "luns? string[] | Ids of its LUNs."),
		lua.NewRecord("planned_mappings", "What takes the place of what.", "clusters planned_cluster_mapping[] | Clusters.", "vnic_profiles planned_profile_mapping[] | vNIC profiles.", "luns planned_lun_mapping[] | LUNs that are disks of VMs."),
		lua.NewRecord("planned_lun_mapping", "A LUN that is a disk of a VM and the one that takes its place.", "primary planned_lun | At the primary site.", "secondary planned_lun | At the secondary site.", "optional boolean | Its VM can do without it."),
		lua.NewRecord("planned_lun", "A LUN that is a disk of a VM.", "id string | Id, empty where there is none.", "targets string[] | The targets behind which it is; none for Fibre Channel."),
		lua.NewRecord("planned_cluster_mapping", "A cluster and the one that takes its place.", "primary string | At the primary site.", "secondary string | At the secondary site."),
		lua.NewRecord("planned_profile_mapping", "A vNIC profile and the one that takes its place.", "primary planned_profile | At the primary site.", "secondary planned_profile | At the secondary site.", "test? planned_profile | For tests."),
		lua.NewRecord("planned_profile", "A vNIC profile.", "data_center string | Name of the data center.", "network string | Name of the network.", "profile string | Name of the profile."),
		lua.NewRecord("planned_template", "A template of a plan.", "name string | Name.", "id string | Id."),
		lua.NewRecord("planned_vm", "A VM of a plan.", "name string | Name.", "id string | Id.", "rank number | Rank.", "after string[] | Names of VMs that it comes after.", "required boolean | The run stops when it does not come up.",
			"on_error string | continue or stop.", "grace number | How long its shutdown may take, in seconds.", "force_stop boolean | Switch it off when that is over.", "boot string | Its boot condition, for people.",
			"start boolean|\"as_before\" | Whether it is started."),
	}
}

func (p *Plan) luaSites() any {
	sites := map[string]any{}
	for _, name := range []string{Primary, Secondary} {
		sites[name] = map[string]any{"url": p.Site(name).URL, "username": p.Site(name).Username}
	}
	return sites
}

func (p *Plan) luaDomains() any {
	side := func(s DomainSide) any {
		m := map[string]any{"data_center": s.DataCenter}
		for key, value := range map[string]string{"url": s.URL, "nfs_version": s.NFSVersion, "mount_options": s.MountOptions, "vfs_type": s.VFSType} {
			if value != "" {
				m[key] = value
			}
		}
		if len(s.Targets) > 0 {
			m["targets"] = luaTargets(s.Targets)
		}
		if len(s.LUNs) > 0 {
			m["luns"] = luaTexts(s.LUNs)
		}
		return m
	}
	out := make([]any, len(p.StorageDomains))
	for i, d := range p.StorageDomains {
		m := map[string]any{"name": d.Name, "id": d.ID, "type": d.Type, Primary: side(d.Primary), Secondary: side(d.Secondary)}
		if d.Group != "" {
			m["group"] = d.Group
		}
		if d.UpgradeFormat {
			m["upgrade_format"] = true
		}
		out[i] = m
	}
	return out
}

func (p *Plan) luaMappings() any {
	ref := func(r ProfileRef) any {
		return map[string]any{"data_center": r.DataCenter, "network": r.Network, "profile": r.Profile}
	}
	clusters := make([]any, len(p.Mappings.Clusters))
	for i, m := range p.Mappings.Clusters {
		clusters[i] = map[string]any{Primary: m.Primary, Secondary: m.Secondary}
	}
	profiles := make([]any, len(p.Mappings.VNICProfiles))
	for i, m := range p.Mappings.VNICProfiles {
		entry := map[string]any{Primary: ref(m.Primary), Secondary: ref(m.Secondary)}
		if m.Test != (ProfileRef{}) {
			entry["test"] = ref(m.Test)
		}
		profiles[i] = entry
	}
	luns := make([]any, len(p.Mappings.LUNs))
	for i, m := range p.Mappings.LUNs {
		luns[i] = map[string]any{Primary: luaLUN(m.Primary), Secondary: luaLUN(m.Secondary), "optional": m.Optional}
	}
	return map[string]any{"clusters": clusters, "vnic_profiles": profiles, "luns": luns}
}

func luaLUN(l LUNRef) any {
	return map[string]any{"id": l.ID, "targets": luaTargets(l.Targets)}
}

// luaTargets are targets as a plan has them, without what CHAP asks for.
func luaTargets(targets []TargetLogin) []any {
	out := make([]any, len(targets))
	for i, t := range targets {
		out[i] = t.String()
	}
	return out
}

func luaTexts(texts []string) []any {
	out := make([]any, len(texts))
	for i, text := range texts {
		out[i] = text
	}
	return out
}

func (p *Plan) luaTemplates() any {
	out := make([]any, len(p.Templates))
	for i, t := range p.Templates {
		out[i] = map[string]any{"name": t.Name, "id": t.ID}
	}
	return out
}

func (p *Plan) luaVMs() any {
	out := make([]any, len(p.VMs))
	for i, vm := range p.VMs {
		after := make([]any, len(vm.After))
		for j, name := range vm.After {
			after[j] = name
		}
		m := map[string]any{"name": vm.Name, "id": vm.ID, "rank": float64(vm.Rank), "after": after, "required": vm.Required, "on_error": vm.OnError,
			"grace": vm.Grace.Seconds(), "force_stop": vm.ForceStop, "boot": vm.Boot.String()}
		switch vm.Start {
		case StartAsBefore:
			m["start"] = StartAsBefore
		default:
			m["start"] = vm.Start == StartYes
		}
		out[i] = m
	}
	return out
}

// ActionNames returns the names of the plan's own actions, sorted.
func (p *Plan) ActionNames() []string { return slices.Sorted(maps.Keys(p.Actions)) }
