package runner

import (
	"context"
	"testing"
	"time"

	"drrun/engine"
	"drrun/engine/sim"
)

// TestSaves writes files in the ways that editors have, in virtual time, and counts what is noticed of it and when.
func TestSaves(t *testing.T) {
	t.Parallel()
	type step struct {
		after time.Duration // since the step before
		do    func(disk *sim.FS)
	}
	write := func(file, text string) func(*sim.FS) {
		return func(disk *sim.FS) {
			if err := disk.MkdirAll("/site/lib"); err != nil {
				t.Error(err)
			}
			if err := disk.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Error(err)
			}
		}
	}
	remove := func(file string) func(*sim.FS) {
		return func(disk *sim.FS) {
			if err := disk.Remove(file); err != nil {
				t.Error(err)
			}
		}
	}
	cases := []struct {
		name  string
		steps []step
		want  []string // what plan.lua and lib/a.lua hold at each look that counts
	}{
		{"in place", []step{{time.Second, write("/site/plan.lua", "two")}}, []string{"two|"}},
		{"away and back", []step{{time.Second, remove("/site/plan.lua")}, {100 * time.Millisecond, write("/site/plan.lua", "two")}}, []string{"two|"}},
		{"emptied, then written late", []step{{time.Second, write("/site/plan.lua", "")}, {1500 * time.Millisecond, write("/site/plan.lua", "two")}}, []string{"two|"}},
		{"gone for good", []step{{time.Second, remove("/site/plan.lua")}}, []string{"|"}},
		{"gone, and as it was", []step{{time.Second, remove("/site/plan.lua")}, {time.Second, write("/site/plan.lua", "one")}}, nil},
		{"a burst", []step{{time.Second, write("/site/plan.lua", "2")}, {200 * time.Millisecond, write("/site/plan.lua", "3")}, {200 * time.Millisecond, write("/site/plan.lua", "4")}, {200 * time.Millisecond, write("/site/plan.lua", "5")}}, []string{"5|"}},
		{"one after the other", []step{{time.Second, write("/site/plan.lua", "2")}, {3 * time.Second, write("/site/plan.lua", "3")}}, []string{"2|", "3|"}},
		{"written again as it was", []step{{time.Second, write("/site/plan.lua", "one")}}, nil},
		{"a library that appears in a new folder", []step{{time.Second, write("/site/lib/a.lua", "a")}}, []string{"one|a"}},
		{"several files", []step{{time.Second, write("/site/plan.lua", "2")}, {100 * time.Millisecond, write("/site/lib/a.lua", "a")}}, []string{"2|a"}},
	}
	for _, told := range []bool{false, true} {
		for _, c := range cases {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				world := sim.New(1)
				defer world.Close()
				disk := world.Disk()
				write("/site/plan.lua", "one")(disk)
				var got []string
				group := world.Group("watch")
				group.Run(func() {
					env := group.Env()
					ring := func() {}
					if told {
						env.Watch = func(r func(), _ ...string) (func(), error) { ring = r; return func() {}, nil }
					}
					ctx, end := context.WithCancel(context.Background())
					s := watchSaves(env, 1, map[string][]byte{"/site/plan.lua": []byte("one"), "/site/lib/a.lua": nil})
					defer s.stop()
					env.Go(func() {
						defer end()
						for _, step := range c.steps {
							pause(t, env, step.after)
							step.do(disk)
							ring()
						}
						pause(t, env, 10*time.Second)
					})
					for {
						now, ok := s.next(ctx, nil)
						if !ok {
							return
						}
						got = append(got, string(now["/site/plan.lua"])+"|"+string(now["/site/lib/a.lua"]))
					}
				})
				if len(got) != len(c.want) {
					t.Fatalf("told %v: noticed %q, want %q", told, got, c.want)
				}
				for i := range got {
					if got[i] != c.want[i] {
						t.Errorf("told %v: noticed %q, want %q", told, got, c.want)
					}
				}
			})
		}
	}
}

func pause(t *testing.T, env engine.Env, d time.Duration) {
	if _, err := env.Clock.Wait(context.Background(), d, nil); err != nil {
		t.Error(err)
	}
}
