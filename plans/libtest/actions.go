package libtest

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"drrun/engine"
	"drrun/lua"
	"drrun/plans"
	"drrun/plans/runner"
	"drrun/stdlib"
)

// planParams say which plan an action or a hook runs with, and in which surroundings.
func planParams() []lua.Param {
	use := lua.OneOf(plans.LibraryType(), lua.Table(
		lua.Param{Name: "library", Type: plans.LibraryType(), Doc: "The library."},
		lua.Param{Name: "as", Type: lua.String, Optional: true, Doc: "As of plan:use."},
		lua.Param{Name: "groups", Type: lua.List(lua.String), Optional: true, Doc: "As of plan:use."},
	))
	return []lua.Param{
		{Name: "use", Type: lua.List(use), Optional: true, Doc: "Libraries, configured as in a plan: { require \"site.netapp\" { vserver = \"svm\" } }; or { library =, as =, groups = }. A later action of the test has those of the one before."},
		{Name: "plan", Type: lua.String, Optional: true, Doc: "Lua text behind the generated plan: plan = [[ plan:on(…) ]]."},
		{Name: "plan_file", Type: lua.String, Optional: true, Doc: "A whole plan, beside the test, instead of the generated one."},
		{Name: "params", Type: lua.Map(lua.Any), Optional: true, Doc: "Parameters, as of --param."},
		{Name: "secrets", Type: lua.Map(lua.String), Optional: true, Doc: "Values of dr.secret, by name."},
		{Name: "env", Type: lua.Map(lua.String), Optional: true, Doc: "Variables that env.get reads."},
		{Name: "files", Type: lua.Map(lua.String), Optional: true, Doc: "Files in the plan's folder, by path. One that begins with #! can be run: exec.run \"./promote.sh\"."},
		{Name: "answers", Type: lua.Map(lua.String), Optional: true, Doc: "What a person answers, as of --answer. Default: the storage is promoted in the lab when the run asks for it, and replicated."},
		{Name: "lose", Type: lua.OneOf(lua.Enum(plans.Primary, plans.Secondary), lua.Bool), Optional: true, Doc: "The site that is lost before. Default: the one that is left, where the action is not planned; false loses none."},
	}
}

// actionParams are those of a whole action.
func actionParams(planned bool) []lua.Param {
	return append(planParams(),
		lua.Param{Name: "planned", Type: lua.Bool, Default: planned, Doc: "The site that is left takes part."},
		lua.Param{Name: "dry_run", Type: lua.Bool, Default: false, Doc: "Change nothing; result.dry_run lists the calls."},
		lua.Param{Name: "kill_after", Type: lua.Enum(stdlib.HookPointNames()...), Optional: true, Doc: "Kill drrun when a handler of this hook point has ended, and resume the run. It is an error where the run does not come there."},
	)
}

const resultDoc = " Returns { exit =, status =, vms = { vm1 = { status =, error = } }, storage_domains = { … }, error = { code =, message = }, findings =, warnings =, verdicts =, kills =, log = { … } }."

// action declares t:failover or t:failback.
func action(name, doc string, planned bool) lua.Func {
	return lua.Func{
		Name: name, Effect: lua.Observes, Returns: "table", Doc: doc + resultDoc, Params: actionParams(planned),
		Run: func(c *lua.Call) (any, error) {
			t := c.Self.(*trial)
			logged := len(t.said(0))
			o, err := t.options(c, name)
			if err != nil {
				return nil, err
			}
			o.Planned, o.DryRun = c.Bool("planned"), c.Bool("dry_run")
			if err := t.strike(c, name, o.Planned); err != nil {
				return nil, err
			}
			if !o.Planned {
				o.ConfirmSourceDown = "The test: the site is lost"
			}
			before := t.kills
			result, err := t.perform(c.Lua, o, c.String("kill_after"))
			if err != nil {
				return nil, c.Errorf("test-run", "", "%v", err)
			}
			return t.shown(result, t.kills-before, t.said(logged)), nil
		},
	}
}

// shown is a result as a test sees it: objects by name.
func (t *trial) shown(result *runner.Result, kills int, log []string) map[string]any {
	decoded := stdlib.Decoded(result).(map[string]any)
	for _, kind := range []string{"vms", "storage_domains"} {
		named := map[string]any{}
		for _, item := range decoded[kind].([]any) {
			one := item.(map[string]any)
			named[fmt.Sprint(one["name"])] = one
		}
		decoded[kind] = named
	}
	lines := make([]any, len(log))
	for i, line := range log {
		lines[i] = line
	}
	decoded["kills"], decoded["log"] = float64(kills), lines
	if result.Error != nil {
		t.say(fmt.Sprintf("%s ended with %d (%s): %s [%s]", result.Action, result.Exit, result.Status, t.tidy(result.Error.Message), result.Error.Code))
	}
	for _, finding := range result.Findings {
		if finding.Severity == plans.SeverityError {
			t.say(t.tidy(fmt.Sprintf("%s: %s [%s]", finding.Pos, finding.Message, finding.Code)))
		}
	}
	return decoded
}

// tidy names files as the reader of a test knows them: those of the plan's folder, which is another one each time, without it, and libraries as
// they were given.
func (t *trial) tidy(text string) string {
	if t.folder != "" {
		text = strings.ReplaceAll(text, t.folder+"/", "")
	}
	for _, folder := range t.suite.libFolders() {
		if absolute, err := filepath.Abs(folder); err == nil && absolute != folder {
			text = strings.ReplaceAll(text, absolute+"/", folder+"/")
		}
	}
	return text
}

// strike loses the site that the action needs lost.
func (t *trial) strike(c *lua.Call, action string, planned bool) error {
	name := plans.Primary
	if action == plans.ActionFailback {
		name = plans.Secondary
	}
	switch given := c.Value("lose").(type) {
	case string:
		name = given
	case bool:
		if given {
			return c.Errorf("bad-argument", "lose", "lose = true does not say which site: write \"primary\" or \"secondary\"")
		}
		return nil
	default:
		if planned {
			return nil
		}
	}
	if err := t.lose(name); err != nil {
		return c.Errorf("test-lab", "lose", "%v", err)
	}
	return nil
}

// options are what an action of the test runs with. The plan is written first.
func (t *trial) options(c *lua.Call, action string) (runner.Options, error) {
	if err := t.setUp(c); err != nil {
		return runner.Options{}, err
	}
	if err := t.writePlan(c, ""); err != nil {
		return runner.Options{}, err
	}
	return t.runnerOptions(c, action), nil
}

func (t *trial) runnerOptions(c *lua.Call, action string) runner.Options {
	for name, value := range c.Table("secrets") {
		t.secrets[name], _ = value.(string)
	}
	for name, value := range c.Table("env") {
		t.env[name], _ = value.(string)
	}
	variables := maps.Clone(t.env)
	for name, value := range t.secrets {
		variables[plans.SecretVariable(name)] = value
	}
	for _, name := range []string{plans.Primary, plans.Secondary} {
		variables[plans.SecretVariable(name+"_password")] = site(t.sites, name).Password
	}
	person := person{trial: t, answers: c.Table("answers"), planned: c.Bool("planned")}
	return runner.Options{
		PlanFile: t.planFile(), Action: action, StateDir: stateDir, LibDirs: t.absoluteFolders(), Params: c.Table("params"), Asker: person, CanAnswer: person.can, Speed: 1,
		Version: "test", Host: "test", User: "test",
		Secrets: plans.SecretResolver{
			Env: func(name string) (string, bool) { value, set := variables[name]; return value, set }, ReadFile: t.suite.Env.FS.ReadFile,
		},
		Transport: func(string) http.RoundTripper { return wire{t} },
	}
}

// absoluteFolders are where the plan's require looks: the same folders as that of the test.
func (t *trial) absoluteFolders() []string {
	var folders []string
	for _, folder := range t.suite.libFolders() {
		if absolute, err := filepath.Abs(folder); err == nil {
			folder = absolute
		}
		folders = append(folders, folder)
	}
	return folders
}

// writePlan writes the plan of an action: the generated one with what the test uses behind it, or the test's own. tail is Lua text at its end.
func (t *trial) writePlan(c *lua.Call, tail string) error {
	source, place := t.generated(), "the generated plan"
	if c.Has("plan_file") {
		source = filepath.Join(filepath.Dir(t.suite.file), c.String("plan_file"))
		place = source
	}
	text, err := t.suite.Env.FS.ReadFile(source)
	if err != nil {
		return c.Errorf("file", "plan_file", "read the plan %s: %v", place, cause(err))
	}
	if c.Has("use") || c.Has("plan") {
		if t.uses, err = usesText(c); err != nil {
			return err
		}
	}
	before, end, found := cutLast(string(text), "return plan")
	if !found && t.uses+tail != "" {
		return c.Errorf("bad-argument", "plan_file", "%s does not end with \"return plan\", so nothing can be put behind it", place)
	}
	if err := os.WriteFile(t.planFile(), []byte(before+t.uses+tail+end), 0o600); err != nil {
		return fmt.Errorf("write the plan of the test: %w", err)
	}
	given := c.Table("files")
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if err := t.writeFile(c, name, given[name].(string)); err != nil {
			return err
		}
	}
	return nil
}

// cutLast cuts a text in front of the last place of a word.
func cutLast(text, word string) (before, end string, found bool) {
	at := strings.LastIndex(text, word)
	if at < 0 {
		return text, "", false
	}
	return text[:at], text[at:], true
}

// usesText is the Lua text of what a call uses.
func usesText(c *lua.Call) (string, error) {
	var b strings.Builder
	for i, value := range c.List("use") {
		configured, as, groups := (*lua.Object)(nil), "", []string(nil)
		switch given := value.(type) {
		case *lua.Object:
			configured = given
		case map[string]any:
			configured, _ = given["library"].(*lua.Object)
			as, _ = given["as"].(string)
			names, _ := given["groups"].([]any)
			for _, name := range names {
				groups = append(groups, fmt.Sprint(name))
			}
		}
		line, err := plans.UseText(configured, as, groups)
		if err != nil {
			return "", c.ErrorAt(c.At("use", i+1), "bad-argument", "%v", err)
		}
		b.WriteString(line + "\n")
	}
	if text := c.String("plan"); text != "" {
		b.WriteString(text + "\n")
	}
	return b.String(), nil
}

// writeFile writes a file into the plan's folder.
func (t *trial) writeFile(c *lua.Call, name, text string) error {
	if !filepath.IsLocal(name) || name == filepath.Base(t.planFile()) {
		return c.ErrorAt(c.KeyAt("files", name), "bad-argument", "%q is no path below the plan's folder", name)
	}
	path, mode := filepath.Join(t.folder, name), os.FileMode(0o600)
	if strings.HasPrefix(text, "#!") {
		mode = 0o700
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("write the file %s of the test: %w", name, err)
	}
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		return fmt.Errorf("write the file %s of the test: %w", name, err)
	}
	return nil
}

// person is who answers: as the test says, else a storage administrator who does what the run asks for.
type person struct {
	trial   *trial
	answers map[string]any
	planned bool
}

func (p person) given(question string) (string, bool) {
	point, _, _ := strings.Cut(question, ":")
	for _, name := range []string{question, point} {
		if answer, ok := p.answers[name].(string); ok {
			return answer, true
		}
	}
	return "", false
}

func (p person) can(question string) bool {
	_, given := p.given(question)
	point, _, _ := strings.Cut(question, ":")
	return given || point == "promote_storage" || point == "replication"
}

// Ask answers a question of the run.
func (p person) Ask(_ context.Context, q engine.Question) (string, error) {
	answer, given := p.given(q.Name)
	point, group, _ := strings.Cut(q.Name, ":")
	if !given {
		switch point {
		case "replication":
			answer = "yes"
		case "promote_storage":
			if err := p.trial.promoteAll(); err != nil {
				return "", fmt.Errorf("promote group %s in the lab: %w", group, err)
			}
			answer = "writable,as_of=unknown"
			if p.planned {
				answer = "writable,in_sync"
			}
		default:
			return "", engine.ErrNoAnswer
		}
	}
	p.trial.say(fmt.Sprintf("asked %s: %s", q.Name, answer))
	return answer, nil
}

// promoteAll makes every copy writable that is not.
func (t *trial) promoteAll() error {
	for _, pair := range t.lab.View().Arrays.Replications {
		if pair.State == "split" {
			continue
		}
		if err := t.lab.Promote(pair.Domain); err != nil {
			return err
		}
	}
	return nil
}

// hookMark begins the line in which the workflow of a unit test tells what its hook returned.
const hookMark = "drrun-test: the hook returned "

// hookFunc declares t:hook.
func hookFunc() lua.Func {
	return lua.Func{
		Name: "hook", Effect: lua.Observes, Returns: "any",
		Doc: "Calls the handlers of one hook point alone, in a run that does nothing else, and returns what they return. Raises their error.",
		Params: append([]lua.Param{
			{Name: "point", Type: lua.Enum(stdlib.HookPointNames()...), Positional: true, Doc: "The hook point."},
			{Name: "subject", Type: lua.OneOf(lua.String, lua.Number), Optional: true, Doc: "What it is called for: the name of a consistency group, a storage domain or a VM, or the number of a rank. Default: the first one of the plan."},
			{Name: "planned", Type: lua.Bool, Default: false, Doc: "In a planned failover."},
		}, planParams()...),
		Run: func(c *lua.Call) (any, error) {
			t, point := c.Self.(*trial), c.String("point")
			if point == "on_error" || point == "after_run" || point == "before_run" {
				return nil, c.Errorf("bad-argument", "point", "%s is not called by itself: it belongs to a whole run, t:failover { … }", point)
			}
			if err := t.setUp(c); err != nil {
				return nil, err
			}
			if err := t.writePlan(c, hookWorkflow(point, c.Value("subject"))); err != nil {
				return nil, err
			}
			o := t.runnerOptions(c, plans.ActionFailover)
			o.Planned = c.Bool("planned")
			if err := t.strike(c, plans.ActionFailover, o.Planned); err != nil {
				return nil, err
			}
			if !o.Planned {
				o.ConfirmSourceDown = "The test: the site is lost"
			}
			t.hookSaid = nil
			result, err := t.perform(c.Lua, o, "")
			if err != nil {
				return nil, c.Errorf("test-run", "", "%v", err)
			}
			t.abandon(c.Lua, result)
			if t.hookSaid == nil {
				return nil, t.hookError(c, result)
			}
			var returned any
			if err := json.Unmarshal([]byte(*t.hookSaid), &returned); err != nil {
				return nil, fmt.Errorf("read what the hook returned: %w", err)
			}
			list, _ := returned.([]any)
			if len(list) == 0 {
				return nil, nil
			}
			return list[0], nil
		},
	}
}

// hookError is why a unit test's hook did not return.
func (t *trial) hookError(c *lua.Call, result *runner.Result) error {
	for _, finding := range result.Findings {
		if finding.Severity == plans.SeverityError {
			d := finding.Diagnostic
			return &d
		}
	}
	if result.Error == nil {
		return c.Errorf("test-run", "", "the hook was not called")
	}
	d := c.Errorf(result.Error.Code, "", "%s", t.tidy(result.Error.Message))
	d.Hint = t.tidy(result.Error.Hint)
	if result.Error.Source != "" {
		d.Notes = append(d.Notes, strings.Split(t.tidy(result.Error.Source), "\n")...)
	}
	return d
}

// abandon closes the run of a unit test: the next one works on the same storage domains.
func (t *trial) abandon(ctx context.Context, result *runner.Result) {
	if result.Run == "" {
		return
	}
	err := t.do(ctx, func(ctx context.Context, env engine.Env) error {
		runner.Abort(ctx, ctx, runner.Options{Env: env, StateDir: stateDir, Version: "test", Host: "test", User: "test", LeaveAsIs: true, Speed: 1,
			Transport: func(string) http.RoundTripper { return wire{t} }}, result.Run)
		return nil
	})
	if err != nil {
		t.say("the run of the hook was not closed: " + err.Error())
	}
}

// hookWorkflow is a workflow that only calls one hook point.
func hookWorkflow(point string, subject any) string {
	pick := "local wanted = nil\n"
	switch given := subject.(type) {
	case string:
		pick = fmt.Sprintf("local wanted = %q\n", given)
	case float64:
		pick = fmt.Sprintf("local wanted = %q\n", fmt.Sprint(given))
	}
	return "function plan.failover(ctx)\n" + pick + subjectText(point) + `
  local answer = ctx:hook("` + point + `", subject)
  ctx:log("` + hookMark + `" .. require "json".encode { answer })
end
`
}

// subjectText makes the subject of a hook point, as the built-in workflow does.
func subjectText(point string) string {
	switch {
	case point == "confirm_source_down":
		return `local subject = { kind = "site", id = ctx.source.name, name = ctx.source.name }`
	case point == "before_import" || point == "after_import":
		return `local subject = ctx.target:storage_domain(wanted or ctx.facts.storage_domains[1].id)`
	case stdlib.HasGroups(point):
		return `wanted = wanted or ctx.facts.storage_domains[1].group
  local subject = { kind = "group", id = wanted, name = wanted, storage_domains = {} }
  for _, domain in ipairs(ctx.facts.storage_domains) do
    if domain.group == wanted then table.insert(subject.storage_domains, domain) end
  end
  if #subject.storage_domains == 0 then ctx:fail("the plan has no consistency group " .. wanted) end`
	case strings.HasSuffix(point, "_rank"):
		return `wanted = wanted or tostring(ctx.facts.vms[1].rank)
  local subject = { kind = "rank", id = wanted, name = "rank " .. wanted, vms = {} }
  for _, vm in ipairs(ctx.facts.vms) do
    if tostring(vm.rank) == wanted then table.insert(subject.vms, vm) end
  end`
	case strings.HasSuffix(point, "_fence"):
		return `local subject = { kind = "host", id = wanted or "host1", name = wanted or "host1" }`
	case strings.HasSuffix(point, "_stop"):
		return `local subject = ctx.source:vm(wanted or ctx.facts.vms[1].id)`
	}
	return `local subject = ctx.target:vm(wanted or ctx.facts.vms[1].id)`
}
