package runner

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"strconv"

	"drrun/engine"
	"drrun/ovirt"
)

// longestEvent is how much of a description an engine keeps, in characters (ovirt-engine MaxAuditLogMessageLength).
const longestEvent = 10000

// eventList posts the events of a run in one engine.
type eventList struct {
	*markStream
	run  *engine.Run
	site *ovirt.Site
}

// post returns the mark that adds an event, unless an attempt of the run has added it already. Its custom id, unique for drrun in the
// engine, follows from the run and the text: so an event of which a killed attempt does not know whether it was added is found again, and
// what would say the same once more says nothing.
func (l *eventList) post(spec ovirt.EventSpec) mark {
	spec.Origin = lockOrigin
	return func(ctx context.Context) error {
		var err error
		for taken := range 3 { // by an event of another run
			spec.CustomID = customEventID(l.run.ID(), spec.Description, taken)
			subject := engine.Subject{Kind: ovirt.KindEvent, Site: l.site.Name(), ID: strconv.Itoa(spec.CustomID), Name: spec.Origin}
			if l.run.Reached(ovirt.OpPostEvent, subject) {
				return nil
			}
			spec.Fresh = len(l.run.Cut(ovirt.OpPostEvent, subject)) == 0
			if _, err = l.site.PostEvent(ctx, spec); !ovirt.HasCode(err, ovirt.CodeAlreadyExists) {
				return err
			}
		}
		return err
	}
}

// customEventID is from 1 to 2³¹-1.
func customEventID(run, text string, taken int) int {
	sum := sha256.Sum256([]byte(run + "\n" + strconv.Itoa(taken) + "\n" + text))
	return max(1, int(binary.BigEndian.Uint32(sum[:4])&0x7fffffff))
}
