package ovirt

import (
	"context"
	"net/http"
	"testing"
)

// TestMarksTakeNoPlace: what only shows the work neither waits for a place among its requests nor makes them fewer, however the engine
// answers.
func TestMarksTakeNoPlace(t *testing.T) {
	for name, post := range map[string]func(ctx context.Context, s *Site) error{
		"event": func(ctx context.Context, s *Site) error { _, err := s.PostEvent(ctx, mark); return err },
		"job":   func(ctx context.Context, s *Site) error { _, err := s.AddJob(ctx, "drrun failover"); return err },
		"step": func(ctx context.Context, s *Site) error {
			_, err := s.AddStep(ctx, StepSpec{JobID: jobID, Description: "import", Known: []string{"s1"}})
			return err
		},
		"end of a step": func(ctx context.Context, s *Site) error { return s.EndStep(ctx, jobID, "s1", true) },
		"end of a job":  func(ctx context.Context, s *Site) error { return s.EndJob(ctx, jobID, true) },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, f *fake) {
				broken := func(*http.Request, string) answer { return fault(500, "Operation Failed", "[No space left on device]") }
				for _, path := range []string{"/events", "/jobs", "/jobs/" + jobID + "/steps", "/jobs/" + jobID + "/steps/s1/end", "/jobs/" + jobID + "/end"} {
					f.handle("POST "+path, broken)
				}
				f.on("GET /events", xmlAnswer(200, "<events/>"))
				f.on("GET /jobs", xmlAnswer(200, "<jobs/>"))
				f.on("GET /jobs/"+jobID, xmlAnswer(200, jobText(statusStarted)))
				f.on("GET /jobs/"+jobID+"/steps", xmlAnswer(200, "<steps>"+stepText("s1", statusStarted)+"</steps>"))
				s := f.site()
				for range limitStart { // all places are taken
					if err := s.limit.acquire(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
				wantCode(t, post(t.Context(), s), CodeEngineError)
				if n := len(f.writes()); n == 0 || s.limit.limit != limitStart || s.limit.used != limitStart {
					t.Errorf("%d requests; %d of %v places are taken", n, s.limit.used, s.limit.limit)
				}
			})
		})
	}
}

// TestJobsOfAnotherExpression: what is no correlation id never gets into a search, where it would find other jobs.
func TestJobsOfAnotherExpression(t *testing.T) {
	bubble(t, func(t *testing.T, f *fake) {
		for _, correlation := range []string{"", "*", "a or status=started", "a\"b"} {
			_, err := f.site().JobsOf(t.Context(), correlation)
			wantCode(t, err, CodeBadRequest)
		}
		if asked := f.requests("GET"); len(asked) > 0 {
			t.Error(asked)
		}
	})
}
