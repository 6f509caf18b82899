package stdlib

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"drrun/engine"
	"drrun/lua"
)

// Context returns the ctx object: what every workflow, hook and boot condition gets as its first argument.
func (s *Session) Context() *lua.Object { return s.ctx }

// contextFor returns the ctx of a hook handler, which tells whether an earlier try of it was cut.
func (s *Session) contextFor(retried bool) *lua.Object {
	if !retried {
		return s.Context()
	}
	return lua.NewObject(s.classes.ctx, &runContext{session: s, retried: true})
}

// runContext is the Go value behind ctx.
type runContext struct {
	session *Session
	retried bool
}

func session(c *lua.Call) *Session { return c.Self.(*runContext).session }

func field(name, doc, luaType string, get func(*runContext) any) lua.Field {
	return lua.Field{Name: name, Doc: doc, Type: luaType, Get: func(self any) any { return get(self.(*runContext)) }}
}

// Decoded turns a value into what its JSON says: the form in which Lua sees facts and results.
func Decoded(value any) any {
	text, err := json.Marshal(value)
	if err != nil {
		panic(fmt.Sprintf("encode %T for Lua: %v", value, err)) // only our own structs come here
	}
	var decoded any
	if err := json.Unmarshal(text, &decoded); err != nil {
		panic(fmt.Sprintf("decode %T for Lua: %v", value, err))
	}
	return decoded
}

func contextClass() *lua.Class {
	return &lua.Class{
		Name: "ctx",
		Doc:  "The run that a workflow, a hook or a boot condition is part of.",
		Fields: []lua.Field{
			field("action", "The action: \"failover\", \"failback\", \"clean\", \"rollback\", or the name of one of the plan's own.", "string", func(c *runContext) any { return c.session.Facts.Action }),
			field("plan", "The plan, as dr.plan returned it.", "plan", func(c *runContext) any { return c.session.Plan }),
			field("source", "The site that is left. In an action of the plan's own the other one.", "site", func(c *runContext) any { return c.session.Source.object() }),
			field("target", "The site that takes over. In an action of the plan's own the one that has the VMs.", "site", func(c *runContext) any { return c.session.Target.object() }),
			field("params", "The plan's params, with --params and --param over them.", "table<string, any>", func(c *runContext) any { return c.session.Params }),
			field("facts", "What the run decides by, fixed before its first change: storage_domains, templates, vms, run_set.", "facts", func(c *runContext) any { return Decoded(c.session.factsShown()) }),
			field("run", "The run: id, attempt, resumed.", "run", func(c *runContext) any {
				run := c.session.Run
				return map[string]any{"id": run.ID(), "attempt": float64(run.Attempt()), "resumed": run.Resumed()}
			}),
			field("planned", "True in a planned action, where the source takes part.", "boolean", func(c *runContext) any { return c.session.Facts.Planned }),
			field("accepts_loss", "True when somebody gave up by name what a copy may lack (--accept-loss).", "boolean", func(c *runContext) any { return c.session.AcceptLoss != nil }),
			field("dry_run", "True when nothing is changed.", "boolean", func(c *runContext) any { return c.session.Dry != nil }),
			field("rehearsal", "True when the sites are a simulation.", "boolean", func(*runContext) any { return false }),
			field("retried", "In a hook: true when an earlier try of it was cut off and may have had its effect.", "boolean", func(c *runContext) any { return c.retried }),
		},
		Methods: contextMethods(),
	}
}

// notInConditions refuses, inside a boot condition, what is recorded or asked: a condition may only observe.
func notInConditions(methods []lua.Func) []lua.Func {
	for i := range methods {
		method := &methods[i]
		if method.Effect != lua.Durable && !slices.Contains([]string{"mark", "done_with", "quarantine", "skipped", "judge_copy"}, method.Name) {
			continue
		}
		run := method.Run
		method.Run = func(c *lua.Call) (any, error) {
			if c.Task.Local(observing{}) != nil {
				return nil, c.Errorf("condition-changes", "", "a boot condition may only observe; ctx:%s does more than that", method.Name)
			}
			return run(c)
		}
	}
	return methods
}

func contextMethods() []lua.Func {
	text := lua.Param{Name: "text", Type: lua.String, Positional: true, Doc: "What to say."}
	subject := lua.Param{Name: "subject", Type: lua.Called(lua.Any, "vm|storage_domain|template|host|subject"), Positional: true, Doc: "A VM, a storage domain, or a table with kind, id and name."}
	return notInConditions([]lua.Func{
		lua.ParallelFunc(),
		lua.SpawnFunc(),
		{
			Name: "site", Doc: "Returns a site by name.", Effect: lua.Pure, Returns: "site",
			Params: []lua.Param{{Name: "name", Type: lua.Called(lua.String, siteNames), Positional: true, Doc: "\"primary\" or \"secondary\"."}},
			Run: func(c *lua.Call) (any, error) {
				site, err := session(c).site(c.String("name"))
				if err != nil {
					return nil, c.Errorf("unknown-site", "name", "%v", err)
				}
				return site.object(), nil
			},
		},
		{
			Name: "log", Doc: "Writes a line to the run's journal and output.", Effect: lua.Pure, Params: []lua.Param{text},
			Run: func(c *lua.Call) (any, error) {
				session(c).Say(c.String("text"))
				return nil, nil
			},
		},
		{
			Name: "warn", Doc: "Writes a warning to the run's journal, output and report.", Effect: lua.Pure, Params: []lua.Param{text},
			Run: func(c *lua.Call) (any, error) {
				session(c).warnFor(engine.Subject{}, c.String("text"))
				return nil, nil
			},
		},
		{
			Name: "verdict", Doc: "Puts a sentence into the result and the report that the operator must not miss, such as \"reverse replication: ready\". " +
				"A later one of the same name takes its place.",
			Effect: lua.Pure,
			Params: []lua.Param{{Name: "name", Type: lua.String, Positional: true, Doc: "Name of the verdict."}, text},
			Run: func(c *lua.Call) (any, error) {
				session(c).pronounce(c.String("name"), c.String("text"))
				return nil, nil
			},
		},
		{
			Name: "fail", Doc: "Stops the run with a message. What was done stays done; drrun resume goes on from there.", Effect: lua.Pure,
			Params: []lua.Param{text, {Name: "vm", Type: lua.Called(lua.Any, "vm|fact_vm|subject"), Positional: true, Optional: true, Doc: "The VM that it is about: a person at the terminal can leave it out and let the run go on."}},
			Run: func(c *lua.Call) (any, error) {
				failed := c.Errorf("failed-by-plan", "", "%s", c.String("text"))
				if c.Has("vm") {
					subject, err := session(c).subjectOf(c.Value("vm"))
					if err != nil {
						return nil, c.Errorf("bad-argument", "vm", "%v", err)
					}
					failed.Err = &SubjectError{Subject: subject, Err: errors.New(c.String("text"))}
				}
				return nil, failed
			},
		},
		{
			Name: "stage", Effect: lua.Observes,
			Doc: "Names the stage that the run is in, for progress and report. Raises lock-lost, and stops the run, when a storage domain's lock in an engine is not the run's any more (invariant I4).",
			Params: []lua.Param{
				{Name: "name", Type: lua.String, Positional: true, Doc: "The stage."},
				{Name: "options", Type: lua.Table(stageOptions()...), Positional: true, Optional: true, Doc: "What a stage of dr.steps was called with: it is looked at here, before the stage begins."},
			},
			Run: func(c *lua.Call) (any, error) {
				if err := checkStageOptions(c); err != nil {
					return nil, err
				}
				return nil, enterStage(c, c.String("name"))
			},
		},
		stepFunc(),
		waitForFunc(),
		promptFunc(),
		{
			Name: "confirm", Doc: "Asks a yes-or-no question. The answer is recorded and not asked again by a resumed run.", Effect: lua.Durable, Returns: "boolean",
			Params: []lua.Param{
				{Name: "name", Type: lua.String, Positional: true, Doc: "Name of the prompt, for --answer NAME=yes."},
				{Name: "text", Type: lua.String, Positional: true, Doc: "The question."},
			},
			Run: func(c *lua.Call) (any, error) {
				if err := reservedQuestion(c, c.String("name")); err != nil {
					return nil, err
				}
				answer, err := session(c).ask(c, engine.Question{Name: c.String("name"), Text: c.String("text"), Choices: []string{"yes", "no"}})
				return answer == "yes", err
			},
		},
		{
			Name: "hook", Doc: "Calls the handlers of a hook point and returns the last result, nil without handlers. Each is recorded and not repeated by a resumed run.",
			Effect: lua.Durable, Returns: "any",
			Params: []lua.Param{{Name: "point", Type: lua.Enum(HookPointNames()...), Positional: true, Doc: "The hook point."}, subject},
			Run: func(c *lua.Call) (any, error) {
				s := session(c)
				named, err := s.subjectOf(c.Value("subject"))
				if err != nil {
					return nil, c.Errorf("bad-argument", "subject", "%v", err)
				}
				return s.RunHook(c.Task, c.String("point"), named, c.Value("subject"))
			},
		},
		{
			Name: "evidence", Effect: lua.Durable, Returns: "verdict",
			Doc: "Requires evidence that the source cannot run the plan's VMs, collected now (invariant I1): the source's engine shows the plan's storage domains released, " +
				"or it is silent and a named person has confirmed that it is down. Raises no-evidence otherwise.",
			Run: func(c *lua.Call) (any, error) {
				// Looking and asking end with the first Ctrl-C: nothing is under way yet.
				verdict, err := session(c).RequireEvidence(c.Task.Ctx())
				if err != nil {
					return nil, evidenceFault(c, err)
				}
				return Decoded(verdict), nil
			},
		},
		{
			Name: "stale_evidence", Effect: lua.Observes,
			Doc: "Requires evidence that what the target still has of the plan is stale and may leave: the source holds every storage domain and VM of the run, and every host of the target booted after " +
				"the VMs had moved away, or is off. Raises not-stale otherwise; and vms-outside-plan where something that is not in the plan would leave with a storage domain. Every removal asks for both again.",
			Run: func(c *lua.Call) (any, error) {
				s := session(c)
				err := s.requireStale(c.Ctx)
				if s.Dry != nil && err != nil {
					s.Dry.assume("a real run would stop here: %v", err)
					err = nil
				}
				if err == nil {
					err = s.refuseStrangers(c.Ctx)
				}
				if err != nil {
					return nil, describe(c, err)
				}
				return nil, nil
			},
		},
		{
			Name: "quarantine", Effect: lua.Pure,
			Doc: "Leaves a storage domain, with every VM that lies on it, at the source of a planned move. They are no longer among ctx.facts, and the run ends with 4.",
			Params: []lua.Param{
				{Name: "storage_domain", Type: lua.String, Positional: true, Doc: "Its id."},
				{Name: "why", Type: lua.String, Positional: true, Doc: "Why."},
			},
			Run: func(c *lua.Call) (any, error) {
				s := session(c)
				if !s.Facts.Planned || !s.Facts.Quarantine {
					return nil, c.Errorf("not-allowed", "", "only a planned run with --quarantine leaves storage domains where they are")
				}
				domain, known := s.Facts.Domain(c.String("storage_domain"))
				if !known {
					return nil, c.Errorf("domain-not-in-plan", "storage_domain", "the run has no storage domain %q", c.String("storage_domain"))
				}
				if !s.releaseOf(domain.ID).At.IsZero() {
					return nil, c.Errorf("not-allowed", "storage_domain", "storage domain %q is released already: it moves", domain.Name)
				}
				s.quarantine(domain, c.String("why"))
				return nil, nil
			},
		},
		{
			Name: "skipped", Doc: "Says that something was not done: the run cannot end as done then, and the result names it.", Effect: lua.Pure, Params: []lua.Param{text},
			Run: func(c *lua.Call) (any, error) {
				session(c).Warn(engine.Subject{}, c.String("text"))
				session(c).Skip(c.String("text"))
				return nil, nil
			},
		},
		{
			Name: "has_hook", Doc: "Whether the plan or a library put a function on a hook point.", Effect: lua.Pure, Returns: "boolean",
			Params: []lua.Param{
				{Name: "point", Type: lua.Enum(HookPointNames()...), Positional: true, Doc: "The hook point."},
				{Name: "group", Type: lua.String, Positional: true, Optional: true, Doc: "Name of a consistency group: whether one of the functions is for it."},
			},
			Run: func(c *lua.Call) (any, error) {
				return len(session(c).handlersFor(c.String("point"), c.String("group"))) > 0, nil
			},
		},
		{
			Name: "await_leases", Effect: lua.Observes,
			Doc: "Waits until leases on the storage that lost hosts of the source may still hold have expired: lease_expiry of the plan after the source fell silent. Does nothing where the source has released its storage.",
			Run: func(c *lua.Call) (any, error) {
				return nil, leaseStages(c)
			},
		},
		{
			Name: "store_proof", Effect: lua.Observes,
			Doc: "In a planned move: raises stale-copy when what the target's OVF stores show is older than what the source wrote after the last stop (invariant I6). " +
				"The first registration and the first start do it anyway.",
			Run: func(c *lua.Call) (any, error) {
				if err := session(c).proveStores(c.Ctx); err != nil {
					return nil, describe(c, err)
				}
				return nil, nil
			},
		},
		{
			Name: "judge_copy", Effect: lua.Pure, Returns: "\"holds\"|\"lossy\"|\"unknown\"",
			Doc: "Judges what was answered to the promotion of a consistency group, also by an earlier attempt: in a planned move it must hold the last write of the source (invariant I6), " +
				"else it raises stale-copy. Returns \"holds\", or \"lossy\" where --accept-loss lets an older copy pass; \"unknown\" in an unplanned failover.",
			Params: []lua.Param{
				{Name: "group", Type: lua.String, Positional: true, Doc: "Name of the group."},
				{Name: "answer", Type: lua.Called(lua.Any, "promotion|prompt_answer"), Positional: true, Doc: "The answer: { writable = true, as_of = TIME }."},
			},
			Run: func(c *lua.Call) (any, error) {
				s := session(c)
				answer, _ := c.Value("answer").(map[string]any)
				if err := s.judgeCopy(c.String("group"), answer); err != nil {
					return nil, describe(c, err)
				}
				judged, _ := s.promotedGroup(c.String("group"))
				switch {
				case !s.Facts.Planned:
					return "unknown", nil
				case judged.lossAccepted:
					return "lossy", nil
				}
				return "holds", nil
			},
		},
		{
			Name: "states", Doc: "The state of every VM of the run by id, as the report shows it.", Effect: lua.Pure, Returns: "table<string, string>",
			Run: func(c *lua.Call) (any, error) {
				s := session(c)
				states := map[string]any{}
				for i := range s.Facts.VMs {
					vm := &s.Facts.VMs[i]
					states[vm.ID] = StatePending
					if status, known := s.Run.Status(s.vmSubject(vm)); known {
						states[vm.ID] = status.State
					}
				}
				return states, nil
			},
		},
		{
			Name: "await", Doc: "Waits until the run is done with these VMs, however that ended.", Effect: lua.Observes,
			Params: []lua.Param{{Name: "vms", Type: lua.List(lua.String), Positional: true, Doc: "Ids of VMs of the plan."}},
			Run: func(c *lua.Call) (any, error) {
				s := session(c)
				var ids []string
				for _, id := range c.List("vms") {
					vm, known := s.Facts.VM(id.(string))
					if !known {
						return nil, c.Errorf("vm-not-in-plan", "vms", "the run has no VM %q", id)
					}
					ids = append(ids, vm.ID)
				}
				return nil, s.awaitSettled(c.Ctx, ids)
			},
		},
		{
			Name: "done_with", Doc: "Says that the run is done with a VM, for those that await it.", Effect: lua.Pure,
			Params: []lua.Param{{Name: "vm", Type: lua.String, Positional: true, Doc: "Id of the VM."}},
			Run:    func(c *lua.Call) (any, error) { session(c).settle(c.String("vm")); return nil, nil },
		},
		markFunc(subject),
	})
}

// markFunc declares ctx:mark, which sets the state of an object in the report.
func markFunc(subject lua.Param) lua.Func {
	return lua.Func{
		Name: "mark", Doc: "Sets the state of a VM or storage domain in the run's report and output.", Effect: lua.Pure,
		Params: []lua.Param{subject,
			{Name: "state", Type: lua.Enum(States...), Positional: true, Doc: "The state."},
			{Name: "error", Type: lua.String, Positional: true, Optional: true, Doc: "Why it is so."},
		},
		Run: func(c *lua.Call) (any, error) {
			s := session(c)
			named, err := s.subjectOf(c.Value("subject"))
			if err != nil {
				return nil, c.Errorf("bad-argument", "subject", "%v", err)
			}
			status := engine.Status{Subject: named, State: c.String("state")}
			if known, _ := s.Run.Status(named); named.Kind == "vm" && status.State == StateUp && known.UpAt == nil && s.Dry == nil {
				d := c.Errorf("not-seen-up", "state", "VM %s was not seen up in this run, and the report is not to say so", named.Name)
				d.Hint = "vm:start() waits until it is up, and sees it there too when it runs already"
				return nil, d
			}
			switch why := c.String("error"); {
			case slices.Contains([]string{StateFailed, StateMissing, StateUnverified, StatePending}, status.State):
				status.Error = why
			default: // what is well needs no error, and has none any more
				status.Detail, status.Error = why, engine.None
			}
			s.Run.Mark(status)
			return nil, nil
		},
	}
}

// stepFunction is the type of what ctx:step runs.
var stepFunction = lua.FunctionOf("fun(ctx: ctx): T?")

// stepFunc declares ctx:step, the durable step of a plan.
func stepFunc() lua.Func {
	return lua.Func{
		Name: "step", Effect: lua.Durable, Generic: []string{"T"}, Returns: "T",
		Doc: "Runs a function once for the whole run: a resumed run gets its recorded result instead. The result is JSON-like data of at most 64 KiB; " +
			"the function must not start engine operations, parallel or spawn, nor assign outer locals.",
		Params: []lua.Param{
			{Name: "name", Type: lua.String, Positional: true, Doc: "Name of the step, unique in its place."},
			{Name: "options", Type: lua.OneOf(lua.Table(
				lua.Param{Name: "was", Type: lua.String, Optional: true, Doc: "The name that this step had in an older text of the plan."},
				lua.Param{Name: "on_cut", Type: lua.Enum("retry", "ask"), Optional: true, Doc: "What to do when a kill cut it: run it again, or ask. Default: \"retry\"."},
			), stepFunction), Positional: true, Doc: "Options, or the function."},
			{Name: "fn", Type: stepFunction, Positional: true, Optional: true, Doc: "The function; its result is the step's."},
		},
		Run: func(c *lua.Call) (any, error) {
			s := session(c)
			fn, isFunction := c.Value("options").(*lua.Function)
			options, _ := c.Value("options").(map[string]any)
			if !isFunction {
				if !c.Has("fn") {
					return nil, c.Errorf("bad-argument", "fn", "ctx:step needs a function")
				}
				fn = c.Func("fn")
			}
			if s.Dry != nil {
				s.Dry.assume("the step %q is not run and returns nil", c.String("name"))
				return nil, nil
			}
			step := engine.Durable{
				Key: s.Run.StepKey(c.Lua, c.Task, c.String("name")), OnCut: "retry",
				Title: "step " + c.String("name"), Subject: engine.Subject{Kind: "step", Name: c.String("name")},
			}
			if was, ok := options["was"].(string); ok {
				step.Was = engine.StepWas(step.Key, was)
			}
			if onCut, ok := options["on_cut"].(string); ok {
				step.OnCut = onCut
			}
			recorded, err := s.Run.Durable(c.Ctx, step, func(ctx context.Context, retried bool) (any, error) {
				result, err := fn.CallStep(insideOf(ctx, enclosing{whole: true, retried: retried}), c.Task, s.contextFor(retried))
				if err != nil {
					return nil, err
				}
				return lua.ToJSON(result)
			})
			if err != nil || len(recorded) == 0 {
				return nil, err
			}
			var result any
			return result, json.Unmarshal(recorded, &result)
		},
	}
}

// promptFunc declares ctx:prompt.
func promptFunc() lua.Func {
	return lua.Func{
		Name: "prompt", Effect: lua.Durable, Returns: "prompt_answer",
		Doc: "Asks the operator. The answer is recorded and not asked again by a resumed run; without a terminal it must come from --answer NAME=VALUE, or from drrun answer where the run has --wait-for-answers. " +
			"Returns the parts of the answer: \"writable,as_of=unknown\" becomes { writable = true, as_of = \"unknown\" }.",
		Params: []lua.Param{
			{Name: "name", Type: lua.String, Doc: "Name of the prompt, for --answer NAME=VALUE."},
			{Name: "text", Type: lua.String, Doc: "The question."},
			{Name: "choices", Type: lua.List(lua.String), Optional: true, Doc: "The answers that are allowed."},
			{Name: "default", Type: lua.String, Optional: true, Doc: "The answer to an empty line, of --yes, and when timeout is over."},
			{Name: "timeout", Type: lua.Duration, Optional: true, Doc: "How long to wait for an answer; after it the default is taken, and without one the error prompt-timeout raised. The time-out of a hook that asks stands still meanwhile. Default: no limit."},
			{Name: "danger", Type: lua.Enum(engine.DangerDataLoss), Optional: true, Doc: "What an answer can do: neither --yes, an empty line nor a timeout answers a question with a danger."},
			{Name: "refuses", Type: lua.String, Optional: true, Doc: "An answer that is not recorded, so that a resumed run asks again; it returns { refused = true }."},
			{Name: "needs", Type: lua.List(lua.String), Optional: true, Doc: "Parts that the answer must have; one without them is an error and is not recorded."},
		},
		Run: func(c *lua.Call) (any, error) {
			question := engine.Question{Name: c.String("name"), Text: c.String("text"), Timeout: c.Duration("timeout"), Danger: c.String("danger")}
			for _, part := range c.List("needs") {
				question.Fields = append(question.Fields, part.(string))
			}
			if c.Has("choices") {
				for _, choice := range c.List("choices") {
					question.Choices = append(question.Choices, choice.(string))
				}
			}
			if c.Has("default") {
				question.Default = c.String("default")
			}
			if err := promptFault(c, question); err != nil {
				return nil, err
			}
			if err := reservedQuestion(c, question.Name); err != nil {
				return nil, err
			}
			answer, err := session(c).askUnless(c, question, c.String("refuses"))
			if errors.Is(err, errRefused) {
				return map[string]any{"refused": true, "answer": c.String("refuses")}, nil
			}
			if err != nil {
				return nil, err
			}
			return ParseAnswer(answer), nil
		},
	}
}

// ParseAnswer splits "a,b=c" into { a = true, b = "c" }; the whole text is under "answer".
func ParseAnswer(text string) map[string]any {
	parts := map[string]any{"answer": text}
	for part := range strings.SplitSeq(text, ",") {
		name, value, isPair := strings.Cut(strings.TrimSpace(part), "=")
		switch {
		case isPair:
			parts[strings.TrimSpace(name)] = strings.TrimSpace(value)
		case name != "":
			parts[name] = true
		}
	}
	return parts
}

// AnswerError says that an answer lacks a part that was asked for. Its text does not repeat the answer.
type AnswerError struct{ Question, Missing string }

// Error names the question and what its answer lacks.
func (e *AnswerError) Error() string {
	return fmt.Sprintf("the answer to %q does not say %q", e.Question, e.Missing)
}

// ask asks as a durable step, so that a resumed run does not ask again.
func (s *Session) ask(c *lua.Call, question engine.Question) (string, error) {
	return s.askUnless(c, question, "")
}

// errRefused is an answer that stops the action and is not to be remembered.
var errRefused = errors.New("answered so that the action stops")

// askUnless is ask for a question of which one answer, where it is not empty, is errRefused and not recorded.
func (s *Session) askUnless(c *lua.Call, question engine.Question, refuses string) (string, error) {
	if s.Dry != nil {
		return s.Dry.answer(question), nil
	}
	// Another question under the same name is another question: a hook may ask one for each of its subjects.
	var args any = map[string]any{"text": question.Text, "choices": question.Choices, "needs": question.Fields}
	if group, ok := promotionOf(question.Name); ok {
		args = s.promotionArgs(group)
	}
	recorded, err := s.Run.Durable(c.Ctx, engine.Durable{
		Key: engine.PromptKey(question.Name), Args: args, OnCut: "retry", Title: "prompt " + question.Name,
		Subject: engine.Subject{Kind: "prompt", ID: question.Name, Name: question.Name},
	}, func(context.Context, bool) (any, error) {
		defer engine.PauseTimeouts(c.Lua)()
		// A question is no operation that must be brought to an end: the first Ctrl-C ends it.
		question.Check = func(answer string) error { return s.unfitAnswer(question, answer) }
		answer, err := s.Run.Ask(c.Task.Ctx(), question)
		if err != nil {
			return nil, err
		}
		if refuses != "" && answer == refuses {
			return nil, errRefused
		}
		// What is recorded is not asked again, so an answer that is none must not be.
		return answer, s.unfitAnswer(question, answer)
	})
	if errors.Is(err, errRefused) {
		return "", errRefused
	}
	var unfit *AnswerError
	if errors.As(err, &unfit) {
		wrong := c.Errorf("bad-answer", "", "%v", err)
		wrong.Hint, wrong.Err = fmt.Sprintf("answer it again when the run is resumed, or with --answer '%s=%s,…'", question.Name, unfit.Missing), err
		return "", wrong
	}
	var stale *StaleCopyError
	if errors.As(err, &stale) {
		return "", describe(c, stale)
	}
	if errors.Is(err, engine.ErrNoAnswer) {
		missing := c.Errorf("needs-answer", "", "the question %q has no answer: %s", question.Name, question.Text)
		missing.Hint = fmt.Sprintf("answer it on the command line: --answer '%s=…'", question.Name)
		missing.Err = err
		return "", missing
	}
	if errors.Is(err, engine.ErrPromptTimeout) {
		return "", promptTimeout(c, question, err)
	}
	if err != nil {
		return "", err
	}
	var answer string
	return answer, json.Unmarshal(recorded, &answer)
}

// RequireEvidence collects evidence now; where only a person's word is missing and somebody can be asked, it asks.
func (s *Session) RequireEvidence(ctx context.Context) (Verdict, error) {
	if s.Dry != nil && s.Facts.Planned {
		// It is the run itself that makes it: each storage domain is released by then, or the run has stopped.
		return Verdict{At: s.Env.Clock.Now(), Holds: true, Ground: GroundReleased, Answers: true, Why: "the run releases every storage domain at " + s.Source.Name + " before"}, nil
	}
	verdict, err := s.Gate.Require(ctx)
	var missing *EvidenceError
	if s.Dry != nil && errors.As(err, &missing) {
		return verdict, nil // shown beside the calls; a real run stops here
	}
	if !errors.As(err, &missing) || verdict.Answers || s.Gate.Contradicted() {
		return verdict, err
	}
	answer, askErr := s.Run.Ask(ctx, engine.Question{
		Name: QuestionSourceDown, Evidence: true,
		Check: func(answer string) error { _, err := ParseConfirmation(answer, s.Env.Clock.Now()); return err },
		Text: fmt.Sprintf("Site %s does not answer. Starting its VMs here while they still run there destroys their data.\n"+
			"If you know that %s is down, confirm it as 'YOUR NAME: HOW YOU KNOW'", s.Source.Name, s.Source.Name),
	})
	if askErr != nil {
		if errors.Is(askErr, engine.ErrNoAnswer) {
			return verdict, err
		}
		return verdict, askErr
	}
	confirmation, parseErr := ParseConfirmation(answer, s.Env.Clock.Now())
	if parseErr != nil {
		return verdict, parseErr
	}
	if err := s.TakeConfirmation(*confirmation); err != nil {
		return verdict, err
	}
	return s.Gate.Require(ctx)
}

// TakeConfirmation records a person's word in the journal, synced, and gives it to the gate.
func (s *Session) TakeConfirmation(c Confirmation) error {
	subject := engine.Subject{Kind: "site", Site: s.Source.Name, Name: s.Source.Name}
	if err := s.Run.NoteSynced("confirmation", subject, c); err != nil {
		return err
	}
	return s.Gate.Confirm(c)
}

func evidenceFault(c *lua.Call, err error) error {
	var missing *EvidenceError
	if !errors.As(err, &missing) {
		return err
	}
	fault := c.Errorf("no-evidence", "", "%s", missing.Error())
	fault.Hint, fault.Err = missing.Hint, err
	return fault
}

// subjectOf names what a hook or a mark is about.
func (s *Session) subjectOf(value any) (engine.Subject, error) {
	switch v := value.(type) {
	case *lua.Object:
		switch self := v.Self().(type) {
		case *vmRef:
			return self.subject(), nil
		case *domainRef:
			return self.subject(), nil
		}
	case map[string]any:
		kind, _ := v["kind"].(string)
		id, _ := v["id"].(string)
		name, _ := v["name"].(string)
		if id == "" {
			id = name
		}
		if id == "" {
			return engine.Subject{}, fmt.Errorf("a subject needs an id or a name")
		}
		if kind == "" {
			if vm, known := s.Facts.VM(id); known {
				return s.vmSubject(vm), nil
			}
			if domain, known := s.Facts.Domain(id); known {
				return s.domainSubject(domain), nil
			}
			return engine.Subject{}, fmt.Errorf("%q is neither a VM nor a storage domain of the run: give the subject a kind", id)
		}
		return engine.Subject{Kind: kind, Site: s.Target.Name, ID: id, Name: name}, nil
	}
	return engine.Subject{}, fmt.Errorf("a %T cannot be a subject", value)
}
