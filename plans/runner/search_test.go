package runner_test

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"drrun/engine"
	"drrun/ovirt/lab"
	"drrun/plans"
	"drrun/plans/runner"
)

// This file searches for a schedule under which drrun does harm. A seed is a story: which moves people want, what happens to the sites
// meanwhile, when drrun is killed, who confirms what. A person tells the truth as far as a person can know it: that a silent site is
// down is said only while all its hosts have no power. That a site is down whose engine answers is said at will: drrun must refuse.
// After that anything may come back, at any moment. search_oracle_test.go judges each start.

var (
	onlySeed  = flag.Int("seed", -1, "play one seed of TestSearch and tell what happens")
	firstSeed = flag.Int("first-seed", 0, "where TestSearch begins")
)

// searchSeeds is how many seeds TestSearch plays when -seeds is not given.
const searchSeeds = 300

// happening is one thing that befalls the world, at a time after the begin of the story.
type happening struct {
	at   time.Duration
	what string
	do   func()
}

// story is one seed while it is played.
type story struct {
	*pair
	*oracle
	seed   uint64
	random *rand.Rand
	kind   string
	begun  time.Time
	events []happening
	said   []string // what happened, for the one who reads the seed

	moves, starts, refused, resumed, killed, done, rolledBack int
}

func (s *story) say(format string, args ...any) {
	s.said = append(s.said, s.world.Clock().Now().Sub(s.begun).String()+" "+fmt.Sprintf(format, args...))
}

func (s *story) chance(percent int) bool { return s.random.IntN(100) < percent }

// within returns a time up to limit, to the second.
func (s *story) within(limit time.Duration) time.Duration {
	return time.Duration(s.random.Int64N(int64(limit/time.Second))) * time.Second
}

// happens puts a happening into the story.
func (s *story) happens(at time.Duration, what string, do func()) {
	s.events = append(s.events, happening{at, what, do})
}

// must is for what the lab cannot refuse.
func (s *story) must(err error) {
	if err != nil {
		s.t.Fatalf("seed=%d: %v", s.seed, err)
	}
}

// play plays the story of a seed to its end.
func play(t *testing.T, seed uint64) (s *story) {
	t.Helper()
	random := rand.New(rand.NewPCG(seed, 0x736561726368))
	lags := []time.Duration{5 * time.Second, 5 * time.Second, 2 * time.Minute, 10 * time.Minute}
	size := lab.TwoSitesOptions{VMs: 2 + random.IntN(3), Domains: 1 + random.IntN(2), Lag: lags[random.IntN(len(lags))]}
	p := newPair(t, seed, size)
	p.world.Quiet = true
	s = &story{pair: p, seed: seed, random: random, kind: "planned", begun: p.world.Clock().Now()}
	s.oracle = newOracle(s)
	defer func() { // a run without an end, a deadlock, a panic: the seed is as good as a violation
		if fault := recover(); fault != nil {
			text, _, _ := strings.Cut(fmt.Sprint(fault), "\n")
			s.violated("%s", text)
		}
	}()
	p.world.Horizon = 30 * 24 * time.Hour
	s.plan()
	s.say("%d VMs on %d storage domains, lag %s", size.VMs, size.Domains, size.Lag)
	switch n := random.IntN(100); {
	case n < 50:
		s.kind = "unplanned"
		s.lossOf("primary")
	case n < 75:
		s.troubles("primary")
	case n < 88:
		s.kind = "there and back"
		s.lossOf("primary")
	default:
		s.kind = "twice"
		s.lossOf("primary")
	}
	s.kills()
	s.begin()
	switch s.kind {
	case "unplanned":
		s.move(plans.ActionFailover, false)
	case "planned":
		if s.move(plans.ActionFailover, true) && s.reverse("secondary") {
			s.move(plans.ActionFailback, true)
		}
	case "there and back":
		if s.move(plans.ActionFailover, false) {
			s.healAndWait("primary")
			s.clean("primary")
			if s.reverse("secondary") {
				s.move(plans.ActionFailback, true)
			}
		}
	case "twice":
		if s.move(plans.ActionFailover, false) {
			s.healAndWait("primary")
			s.clean("primary")
			if s.reverse("secondary") {
				s.must(s.lab.Disaster("secondary"))
				s.say("the secondary loses its power")
				s.move(plans.ActionFailback, false)
			}
		}
	}
	s.judgeEnd()
	return s
}

// plan varies the plan: how long a boot takes decides what can happen between two starts.
func (s *story) plan() {
	waits := []string{"20s", "5m", "20m", "35m"}
	for i := range s.size.VMs {
		name := fmt.Sprintf("vm%d", i+1)
		text := s.read("/site/plan.lua")
		at := strings.Index(text, `name = "`+name+`"`)
		end := at + strings.Index(text[at:], "\n")
		line := text[at:end]
		line = line[:strings.Index(line, "rank =")] + fmt.Sprintf("rank = %d, boot = dr.boot.wait %q },", s.random.IntN(3), waits[s.random.IntN(len(waits))])
		s.write("/site/plan.lua", text[:at]+line+text[end:])
	}
	if s.chance(30) {
		s.say("the workflow is the site's own, and stubborn")
		for _, action := range []string{"failover", "failback"} {
			s.edit("return plan\n", stubborn(action)+"return plan\n")
		}
	}
}

// stubborn is a workflow that takes no for no answer: it catches every error of a start and tries again, for a while.
func stubborn(action string) string {
	return "function plan." + action + `(ctx)
  local steps = require "dr.steps"
  steps.preflight(ctx)
  if ctx.planned then
    steps.confirm_replication(ctx)
    steps.clean(ctx)
    steps.stop_source(ctx)
    steps.release_storage(ctx)
  end
  steps.evidence(ctx)
  steps.promote(ctx)
  steps.import(ctx)
  steps.register(ctx)
  for round = 1, 6 do
    for _, fact in ipairs(ctx.facts.vms) do
      pcall(function() ctx.target:vm(fact.name):start {} end)
      pcall(function() ctx.target:vm(fact.name):wait { status = "suspended", timeout = "1m" } end)
    end
  end
  if ctx.planned then steps.leave_source(ctx) end
end
`
}

func (s *story) hosts(site string) []lab.HostView { return s.lab.View().Sites[site].Hosts }

func (s *story) everyHost(site, kind string) {
	for _, host := range s.hosts(site) {
		s.must(s.lab.Fail(lab.Fault{Kind: kind, Site: site, Subject: host.Name}))
	}
}

// lossOf lets a site be lost, wholly or by half, and come back or not.
func (s *story) lossOf(site string) {
	early := s.within(3 * time.Minute)
	if s.chance(70) {
		early = 0
	}
	switch n := s.random.IntN(100); {
	case n < 45:
		s.happens(early, site+" loses its power", func() { s.must(s.lab.Disaster(site)) })
	case n < 57:
		s.happens(early, "the engine of "+site+" dies, its VMs run on", func() { s.must(s.lab.Outage(site)) })
	case n < 67:
		s.happens(early, "the engine of "+site+" sees no host any more, their VMs run on", func() { s.everyHost(site, lab.FaultHostIsolated) })
	case n < 75:
		s.happens(early, "all hosts of "+site+" lose their power, the engine answers", func() { s.everyHost(site, lab.FaultHostDown) })
	case n < 80:
		s.happens(early, "one host of "+site+" is not seen any more", func() {
			s.must(s.lab.Fail(lab.Fault{Kind: lab.FaultHostIsolated, Site: site, Subject: s.hosts(site)[0].Name}))
		})
	case n < 86:
		s.happens(early, "the hosts of "+site+" and then its engine lose their power", func() {
			s.everyHost(site, lab.FaultHostDown)
			s.must(s.lab.Outage(site))
		})
	case n < 93:
		s.happens(early, "the engine of "+site+" answers with errors", func() {
			s.must(s.lab.Fail(lab.Fault{Site: site, Path: "/storagedomains", Status: http.StatusInternalServerError, Times: -1}))
		})
	default:
		s.happens(early, "the engine of "+site+" sees no host any more and forgets its storage domains", func() {
			s.everyHost(site, lab.FaultHostIsolated)
			s.forget(site)
		})
	}
	for range s.random.IntN(3) {
		at := early + s.within(50*time.Minute)
		switch n := s.random.IntN(100); {
		case n < 40:
			s.happens(at, site+" comes back", func() { s.must(s.lab.Heal(site)) })
		case n < 65:
			s.happens(at, site+" comes back", func() { s.must(s.lab.Heal(site)) })
			s.happens(at+time.Minute+s.within(12*time.Minute), "and its engine dies again", func() { s.must(s.lab.Outage(site)) })
		case n < 75:
			s.happens(at, "the engine of "+site+" restarts", func() { s.must(s.lab.Fail(lab.Fault{Kind: lab.FaultEngine, Site: site})) })
		case n < 85:
			s.slow(at, site)
		default:
			s.happens(at, site+" loses its power", func() { s.must(s.lab.Disaster(site)) })
		}
	}
}

// slow makes the lists of storage domains of a site take long.
func (s *story) slow(at time.Duration, site string) {
	delay, times := 20*time.Second+s.within(20*time.Second), 2+s.random.IntN(5) // a read gives up after 30 s and is repeated
	s.happens(at, fmt.Sprintf("the engine of %s takes %s for its storage domains, %d times", site, delay, times), func() {
		s.must(s.lab.Fail(lab.Fault{Site: site, Method: http.MethodGet, Path: "/storagedomains", Delay: delay, Times: times}))
	})
}

// troubles are what a planned move can meet.
func (s *story) troubles(site string) {
	for range s.random.IntN(4) {
		at := s.within(15 * time.Minute)
		switch n := s.random.IntN(100); {
		case n < 20:
			s.happens(at, site+" loses its power", func() { s.must(s.lab.Disaster(site)) })
			if s.chance(50) {
				s.happens(at+s.within(30*time.Minute), site+" comes back", func() { s.must(s.lab.Heal(site)) })
			}
		case n < 35:
			s.happens(at, "the engine of "+site+" restarts", func() { s.must(s.lab.Fail(lab.Fault{Kind: lab.FaultEngine, Site: site})) })
		case n < 45:
			s.happens(at, "the engine of "+site+" dies, its hosts do not", func() { s.must(s.lab.Outage(site)) })
		case n < 55:
			s.happens(at, "one host of "+site+" is not seen any more", func() {
				s.must(s.lab.Fail(lab.Fault{Kind: lab.FaultHostIsolated, Site: site, Subject: s.hosts(site)[0].Name}))
			})
		case n < 65:
			s.slow(at, site)
		case n < 75:
			s.happens(0, "a guest ignores its shutdown", func() { s.must(s.lab.Fail(lab.Fault{Kind: lab.FaultShutdown, Site: site, Subject: "vm1"})) })
		default:
			s.happens(at, "somebody activates what is in maintenance at "+site, func() { s.activate(site) })
		}
	}
	if s.chance(30) { // what is in maintenance is activated in the middle of a slow look
		at := 4*time.Minute + s.within(4*time.Minute)
		s.slow(at, site)
		s.happens(at+20*time.Second+s.within(80*time.Second), "somebody activates what is in maintenance at "+site, func() { s.activate(site) })
	}
}

// kills are what befalls drrun itself, and the engine of the target.
func (s *story) kills() {
	for range s.random.IntN(3) {
		at := s.within(40 * time.Minute)
		if s.chance(50) {
			at = s.within(6 * time.Minute)
		}
		switch n := s.random.IntN(100); {
		case n < 45:
			s.happens(at, "drrun is killed", func() { s.killed++; s.world.Group("drrun").Kill() })
		case n < 60:
			s.happens(at, "the machine of drrun loses its power", func() {
				s.killed++
				s.world.SetDisk(s.disk.Crash(7))
				s.disk = s.world.Disk()
				s.world.Group("drrun").Kill()
			})
		case n < 80:
			s.happens(at, "the engine of the secondary restarts", func() { s.must(s.lab.Fail(lab.Fault{Kind: lab.FaultEngine, Site: "secondary"})) })
		default:
			fault := simFaults(s.seed)[0]
			s.happens(at, fmt.Sprintf("a fault %+v", fault), func() { s.must(s.lab.Fail(fault)) })
		}
	}
}

// begin lets the happenings take their course.
func (s *story) begin() {
	slices.SortStableFunc(s.events, func(a, b happening) int { return int(a.at - b.at) })
	fate := s.world.Daemon("fate")
	clock := fate.Env().Clock
	fate.Go(func() {
		for _, event := range s.events {
			if rest := s.begun.Add(event.at).Sub(clock.Now()); rest > 0 {
				_, _ = clock.Wait(context.Background(), rest, nil)
			}
			s.say("%s", event.what)
			event.do()
		}
	})
	fate.Go(func() {
		for {
			s.sample()
			_, _ = clock.Wait(context.Background(), sampled, nil)
		}
	})
	s.wait(time.Second)
}

// ask sends a request of a person to an engine, from a goroutine of the world. Refusals are the engine's business.
func (s *story) ask(site, method, path, body string) {
	url, user, password := lab.PrimaryURL, lab.PrimaryUsername, lab.PrimaryPassword
	if site == "secondary" {
		url, user, password = lab.SecondaryURL, lab.SecondaryUsername, lab.SecondaryPassword
	}
	request, err := http.NewRequestWithContext(context.Background(), method, url+path, strings.NewReader(body))
	s.must(err)
	request.SetBasicAuth(user, password)
	request.Header.Set("Content-Type", "application/xml")
	request.Header.Set("Correlation-Id", "a-person")
	s.world.Daemon("person").Go(func() {
		if answer, err := s.lab.Transport().RoundTrip(request); err == nil {
			_ = answer.Body.Close()
		}
	})
}

// activate is a person at a site who thinks that somebody forgot to activate its storage.
func (s *story) activate(site string) {
	s.meddled = true
	for _, domain := range s.lab.View().Sites[site].StorageDomains {
		if domain.Status == "maintenance" && s.ours(domain.ID) {
			s.ask(site, http.MethodPost, "/datacenters/"+s.dataCenter(site)+"/storagedomains/"+domain.ID+"/activate", "<action/>")
		}
	}
}

// forget is an engine that loses its storage domains, and with them its VMs, which run on.
func (s *story) forget(site string) {
	s.forgot = true
	for _, domain := range s.lab.View().Sites[site].StorageDomains {
		if s.ours(domain.ID) {
			s.ask(site, http.MethodDelete, "/storagedomains/"+domain.ID+"?destroy=true", "")
		}
	}
}

func (s *story) ours(domainID string) bool { return slices.Contains(s.domainIDs, domainID) }

// operator is a person, and the storage administrator beside.
type operator struct {
	s *story
	o *runner.Options
}

func (a operator) Ask(ctx context.Context, q engine.Question) (string, error) {
	s := a.s
	switch name, _, _ := strings.Cut(q.Name, ":"); name {
	case "confirm_source_down":
		source := s.source(a.o.Action)
		if s.chance(80) && s.off(source) {
			s.confirms(source)
			return "Bob: I pulled the plug", nil
		}
	case "replication":
		if s.replicatesTo(other(s.source(a.o.Action))) {
			return "yes", nil
		}
		return "no", nil
	case "promote_storage":
		return s.promote(ctx, a.o)
	case "cut":
		return "redo", nil
	}
	return "", engine.ErrNoAnswer
}

// promote makes the copies writable and says how old they are: what the array says is true.
func (s *story) promote(ctx context.Context, o *runner.Options) (string, error) {
	rest := s.size.Lag + 10*time.Second
	if s.chance(20) {
		rest = s.within(20 * time.Second) // in a hurry
	}
	if _, err := o.Env.Clock.Wait(ctx, rest, nil); err != nil {
		return "", err
	}
	asOf := time.Time{}
	for _, pair := range s.lab.View().Arrays.Replications {
		if err := s.lab.Promote(pair.Domain); err != nil {
			s.say("the array refuses: %v", err)
			return "", engine.ErrNoAnswer
		}
	}
	for _, pair := range s.lab.View().Arrays.Replications {
		if asOf.IsZero() || pair.AsOf.Before(asOf) {
			asOf = pair.AsOf
		}
	}
	s.say("the copies are writable, as of %s", asOf.Sub(s.begun))
	if !o.Planned && s.chance(50) {
		return "writable,as_of=unknown", nil
	}
	return "writable,as_of=" + asOf.UTC().Format(time.RFC3339), nil
}

// replicatesTo tells whether every pair copies to a site now.
func (s *story) replicatesTo(site string) bool {
	for _, pair := range s.lab.View().Arrays.Replications {
		if pair.State != "replicating" || strings.HasSuffix(pair.Target, "_replica") != (site == "secondary") {
			return false
		}
	}
	return true
}

func other(site string) string {
	if site == "primary" {
		return "secondary"
	}
	return "primary"
}

func (s *story) source(action string) string {
	if action == plans.ActionFailback {
		return "secondary"
	}
	return "primary"
}

// newest returns the newest run.
func (s *story) newest() (newest *engine.RunInfo) {
	s.do(func(env engine.Env) {
		runs, err := engine.ListRuns(env, "/state")
		s.must(err)
		if len(runs) > 0 {
			newest = &runs[0]
		}
	})
	return newest
}

// attempt makes one attempt at an action, with a person beside.
func (s *story) attempt(action string, planned bool, site string, run func(soft context.Context, o runner.Options) *runner.Result) (result *runner.Result) {
	source := s.source(action)
	if site != "" {
		source = other(site)
	}
	s.do(func(env engine.Env) {
		o := s.options(env, nil)
		o.Action, o.Planned, o.Site, o.ConfirmSourceDown = action, planned, site, ""
		who := operator{s, &o}
		o.Asker, o.CanAnswer = who, func(string) bool { return true }
		o.Transport = func(name string) http.RoundTripper { return watched{wire{s.pair}, s.oracle, name} }
		s.oracle.begin(source, planned)
		if !planned && site == "" && s.chance(85) && (s.answers(source) || s.off(source)) {
			s.confirms(source)
			o.ConfirmSourceDown = confirmed
		}
		s.say("drrun %s planned=%v confirmed=%v", action, planned, o.ConfirmSourceDown != "")
		result = run(context.Background(), o)
	})
	switch {
	case result == nil:
		s.say("drrun is gone")
	case result.Error != nil:
		s.say("exit %d: %s: %s", result.Exit, result.Error.Code, result.Error.Message)
	default:
		s.say("exit %d", result.Exit)
	}
	if result != nil && result.Exit == runner.ExitRefused {
		s.refused++
	}
	return result
}

// move goes on with an action until it is done or nobody wants it any more.
func (s *story) move(action string, planned bool) (done bool) {
	s.moves++
	source := s.source(action)
	if !planned {
		s.lossAccepted = true
	}
	before := s.counters(source)
	for range 6 {
		run := s.newest()
		var result *runner.Result
		switch {
		case run == nil || !run.Unfinished() && run.Exit != runner.ExitPartial || run.Head.Action != action:
			result = s.attempt(action, planned, "", func(soft context.Context, o runner.Options) *runner.Result { return runner.Start(soft, soft, o) })
		case planned && run.Unfinished() && s.chance(25):
			s.oracle.undoes = true
			result = s.attempt(action, planned, "", func(soft context.Context, o runner.Options) *runner.Result {
				s.oracle.undoes = true
				return runner.Rollback(soft, soft, run.ID, o)
			})
			s.oracle.undoes = false
			if result != nil && result.Exit == runner.ExitDone {
				s.rolledBack++
				return false
			}
		default:
			s.resumed++
			result = s.attempt(action, planned, "", func(soft context.Context, o runner.Options) *runner.Result {
				return runner.Resume(soft, soft, run.ID, o)
			})
		}
		if result != nil && result.Exit == runner.ExitDone {
			s.done++
			s.judgeMove(action, planned, before)
			return true
		}
		s.wait(time.Minute + s.within(8*time.Minute))
		if !planned && !s.answers(source) && !s.off(source) && s.chance(50) {
			s.say("somebody switches %s off", source)
			s.must(s.lab.Disaster(source))
		}
	}
	return false
}

// clean lets drrun take what is stale out of a site's engine.
func (s *story) clean(site string) {
	for range 3 {
		run := s.newest()
		var result *runner.Result
		if run != nil && run.Unfinished() && run.Head.Action == plans.ActionClean {
			s.resumed++
			result = s.attempt(plans.ActionClean, false, site, func(soft context.Context, o runner.Options) *runner.Result {
				return runner.Resume(soft, soft, run.ID, o)
			})
		} else {
			result = s.attempt(plans.ActionClean, false, site, func(soft context.Context, o runner.Options) *runner.Result { return runner.Start(soft, soft, o) })
		}
		if result != nil && result.Exit == runner.ExitDone {
			s.done++
			return
		}
		s.wait(2 * time.Minute)
	}
}

func (s *story) healAndWait(site string) {
	s.must(s.lab.Heal(site))
	s.say("%s comes back", site)
	s.wait(5 * time.Minute)
}

// reverse starts the replication away from a site, if nothing runs where it writes to.
func (s *story) reverse(from string) bool {
	view := s.lab.View()
	for _, vm := range view.Sites[other(from)].VMs {
		if vm.Running {
			return false
		}
	}
	for _, host := range view.Sites[other(from)].Hosts {
		if len(host.Stray) > 0 {
			return false
		}
	}
	for _, pair := range view.Arrays.Replications {
		if err := s.lab.Replicate(pair.Domain); err != nil {
			return false
		}
	}
	s.lossAccepted, s.oldUntil = false, s.now()
	s.say("the array replicates from %s", from)
	s.wait(time.Minute)
	return true
}

// TestSearch plays many stories and prints the seed of each that drrun should not have played like that.
func TestSearch(t *testing.T) {
	t.Parallel()
	if *onlySeed >= 0 {
		s := play(t, uint64(*onlySeed))
		t.Logf("seed=%d: %s\n%s", s.seed, s.kind, strings.Join(s.said, "\n"))
		for _, wrong := range s.wrong {
			t.Errorf("seed=%d: %s", s.seed, wrong)
		}
		return
	}
	count := searchSeeds
	flag.Visit(func(f *flag.Flag) {
		if f.Name == "seeds" {
			count = *seeds
		}
	})
	began := time.Now()
	var mu sync.Mutex
	next, played := *firstSeed, 0
	total := &story{oracle: &oracle{beyond: map[string]int{}}}
	violating := map[uint64][]string{}
	batch := func(t *testing.T) {
		for range 50 { // what the worlds of a batch hold is free when it ends
			mu.Lock()
			seed := next
			next++
			stop := seed >= *firstSeed+count || len(violating) > 0 && *stopEarly
			mu.Unlock()
			if stop {
				return
			}
			s := play(t, uint64(seed))
			mu.Lock()
			played++
			total.add(s)
			if len(s.wrong) > 0 {
				violating[s.seed] = s.wrong
			}
			mu.Unlock()
		}
	}
	workers := min(runtime.GOMAXPROCS(0), count)
	t.Run("seeds", func(t *testing.T) {
		for worker := range workers {
			t.Run(fmt.Sprint(worker), func(t *testing.T) {
				t.Parallel()
				for range (count + 49) / 50 {
					t.Run("batch", batch)
				}
			})
		}
	})
	found := make([]uint64, 0, len(violating))
	for seed := range violating {
		found = append(found, seed)
	}
	slices.Sort(found)
	for i, seed := range found {
		if i < 10 {
			t.Errorf("seed=%d: %s (go test ./plans/runner -run TestSearch -v -seed %d)", seed, violating[seed][0], seed)
		}
	}
	took := time.Since(began)
	t.Logf("seeds: %d, %.0f a second; moves: %d, done: %d, undone: %d; starts: %d; refusals: %d; resumed: %d; killed: %d; behind drrun's back: %v; violations in %d seeds",
		played, float64(played)/took.Seconds(), total.moves, total.done, total.rolledBack, total.starts, total.refused, total.resumed, total.killed, total.beyond, len(found))
	if total.starts == 0 || total.refused == 0 || total.resumed == 0 || total.done == 0 {
		t.Error("the search does not reach what it is for")
	}
}

var stopEarly = flag.Bool("stop-early", false, "end TestSearch with the first violation")

func (s *story) add(o *story) {
	s.moves, s.done, s.rolledBack, s.starts = s.moves+o.moves, s.done+o.done, s.rolledBack+o.rolledBack, s.starts+o.starts
	s.refused, s.resumed, s.killed = s.refused+o.refused, s.resumed+o.resumed, s.killed+o.killed
	for what, count := range o.beyond {
		s.beyond[what] += count
	}
}
