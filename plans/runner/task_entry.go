package runner

import (
	"context"
	"slices"
	"strings"

	"drrun/engine"
	"drrun/ovirt"
)

// taskEntry is the entry of a run in an engine's list of tasks: an external job for the attempt, with a step for each stage. All its marks
// are made by one goroutine.
//
// The engine ends a job with its first failed step, and nothing can be added to its description. So a step is ended as succeeded when the
// next stage begins, and the one in which the run stopped fails with the job.
type taskEntry struct {
	*markStream
	run  *engine.Run
	site *ovirt.Site

	job   string   // id; "" while there is none
	step  string   // id of the one that is open; "" for none
	steps []string // ids of all
	left  []string // ids of jobs of earlier attempts
}

// allows tells whether a change is one of the run's own entry.
func (t *taskEntry) allows(w *ovirt.Write) bool {
	if w.Site != t.site.Name() {
		return false
	}
	if w.Op == ovirt.OpAddJob {
		return true
	}
	job := jobOf(w.Path)
	return job != "" && (job == t.job || slices.Contains(t.left, job))
}

// jobOf returns the id of the job that a request below /jobs/ID is about, "" for another one.
func jobOf(path string) string {
	below, found := strings.CutPrefix(path, "/jobs/")
	if !found {
		return ""
	}
	id, _, _ := strings.Cut(below, "/")
	return id
}

// begin makes the job of the attempt, and ends those that killed attempts have left open.
func (t *taskEntry) begin(description string) mark {
	return func(ctx context.Context) error {
		if err := t.endLeft(ctx); err != nil {
			return err
		}
		job, err := t.site.AddJob(ctx, description)
		t.job = job.ID
		return err
	}
}

// enter ends the step of the stage before and adds that of a new one.
func (t *taskEntry) enter(stage string) mark {
	return func(ctx context.Context) error {
		if err := t.leave(ctx); err != nil {
			return err
		}
		step, err := t.site.AddStep(ctx, ovirt.StepSpec{JobID: t.job, Description: stage, Known: t.steps})
		if err == nil {
			t.step, t.steps = step.ID, append(t.steps, step.ID)
		}
		return err
	}
}

func (t *taskEntry) leave(ctx context.Context) error {
	if t.step == "" {
		return nil
	}
	err := t.site.EndStep(ctx, t.job, t.step, true)
	if err == nil {
		t.step = ""
	}
	return err
}

// end ends the job. over tells that the last stage came to its end, whatever the outcome of the whole is.
func (t *taskEntry) end(over, succeeded bool) mark {
	return func(ctx context.Context) error {
		if t.job == "" {
			return nil
		}
		if over {
			if err := t.leave(ctx); err != nil {
				return err
			}
		}
		return t.site.EndJob(ctx, t.job, succeeded)
	}
}

// endLeft ends the jobs that earlier attempts have left open. They are found by the correlation id of the request that made each: that is
// in the journal before the request leaves, and so also where its answer never came.
func (t *taskEntry) endLeft(ctx context.Context) error {
	if err := t.settle(ctx); err != nil {
		return err
	}
	for _, intent := range t.run.Intents(ovirt.OpAddJob, t.site.Name()) {
		if !t.run.Reached(ovirt.OpAddJob, intent.Subject) {
			continue
		}
		jobs, err := t.site.JobsOf(ctx, intent.ID)
		if err != nil {
			return err
		}
		for _, job := range jobs {
			if !job.External || !job.Open() {
				continue
			}
			t.left = append(t.left, job.ID)
			if err := t.site.EndJob(ctx, job.ID, false); err != nil {
				return err
			}
		}
	}
	return nil
}

// settle closes the journal's open intents about the run's entries by what the engine shows.
func (t *taskEntry) settle(ctx context.Context) error {
	for _, intent := range t.run.OpenBeside(t.site.Name()) {
		look := map[string]func(context.Context, engine.Intent) (bool, error){
			ovirt.OpAddJob: t.hasJob, ovirt.OpAddStep: t.hasStep, ovirt.OpEndStep: t.stepEnded, ovirt.OpEndJob: t.jobEnded,
		}[intent.Op]
		if look == nil {
			continue
		}
		reached, err := look(ctx, intent)
		if err != nil {
			return err
		}
		t.run.Settle(intent.ID, reached, "the tasks of the engine were read")
	}
	return nil
}

func (t *taskEntry) hasJob(ctx context.Context, intent engine.Intent) (bool, error) {
	jobs, err := t.site.JobsOf(ctx, intent.ID)
	return len(jobs) > 0, err
}

// hasStep counts: each step of that name that was meant to be added before this one is there.
func (t *taskEntry) hasStep(ctx context.Context, intent engine.Intent) (bool, error) {
	steps, err := t.stepsOf(ctx, intent)
	there := 0
	for _, step := range steps {
		if step.Description == intent.Subject.Name {
			there++
		}
	}
	for _, other := range t.run.Intents(ovirt.OpAddStep, t.site.Name()) {
		if other.ID == intent.ID {
			break
		}
		if other.Path == intent.Path && other.Subject.Name == intent.Subject.Name {
			there--
		}
	}
	return there > 0, err
}

func (t *taskEntry) stepEnded(ctx context.Context, intent engine.Intent) (bool, error) {
	steps, err := t.stepsOf(ctx, intent)
	open := slices.ContainsFunc(steps, func(step ovirt.Step) bool { return step.ID == intent.Subject.ID && step.Open() })
	return err == nil && !open, err
}

func (t *taskEntry) jobEnded(ctx context.Context, intent engine.Intent) (bool, error) {
	job, err := t.site.Job(ctx, intent.Subject.ID)
	if ovirt.HasCode(err, ovirt.CodeNotFound) {
		return true, nil
	}
	return err == nil && !job.Open(), err
}

// stepsOf reads the steps of the job that a request was about; one that the engine has cleared away has none.
func (t *taskEntry) stepsOf(ctx context.Context, intent engine.Intent) ([]ovirt.Step, error) {
	steps, err := t.site.Steps(ctx, jobOf(intent.Path))
	if ovirt.HasCode(err, ovirt.CodeNotFound) {
		return nil, nil
	}
	return steps, err
}
