package ovirt

import (
	"net/http"
	"strings"
	"testing"
)

const fenceRoute = "POST /hosts/" + hoID + "/fence"

func powerAnswer(inside string) answer { return xmlAnswer(200, "<action>"+inside+"</action>") }

// An engine that answers is never an error, whatever it could not find out.
func TestPowerStatus(t *testing.T) {
	on := powerAnswer("<fence_type>status</fence_type><power_management><status>on</status></power_management><status>complete</status>")
	for name, c := range map[string]struct {
		answer answer
		want   Power
	}{
		"on":              {on, Power{State: PowerOn}},
		"off":             {powerAnswer("<power_management><status>off</status></power_management><status>complete</status>"), Power{State: PowerOff}},
		"unknown":         {powerAnswer("<power_management><status>unknown</status></power_management>"), Power{PowerUnreadable, `the power management answers "unknown"`}},
		"query failed":    {powerAnswer("<fault><reason>Invalid fence agents defined for host 'h'.</reason></fault><status>failed</status>"), Power{PowerUnreadable, "Invalid fence agents defined for host 'h'."}},
		"without words":   {powerAnswer("<status>failed</status>"), Power{PowerUnreadable, "the engine says that the query failed, without words"}},
		"failed, and off": {powerAnswer("<power_management><status>off</status></power_management><fault><reason>x</reason></fault><status>failed</status>"), Power{PowerUnreadable, "x"}},
		"disabled":        {fault(409, "Operation Failed", "[Cannot fence Host, Host fence is disabled.]"), Power{PowerUnreadable, "[Cannot fence Host, Host fence is disabled.]"}},
		"no agent":        {fault(400, "Operation Failed", "[no Agent type selected.]"), Power{PowerUnreadable, "[no Agent type selected.]"}},
	} {
		bubble(t, func(t *testing.T, f *fake) {
			f.on(fenceRoute, c.answer)
			got, err := f.site().PowerStatus(t.Context(), hoID)
			if err != nil || got != c.want {
				t.Errorf("%s: %+v, %v", name, got, err)
			}
			if len(f.writes()) != 1 || f.bodies[0] != "<action><fence_type>status</fence_type></action>" || f.hooked[0].Op != OpPowerStatus || f.hooked[0].Subject.Kind != KindHost {
				t.Errorf("%s: %v %v %+v", name, f.writes(), f.bodies, f.hooked)
			}
		})
	}
	for name, c := range map[string]struct {
		answer answer
		code   Code
	}{
		"no such host": {notFound, CodeNotFound}, "forbidden": {fault(403, "Operation Failed", "no"), CodeForbidden}, "engine bug": {fault(500, "Operation Failed", "[x]"), CodeEngineError},
	} {
		bubble(t, func(t *testing.T, f *fake) {
			f.on(fenceRoute, c.answer)
			got, err := f.site().PowerStatus(t.Context(), hoID)
			if e := wantCode(t, err, c.code); got != (Power{}) {
				t.Errorf("%s: %+v %v", name, got, e)
			}
		})
	}
	// What is not understood is asked again, and in the end no answer.
	bad := unclear(on)
	bad["no state"] = complete
	for name, bad := range bad {
		bubble(t, func(t *testing.T, f *fake) {
			n := 0
			f.handle(fenceRoute, func(*http.Request, string) answer {
				if n++; n == 1 {
					return bad
				}
				return on
			})
			got, err := f.site().PowerStatus(t.Context(), hoID)
			if err != nil || got.State != PowerOn || len(f.writes()) != 2 || f.hooked[1].Retry == "" || !f.ended[0].Unknown {
				t.Errorf("%s: %+v %v %+v", name, got, err, f.hooked)
			}
		})
		bubble(t, func(t *testing.T, f *fake) {
			f.on(fenceRoute, bad)
			if got, err := f.site().PowerStatus(t.Context(), hoID); err == nil || got != (Power{}) || len(f.writes()) > maxRepeats+1 {
				t.Errorf("%s, for ever: %+v %v %v", name, got, err, f.writes())
			}
		})
	}
	bubble(t, func(t *testing.T, f *fake) { // another operation holds the host
		lock := fault(409, "Operation Failed", "[Cannot fence Host. Related operation is currently in progress. Please try again later.]")
		f.on(fenceRoute, lock, on)
		if got, err := f.site().PowerStatus(t.Context(), hoID); err != nil || got.State != PowerOn || !strings.Contains(f.hooked[1].Retry, "currently in progress") {
			t.Error(got, err)
		}
	})
	bubble(t, func(t *testing.T, f *fake) {
		f.on(fenceRoute, fault(409, "", "[Related operation is currently in progress.]"))
		if got, err := f.site().PowerStatus(t.Context(), hoID); err != nil || got.State != PowerUnreadable || len(f.writes()) != maxRepeats+1 {
			t.Error(got, err)
		}
	})
}
