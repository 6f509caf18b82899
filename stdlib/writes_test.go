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
	"drrun/ovirt"
)

// inRun gives fn a session of a new run, without sites, in virtual time.
func inRun(t *testing.T, fn func(s *Session, world *sim.World)) {
	t.Helper()
	world := sim.New(1)
	t.Cleanup(world.Close)
	world.Run(func() {
		env := world.Env()
		run, err := engine.CreateRun(env, "/state", engine.Head{Plan: "p", Action: "failover"}, nil)
		if err != nil {
			t.Error(err)
			return
		}
		defer func() { _ = run.Close() }()
		facts := &Facts{
			Source: "primary", Target: "secondary",
			Domains:   []FactDomain{{ID: "d1", Name: "nfs_ds", Target: FactPlace{Address: "10.0.0.1", Path: "/nfs_ds_replica"}, Source: FactPlace{Address: "10.0.0.1", Path: "/nfs_ds"}}},
			Templates: []FactEntity{{ID: "t1", Name: "rhel9"}},
			VMs:       []FactVM{{ID: "v1", Name: "vm1"}},
		}
		s := NewSession(env, run, facts, nil, nil)
		s.Gate = NewGate(env.Clock, "primary", time.Second, func(context.Context) (bool, []string, string) { return true, nil, "" }, nil)
		fn(s, world)
	})
}

// TestWriteHook holds each kind of write against the facts (I7), and sees that what passes is journaled before it is sent.
func TestWriteHook(t *testing.T) {
	t.Parallel()
	subject := func(kind, id, name string) ovirt.Subject { return ovirt.Subject{Kind: kind, ID: id, Name: name} }
	cases := []struct {
		name  string
		write ovirt.Write
		ok    bool
	}{
		{"a VM of the facts", ovirt.Write{Op: ovirt.OpStartVM, Subject: subject(ovirt.KindVM, "v1", "vm1")}, true},
		{"another VM", ovirt.Write{Op: ovirt.OpStartVM, Subject: subject(ovirt.KindVM, "v2", "vm2")}, false},
		{"another VM of the same name", ovirt.Write{Op: ovirt.OpStartVM, Subject: subject(ovirt.KindVM, "v2", "vm1")}, false},
		{"a VM without id", ovirt.Write{Op: ovirt.OpStartVM, Subject: subject(ovirt.KindVM, "", "vm1")}, false},
		{"a VM of the facts on the source", ovirt.Write{Site: "primary", Op: ovirt.OpStartVM, Subject: subject(ovirt.KindVM, "v1", "vm1")}, false},
		{"a NIC of a VM of the facts", ovirt.Write{Op: ovirt.OpUpdateNIC, Path: "/vms/v1/nics/n1", Subject: subject(ovirt.KindNIC, "n1", "nic1")}, true},
		{"a NIC of another VM", ovirt.Write{Op: ovirt.OpUpdateNIC, Path: "/vms/v2/nics/n1", Subject: subject(ovirt.KindNIC, "n1", "nic1")}, false},
		{"a NIC elsewhere", ovirt.Write{Op: ovirt.OpUpdateNIC, Path: "/v1/nics/n1", Subject: subject(ovirt.KindNIC, "n1", "nic1")}, false},
		{"a domain of the facts", ovirt.Write{Op: ovirt.OpAttachDomain, Subject: subject(ovirt.KindStorageDomain, "d1", "nfs_ds")}, true},
		{"another domain", ovirt.Write{Op: ovirt.OpAttachDomain, Subject: subject(ovirt.KindStorageDomain, "d2", "nfs_ds")}, false},
		{"another domain taken out without an import", ovirt.Write{Op: ovirt.OpRemoveDomain, Subject: subject(ovirt.KindStorageDomain, "d2", "x")}, false},
		{"a domain of the facts on the source", ovirt.Write{Site: "primary", Op: ovirt.OpAttachDomain, Subject: subject(ovirt.KindStorageDomain, "d1", "nfs_ds")}, false},
		{"a template of the facts", ovirt.Write{Op: ovirt.OpRegisterTemplate, Subject: subject(ovirt.KindTemplate, "t1", "rhel9")}, true},
		{"another template", ovirt.Write{Op: ovirt.OpRegisterTemplate, Subject: subject(ovirt.KindTemplate, "t2", "rhel9")}, false},
		{"the connection of a target place", ovirt.Write{Op: ovirt.OpRemoveConnection, Subject: subject(ovirt.KindStorageConn, "c", "10.0.0.1:/nfs_ds_replica")}, true},
		{"the connection of a source place", ovirt.Write{Op: ovirt.OpRemoveConnection, Subject: subject(ovirt.KindStorageConn, "c", "10.0.0.1:/nfs_ds")}, false},
		{"another connection", ovirt.Write{Op: ovirt.OpRemoveConnection, Subject: subject(ovirt.KindStorageConn, "c", "10.0.0.2:/nfs_ds_replica")}, false},
		{"a host that looks", ovirt.Write{Op: ovirt.OpRefreshHost, Subject: subject(ovirt.KindHost, "h1", "host1")}, true},
		{"a host of the source that looks", ovirt.Write{Site: "primary", Op: ovirt.OpRefreshHost, Subject: subject(ovirt.KindHost, "h1", "host1")}, true},
		{"the power of a host", ovirt.Write{Op: ovirt.OpPowerStatus, Subject: subject(ovirt.KindHost, "h1", "host1")}, true},
		{"the power of a host of the source", ovirt.Write{Site: "primary", Op: ovirt.OpPowerStatus, Subject: subject(ovirt.KindHost, "h1", "host1")}, true},
		{"anything else of a host", ovirt.Write{Op: "host.fence", Subject: subject(ovirt.KindHost, "h1", "host1")}, false},
		{"a VM under the name of a question", ovirt.Write{Op: ovirt.OpPowerStatus, Subject: subject(ovirt.KindVM, "v2", "vm2")}, false},
		{"something without a kind", ovirt.Write{Subject: subject("", "v1", "vm1")}, false},
	}
	inRun(t, func(s *Session, world *sim.World) {
		hook := WriteHook(func() *Session { return s })
		for _, c := range cases {
			if c.write.Site == "" {
				c.write.Site = "secondary"
			}
			_, before := world.Disk().Counts("/state/runs/" + s.Run.ID() + "/journal.jsonl")
			done, err := hook(context.Background(), &c.write)
			_, after := world.Disk().Counts("/state/runs/" + s.Run.ID() + "/journal.jsonl")
			var outside *OutsidePlanError
			switch {
			case c.ok && (err != nil || done == nil || c.write.Correlation == "" || after <= before):
				t.Errorf("%s: %v, correlation %q, synced %v", c.name, err, c.write.Correlation, after > before)
			case !c.ok && (!errors.As(err, &outside) || c.write.Correlation != "" || after != before):
				t.Errorf("%s: passed, or was refused otherwise: %v", c.name, err)
			}
			if done != nil {
				done(ovirt.WriteResult{Status: 200})
			}
		}
		s.importing(1)
		if _, err := hook(context.Background(), &ovirt.Write{Site: "secondary", Op: ovirt.OpRemoveDomain, Subject: subject(ovirt.KindStorageDomain, "d2", "x")}); err != nil {
			t.Errorf("the wrong domain that an import brought cannot be taken out again: %v", err)
		}
		if _, err := hook(context.Background(), &ovirt.Write{Site: "secondary", Op: ovirt.OpAttachDomain, Subject: subject(ovirt.KindStorageDomain, "d2", "x")}); err == nil {
			t.Error("the wrong domain that an import brought can be attached")
		}
		s.importing(-1)
		s.Gate = NewGate(s.Env.Clock, "primary", time.Second, func(context.Context) (bool, []string, string) { return true, []string{"nfs_ds"}, `"nfs_ds" is active` }, nil)
		var missing *EvidenceError
		if _, err := hook(context.Background(), &ovirt.Write{Site: "secondary", Op: ovirt.OpAttachDomain, Subject: subject(ovirt.KindStorageDomain, "d1", "nfs_ds")}); !errors.As(err, &missing) {
			t.Errorf("a storage domain that the source has active can be attached: %v", err)
		}
		if _, err := WriteHook(func() *Session { return nil })(context.Background(), &ovirt.Write{Site: "secondary"}); err == nil {
			t.Error("a write passed before there was a run")
		}
		s.Run.Stop("the disk is full")
		if _, err := hook(context.Background(), &ovirt.Write{Site: "secondary", Op: ovirt.OpStartVM, Subject: subject(ovirt.KindVM, "v1", "vm1")}); !errors.Is(err, engine.ErrStopping) {
			t.Errorf("a write passed while the run stops: %v", err)
		}
	})
}

// TestWriteHookOfLUNs: a host logs in only at targets of the facts, and only the entry of a LUN of the facts is removed, each with the permit
// of the primitive that found out that it may.
func TestWriteHookOfLUNs(t *testing.T) {
	t.Parallel()
	inRun(t, func(s *Session, _ *sim.World) {
		hook := WriteHook(func() *Session { return s })
		target := FactTarget{Address: "10.1.0.1", Port: 3260, IQN: "iqn.x:b"}
		s.Facts.Domains[0].Target.Targets, s.Facts.Domains[0].Source.Targets = []FactTarget{target}, []FactTarget{{Address: "10.0.0.1", Port: 3260, IQN: "iqn.x:a"}}
		s.Facts.VMs[0].LUNs = []FactLUNDisk{{Disk: "k1", LUN: "3600a"}}
		session := func(iqn string) ovirt.Subject {
			return ovirt.Subject{Kind: ovirt.KindISCSISession, ID: "h1 10.1.0.1:3260/" + iqn}
		}
		for _, c := range []struct {
			name      string
			permitted bool
			write     ovirt.Write
			ok        bool
		}{
			{"a login", true, ovirt.Write{Op: ovirt.OpLogInISCSI, Subject: session("iqn.x:b")}, true},
			{"a login without a permit", false, ovirt.Write{Op: ovirt.OpLogInISCSI, Subject: session("iqn.x:b")}, false},
			{"a login at another target", true, ovirt.Write{Op: ovirt.OpLogInISCSI, Subject: session("iqn.x:z")}, false},
			{"a login at a target of the source", true, ovirt.Write{Op: ovirt.OpLogInISCSI, Subject: ovirt.Subject{Kind: ovirt.KindISCSISession, ID: "h1 10.0.0.1:3260/iqn.x:a"}}, false},
			{"a login of a host of the source", true, ovirt.Write{Site: "primary", Op: ovirt.OpLogInISCSI, Subject: session("iqn.x:b")}, false},
			{"a LUN of the facts", true, ovirt.Write{Op: ovirt.OpRemoveLUNDisk, Subject: ovirt.Subject{Kind: ovirt.KindDisk, ID: "k1"}}, true},
			{"a LUN of the facts without a permit", false, ovirt.Write{Op: ovirt.OpRemoveLUNDisk, Subject: ovirt.Subject{Kind: ovirt.KindDisk, ID: "k1"}}, false},
			{"another disk", true, ovirt.Write{Op: ovirt.OpRemoveLUNDisk, Subject: ovirt.Subject{Kind: ovirt.KindDisk, ID: "k2"}}, false},
			{"the settings of a domain", false, ovirt.Write{Op: ovirt.OpSetDomain, Subject: ovirt.Subject{Kind: ovirt.KindStorageDomain, ID: "d1"}}, true},
			{"the settings of another domain", true, ovirt.Write{Op: ovirt.OpSetDomain, Subject: ovirt.Subject{Kind: ovirt.KindStorageDomain, ID: "d2"}}, false},
			{"the settings of a domain on the source", false, ovirt.Write{Site: "primary", Op: ovirt.OpSetDomain, Subject: ovirt.Subject{Kind: ovirt.KindStorageDomain, ID: "d1"}}, false},
		} {
			over := func() {}
			site := s.Target
			if c.write.Site == "" {
				c.write.Site = "secondary"
			} else {
				site = s.Source
			}
			if c.permitted {
				over = s.permit(site, c.write.Subject.ID, c.write.Op)
			}
			done, err := hook(context.Background(), &c.write)
			over()
			if (err == nil) != c.ok {
				t.Errorf("%s: %v", c.name, err)
			}
			if done != nil {
				done(ovirt.WriteResult{Status: 200})
			}
		}
	})
}

// ownMarks is a run that is shown by one job.
type ownMarks struct{}

func (ownMarks) Allows(w *ovirt.Write) bool { return strings.HasPrefix(w.Path, "/jobs/mine") }

// TestWriteHookOfMarks: what shows the run leaves where it is the run's own, at its two sites, also while the run stops; it makes no run one
// that has changed something.
func TestWriteHookOfMarks(t *testing.T) {
	t.Parallel()
	inRun(t, func(s *Session, _ *sim.World) {
		hook := WriteHook(func() *Session { return s })
		own := ovirt.Write{Site: "secondary", Op: ovirt.OpEndJob, Path: "/jobs/mine/end", Subject: ovirt.Subject{Kind: ovirt.KindJob, ID: "mine"}}
		leaves := func(what string, w ovirt.Write, want bool) {
			done, err := hook(context.Background(), &w)
			var outside *OutsidePlanError
			if want && err != nil || !want && !errors.As(err, &outside) {
				t.Errorf("%s: %v", what, err)
			}
			if done != nil {
				done(ovirt.WriteResult{Status: 200})
			}
		}
		leaves("nothing shows the run", own, false)
		s.Presence = ownMarks{}
		leaves("its own job", own, true)
		other := own
		other.Path = "/jobs/other/end"
		leaves("the job of another", other, false)
		elsewhere := own
		elsewhere.Site = "tertiary"
		leaves("its own job at another site", elsewhere, false)
		leaves("a VM under the path of its job", ovirt.Write{Site: "secondary", Op: ovirt.OpStartVM, Path: "/jobs/mine", Subject: ovirt.Subject{Kind: ovirt.KindVM, ID: "v2"}}, false)
		s.Run.Stop("the disk is full")
		leaves("while the run stops", own, true)
		if s.Run.Changed() {
			t.Error("what shows a run has made it one that changed something")
		}
	})
}

// TestSettleByState settles the intents of a killed attempt after the object was read.
func TestSettleByState(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		cut     int
		changed bool
		want    string
	}{
		{"nothing was cut", 0, true, ""},
		{"the goal held at the first look", 1, false, "true"},
		{"the goal needed a new request", 1, true, "false"},
		{"of two only the last can have reached it", 2, false, "false true"},
		{"of two none reached it", 2, true, "false false"},
	} {
		inRun(t, func(s *Session, world *sim.World) {
			subject := engine.Subject{Kind: "vm", Site: "secondary", ID: "v1", Name: "vm1"}
			for range c.cut {
				pending, err := s.Run.Begin(context.Background(), engine.Intent{Op: "register", Site: "secondary", Subject: subject})
				if err != nil {
					t.Error(err)
					return
				}
				pending.Done(engine.Outcome{Unknown: true})
			}
			cut := s.cut("register", subject)
			if len(cut) != c.cut {
				t.Errorf("%s: %d cut", c.name, len(cut))
			}
			s.settleByState(cut, c.changed)
			if left := s.cut("register", subject); len(left) > 0 {
				t.Errorf("%s: %d are left", c.name, len(left))
			}
			if reached := s.Run.Reached("register", subject); reached != strings.Contains(c.want, "true") {
				t.Errorf("%s: reached is %v", c.name, reached)
			}
			if err := s.Run.Close(); err != nil {
				t.Error(err)
			}
			info, err := engine.ReadRun(s.Env, "/state", s.Run.ID())
			if err != nil {
				t.Error(err)
				return
			}
			var got []string
			for _, record := range info.Records {
				if record.Reached != nil {
					got = append(got, fmt.Sprint(*record.Reached))
				}
			}
			if strings.Join(got, " ") != c.want {
				t.Errorf("%s: settled as %v, want %s", c.name, got, c.want)
			}
		})
	}
}

// TestAwaitSettled wakes whoever waits for a VM, also after a fault of ours that keeps it from ever being settled.
func TestAwaitSettled(t *testing.T) {
	t.Parallel()
	inRun(t, func(s *Session, _ *sim.World) {
		var settled, abandoned error = errors.New("not woken"), nil
		done := make(chan struct{}, 2)
		s.Env.Go(func() { settled = s.awaitSettled(context.Background(), []string{"v1"}); done <- struct{}{} })
		s.Env.Go(func() { abandoned = s.awaitSettled(context.Background(), []string{"v1", "v2"}); done <- struct{}{} })
		s.settle("v1")
		_, _ = s.Env.Clock.Wait(context.Background(), 1, nil)
		s.abandon("internal error")
		_, _ = s.Env.Clock.Wait(context.Background(), 1, nil)
		if len(done) != 2 || settled != nil || !errors.Is(abandoned, engine.ErrStopping) {
			t.Errorf("%d woken, %v, %v", len(done), settled, abandoned)
		}
	})
}
