package ovirt

import (
	"context"
	"encoding/xml"
	"errors"
	"net/http"
)

// The states of Power.
const (
	PowerOn         = "on"
	PowerOff        = "off"
	PowerUnreadable = "unreadable"
)

// Power is what a host's power management says. Why tells, of one that is unreadable, what stood in the way; else it is empty.
type Power struct{ State, Why string }

// fenceStatusXML is a fence action. PowerStatus only asks; ConfirmRebooted asserts, after it has asked. None switches a host.
type fenceStatusXML struct {
	XMLName xml.Name `xml:"action"`
	Type    string   `xml:"fence_type"`
}

// PowerStatus asks the power management of a host, through another host of its data center, whether the host has power. That a host
// is on says nothing of what runs on it; that it is off says that nothing does.
//
// An engine that could not find out has answered too, so it is no error: without an agent, without another host that is up, with an
// agent that is silent or answers "unknown", the state is PowerUnreadable, with the engine's words. The engine says so with 200
// and a fault (ovirt-engine BackendHostResource.java, getFenceStatus), or refuses with 400 or 409. An error is a host that the engine
// does not know (not-found), or an engine that did not answer.
//
// The request passes the write hook, although it changes nothing. A question whose answer was lost is asked again. An engine that is
// silent is given the time of a read only.
func (s *Site) PowerStatus(ctx context.Context, hostID string) (Power, error) {
	subject := Subject{Kind: KindHost, ID: hostID}
	ctx, cancel := s.o.Clock.WithTimeout(ctx, operationTimeout)
	defer cancel()
	var power Power
	accept := func(d *document) error {
		a, err := decodeAction(d)
		if err != nil {
			return err
		}
		switch {
		case a.Faulty || a.Status == "failed":
			power = Power{State: PowerUnreadable, Why: (&Error{Reason: a.Reason, Detail: a.Detail}).words()}
			if power.Why == "" {
				power.Why = "the engine says that the query failed, without words"
			}
		case a.Power == PowerOn || a.Power == PowerOff:
			power = Power{State: a.Power}
		case a.Power != "":
			power = Power{State: PowerUnreadable, Why: "the power management answers \"" + a.Power + "\""}
		default:
			return errors.New("the answer does not say whether the host has power")
		}
		return nil
	}
	retry := ""
	for repeats := 0; ; repeats++ {
		failure := s.perform(ctx, change{op: OpPowerStatus, subject: subject, method: http.MethodPost, path: "/hosts/" + segment(hostID) + "/fence",
			body: fenceStatusXML{Type: "status"}, accept: accept, retry: retry})
		switch {
		case failure == nil:
			return power, nil
		case failure.unknown && ctx.Err() == nil && repeats < maxRepeats:
			retry = "no answer was understood: " + failure.cause() + "; the question may be repeated"
		case failure.Code == CodeLocked && ctx.Err() == nil && repeats < maxRepeats:
			retry = locked(failure)
		case !failure.unknown && (failure.Status == http.StatusBadRequest || failure.Status == http.StatusConflict):
			return Power{State: PowerUnreadable, Why: failure.words()}, nil
		default:
			return Power{}, failure
		}
		if s.pause(ctx, backoff(repeats+1)) != nil {
			return Power{}, failure
		}
	}
}
