package engine_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"drrun/engine"
	"drrun/engine/sim"
)

// turns runs tasks that count on having the baton, and returns the order of their turns.
func turns(env engine.Env) ([]string, error) {
	s := engine.NewScheduler(env)
	var order []string
	inside := 0
	turn := func(t *engine.Task, what string) {
		inside++
		if inside != 1 {
			panic("two tasks have the baton")
		}
		order = append(order, t.Path()+" "+what)
		inside--
	}
	err := s.Run(background, background, "failover", func(t *engine.Task) error {
		for i := range 4 {
			t.Spawn(fmt.Sprintf("vm%d", i), func(t *engine.Task) error {
				turn(t, "begins")
				for n := range 3 {
					t.Release(func() {
						wait(env, time.Duration(env.Rand()%4)*time.Second)
						t.Hold(func() { turn(t, fmt.Sprint("calls back ", n)) })
					})
					turn(t, fmt.Sprint("goes on ", n))
				}
				return nil
			})
		}
		return nil
	})
	return order, err
}

func TestBatonIsSeeded(t *testing.T) {
	run := func(seed uint64) string {
		w := sim.New(seed)
		defer w.Close()
		var order []string
		w.Run(func() {
			var err error
			if order, err = turns(w.Env()); err != nil {
				t.Error(err)
			}
		})
		return strings.Join(order, "\n") + "\n" + strings.Join(w.Trace(), "\n")
	}
	first := run(11)
	for range 19 {
		if run(11) != first {
			t.Fatal("seed 11 gave two traces")
		}
	}
	seen := map[string]bool{}
	for seed := range uint64(20) {
		seen[run(seed)] = true
	}
	if len(seen) != 20 {
		t.Errorf("20 seeds gave %d traces", len(seen))
	}
}

func TestBatonOnRealThreads(t *testing.T) {
	order, err := turns(engine.SystemEnv(1e6))
	if err != nil || len(order) != 4*7 {
		t.Errorf("%d turns, %v", len(order), err)
	}
}

func TestTasksBeginInTheOrderOfSpawn(t *testing.T) {
	env := engine.SystemEnv(1)
	for range 50 {
		var order []string
		err := engine.NewScheduler(env).Run(background, background, "r", func(t *engine.Task) error {
			for i := range 8 {
				t.Spawn(fmt.Sprint(i), func(t *engine.Task) error {
					order = append(order, t.Key())
					return nil
				})
			}
			return nil
		})
		if err != nil || strings.Join(order, "") != "01234567" {
			t.Fatalf("order %v, %v", order, err)
		}
	}
}

func TestTasks(t *testing.T) {
	boom := errors.New("boom")
	tests := []struct {
		name string
		main func(env engine.Env, t *engine.Task) error
		want string // the error; empty means none
	}{
		{"result of main", func(_ engine.Env, t *engine.Task) error { return boom }, "boom"},
		{"a task that nobody joins", func(env engine.Env, t *engine.Task) error {
			t.Spawn("a", func(t *engine.Task) error {
				t.Release(func() { wait(env, time.Hour) })
				return boom
			})
			return nil
		}, "task run/a: boom"},
		{"a joined error is not raised again", func(_ engine.Env, t *engine.Task) error {
			c := t.Spawn("a", func(*engine.Task) error { return boom })
			if err := t.Join(c); err != boom {
				return fmt.Errorf("join gave %v", err)
			}
			if err := t.Join(c); err != boom {
				return fmt.Errorf("second join gave %v", err)
			}
			return nil
		}, ""},
		{"errors of grandchildren", func(_ engine.Env, t *engine.Task) error {
			t.Spawn("a", func(t *engine.Task) error {
				t.Spawn("b", func(*engine.Task) error { return boom })
				return errors.New("a failed")
			})
			return nil
		}, "task run/a: a failed\ntask run/a/b: boom"},
		{"a key twice", func(_ engine.Env, t *engine.Task) error {
			t.Spawn("a", func(*engine.Task) error { return nil })
			err := t.Join(t.Spawn("a", func(*engine.Task) error { return errors.New("started") }))
			var key *engine.KeyError
			if !errors.As(err, &key) || key.Code() != "parallel-key" || key.Key != "a" || key.Parent != "run" {
				return fmt.Errorf("join gave %v", err)
			}
			return nil
		}, ""},
		{"no key", func(_ engine.Env, t *engine.Task) error {
			t.Spawn("", func(*engine.Task) error { return nil })
			return nil
		}, "task run: a parallel item has no key: give each item an id or a name, or pass key="},
		{"a key again after a join", func(_ engine.Env, t *engine.Task) error {
			for range 2 {
				if err := t.Join(t.Spawn("a", func(t *engine.Task) error { return nil })); err != nil {
					return err
				}
			}
			return nil
		}, ""},
		{"a slash in a key", func(_ engine.Env, t *engine.Task) error {
			return t.Join(t.Spawn("a/b%", func(t *engine.Task) error {
				if t.Path() != "run/a%2Fb%25" || t.Key() != "a/b%" {
					return fmt.Errorf("path %s, key %s", t.Path(), t.Key())
				}
				return nil
			}))
		}, ""},
		{"a panic", func(_ engine.Env, t *engine.Task) error {
			err := t.Join(t.Spawn("a", func(t *engine.Task) error {
				t.Release(func() { panic(boom) })
				return nil
			}))
			var p *engine.PanicError
			if !errors.As(err, &p) || !strings.Contains(p.Stack, "TestTasks") || !errors.Is(err, boom) || p.Code() != "internal" {
				return fmt.Errorf("join gave %v", err)
			}
			return err
		}, "internal error in run/a: boom"},
		{"locals", func(_ engine.Env, t *engine.Task) error {
			t.SetLocal("k", 1)
			a := t.Spawn("a", func(t *engine.Task) error {
				if t.Local("k") != 1 || t.Local("later") != nil {
					return fmt.Errorf("locals %v %v", t.Local("k"), t.Local("later"))
				}
				t.SetLocal("k", 2)
				return nil
			})
			t.SetLocal("later", true)
			if err := t.Join(a); err != nil {
				return err
			}
			if t.Local("k") != 1 {
				return errors.New("a child changed the local of its parent")
			}
			return nil
		}, ""},
		{"contexts know the task", func(_ engine.Env, t *engine.Task) error {
			return t.Join(t.Spawn("a", func(t *engine.Task) error {
				if engine.TaskFrom(t.Ctx()) != t || engine.TaskFrom(t.OpCtx()) != t || engine.TaskFrom(background) != nil {
					return errors.New("TaskFrom is wrong")
				}
				return nil
			}))
		}, ""},
		{"release inside release", func(env engine.Env, t *engine.Task) error {
			t.Release(func() { t.Release(func() { wait(env, time.Second) }) })
			return nil
		}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for seed := range uint64(5) {
				inWorld(t, seed, func(_ *sim.World, env engine.Env) {
					err := engine.NewScheduler(env).Run(background, background, "run", func(t *engine.Task) error { return tt.main(env, t) })
					if got := fmt.Sprint(err); got != tt.want && (err != nil || tt.want != "") {
						t.Errorf("seed=%d: got %q, want %q", seed, got, tt.want)
					}
				})
			}
		})
	}
}

func TestCancel(t *testing.T) {
	inWorld(t, 1, func(w *sim.World, env engine.Env) {
		soft, first := context.WithCancel(background)
		hard, second := context.WithCancel(background)
		defer second()
		var log []string
		start := env.Clock.Now()
		say := func(what string) { log = append(log, fmt.Sprintf("%s %s", env.Clock.Now().Sub(start), what)) }
		env.Go(func() {
			wait(env, time.Minute)
			first()
			wait(env, time.Minute)
			second()
		})
		err := engine.NewScheduler(env).Run(soft, hard, "run", func(t *engine.Task) error {
			t.Spawn("observes", func(t *engine.Task) error {
				var err error
				t.Release(func() { _, err = env.Clock.Wait(t.Ctx(), -1, nil) })
				say("soft")
				return err
			})
			t.Spawn("changes", func(t *engine.Task) error {
				var err error
				t.Release(func() { _, err = env.Clock.Wait(t.OpCtx(), -1, nil) })
				say("hard")
				// What has to run after a cancel gets contexts of its own.
				return errors.Join(err, t.Under(background, background, func() error {
					t.Release(func() { _, err = env.Clock.Wait(t.Ctx(), 30*time.Second, nil) })
					say("on_error")
					return err
				}))
			})
			return nil
		})
		want := []string{"1m0s soft", "2m0s hard", "2m30s on_error"}
		if !slices.Equal(log, want) || !errors.Is(err, context.Canceled) {
			t.Errorf("got %q, %v", log, err)
		}
	})
}

func TestOnSwitch(t *testing.T) {
	for seed := range uint64(10) {
		inWorld(t, seed, func(w *sim.World, env engine.Env) {
			s := engine.NewScheduler(env)
			current := "" // what an interpreter keeps in a global
			s.OnSwitch(
				func(*engine.Task) any { return current },
				func(_ *engine.Task, saved any) { current, _ = saved.(string) })
			err := s.Run(background, background, "run", func(t *engine.Task) error {
				for i := range 5 {
					t.Spawn(fmt.Sprint(i), func(t *engine.Task) error {
						if current != "" {
							return fmt.Errorf("a new task finds %q", current)
						}
						for n := range 5 {
							current = fmt.Sprint(i, "/", n)
							mine := current
							var err error
							t.Release(func() {
								wait(env, time.Second)
								t.Hold(func() {
									if current != mine {
										err = fmt.Errorf("called back with %q instead of %q", current, mine)
									}
								})
							})
							if err != nil || current != mine {
								return fmt.Errorf("goes on with %q instead of %q, %v", current, mine, err)
							}
						}
						return nil
					})
				}
				return nil
			})
			if err != nil {
				t.Errorf("seed=%d: %v", seed, err)
			}
		})
	}
}

// Two goroutines of one primitive may call back at the same time; they take turns.
func TestHoldFromTwoGoroutines(t *testing.T) {
	for seed := range uint64(20) {
		inWorld(t, seed, func(w *sim.World, env engine.Env) {
			inside, most, calls := 0, 0, 0
			err := engine.NewScheduler(env).Run(background, background, "run", func(t *engine.Task) error {
				t.Release(func() {
					done := make([]chan struct{}, 3)
					for i := range done {
						done[i] = make(chan struct{})
						env.Go(func() {
							defer close(done[i])
							t.Hold(func() {
								inside++
								most = max(most, inside)
								t.Release(func() { inside--; wait(env, time.Second); calls++ })
							})
						})
					}
					for _, d := range done {
						_, _ = env.Clock.Wait(background, -1, d)
					}
				})
				return nil
			})
			if err != nil || most != 1 || calls != 3 {
				t.Errorf("seed=%d: %d inside at once, %d calls, %v", seed, most, calls, err)
			}
		})
	}
}
