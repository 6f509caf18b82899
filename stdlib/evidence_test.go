package stdlib

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"drrun/engine"
	"drrun/engine/sim"
)

// handClock is moved by hand; nobody waits on it.
type handClock struct{ now time.Time }

func (c *handClock) Now() time.Time { return c.now }

func (c *handClock) Wait(ctx context.Context, _ time.Duration, _ <-chan struct{}) (bool, error) {
	return false, ctx.Err()
}

func (c *handClock) WithTimeout(ctx context.Context, _ time.Duration) (context.Context, context.CancelFunc) {
	return context.WithCancel(ctx)
}

// source is what a look sees.
type source struct {
	answers bool
	held    []string
	words   string
}

var (
	silent   = source{words: "connection refused"}
	held     = source{answers: true, held: []string{"nfs_ds"}, words: `"nfs_ds" is active`}
	released = source{answers: true, words: "all released"}
)

func TestGate(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 11, 20, 14, 0, 0, 0, time.UTC)
	type step struct {
		after   time.Duration // before it
		source  source
		confirm bool   // a person confirms first
		refused bool   // and the gate does not take it
		ground  string // "": the gate says no
		why     string
	}
	cases := []struct {
		name  string
		steps []step
	}{
		{"silent and not confirmed", []step{{source: silent, why: "nobody has confirmed"}}},
		{"silent and confirmed", []step{{source: silent, confirm: true, ground: GroundConfirmed, why: "Ann confirmed that it is down: smoke"}}},
		{"answers and holds", []step{{source: held, why: `"nfs_ds" is active`}}},
		{"answers and has released", []step{{source: released, ground: GroundReleased}}},
		{"answers and holds, whatever a person says", []step{{source: held, confirm: true, why: `"nfs_ds" is active`}}},
		{"released, then held again", []step{
			{source: released, ground: GroundReleased},
			{after: time.Minute, source: held, why: "is active"},
		}},
		{"an answer voids the confirmation for good", []step{
			{source: silent, confirm: true, ground: GroundConfirmed},
			{after: 10 * time.Second, source: held, why: "the confirmation of Ann is void"},
			{after: 10 * time.Second, source: silent, why: "it is silent now, but it answered again"},
			{after: 10 * time.Second, source: silent, confirm: true, refused: true, why: "it is silent now, but it answered again"},
		}},
		{"also an answer that releases voids it", []step{
			{source: silent, confirm: true, ground: GroundConfirmed},
			{after: 10 * time.Second, source: released, ground: GroundReleased},
			{after: 10 * time.Second, source: silent, why: "the confirmation of Ann is void"},
		}},
		{"a contradicted one is void although a released source may start VMs", []step{
			{source: silent, confirm: true, ground: GroundConfirmed},
			{after: 10 * time.Second, source: released, ground: GroundReleased},
			{after: 10 * time.Second, source: released, confirm: true, refused: true, ground: GroundReleased},
		}},
		{"it counts for 30 minutes", []step{
			{source: silent, confirm: true, ground: GroundConfirmed},
			{after: 30 * time.Minute, source: silent, ground: GroundConfirmed},
			{after: time.Second, source: silent, why: "older than 30m0s"}, // within a tick of the last look
			{after: time.Hour, source: silent, why: "older than 30m0s"},
		}},
		{"an expired one can be given again", []step{
			{source: silent, confirm: true, ground: GroundConfirmed},
			{after: time.Hour, source: silent, why: "older than 30m0s"},
			{after: time.Second, source: silent, confirm: true, ground: GroundConfirmed},
		}},
		{"a refusal is not kept when somebody confirms", []step{
			{source: silent, why: "nobody has confirmed"},
			{source: silent, confirm: true, ground: GroundConfirmed},
		}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			clock := &handClock{start}
			var now source
			gate := NewGate(clock, "primary", 3*time.Second, func(context.Context) (bool, []string, string) {
				return now.answers, now.held, now.words
			}, nil)
			for i, s := range c.steps {
				clock.now = clock.now.Add(s.after)
				now = s.source
				if s.confirm {
					if err := gate.Confirm(Confirmation{Name: "Ann", Reason: "smoke", At: clock.now}); (err != nil) != s.refused {
						t.Fatalf("step %d: confirm: %v", i+1, err)
					}
				}
				verdict, err := gate.Require(context.Background())
				if verdict.Ground != s.ground || verdict.Holds != (s.ground != "") || (err == nil) != verdict.Holds {
					t.Fatalf("step %d: %+v, %v; want ground %q", i+1, verdict, err, s.ground)
				}
				var missing *EvidenceError
				if err != nil && (!errors.As(err, &missing) || missing.Hint == "" || !strings.Contains(err.Error(), `"primary"`)) {
					t.Errorf("step %d: the error is %v", i+1, err)
				}
				if !strings.Contains(verdict.Why, s.why) {
					t.Errorf("step %d: why is %q, want %q in it", i+1, verdict.Why, s.why)
				}
				if (verdict.Confirmation != nil) != (s.ground == GroundConfirmed) {
					t.Errorf("step %d: confirmation %v", i+1, verdict.Confirmation)
				}
			}
		})
	}
}

// A verdict serves for a tick after its look, and never more than EvidenceAge after that look began.
func TestGateAge(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 11, 20, 14, 0, 0, 0, time.UTC)
	clock := &handClock{start}
	looks, takes := 0, 10*time.Second
	gate := NewGate(clock, "primary", 3*time.Second, func(context.Context) (bool, []string, string) {
		looks++
		clock.now = clock.now.Add(takes)
		return true, nil, ""
	}, nil)
	for _, step := range []struct {
		after, takes time.Duration
		looks        int
	}{
		{0, 10 * time.Second, 1},
		{3 * time.Second, 10 * time.Second, 1}, // 13 s after the look began, a tick after it ended
		{time.Second, 58 * time.Second, 2},
		{2 * time.Second, 0, 2}, // 60 s old
		{time.Second, 0, 3},     // 61 s old, although only a tick after the look
	} {
		clock.now, takes = clock.now.Add(step.after), step.takes
		before := clock.now
		verdict, err := gate.Require(context.Background())
		if err != nil || looks != step.looks {
			t.Errorf("%s later: %d looks, %v; want %d", step.after, looks, err, step.looks)
		}
		if verdict.At.After(before) {
			t.Errorf("%s later: the verdict says it is from %v, its look began before %v", step.after, verdict.At, before)
		}
	}
}

// TestGateShares lets many tasks ask at once: one look serves all, in every order.
func TestGateShares(t *testing.T) {
	t.Parallel()
	for seed := range uint64(20) {
		world := sim.New(seed)
		looks, seen, granted := 0, 0, 0
		world.Run(func() {
			env := world.Env()
			gate := NewGate(env.Clock, "primary", 3*time.Second, func(ctx context.Context) (bool, []string, string) {
				looks++
				_, _ = env.Clock.Wait(ctx, 10*time.Second, nil)
				return true, nil, ""
			}, func(Verdict) { seen++ })
			for range 100 {
				env.Go(func() {
					if _, err := gate.Require(context.Background()); err == nil {
						granted++
					}
				})
			}
		})
		world.Close()
		if looks != 1 || seen != 1 || granted != 100 {
			t.Fatalf("seed %d: %d looks, %d seen, %d granted", seed, looks, seen, granted)
		}
	}
}

// TestGateCancelled gives a look up while others wait for it: it proves nothing, voids nothing, and another one is made.
func TestGateCancelled(t *testing.T) {
	t.Parallel()
	world := sim.New(1)
	t.Cleanup(world.Close)
	looks, granted := 0, 0
	var first error
	var verdicts []Verdict
	world.Run(func() {
		env := world.Env()
		gate := NewGate(env.Clock, "primary", 3*time.Second, func(ctx context.Context) (bool, []string, string) {
			looks++
			if _, err := env.Clock.Wait(ctx, 10*time.Second, nil); err != nil {
				return true, []string{"nfs_ds"}, "given up" // as the client says of a probe that was given up
			}
			return false, nil, "connection refused"
		}, func(v Verdict) { verdicts = append(verdicts, v) })
		if err := gate.Confirm(Confirmation{Name: "Ann", Reason: "smoke", At: env.Clock.Now()}); err != nil {
			t.Error(err)
		}
		ctx, cancel := context.WithCancelCause(context.Background())
		env.Go(func() { _, first = gate.Require(ctx) })
		env.Go(func() {
			_, _ = env.Clock.Wait(context.Background(), time.Second, nil)
			for range 10 {
				env.Go(func() {
					if _, err := gate.Require(context.Background()); err == nil {
						granted++
					}
				})
			}
			_, _ = env.Clock.Wait(context.Background(), time.Second, nil)
			cancel(errors.New("Ctrl-C"))
		})
	})
	if first == nil || first.Error() != "Ctrl-C" {
		t.Errorf("the one whose look was given up got %v", first)
	}
	if looks != 2 || granted != 10 || len(verdicts) != 1 || verdicts[0].Ground != GroundConfirmed {
		t.Errorf("%d looks, %d granted, verdicts %+v", looks, granted, verdicts)
	}
}

// A look that never ends is cut before what it saw is too old, and nobody starts on it.
func TestGateSlowLook(t *testing.T) {
	t.Parallel()
	world := sim.New(1)
	t.Cleanup(world.Close)
	world.Run(func() {
		env := world.Env()
		gate := NewGate(env.Clock, "primary", 3*time.Second, func(ctx context.Context) (bool, []string, string) {
			_, _ = env.Clock.Wait(ctx, time.Hour, nil)
			return true, nil, "" // even if it said so
		}, nil)
		verdict, err := gate.Require(context.Background())
		if err == nil || verdict.Holds {
			t.Errorf("%+v, %v", verdict, err)
		}
		if took := env.Clock.Now().Sub(sim.Start); took > EvidenceAge {
			t.Errorf("it took %s", took)
		}
	})
}

func TestParseConfirmation(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 20, 14, 0, 0, 0, time.UTC)
	for _, c := range []struct{ text, name, reason string }{
		{"Ann Lee: fire in room 2", "Ann Lee", "fire in room 2"},
		{"  Ann :  saw it: no light  ", "Ann", "saw it: no light"},
		{"ann:x", "ann", "x"},
		{"Анна: пожар", "Анна", "пожар"},
		{text: ""}, {text: "yes"}, {text: "Ann"}, {text: "Ann:"}, {text: "Ann:   "}, {text: ": fire"}, {text: "  : fire"}, {text: "\n: fire"},
	} {
		got, err := ParseConfirmation(c.text, at)
		if c.name == "" {
			if err == nil {
				t.Errorf("%q passed as %+v", c.text, got)
			}
			continue
		}
		if err != nil || got.Name != c.name || got.Reason != c.reason || !got.At.Equal(at) {
			t.Errorf("%q: %+v, %v", c.text, got, err)
		}
	}
}

func TestParseAnswer(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ text, want string }{
		{"writable,as_of=unknown", "map[answer:writable,as_of=unknown as_of:unknown writable:true]"},
		{" writable , as_of = 2026-11-20T03:10:00Z ", "map[answer: writable , as_of = 2026-11-20T03:10:00Z  as_of:2026-11-20T03:10:00Z writable:true]"},
		{"no", "map[answer:no no:true]"},
		{"", "map[answer:]"},
		{",,", "map[answer:,,]"},
		{"a=b=c", "map[a:b=c answer:a=b=c]"},
	} {
		if got := fmt.Sprint(ParseAnswer(c.text)); got != c.want {
			t.Errorf("%q: %s, want %s", c.text, got, c.want)
		}
	}
}

func TestToStart(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		start, ran, ovf string
		want            bool
	}{
		{"no", "up", "up", false},
		{"yes", "down", "down", true},
		{"as_before", "up", "down", true},
		{"as_before", "down", "up", false},
		{"as_before", "unknown", "up", true},
		{"as_before", "unknown", "down", false},
		{"as_before", "unknown", "", false},
	} {
		vm := FactVM{Start: c.start, Ran: c.ran}
		if got, why := vm.ToStart(c.ovf); got != c.want || why == "" {
			t.Errorf("%+v: %v (%s)", c, got, why)
		}
	}
}

func TestConditionLimit(t *testing.T) {
	t.Parallel()
	wait := func(d time.Duration) *Condition { return &Condition{Kind: ConditionWait, Delay: d} }
	agent := func(d time.Duration) *Condition { return &Condition{Kind: ConditionGuestAgent, Timeout: d} }
	all := func(parts ...*Condition) *Condition { return &Condition{Kind: ConditionAll, Of: parts} }
	anyOf := func(parts ...*Condition) *Condition { return &Condition{Kind: ConditionAny, Of: parts} }
	for _, c := range []struct {
		condition *Condition
		want      time.Duration
	}{
		{wait(2 * time.Minute), 2 * time.Minute},
		{wait(time.Hour), time.Hour},
		{agent(0), 10 * time.Minute},
		{agent(5 * time.Minute), 5 * time.Minute},
		{&Condition{Kind: ConditionLua}, 10 * time.Minute},
		{all(wait(time.Minute), agent(0)), 10 * time.Minute},
		{all(wait(time.Minute)), time.Minute},
		{all(wait(20*time.Minute), agent(0)), 20 * time.Minute},
		{all(agent(30 * time.Minute)), 30 * time.Minute},
		{anyOf(agent(time.Minute), wait(2*time.Minute)), 2 * time.Minute},
		{all(anyOf(agent(40*time.Minute), wait(time.Minute)), wait(time.Second)), 40 * time.Minute},
	} {
		if got := c.condition.Limit(); got != c.want {
			t.Errorf("%s: %s, want %s", c.condition, got, c.want)
		}
	}
}

var _ engine.Clock = (*handClock)(nil)
