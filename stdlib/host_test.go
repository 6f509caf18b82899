package stdlib

import (
	"context"
	"testing"

	"drrun/engine"
	"drrun/engine/sim"
	"drrun/ovirt"
	"drrun/ovirt/lab"
)

// TestPowerQuestion: a question that was cut off is asked again and leaves nothing open, and a dry run sends none.
func TestPowerQuestion(t *testing.T) {
	t.Parallel()
	inRun(t, func(s *Session, world *sim.World) {
		l := lab.New(lab.TwoSites(lab.TwoSitesOptions{PowerManagement: true}), world.Clock(), 1)
		site, err := ovirt.Open(context.Background(), ovirt.Options{Name: "primary", URL: lab.PrimaryURL, Username: lab.PrimaryUsername, Password: lab.PrimaryPassword,
			Transport: l.Transport(), Clock: world.Clock(), Go: s.Env.Go, OnWrite: WriteHook(func() *Session { return s })})
		if err != nil {
			t.Error(err)
			return
		}
		s.Source.Engine = site
		hosts, err := site.Hosts(context.Background())
		if err != nil {
			t.Error(err)
			return
		}
		host := &hostRef{site: s.Source, id: hosts[0].ID, name: hosts[0].Name}
		subject := engine.Subject{Kind: ovirt.KindHost, Site: "primary", ID: host.id, Name: host.name}
		pending, err := s.Run.Begin(context.Background(), engine.Intent{Op: ovirt.OpPowerStatus, Site: "primary", Subject: subject, Look: true})
		if err != nil {
			t.Error(err)
			return
		}
		pending.Done(engine.Outcome{Unknown: true})

		s.Dry = NewDryRun(s.Facts)
		if power, err := host.power(context.Background()); err != nil || power.State != ovirt.PowerUnreadable || power.Why == "" || site.Counters().Writes != 0 {
			t.Errorf("dry run: %+v, %v, %d requests", power, err, site.Counters().Writes)
		}
		s.Dry = nil
		if power, err := host.power(context.Background()); err != nil || power != (ovirt.Power{State: ovirt.PowerOn}) {
			t.Errorf("%+v, %v", power, err)
		}
		if left := s.cut(ovirt.OpPowerStatus, subject); len(left) > 0 {
			t.Errorf("left open: %+v", left)
		}
		if s.Run.Changed() {
			t.Error("a question made the run one that changed something")
		}
	})
}
