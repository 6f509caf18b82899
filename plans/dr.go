package plans

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"drrun/lua"
	"drrun/stdlib"
)

// Options are what the Lua module "dr" needs from outside.
type Options struct {
	Secrets SecretResolver
	// ReadFile finds the CA files that a plan names. Nil leaves them unchecked.
	ReadFile func(path string) ([]byte, error)
	// Steps is the name of the embedded Lua module that dr.steps is. Empty means "dr.steps".
	Steps string
	// Boot is dr.boot, where its conditions can be looked at. The zero value declares it only.
	Boot lua.Module
}

// DR declares the Lua module "dr", which plans and their libraries are written with.
func DR(o Options) lua.Module {
	d := &module{options: o}
	steps := o.Steps
	if steps == "" {
		steps = "dr.steps"
	}
	boot := o.Boot
	if boot.Name == "" {
		boot = stdlib.BootModule(stdlib.Surroundings{})
	}
	return lua.Module{
		Name:  "dr",
		Doc:   "The plan and what it is written with.",
		Funcs: []lua.Func{d.planFunc(), d.secretFunc(), todoFunc(), libraryFunc(), nearestFunc()},
		Subs:  []lua.Module{boot},
		Lua:   map[string]string{"steps": steps, "workflows": "dr.workflows"},
	}
}

// module is the state of one wired "dr": prompts are asked once.
type module struct {
	options Options
	mu      sync.Mutex
	known   map[string]string
}

// codeTodo is the code of the finding about a dr.todo that is left.
const codeTodo = "todo"

// todo is what dr.todo returns: a place in the plan that a person has to fill in.
type todo struct{ text string }

// Classes returns what Lua sees of a plan and of what it is written with, for references and annotations.
func Classes() []*lua.Class { return []*lua.Class{planClass, actionsClass, libraryClass, todoClass} }

var todoClass = &lua.Class{
	Name:   "dr.todo",
	Doc:    "Something that drrun could not know; check names each with its place.",
	Fields: []lua.Field{{Name: "text", Type: "string", Doc: "What to fill in.", Get: func(self any) any { return self.(*todo).text }}},
	String: func(self any) string { return "dr.todo " + lua.Quote(self.(*todo).text) },
}

func todoFunc() lua.Func {
	return lua.Func{
		Name: "todo", Effect: lua.Pure, Returns: "dr.todo",
		Doc:    "Stands for a value that a person has to fill in. A plan that holds one does not run.",
		Params: []lua.Param{{Name: "text", Type: lua.String, Positional: true, Doc: "What to fill in."}},
		Run: func(c *lua.Call) (any, error) {
			return lua.NewObject(todoClass, &todo{text: c.String("text")}), nil
		},
	}
}

func nearestFunc() lua.Func {
	return lua.Func{
		Name: "nearest", Effect: lua.Pure, Returns: "string?",
		Doc: "The name of a list that is most like a given one, for a message of a library about a misspelt name; nil where none is alike.",
		Params: []lua.Param{
			{Name: "name", Type: lua.String, Positional: true, Doc: "The name that is not known."},
			{Name: "known", Type: lua.List(lua.String), Positional: true, Doc: "The names that are."},
		},
		Run: func(c *lua.Call) (any, error) {
			var known []string
			for _, name := range c.List("known") {
				known = append(known, name.(string))
			}
			if nearest := lua.Nearest(c.String("name"), known); nearest != "" {
				return nearest, nil
			}
			return nil, nil
		},
	}
}

func (d *module) secretFunc() lua.Func {
	return lua.Func{
		Name: "secret", Effect: lua.Pure, Returns: "secret",
		Doc: "A value that is in no plan, journal, log or report: from DRRUN_SECRET_NAME, from the file that DRRUN_SECRET_NAME_FILE names, " +
			"from the command in DRRUN_SECRET_NAME_COMMAND, from file, from those that `drrun secrets set` keeps, or from a prompt.",
		Params: []lua.Param{
			{Name: "name", Type: lua.String, Positional: true, Doc: "Name of the secret, such as \"primary_password\"."},
			{Name: "file", Type: lua.String, Optional: true, Doc: "A file that holds it; a relative path starts in the plan's folder."},
		},
		Run: func(c *lua.Call) (any, error) {
			name := c.String("name")
			if strings.TrimSpace(name) == "" {
				return nil, c.Errorf("bad-argument", "name", "the name of a secret is empty")
			}
			file, dir := "", ""
			if c.Has("file") {
				file, dir = c.String("file"), folderOf(c.At("file").File)
			}
			return lua.NewSecret(name, func(ctx context.Context) (string, error) { return d.resolve(ctx, name, file, dir) }), nil
		},
	}
}

// resolve finds a secret once: a person is not asked twice in one process.
func (d *module) resolve(ctx context.Context, name, file, dir string) (string, error) {
	d.mu.Lock()
	value, ok := d.known[name]
	d.mu.Unlock()
	if ok {
		return value, nil
	}
	value, err := d.options.Secrets.Resolve(ctx, name, file, dir)
	if err != nil {
		return "", err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.known == nil {
		d.known = map[string]string{}
	}
	d.known[name] = value
	return value, nil
}

// orTodo lets a dr.todo stand for a value.
func orTodo(t lua.Type) lua.Type { return lua.OneOf(t, lua.ObjectType(todoClass)) }

// text is a string that a dr.todo can stand for.
func text() lua.Type { return orTodo(lua.String) }

func siteType() lua.Type {
	return lua.Called(lua.Table(
		lua.Param{Name: "url", Type: text(), Doc: "Address of the engine, with or without /ovirt-engine/api."},
		lua.Param{Name: "username", Type: text(), Doc: "User with the rights of an administrator, such as \"admin@internal\" or \"admin@ovirt@internal\"."},
		// Any value, and none, is taken here to be refused by a finding of its own: the usual ones would show a password in clear.
		lua.Param{Name: "password", Type: lua.Called(lua.Any, "secret|dr.todo"), Optional: true, Doc: "dr.secret \"NAME\"."},
		lua.Param{Name: "ca_file", Type: text(), Optional: true, Doc: "CA certificate of the engine (PEM); a relative path starts in the plan's folder. Default: the CAs that this machine trusts."},
		lua.Param{Name: "insecure", Type: lua.Bool, Optional: true, Doc: "Do not verify the engine's certificate. Default: false."},
	), "plan_site")
}

func domainSideType(side string) lua.Type {
	return lua.Called(lua.Table(
		lua.Param{Name: "data_center", Type: nameOf(side + DataCenterNames), Doc: "Name of the data center that the storage domain is attached to."},
		lua.Param{Name: "url", Type: text(), Optional: true, Doc: "File types: the place of the storage, such as \"nfs://192.168.122.210:/nfs_ds\"."},
		lua.Param{Name: "nfs_version", Type: lua.Enum("auto", "v3", "v4", "v4_0", "v4_1", "v4_2"), Optional: true, Doc: "NFS version. Default: the engine chooses."},
		lua.Param{Name: "mount_options", Type: lua.String, Optional: true, Doc: "Further mount options."},
		lua.Param{Name: "vfs_type", Type: lua.String, Optional: true, Doc: "posixfs: the file system, such as \"ceph\"."},
		lua.Param{Name: "targets", Type: targetsType(), Optional: true, Doc: "iscsi: the targets behind which its LUNs are; each host of the data center logs in at each."},
		lua.Param{Name: "luns", Type: lua.List(text()), Optional: true, Doc: "iscsi, fcp: the ids of its LUNs at this site. An import of others is taken back."},
	), "plan_storage_"+side)
}

// targetsType is a list of iSCSI targets.
func targetsType() lua.Type {
	return lua.List(lua.OneOf(lua.String, lua.Called(lua.Table(
		lua.Param{Name: "target", Type: text(), Doc: "ADDRESS:PORT/IQN."},
		lua.Param{Name: "username", Type: text(), Optional: true, Doc: "What CHAP asks for."},
		// Any value is taken here to be refused by a finding of its own: the usual ones would show a password in clear.
		lua.Param{Name: "password", Type: lua.Any, Optional: true, Doc: "dr.secret \"NAME\"."},
	), "plan_iscsi_target"), lua.ObjectType(todoClass)))
}

// lunType is a LUN that is the disk of a VM.
func lunType() lua.Type {
	return lua.OneOf(lua.String, lua.Called(lua.Table(
		lua.Param{Name: "id", Type: text(), Doc: "Id of the LUN."},
		lua.Param{Name: "targets", Type: targetsType(), Optional: true, Doc: "The targets behind which it is. Default: it is reached by Fibre Channel."},
	), "plan_lun"), lua.ObjectType(todoClass))
}

func profileType(side string) lua.Type {
	return orTodo(lua.Called(lua.Table(
		lua.Param{Name: "data_center", Type: nameOf(side + DataCenterNames), Doc: "Name of the data center."},
		lua.Param{Name: "network", Type: nameOf(side + NetworkNames), Doc: "Name of the network."},
		lua.Param{Name: "profile", Type: nameOf(side + ProfileNames), Doc: "Name of the vNIC profile."},
	), "plan_profile_"+side))
}

// The types of names of one site, for editors, behind "primary" or "secondary": `drrun types --inventory` knows which there are.
const (
	DataCenterNames = "_data_center"
	ClusterNames    = "_cluster"
	NetworkNames    = "_network"
	ProfileNames    = "_vnic_profile"
)

// nameOf is text for a name of a kind that an inventory can know.
func nameOf(kind string) lua.Type { return orTodo(lua.Called(lua.String, kind)) }

// planParams is the schema of a plan.
func planParams() []lua.Param {
	domain := lua.Called(lua.Table(
		lua.Param{Name: "name", Type: text(), Doc: "Name; a label."},
		lua.Param{Name: "id", Type: text(), Doc: "Id, the same on both sites: it decides."},
		lua.Param{Name: "type", Type: orTodo(lua.Enum(storageTypes...)), Doc: "Storage type."},
		lua.Param{Name: "group", Type: lua.String, Optional: true, Doc: "Consistency group for storage hooks. Default: one group of all domains that name none."},
		lua.Param{Name: "upgrade_format", Type: lua.Bool, Optional: true, Doc: "Consent: attached to a data center of a newer storage format it is upgraded for good, and the other site may not be able to read it any more. Default: false."},
		lua.Param{Name: "primary", Type: domainSideType(Primary), Doc: "Where it lives at the primary site."},
		lua.Param{Name: "secondary", Type: domainSideType(Secondary), Doc: "Where its replica lives at the secondary site."},
	), "plan_storage_domain")
	cluster := lua.Called(lua.Table(
		lua.Param{Name: "primary", Type: nameOf(Primary + ClusterNames), Doc: "Name of the cluster at the primary site."},
		lua.Param{Name: "secondary", Type: nameOf(Secondary + ClusterNames), Doc: "Name of the cluster that takes its VMs at the secondary site."},
	), "plan_cluster_mapping")
	profile := lua.Called(lua.Table(
		lua.Param{Name: "primary", Type: profileType(Primary), Doc: "vNIC profile at the primary site."},
		lua.Param{Name: "secondary", Type: profileType(Secondary), Doc: "vNIC profile that takes its place at the secondary site."},
		lua.Param{Name: "test", Type: profileType(Secondary), Optional: true, Doc: "vNIC profile for tests of the plan."},
	), "plan_profile_mapping")
	lun := lua.Called(lua.Table(
		lua.Param{Name: "primary", Type: lunType(), Doc: "LUN at the primary site: its id, or { id =, targets = }."},
		lua.Param{Name: "secondary", Type: lunType(), Optional: true, Doc: "Its replica at the secondary site."},
		lua.Param{Name: "optional", Type: lua.Bool, Optional: true, Doc: "A VM whose LUN is not there comes up without it. Default: false, the VM is not registered."},
	), "plan_lun_mapping")
	template := lua.Called(lua.Table(
		lua.Param{Name: "name", Type: text(), Doc: "Name; a label."},
		lua.Param{Name: "id", Type: text(), Doc: "Id."},
	), "plan_template")
	vm := lua.Called(lua.Table(
		lua.Param{Name: "name", Type: text(), Doc: "Name; a label, but `after` lists use it."},
		lua.Param{Name: "id", Type: text(), Doc: "Id: it decides."},
		lua.Param{Name: "rank", Type: orTodo(lua.Integer), Optional: true, Doc: "VMs of the lowest rank start first. Default: 1."},
		lua.Param{Name: "boot", Type: lua.WithHint(orTodo(stdlib.ConditionType()), `write dr.boot.wait "90s", dr.boot.guest_agent { timeout = "5m" } or function(ctx, vm) … end`), Optional: true, Doc: "When the started VM counts as running. Default: as soon as it is up."},
		lua.Param{Name: "after", Type: lua.List(nameOf(stdlib.VMName)), Optional: true, Doc: "Names of VMs that run before this one starts."},
		lua.Param{Name: "start", Type: lua.OneOf(lua.Bool, lua.Enum(StartAsBefore), lua.ObjectType(todoClass)), Optional: true, Doc: "true, false, or \"as_before\": start it where it ran before. Default: \"as_before\"."},
		lua.Param{Name: "required", Type: lua.Bool, Optional: true, Doc: "Stop the run when this VM does not meet its boot condition. Default: false."},
		lua.Param{Name: "on_error", Type: lua.Enum(OnErrorContinue, OnErrorStop), Optional: true, Doc: "What the run does after an error of this VM. Default: \"continue\"."},
		lua.Param{Name: "grace", Type: lua.Duration, Optional: true, Doc: "How long its shutdown may take when it is moved in order. Default: \"5m\"."},
		lua.Param{Name: "force_stop", Type: lua.Bool, Optional: true, Doc: "Switch it off when the grace is over. Default: false."},
	), "plan_vm")
	return []lua.Param{
		{Name: "name", Type: lua.String, Doc: "Name of the plan."},
		{Name: "sites", Type: lua.Called(lua.Table(
			lua.Param{Name: "primary", Type: siteType(), Doc: "The site that carries the load."},
			lua.Param{Name: "secondary", Type: siteType(), Doc: "The site that takes over."},
		), "plan_sites"), Doc: "The two sites."},
		{Name: "params", Type: lua.Map(lua.Any), Optional: true, Doc: "Values for hooks, as ctx.params."},
		{Name: "storage_domains", Type: lua.List(domain), Doc: "The replicated storage domains."},
		{Name: "mappings", Type: lua.Called(lua.Table(
			lua.Param{Name: "clusters", Type: lua.List(cluster), Optional: true, Doc: "Clusters, by name."},
			lua.Param{Name: "vnic_profiles", Type: lua.List(profile), Optional: true, Doc: "vNIC profiles, by data center, network and name."},
			lua.Param{Name: "luns", Type: lua.List(lun), Optional: true, Doc: "LUNs that are disks of VMs, by id."},
		), "plan_mappings"), Optional: true, Doc: "What takes the place of what on the other site."},
		{Name: "templates", Type: lua.List(template), Optional: true, Doc: "Templates that the VMs are based on."},
		{Name: "vms", Type: lua.List(vm), Doc: "The VMs."},
		{Name: "lease_expiry", Type: lua.Duration, Optional: true, Doc: "How long after the last possible write at a source that was not released the target waits " +
			"before it attaches a storage domain; \"0s\" for no wait. Default: \"180s\"."},
		{Name: "events", Type: lua.Bool, Optional: true, Doc: "Show each run in the engines: as events in both, and as a task with its steps in the one that takes over. " +
			"Where the user may not, the run goes on without. Default: true."},
	}
}

func (d *module) planFunc() lua.Func {
	return lua.Func{
		Name: "plan", Effect: lua.Pure, Returns: "plan",
		Doc:    "The plan: sites, storage domains, mappings, VMs.",
		Params: planParams(), Lenient: true, CopyHint: writeAbove,
		Run: func(c *lua.Call) (any, error) {
			b := &builder{c: c, wrong: map[lua.Pos]bool{}, plan: &Plan{Workflows: map[string]*lua.Function{}, Actions: map[string]*lua.Function{}, Pos: c.At(), readFile: d.options.ReadFile}}
			b.plan.at = c.At
			b.build()
			b.plan.Object = lua.NewObject(planClass, b.plan)
			if l, ok := c.Task.Local(loadingKey{}).(*loading); ok {
				l.plans = append(l.plans, b.plan)
			} else if len(b.plan.findings) > 0 {
				return nil, b.plan.findings
			}
			return b.plan.Object, nil
		},
	}
}

// builder makes a Plan of the checked arguments of dr.plan.
type builder struct {
	c     *lua.Call
	plan  *Plan
	wrong map[lua.Pos]bool // places where the types are wrong: nothing more is said about them
}

func (b *builder) build() {
	p := b.plan
	p.findings = b.c.Findings()
	for _, d := range p.findings {
		b.wrong[d.Pos] = true
		if strings.HasPrefix(d.Message, "vms[") && strings.HasPrefix(d.Hint, "known: name, id") { // no misspelt name
			d.Hint += "; values of your own go into params of the plan, and hooks read them in ctx.params"
		}
	}
	p.Name, _ = b.c.Value("name").(string)
	sites := table(b.c.Value("sites"))
	p.Primary = b.site(sites, Primary)
	p.Secondary = b.site(sites, Secondary)
	p.Params = table(b.c.Value("params"))
	p.LeaseExpiry = DefaultLeaseExpiry
	if expiry, ok := b.c.Value("lease_expiry").(time.Duration); ok {
		p.LeaseExpiry = expiry
	}
	if shown, ok := b.c.Value("events").(bool); ok {
		p.NoEvents = !shown
	}
	if domains, ok := b.c.Value("storage_domains").([]any); ok {
		p.StorageDomains = make([]StorageDomain, 0, len(domains))
	}
	for i, value := range list(b.c.Value("storage_domains")) {
		p.StorageDomains = append(p.StorageDomains, b.domain(table(value), i+1))
	}
	mappings := table(b.c.Value("mappings"))
	for i, value := range list(mappings["clusters"]) {
		m := table(value)
		p.Mappings.Clusters = append(p.Mappings.Clusters, ClusterMapping{Primary: str(m["primary"]), Secondary: str(m["secondary"]), Todo: todoText(m["secondary"]),
			Pos: b.at("mappings", "clusters", i+1), pos: b.sides("mappings", "clusters", i+1)})
	}
	for i, value := range list(mappings["vnic_profiles"]) {
		m := table(value)
		p.Mappings.VNICProfiles = append(p.Mappings.VNICProfiles, ProfileMapping{Primary: profile(m["primary"]), Secondary: profile(m["secondary"]), Test: profile(m["test"]),
			Todo: todoText(m["secondary"]), Pos: b.at("mappings", "vnic_profiles", i+1), pos: b.sides("mappings", "vnic_profiles", i+1)})
	}
	for i, value := range list(mappings["luns"]) {
		m := table(value)
		at := []any{"mappings", "luns", i + 1}
		p.Mappings.LUNs = append(p.Mappings.LUNs, LUNMapping{Primary: b.lun(m[Primary], append(at, Primary)...), Secondary: b.lun(m[Secondary], append(at, Secondary)...),
			Optional: m["optional"] == true, paired: m["secondary"] != nil, Todo: todoText(m["secondary"]), Pos: b.at(at...), pos: b.sides(at...)})
	}
	for i, value := range list(b.c.Value("templates")) {
		m := table(value)
		p.Templates = append(p.Templates, Template{Name: str(m["name"]), ID: strings.ToLower(str(m["id"])), Pos: b.at("templates", i+1, "name")})
	}
	for i, value := range list(b.c.Value("vms")) {
		p.VMs = append(p.VMs, b.vm(table(value), i+1))
	}
	for _, name := range []string{"name", "sites", "params", "storage_domains", "mappings", "templates", "vms"} {
		b.todos(b.c.Value(name), []any{name})
	}
	if b.c.Has("name") && strings.TrimSpace(p.Name) == "" {
		b.add(b.at("name"), "bad-argument", "give the plan a name", "the name of the plan is empty")
	}
	(&semantics{plan: p, at: b.at, wrong: b.wrong, out: &p.findings}).check()
}

func (b *builder) at(path ...any) lua.Pos { return b.c.At(path...) }

func (b *builder) sides(path ...any) sidePositions {
	return sidePositions{primary: b.at(append(slices.Clone(path), Primary)...), secondary: b.at(append(slices.Clone(path), Secondary)...)}
}

func (b *builder) add(pos lua.Pos, code, hint, format string, args ...any) {
	b.plan.findings = append(b.plan.findings, &lua.Diagnostic{Pos: pos, Severity: SeverityError, Subject: "dr.plan", Code: code, Hint: hint, Message: fmt.Sprintf(format, args...)})
}

func (b *builder) site(sites map[string]any, name string) SiteSpec {
	m := table(sites[name])
	spec := SiteSpec{URL: str(m["url"]), Username: str(m["username"]), CAFile: str(m["ca_file"]), Insecure: m["insecure"] == true, Pos: b.at("sites", name, "url")}
	switch password := m["password"].(type) {
	case *lua.Secret:
		spec.Password = password
	case string:
		b.add(b.at("sites", name, "password"), "secret-in-clear", fmt.Sprintf("write password = dr.secret \"%s_password\" and set %s", name, SecretVariable(name+"_password")),
			"the password of site %q stands in the plan in clear: whoever reads the file has it", name)
	case nil:
		if m != nil {
			b.add(b.at("sites", name), "missing-key", fmt.Sprintf("add password = dr.secret \"%s_password\"", name), "sites.%s needs password", name)
		}
	default:
		if todoText(password) == "" && !lua.IsWrong(password) {
			b.add(b.at("sites", name, "password"), "bad-argument", fmt.Sprintf("write password = dr.secret \"%s_password\"", name), "sites.%s.password is not a secret", name)
		}
	}
	if spec.CAFile != "" {
		b.plan.caFiles = append(b.plan.caFiles, fileReference{path: spec.CAFile, subject: name, pos: b.at("sites", name, "ca_file")})
	}
	return spec
}

func (b *builder) domain(m map[string]any, n int) StorageDomain {
	d := StorageDomain{Name: str(m["name"]), ID: strings.ToLower(str(m["id"])), Type: str(m["type"]), Group: str(m["group"]), UpgradeFormat: m["upgrade_format"] == true, Pos: b.at("storage_domains", n, "name")}
	d.Primary = b.side(table(m[Primary]), n, Primary)
	d.Secondary = b.side(table(m[Secondary]), n, Secondary)
	return d
}

func (b *builder) side(m map[string]any, n int, name string) DomainSide {
	side := DomainSide{DataCenter: str(m["data_center"]), URL: str(m["url"]), NFSVersion: str(m["nfs_version"]), MountOptions: str(m["mount_options"]),
		VFSType: str(m["vfs_type"]), Targets: b.targets(m["targets"], "storage_domains", n, name, "targets"), LUNs: texts(m["luns"]), Todo: todoText(m["data_center"]), Pos: b.at("storage_domains", n, name, "data_center"),
		given: slices.Sorted(maps.Keys(m)), targetsGiven: len(list(m["targets"]))}
	return side
}

// targets reads a list of iSCSI targets. What is no target is a finding, and none of the list.
func (b *builder) targets(value any, path ...any) []TargetLogin {
	var targets []TargetLogin
	for i, value := range list(value) {
		at := append(slices.Clone(path), i+1)
		m := table(value)
		given := str(value)
		if m != nil {
			at, given = append(at, "target"), str(m["target"])
		}
		if given == "" {
			continue // a todo or a value of a wrong type, reported already
		}
		target, problem := parseTarget(given)
		if problem != "" {
			b.add(b.at(at...), "iscsi-target", "write it like \"10.0.0.1:3260/iqn.2006-01.com.example:a\"", "%q is no target: %s", given, problem)
			continue
		}
		targets = append(targets, TargetLogin{Target: target, Username: str(m["username"]), Password: b.chapPassword(m, target, append(slices.Clone(path), i+1)...)})
	}
	return targets
}

// chapPassword reads the password of a target, which is a secret and stands beside a username.
func (b *builder) chapPassword(m map[string]any, target Target, path ...any) *lua.Secret {
	const hint = "write username = …, password = dr.secret \"chap_password\""
	pos := b.at(append(slices.Clone(path), "password")...)
	switch password := m["password"].(type) {
	case *lua.Secret:
		if str(m["username"]) == "" && todoText(m["username"]) == "" {
			b.add(pos, "missing-key", hint, "the target %s has a password and no username", target)
		}
		return password
	case nil:
		if str(m["username"]) != "" {
			b.add(b.at(append(slices.Clone(path), "username")...), "missing-key", hint, "the target %s has a username and no password", target)
		}
	case string:
		b.add(pos, "secret-in-clear", hint+" and set "+SecretVariable("chap_password"), "the password of the target %s stands in the plan in clear: whoever reads the file has it", target)
	default:
		if todoText(password) == "" && !lua.IsWrong(password) {
			b.add(pos, "bad-argument", hint, "the password of the target %s is not a secret", target)
		}
	}
	return nil
}

// lun reads a LUN that is the disk of a VM: its id alone, or with targets.
func (b *builder) lun(value any, path ...any) LUNRef {
	if id := str(value); id != "" {
		return LUNRef{ID: id}
	}
	m := table(value)
	return LUNRef{ID: str(m["id"]), Targets: b.targets(m["targets"], append(slices.Clone(path), "targets")...)}
}

func (b *builder) vm(m map[string]any, n int) VM {
	vm := VM{Name: str(m["name"]), ID: strings.ToLower(str(m["id"])), Rank: DefaultRank, After: texts(m["after"]), Start: StartAsBefore, Required: m["required"] == true,
		OnError: OnErrorContinue, Grace: DefaultGrace, ForceStop: m["force_stop"] == true, Boot: &stdlib.Condition{}, Pos: b.at("vms", n, "name")}
	if rank, ok := number(m["rank"]); ok {
		vm.Rank = int(rank)
	}
	if boot := m["boot"]; boot != nil && todoText(boot) == "" {
		vm.Boot = stdlib.AsCondition(boot)
	}
	switch start := m["start"].(type) {
	case bool:
		vm.Start = StartNo
		if start {
			vm.Start = StartYes
		}
	}
	if onError := str(m["on_error"]); onError != "" {
		vm.OnError = onError
	}
	if grace, ok := m["grace"].(time.Duration); ok {
		vm.Grace = grace
	}
	return vm
}

// todos collects every dr.todo of a value, with its place.
func (b *builder) todos(value any, path []any) {
	switch v := value.(type) {
	case *lua.Object:
		if t, ok := v.Self().(*todo); ok {
			b.plan.findings = append(b.plan.findings, &lua.Diagnostic{Pos: b.at(path...), Severity: SeverityError, Subject: pathText(path), Code: codeTodo,
				Message: "to be filled in: " + t.text, Hint: "replace dr.todo by the value"})
		}
	case []any:
		for i, part := range v {
			b.todos(part, append(path, i+1))
		}
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			b.todos(v[key], append(path, key))
		}
	}
}

// pathText renders the path of a value as Lua: storage_domains[1].secondary.data_center.
func pathText(path []any) string {
	var b strings.Builder
	for i, part := range path {
		switch v := part.(type) {
		case int:
			fmt.Fprintf(&b, "[%d]", v)
		default:
			if i > 0 {
				b.WriteByte('.')
			}
			fmt.Fprint(&b, v)
		}
	}
	return b.String()
}

// The values of a table that passed its check have the right types, or are a dr.todo, or are missing: those read as zero.

func table(value any) map[string]any {
	m, _ := value.(map[string]any)
	return m
}

func list(value any) []any {
	l, _ := value.([]any)
	return l
}

func str(value any) string {
	s, _ := value.(string)
	return s
}

func number(value any) (float64, bool) {
	switch v := value.(type) {
	case float64:
		return v, true
	case int:
		return float64(v), true
	case int64:
		return float64(v), true
	}
	return 0, false
}

func texts(value any) []string {
	var out []string
	for _, part := range list(value) {
		out = append(out, str(part))
	}
	return out
}

func todoText(value any) string {
	if object, ok := value.(*lua.Object); ok {
		if t, ok := object.Self().(*todo); ok {
			return t.text
		}
	}
	return ""
}

func profile(value any) ProfileRef {
	m := table(value)
	return ProfileRef{DataCenter: str(m["data_center"]), Network: str(m["network"]), Profile: str(m["profile"])}
}
