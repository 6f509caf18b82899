package ovirt

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func up(vm VM) (bool, error) { return vm.Status == "up", nil }

// vmWorld answers the three ways of reading VMs from one function of id and time.
func (f *fake) vmWorld(count int, status func(n int) string) {
	f.handle("GET /vms", func(r *http.Request, _ string) answer {
		search := r.URL.Query().Get("search")
		var vms []string
		for n := range count {
			if st := status(n); st != "" && (search == "" || strings.Contains(search, "id="+vmID(n))) {
				vms = append(vms, vmXML(n, st))
			}
		}
		return xmlAnswer(200, vmsXML(vms...))
	})
	for n := range count {
		f.handle("GET /vms/"+vmID(n), func(*http.Request, string) answer {
			if st := status(n); st != "" {
				return xmlAnswer(200, vmXML(n, st))
			}
			return notFound
		})
	}
}

// waiters starts a wait for each VM and returns when all ended.
func waiters(t *testing.T, s *Site, count int) (errs []error) {
	errs = make([]error, count)
	var wg sync.WaitGroup
	for n := range count {
		wg.Go(func() { _, errs[n] = s.WaitVM(t.Context(), vmID(n), time.Hour, up) })
	}
	wg.Wait()
	return errs
}

func TestWaitersShareOneRequestATick(t *testing.T) {
	for _, count := range []int{1, 2, 50, 500} {
		bubble(t, func(t *testing.T, f *fake) {
			started := time.Now()
			// VM n is up after 30 s + n s.
			f.vmWorld(count, func(n int) string {
				if time.Since(started) >= time.Duration(30+n%30)*time.Second {
					return "up"
				}
				return "powering_up"
			})
			s := f.site()
			for n, err := range waiters(t, s, count) {
				if err != nil {
					t.Fatal(n, err)
				}
			}
			ticks := int(time.Since(started)/defaultTick) + 1
			c := s.Counters()
			if c.Polls > ticks+1 || c.Reads != 0 || c.Writes != 0 {
				t.Fatalf("%d VMs: %d polls in %d ticks; %+v", count, c.Polls, ticks, c)
			}
			whole := len(f.requests("GET /vms?")) == 0 && count > 1
			if whole != (count > narrowMax) && len(f.requests("GET /vms?")) == 0 {
				t.Fatalf("%d VMs: narrowed %v", count, f.requests("GET /vms?"))
			}
			// Nobody waits: nothing is asked.
			before := s.Counters()
			time.Sleep(time.Minute) // virtual
			synctest.Wait()
			if s.Counters() != before {
				t.Fatal("requests although nobody waits")
			}
		})
	}
}

// TestPlantedPoller proves that the count above would show a poller per VM.
func TestPlantedPoller(t *testing.T) {
	bubble(t, func(t *testing.T, f *fake) {
		started := time.Now()
		f.vmWorld(20, func(int) string {
			if time.Since(started) >= 30*time.Second {
				return "up"
			}
			return "powering_up"
		})
		s := f.site()
		var wg sync.WaitGroup
		for n := range 20 {
			wg.Go(func() {
				for {
					if vm, err := s.VM(t.Context(), vmID(n)); err != nil || vm.Status == "up" {
						return
					}
					time.Sleep(defaultTick) // virtual
				}
			})
		}
		wg.Wait()
		if c := s.Counters(); c.Reads+c.Polls <= 12 {
			t.Fatalf("a poller per VM was not seen: %+v", c)
		}
	})
}

func TestAbsenceInANarrowedAnswerIsNoOutcome(t *testing.T) {
	bubble(t, func(t *testing.T, f *fake) {
		started := time.Now()
		st := func(int) string {
			if time.Since(started) >= 20*time.Second {
				return "up"
			}
			return "powering_up"
		}
		f.vmWorld(5, st)
		f.handle("GET /vms", func(r *http.Request, _ string) answer { // the engine cannot parse the search: an empty list
			if r.URL.Query().Get("search") != "" {
				return xmlAnswer(200, "<vms/>")
			}
			return xmlAnswer(200, vmsXML(vmXML(0, st(0)), vmXML(1, st(1)), vmXML(2, st(2)), vmXML(3, st(3)), vmXML(4, st(4))))
		})
		for n, err := range waiters(t, f.site(), 5) {
			if err != nil {
				t.Fatal(n, err)
			}
		}
		if n := len(f.requests("GET /vms?search")); n != 1 {
			t.Fatalf("the search that finds nothing was sent %d times", n)
		}
	})
	bubble(t, func(t *testing.T, f *fake) { // one is gone, the others are not
		f.vmWorld(3, func(n int) string { return map[int]string{0: "up", 1: "", 2: "up"}[n] })
		errs := waiters(t, f.site(), 3)
		if errs[0] != nil || errs[2] != nil {
			t.Fatal(errs)
		}
		wantCode(t, errs[1], CodeGone)
	})
}

func TestAWaiterIsNotServedByARequestThatLeftBefore(t *testing.T) {
	bubble(t, func(t *testing.T, f *fake) {
		state := "down"
		now := func() string {
			f.mu.Lock()
			defer f.mu.Unlock()
			return state
		}
		f.handle("GET /vms/"+vmID(1), func(*http.Request, string) answer {
			a := xmlAnswer(200, vmXML(1, now()))
			a.after = 2 * time.Second // the answer shows the state at the beginning
			return a
		})
		f.handle("GET /vms", func(*http.Request, string) answer { return xmlAnswer(200, vmsXML(vmXML(1, now()))) })
		s := f.site()
		var wg sync.WaitGroup
		wg.Go(func() { _, _ = s.WaitVM(t.Context(), vmID(1), time.Minute, up) })
		time.Sleep(time.Second) // virtual: the first look is under way
		f.mu.Lock()
		state = "up"
		f.mu.Unlock()
		wg.Go(func() {
			_, err := s.WaitVM(t.Context(), vmID(1), time.Minute, func(vm VM) (bool, error) {
				if vm.Status != "up" {
					t.Errorf("an answer from before: %s", vm.Status)
				}
				return true, nil
			})
			if err != nil {
				t.Error(err)
			}
		})
		wg.Wait()
	})
}

func TestTheLeadIsHandedOn(t *testing.T) {
	bubble(t, func(t *testing.T, f *fake) {
		started := time.Now()
		f.vmWorld(3, func(int) string {
			if time.Since(started) >= 30*time.Second {
				return "up"
			}
			return "powering_up"
		})
		s := f.site()
		var wg sync.WaitGroup
		ctx, cancel := context.WithCancel(t.Context())
		errs := make([]error, 3)
		wg.Go(func() { _, errs[0] = s.WaitVM(ctx, vmID(0), time.Hour, up) })
		synctest.Wait()
		wg.Go(func() { _, errs[1] = s.WaitVM(t.Context(), vmID(1), 10*time.Second, up) })
		wg.Go(func() { _, errs[2] = s.WaitVM(t.Context(), vmID(2), time.Hour, up) })
		time.Sleep(4 * time.Second) // virtual
		cancel()
		wg.Wait()
		wantCode(t, errs[0], CodeCancelled)
		if e := wantCode(t, errs[1], CodeTimeout); e.State != "powering_up" || !e.Retryable {
			t.Fatalf("%+v", e)
		}
		if errs[2] != nil {
			t.Fatal(errs[2])
		}
	})
}

func TestWaitOutlastsAnEngineThatIsAway(t *testing.T) {
	bubble(t, func(t *testing.T, f *fake) {
		started := time.Now()
		f.handle("GET /vms/"+vmID(1), func(*http.Request, string) answer {
			switch d := time.Since(started); {
			case d < 10*time.Second:
				return xmlAnswer(200, vmXML(1, "powering_up"))
			case d < time.Minute:
				return []answer{refused, {status: 503}, htmlPage, {status: 404, kind: "text/html", body: "<html/>"}}[int(d/time.Second)%4]
			}
			return xmlAnswer(200, vmXML(1, "up"))
		})
		if vm, err := f.site().WaitVM(t.Context(), vmID(1), 2*time.Minute, up); err != nil || vm.Name != "vm1" {
			t.Fatal(vm, err)
		}
		f.on("GET /vms/"+vmID(1), refused)
		_, err := f.site().WaitVM(t.Context(), vmID(1), time.Minute, up)
		if e := wantCode(t, err, CodeTimeout); !strings.Contains(e.Error(), "connection refused") {
			t.Fatal(err)
		}
	})
}

func TestWaitReturnsTheCallersError(t *testing.T) {
	bubble(t, func(t *testing.T, f *fake) {
		f.vmWorld(2, func(int) string { return "paused" })
		mine := errors.New("mine")
		_, err := f.site().WaitVM(t.Context(), vmID(1), time.Minute, func(VM) (bool, error) { return false, mine })
		if !errors.Is(err, mine) {
			t.Fatal(err)
		}
	})
}

func TestSharedReads(t *testing.T) {
	bubble(t, func(t *testing.T, f *fake) {
		f.vmWorld(300, func(int) string {
			f.mu.Lock()
			defer f.mu.Unlock()
			return "down"
		})
		f.latency = 10 * time.Millisecond
		s := f.site()
		var wg sync.WaitGroup
		for n := range 300 {
			wg.Go(func() {
				if vm, err := s.lookVM(t.Context(), vmID(n)); err != nil || vm.ID != vmID(n) {
					t.Error(vm, err)
				}
			})
		}
		wg.Wait()
		if c := s.Counters(); c.Reads > 4 || c.Polls != 0 {
			t.Fatalf("%+v", c)
		}
	})
}

func TestLimiter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(realClock{})
		// run does n requests that take d each, and tells how many were under way at most.
		run := func(n int, d time.Duration, good, pressed bool) (most int) {
			var mu sync.Mutex
			busy := 0
			var wg sync.WaitGroup
			for range n {
				wg.Go(func() {
					if err := l.acquire(t.Context()); err != nil {
						t.Error(err)
						return
					}
					started := time.Now()
					mu.Lock()
					busy++
					most = max(most, busy)
					mu.Unlock()
					time.Sleep(d) // virtual
					mu.Lock()
					busy--
					mu.Unlock()
					l.release("op", started, time.Since(started), good, pressed)
				})
			}
			wg.Wait()
			return most
		}
		if most := run(8, time.Second, true, false); most != limitStart {
			t.Fatalf("starts with %d", most)
		}
		if most := run(2000, time.Second, true, false); most != limitMax {
			t.Fatalf("grows to %d", most)
		}
		run(1, time.Second, false, true)
		if most := run(100, time.Second, false, false); most != limitMax/2 {
			t.Fatalf("after a refusal: %d", most)
		}
		for range 10 {
			run(1, time.Minute, true, false) // sixty times slower than usual
		}
		if most := run(20, time.Second, false, false); most != limitMin {
			t.Fatalf("when slow: %d", most)
		}
		// Those who give up free their place.
		ctx, cancel := context.WithCancel(t.Context())
		for range limitMin {
			if err := l.acquire(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		failed := make(chan error)
		go func() { failed <- l.acquire(ctx) }()
		synctest.Wait()
		cancel()
		if err := <-failed; err == nil {
			t.Fatal("got a place")
		}
		for range limitMin {
			l.release("op", time.Now(), time.Second, false, false)
		}
		if l.used != 0 || len(l.queue) != 0 {
			t.Fatalf("%d used, %d queued", l.used, len(l.queue))
		}
	})
}

func TestLimiterBoundsWrites(t *testing.T) {
	bubble(t, func(t *testing.T, f *fake) {
		f.latency = 10 * time.Millisecond
		started := map[string]bool{}
		busy, most := 0, 0
		f.vmWorld(100, func(n int) string {
			f.mu.Lock()
			defer f.mu.Unlock()
			if started[vmID(n)] {
				return "up"
			}
			return "down"
		})
		for n := range 100 {
			f.handle("POST /vms/"+vmID(n)+"/start", func(*http.Request, string) answer {
				f.mu.Lock()
				busy++
				most = max(most, busy)
				f.mu.Unlock()
				time.Sleep(time.Second) // virtual
				f.mu.Lock()
				busy--
				started[vmID(n)] = true
				f.mu.Unlock()
				return complete
			})
		}
		s := f.site()
		var wg sync.WaitGroup
		for n := range 100 {
			wg.Go(func() {
				if _, err := s.StartVM(t.Context(), vmID(n), StartOptions{}); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		c := s.Counters()
		if most < limitStart || most > limitMax || c.Writes != 100 || c.Reads > 4 {
			t.Fatalf("at most %d at once; %+v", most, c)
		}
		if testing.Verbose() {
			fmt.Printf("100 starts: %d at once at most, %+v\n", most, c)
		}
	})
}
