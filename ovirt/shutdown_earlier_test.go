package ovirt

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestShutdownOfAVMThatWasStartedSince: a request that an earlier start of the VM has obeyed is none to the guest that runs now, which is
// asked before it is switched off.
func TestShutdownOfAVMThatWasStartedSince(t *testing.T) {
	for _, c := range []struct {
		name          string
		event, start  time.Duration // before now
		up, requested bool
	}{
		{name: "asked, and started later", event: time.Hour, start: time.Minute, up: true, requested: true},
		{name: "started, and asked later", event: time.Minute, start: time.Hour, up: true},
		{name: "still powering up", event: time.Hour, start: time.Minute, requested: true},
	} {
		bubble(t, func(t *testing.T, f *fake) {
			began, down := time.Now(), false
			f.vmIs(func() string {
				status := "up"
				switch {
				case down:
					status = "down"
				case !c.up && time.Since(began) < 15*time.Second:
					status = "powering_up"
				}
				return strings.Replace(vmXML(1, status), "</status>", "</status><start_time>"+began.Add(-c.start).Format(time.RFC3339)+"</start_time>", 1)
			})
			f.on("GET /events", xmlAnswer(200, "<events>"+eventXML(5, 73, fmt.Sprintf("<correlation_id>run-1</correlation_id><time>%s</time>", began.Add(-c.event).Format(time.RFC3339)))+"</events>"))
			f.handle("POST /vms/"+vmID(1)+"/shutdown", func(*http.Request, string) answer { down = true; return complete })
			f.handle("POST /vms/"+vmID(1)+"/stop", func(*http.Request, string) answer { down = true; return complete })
			result, err := f.site().ShutdownVM(t.Context(), vmID(1), ShutdownOptions{Grace: time.Minute, Force: true, Earlier: []string{"run-1"}})
			if err != nil || result.Requested != c.requested || result.Forced == c.requested {
				t.Errorf("%s: %+v %v %v", c.name, result, err, f.writes())
			}
		})
	}
}
