package ovirt

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	sdk "github.com/ovirt/go-ovirt"
)

// An external job shows in the engine's list of tasks what another program does, with a step for each part of it. A description cannot be
// changed, there is no progress in percent, and an engine that restarts says "unknown" of every job that was open (ovirt-engine
// BackendJobsResource, BackendStepsResource, JobRepositoryImpl.finalizeJobs).

// statusStarted is that of a job or step that is open. What has ended is finished, failed, aborted or unknown.
const statusStarted = "started"

// Job is one entry of the engine's list of tasks.
type Job struct {
	ID, Description string
	Status          string // started, finished, failed, aborted or unknown
	External        bool   // made by AddJob, or by another program
}

// Open tells that nobody has ended the job.
func (j Job) Open() bool { return j.Status == statusStarted }

// Step is a part of a job.
type Step struct {
	ID, Description string
	Status          string // as that of a Job
}

// Open tells that nobody has ended the step.
func (t Step) Open() bool { return t.Status == statusStarted }

// StepSpec is a step to be added to an external job.
type StepSpec struct {
	JobID, Description string
	// Known are the ids of the steps that the caller has added to the job: one of another id with this description is this one.
	Known []string
}

type (
	jobXML struct {
		XMLName     xml.Name `xml:"job"`
		Description string   `xml:"description"`
		AutoCleared bool     `xml:"auto_cleared"`
	}
	stepXML struct {
		XMLName     xml.Name `xml:"step"`
		Type        string   `xml:"type"`
		Description string   `xml:"description"`
	}
	endXML struct {
		XMLName   xml.Name `xml:"action"`
		Succeeded bool     `xml:"succeeded"`
	}
)

var (
	decodeJobs  = list("jobs", "job", sdk.XMLJobReadOne, toJob)
	decodeJob   = element("job", sdk.XMLJobReadOne, toJob)
	decodeSteps = list("steps", "step", sdk.XMLStepReadOne, toStep)
	decodeStep  = element("step", sdk.XMLStepReadOne, toStep)
)

func toJob(j *sdk.Job) Job {
	return Job{ID: first(j.Id()), Description: first(j.Description()), Status: string(first(j.Status())), External: first(j.External())}
}

func toStep(t *sdk.Step) Step {
	return Step{ID: first(t.Id()), Description: first(t.Description()), Status: string(first(t.Status()))}
}

func jobPath(id string) string { return "/jobs/" + segment(id) }

// JobsOf reads the jobs that requests with a correlation id have made.
func (s *Site) JobsOf(ctx context.Context, correlation string) ([]Job, error) {
	if correlation == "" || !plainName(correlation) { // it would be searched for as something else
		return nil, s.fail(opRead, Subject{Kind: "jobs"}, CodeBadRequest, fmt.Errorf("%q is no correlation id", correlation))
	}
	return read(ctx, s, call{subject: Subject{Kind: "jobs"}, path: "/jobs", query: url.Values{"search": {correlationSearch(correlation)}}}, decodeJobs)
}

// Job reads one job; not-found means that the engine has cleared it away.
func (s *Site) Job(ctx context.Context, id string) (Job, error) {
	return read(ctx, s, call{subject: Subject{Kind: KindJob, ID: id}, path: jobPath(id)}, decodeJob)
}

// Steps reads the steps of a job.
func (s *Site) Steps(ctx context.Context, jobID string) ([]Step, error) {
	return read(ctx, s, call{subject: Subject{Kind: KindJob, ID: jobID}, path: jobPath(jobID) + "/steps"}, decodeSteps)
}

// AddJob makes an external job, which the engine clears away by itself some time after its end: minutes where it succeeded, an hour where
// it failed. The user needs the permission inject_external_tasks for the whole system (ovirt-engine AddExternalJobCommand). Whether a
// request whose outcome is unknown made one is settled by its correlation id. Callers take it as best effort, as all about jobs.
func (s *Site) AddJob(ctx context.Context, description string) (Job, error) {
	subject := Subject{Kind: KindJob, Name: description}
	if err := describes(description); err != nil {
		return Job{}, s.fail(OpAddJob, subject, CodeBadRequest, err)
	}
	ctx, cancel := s.o.Clock.WithTimeout(patiently(ctx), operationTimeout)
	defer cancel()
	var answer Job
	var sent string
	var tried []string
	e := &ensurance{change: change{op: OpAddJob, subject: subject, method: http.MethodPost, path: "/jobs", aside: true,
		body: jobXML{Description: description, AutoCleared: true}, accept: acceptInto(decodeJob, &answer), sent: &sent}}
	e.look = func(context.Context, bool) (bool, error) { return answer.ID != "", nil }
	e.reached = func(ctx context.Context) (bool, error) {
		if sent == "" {
			return false, s.fail(OpAddJob, subject, CodeEngineError, errors.New("it was sent without a correlation id: whether it was made cannot be told"))
		}
		if !slices.Contains(tried, sent) {
			tried = append(tried, sent)
		}
		for _, correlation := range tried {
			jobs, err := s.JobsOf(ctx, correlation)
			if err != nil || len(jobs) > 0 {
				answer = firstOf(jobs)
				return len(jobs) > 0, err
			}
		}
		return false, nil
	}
	e.undone = func() *Error {
		return s.fail(OpAddJob, subject, CodeEngineError, errors.New("the engine said that it was added, and gave no id"))
	}
	_, err := s.ensure(ctx, e)
	return answer, err
}

// AddStep adds a step to an external job that is open. An unknown outcome is settled by the job's steps.
func (s *Site) AddStep(ctx context.Context, spec StepSpec) (Step, error) {
	subject := Subject{Kind: KindStep, Name: spec.Description}
	if err := describes(spec.Description); err != nil {
		return Step{}, s.fail(OpAddStep, subject, CodeBadRequest, err)
	}
	ctx, cancel := s.o.Clock.WithTimeout(patiently(ctx), operationTimeout)
	defer cancel()
	var answer Step
	e := &ensurance{change: change{op: OpAddStep, subject: subject, method: http.MethodPost, path: jobPath(spec.JobID) + "/steps", aside: true,
		body: stepXML{Type: "executing", Description: spec.Description}, accept: acceptInto(decodeStep, &answer)}}
	e.look = func(context.Context, bool) (bool, error) { return answer.ID != "", nil }
	e.reached = func(ctx context.Context) (bool, error) {
		steps, err := s.Steps(ctx, spec.JobID)
		for _, step := range steps {
			if step.Description == spec.Description && step.Open() && !slices.Contains(spec.Known, step.ID) {
				answer = step
			}
		}
		return answer.ID != "", err
	}
	e.undone = func() *Error {
		return s.fail(OpAddStep, subject, CodeEngineError, errors.New("the engine said that it was added, and gave no id"))
	}
	_, err := s.ensure(ctx, e)
	return answer, err
}

// EndStep ends a step of an external job. The engine ends the whole job as failed with a step that failed (ovirt-engine
// ExecutionHandler.endStep). What the engine accepts is taken as done; only an unknown outcome is read.
func (s *Site) EndStep(ctx context.Context, jobID, stepID string, succeeded bool) error {
	return s.endMark(ctx, OpEndStep, Subject{Kind: KindStep, ID: stepID}, jobPath(jobID)+"/steps/"+segment(stepID), succeeded, func(ctx context.Context) (bool, error) {
		steps, err := s.Steps(ctx, jobID)
		open := slices.ContainsFunc(steps, func(step Step) bool { return step.ID == stepID && step.Open() })
		return err == nil && !open, err
	})
}

// EndJob ends an external job; its open steps end as it does. One that the engine does not have any more is fine.
func (s *Site) EndJob(ctx context.Context, jobID string, succeeded bool) error {
	return s.endMark(ctx, OpEndJob, Subject{Kind: KindJob, ID: jobID}, jobPath(jobID), succeeded, func(ctx context.Context) (bool, error) {
		job, err := s.Job(ctx, jobID)
		if HasCode(err, CodeNotFound) {
			return true, nil
		}
		return err == nil && !job.Open(), err
	})
}

// endMark ends a job or a step. ended reads whether it has ended.
func (s *Site) endMark(ctx context.Context, op string, subject Subject, path string, succeeded bool, ended func(context.Context) (bool, error)) error {
	ctx, cancel := s.o.Clock.WithTimeout(patiently(ctx), operationTimeout)
	defer cancel()
	e := &ensurance{change: change{op: op, subject: subject, method: http.MethodPost, path: path + "/end", aside: true, body: endXML{Succeeded: succeeded}, accept: acceptAction}}
	e.look = func(ctx context.Context, _ bool) (bool, error) { return ended(ctx) }
	e.undone = func() *Error {
		return s.fail(op, subject, CodeEngineError, errors.New("the engine said that it was ended, and has it open"))
	}
	_, err := s.ensure(ctx, listed(e))
	return err
}

func describes(description string) error {
	if strings.TrimSpace(description) == "" {
		return errors.New("it needs a description")
	}
	return nil
}

// firstOf returns the first of some values, the zero value where there is none.
func firstOf[T any](values []T) (out T) {
	if len(values) > 0 {
		out = values[0]
	}
	return out
}
